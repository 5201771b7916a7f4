package wechatpay

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
)

// merchant is one account. Face.mu guards all that changes.
type merchant struct {
	Merchant
	keys    *merchantKeys // a partner's merchants share his
	lane    *stage.Lane
	byNo    map[string]*order // by the merchant's order number, which is used once
	refunds map[string]*refund
	list    []*order
	payouts []*payout
	moves   []stage.Move
	planted map[stage.Class]int
}

// newMerchant opens an account with its own keys, or with a partner's.
func newMerchant(s *stage.Stage, config Merchant, keys *merchantKeys) (*merchant, error) {
	if keys == nil {
		own, err := newMerchantKeys(s, config)
		if err != nil {
			return nil, err
		}
		keys = &own
	}
	return &merchant{
		Merchant: config, keys: keys, lane: s.Lane(), byNo: map[string]*order{}, refunds: map[string]*refund{},
		planted: map[stage.Class]int{},
	}, nil
}

func (f *Face) merchant(id string) (*merchant, error) {
	if id == "" {
		return f.list[0], nil
	}
	if m := f.merchants[id]; m != nil {
		return m, nil
	}
	return nil, domain.EField(domain.KindNotFound, "mchid", "there is no merchant %.32q", id)
}

// Channels is one channel for each merchant, with the keys as they are now.
func (f *Face) Channels() []stage.Channel {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []stage.Channel
	for _, m := range f.list {
		all = append(all, f.channel(m))
	}
	return all
}

func (f *Face) channel(m *merchant) stage.Channel {
	set := []stage.Setting{
		{Name: "provider", Value: Name},
		{Name: "protocol", Value: m.Protocol},
		{Name: "gateway", Value: f.base},
		{Name: "mchid", Value: m.MchID},
		{Name: "appids", Value: []string{m.AppID}},
	}
	if m.SubMchID != "" {
		set = append(set, stage.Setting{Name: "sub_mchid", Value: m.SubMchID})
	}
	if m.SubAppID != "" {
		set = append(set, stage.Setting{Name: "sub_appids", Value: []string{m.SubAppID}})
	}
	set = append(set, stage.Setting{Name: "test", Value: true})
	if strings.HasPrefix(f.base, "http:") {
		set = append(set, stage.Setting{Name: "allow_plain_http", Value: true})
	}
	set = append(set, stage.Setting{Name: "api_key", Value: m.APIKey})
	if m.Protocol == wechatpay.V2 {
		set = append(set, stage.Setting{Name: "sign_type", Value: m.SignType})
	} else {
		keys := map[string]string{}
		for _, k := range m.keys.platform {
			keys[k.id] = k.pem
		}
		set = append(
			set,
			stage.Setting{Name: "api_v3_key", Value: m.APIv3Key},
			stage.Setting{Name: "merchant_key", Value: m.merchantPEM()},
			stage.Setting{Name: "merchant_serial", Value: m.keys.serial},
			stage.Setting{Name: "platform_keys", Value: keys},
		)
	}
	return stage.Channel{ID: Name + "-" + m.id(), Merchant: m.id(), Settings: set}
}

func (m *merchant) merchantPEM() string {
	der, err := x509.MarshalPKCS8PrivateKey(m.keys.merchant)
	if err != nil {
		panic("wechatpay: an RSA key has no encoding: " + err.Error())
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Orders lists orders, the newest first.
func (f *Face) Orders(filter stage.OrderFilter) []stage.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	if filter.ID != "" {
		o := f.orders[filter.ID]
		if o == nil || !o.fits(filter) {
			return nil
		}
		return []stage.Order{o.view()}
	}
	var found []stage.Order
	for _, o := range slices.Backward(f.all) {
		if !o.fits(filter) {
			continue
		}
		found = append(found, o.view())
		if len(found) == filter.Limit {
			break
		}
	}
	return found
}
