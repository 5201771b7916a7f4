package wechatpay

import (
	"net/url"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
)

// Name is the face's name and the first part of its paths.
const Name = "wechatpay"

// Config says who banks here.
type Config struct {
	// BaseURL is the address under which Routes are reached, with the path of
	// the mount: https://sandbox.example.com/wechatpay.
	BaseURL   string
	Merchants []Merchant // at least one
}

// Merchant is one merchant account. Empty keys are made.
type Merchant struct {
	MchID     string
	AppID     string
	Protocol  string // wechatpay.V3, the default, or wechatpay.V2
	PublicKey bool   // WeChat signs with a platform public key instead of a certificate
	NotifyURL string // of orders that the control interface opens without one

	APIv3Key    string // 32 bytes
	APIKey      string // of v2; on a v3 merchant it seals notices of refunds made by hand
	SignType    string // v2: wechatpay.SignMD5, the default, or wechatpay.SignHMAC
	MerchantKey string // PEM of the merchant's private key
	PlatformKey string // PEM of the private key WeChat signs with at first
}

func (m Merchant) withDefaults() Merchant {
	if m.Protocol == "" {
		m.Protocol = wechatpay.V3
	}
	if m.AppID == "" {
		m.AppID = "wx" + digestHex(m.MchID, "appid")[:16]
	}
	if m.APIv3Key == "" {
		m.APIv3Key = digestHex(m.MchID, "api v3 key")[:32]
	}
	if m.APIKey == "" {
		m.APIKey = digestHex(m.MchID, "api key")[:32]
	}
	if m.SignType == "" {
		m.SignType = wechatpay.SignMD5
	}
	return m
}

func (m Merchant) check() error {
	wrong := func(field, why string) error {
		return domain.EField(domain.KindInvalid, field, "merchant %.32q %s", m.MchID, why)
	}
	switch {
	case m.MchID == "" || strings.Trim(m.MchID, "0123456789") != "" || len(m.MchID) > 32:
		return wrong("mchid", "has no number")
	case m.Protocol != wechatpay.V3 && m.Protocol != wechatpay.V2:
		return wrong("protocol", "speaks neither v3 nor v2")
	case len(m.APIv3Key) != 32:
		return wrong("api_v3_key", "has an APIv3 key of another length than 32")
	case len(m.APIKey) < 16:
		return wrong("api_key", "has a short API key")
	case m.SignType != wechatpay.SignMD5 && m.SignType != wechatpay.SignHMAC:
		return wrong("sign_type", "signs in a way that v2 does not have")
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
		if f.merchants[config.MchID] != nil {
			return nil, domain.EField(domain.KindInvalid, "mchid", "there are two merchants %s", config.MchID)
		}
		m, err := newMerchant(s, config)
		if err != nil {
			return nil, err
		}
		f.merchants[config.MchID] = m
		f.list = append(f.list, m)
	}
	f.routes = f.mux()
	return f, nil
}
