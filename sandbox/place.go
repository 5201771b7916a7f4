package sandbox

import (
	"strconv"

	"counterfoil/domain"
	"counterfoil/providers/epay"
)

// OpenOrder is an order that the sandbox opens for a merchant by itself, to try
// things out without a shop.
type OpenOrder struct {
	PID        string  `json:"pid"`
	Version    Version `json:"version,omitempty"` // empty takes the merchant's
	OutTradeNo string  `json:"out_trade_no"`
	Money      string  `json:"money"`
	Name       string  `json:"name,omitempty"`
	NotifyURL  string  `json:"notify_url"`
	ReturnURL  string  `json:"return_url,omitempty"`
	Method     string  `json:"type,omitempty"`
	Param      string  `json:"param,omitempty"`
}

// Open signs a form in the merchant's name and hands it in, so that every rule
// for forms applies. KindInvalid with the gateway's own words when it refuses.
func (s *Sandbox) Open(in OpenOrder) (Order, error) {
	s.mu.Lock()
	m, err := s.merchant(in.PID)
	s.mu.Unlock()
	if err != nil {
		return Order{}, err
	}
	if in.Version == "" {
		in.Version = m.Version
	}
	if in.Name == "" {
		in.Name = "Sandbox order"
	}
	f, err := s.formFor(m, in)
	if err != nil {
		return Order{}, err
	}
	o, refused := s.open(f, in.Version)
	if refused != nil {
		return Order{}, domain.E(domain.KindInvalid, "order %.40q: %w", in.OutTradeNo, refused)
	}
	return s.Order(o.tradeNo)
}

// formFor is the merchant's form, signed with the merchant's key.
func (s *Sandbox) formFor(m *merchant, in OpenOrder) (fields, error) {
	f := fields{
		"pid": in.PID, "type": in.Method, "out_trade_no": in.OutTradeNo, "notify_url": in.NotifyURL,
		"return_url": in.ReturnURL, "name": in.Name, "money": in.Money, "param": in.Param,
	}
	if in.Version != V2 {
		f["sign"], f["sign_type"] = epay.SignMD5(m.text(f.params()), m.keys.md5), "MD5"
		return f, nil
	}
	if m.MerchantKey == "" {
		return nil, domain.EField(domain.KindInvalid, "pid", "the private key of merchant %s is not known here", m.PID)
	}
	f["timestamp"] = strconv.FormatInt(s.stage.Now().Unix(), 10)
	key, err := epay.ParsePrivateKey(m.MerchantKey)
	if err != nil {
		return nil, err
	}
	f["sign_type"] = "RSA"
	f["sign"], err = epay.SignRSA(m.text(f.params()), key)
	return f, err
}
