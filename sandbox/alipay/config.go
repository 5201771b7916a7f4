package alipay

import (
	"net/url"
	"strings"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Name is the face's name and the first part of its paths.
const Name = "alipay"

// Config says who sells here.
type Config struct {
	// BaseURL is the address under which Routes are reached, with the path of
	// the mount: https://sandbox.example.com/alipay.
	BaseURL   string
	Merchants []Merchant // at least one
}

// Merchant is one application of one seller. Empty keys are made.
type Merchant struct {
	AppID     string // 16 digits
	SellerID  string // 2088 and 12 more; empty: made from AppID
	NotifyURL string // of orders that the control interface opens without one

	AppKey    string // the application's private key
	AlipayKey string // the private key that Alipay signs with at first
}

func (m Merchant) withDefaults() Merchant {
	if m.SellerID == "" {
		m.SellerID = "2088" + digitsOf(12, m.AppID, "seller")
	}
	return m
}

// digitsOf makes a number of n digits that is the same in every run.
func digitsOf(n int, names ...string) string {
	sum := stage.Digest(0, names...)
	var b strings.Builder
	for i := range n {
		b.WriteByte('0' + sum[i]%10)
	}
	return b.String()
}

func (m Merchant) check() error {
	wrong := func(field, why string) error {
		return domain.EField(domain.KindInvalid, field, "merchant %.32q %s", m.AppID, why)
	}
	switch {
	case len(m.AppID) < 8 || len(m.AppID) > 32 || strings.Trim(m.AppID, "0123456789") != "":
		return wrong("app_id", "has no number")
	case len(m.SellerID) != 16 || !strings.HasPrefix(m.SellerID, "2088") || strings.Trim(m.SellerID, "0123456789") != "":
		return wrong("seller_id", "has no seller like 2088 and 12 more digits")
	}
	return nil
}

func (c Config) check() error {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return domain.EField(domain.KindInvalid, "base_url", "%q is not a web address", c.BaseURL)
	}
	if len(c.Merchants) == 0 {
		return domain.EField(domain.KindInvalid, "merchants", "there is none")
	}
	return nil
}

// New makes the face on a stage. KindInvalid names the first wrong field.
func New(s *stage.Stage, c Config) (*Face, error) {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	if err := c.check(); err != nil {
		return nil, err
	}
	f := &Face{
		stage: s, base: c.BaseURL, merchants: map[string]*merchant{}, orders: map[string]*order{}, files: map[string]file{},
	}
	for _, config := range c.Merchants {
		config = config.withDefaults()
		if err := config.check(); err != nil {
			return nil, err
		}
		if f.merchants[config.AppID] != nil {
			return nil, domain.EField(domain.KindInvalid, "app_id", "there are two merchants %s", config.AppID)
		}
		m, err := newMerchant(s, config)
		if err != nil {
			return nil, err
		}
		f.merchants[config.AppID] = m
		f.list = append(f.list, m)
	}
	f.routes = f.mux()
	return f, nil
}
