package wechatpay

import (
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// NewStranger is a v3 channel as its recorded settings tell, for who has no
// secret of it: it can Reverify and nothing else. WeChat signs what it has
// encrypted, so the signature of a callback holds or not for everybody; what it
// says is read with one of apiV3Keys. Without the right one Reverify of a
// callback whose signature holds is KindDenied. KindInvalid for settings that
// are not of v3 or hold no platform key.
func NewStranger(f domain.ChannelConfigured, apiV3Keys []string, clock func() time.Time) (*Channel, error) {
	if f.Provider != "wechatpay" || f.Protocol != V3 {
		return nil, domain.EField(domain.KindInvalid, "protocol", "%s %s is not WeChat Pay v3", f.Provider, f.Protocol)
	}
	zone, err := time.LoadLocation(zoneName)
	if err != nil {
		return nil, domain.E(domain.KindInternal, "the zone %s is not known here: %w", zoneName, err)
	}
	cfg := Config{
		Channel: f.Channel, Protocol: V3, Gateway: f.Gateway, MchID: f.Merchant["mchid"], SubMchID: f.Merchant["sub_mchid"],
		AppIDs: strings.Split(f.Merchant["appid"], ","), Currency: f.Currency, AccountFrom: NoAccount,
	}
	if f.AccountFrom != "" {
		cfg.AccountFrom = f.AccountFrom
	}
	c := &Channel{cfg: cfg, zone: zone, clock: clock, v3: &v3Keys{}}
	for _, key := range apiV3Keys {
		aead, err := NewAEAD(key)
		if err != nil {
			return nil, domain.EField(domain.KindInvalid, "api_v3_key", "%w", err)
		}
		c.v3.aeads = append(c.v3.aeads, aead)
	}
	for _, k := range f.PublicKeys {
		if key := recorded(k); key != nil {
			c.v3.platform.add(key)
		}
	}
	if len(c.v3.platform.all()) == 0 {
		return nil, domain.EField(domain.KindInvalid, "platform_keys", "the recorded settings hold none")
	}
	return c, nil
}

// recorded is a platform key as the channel's record has it, configured or
// downloaded; nil for all else.
func recorded(k domain.PublicKey) *platformKey {
	if key := recalled(k); key != nil {
		return key
	}
	from, id, _ := strings.Cut(k.Obtained, " ")
	parsed, err := x509.ParsePKIXPublicKey(k.DER)
	pub, ok := parsed.(*rsa.PublicKey)
	if k.Use != usePlatform || from != fromConfig || err != nil || !ok {
		return nil
	}
	key, err := newPlatformKey(id, pub)
	if err != nil {
		return nil
	}
	key.obtained = fromConfig
	return key
}

var _ providers.Channel = (*Channel)(nil)
