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
	MchID     string // of a partner's merchant, the partner's: sp_mchid
	AppID     string // sp_appid
	SubMchID  string // partner mode: the merchant for whom MchID collects; several may share one MchID and its keys
	SubAppID  string // the merchant's own app; empty where payers use the partner's
	Protocol  string // wechatpay.V3, the default, or wechatpay.V2
	PublicKey bool   // WeChat signs with a platform public key instead of a certificate
	NotifyURL string // of orders that the control interface opens without one

	APIv3Key    string // 32 bytes
	APIKey      string // of v2; on a v3 merchant it seals notices of refunds made by hand
	SignType    string // v2: wechatpay.SignMD5, the default, or wechatpay.SignHMAC
	MerchantKey string // PEM of the merchant's private key
	PlatformKey string // PEM of the private key WeChat signs with at first
}

// id names the account here, in orders, books and faults: WeChat numbers
// partners' merchants like all others.
func (m Merchant) id() string {
	if m.SubMchID != "" {
		return m.SubMchID
	}
	return m.MchID
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
	case !isNumber(m.MchID):
		return wrong("mchid", "has no number")
	case m.SubMchID != "" && (!isNumber(m.SubMchID) || m.SubMchID == m.MchID):
		return wrong("sub_mchid", "collects for a merchant without a number of his own")
	case m.SubAppID != "" && m.SubMchID == "":
		return wrong("sub_appid", "has a sub_appid, and no sub_mchid")
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

func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == "" && len(text) <= 32
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
		stage: s, base: c.BaseURL, merchants: map[string]*merchant{}, signers: map[string]*merchant{}, orders: map[string]*order{}, files: map[string]file{},
	}
	for _, config := range c.Merchants {
		config = config.withDefaults()
		if err := config.check(); err != nil {
			return nil, err
		}
		if err := f.open(config); err != nil {
			return nil, err
		}
	}
	f.routes = f.mux()
	return f, nil
}

// open opens an account. What a partner's merchants differ in stands in each of
// them, the keys are those of the first.
func (f *Face) open(config Merchant) error {
	if f.merchants[config.id()] != nil {
		return domain.EField(domain.KindInvalid, "mchid", "there are two merchants %s", config.id())
	}
	signer := f.signers[config.MchID]
	if signer != nil && (signer.SubMchID == "" || config.SubMchID == "" || signer.Protocol != config.Protocol) {
		return domain.EField(domain.KindInvalid, "sub_mchid", "%s is a partner of one protocol, or a merchant himself", config.MchID)
	}
	var keys *merchantKeys
	if signer != nil {
		keys = signer.keys
		config.AppID, config.APIv3Key, config.APIKey, config.SignType = signer.AppID, signer.APIv3Key, signer.APIKey, signer.SignType
	}
	m, err := newMerchant(f.stage, config, keys)
	if err != nil {
		return err
	}
	if signer == nil {
		f.signers[config.MchID] = m
	}
	f.merchants[config.id()] = m
	f.list = append(f.list, m)
	return nil
}
