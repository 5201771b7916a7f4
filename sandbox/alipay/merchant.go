package alipay

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/sandbox/stage"
)

// merchant is one application. Face.mu guards all that changes.
type merchant struct {
	Merchant
	app     *rsa.PrivateKey   // the application's; a true Alipay holds only its public half
	signers []*rsa.PrivateKey // Alipay's, the newest last
	lane    *stage.Lane
	byNo    map[string]*order // by the merchant's order number, which is used once
	list    []*order
	planted map[stage.Class]int
	entries []*entry // of the balance, the oldest first
	moved   []*entry // of these, what Move made
	payouts []*payout
}

func newMerchant(s *stage.Stage, config Merchant) (*merchant, error) {
	app, err := keyOr(config.AppKey)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "app_key", "%w", err)
	}
	signer, err := keyOr(config.AlipayKey)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "alipay_key", "%w", err)
	}
	return &merchant{
		Merchant: config, app: app, signers: []*rsa.PrivateKey{signer}, lane: s.Lane(), byNo: map[string]*order{},
		planted: map[stage.Class]int{},
	}, nil
}

// keyOr reads a key, or makes one where there is none.
func keyOr(text string) (*rsa.PrivateKey, error) {
	if text == "" {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return providers.ParseRSAPrivate(text)
}

// privateText is a private key as Alipay's tools show it.
func privateText(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic("alipay: an RSA key has no encoding: " + err.Error())
	}
	return base64.StdEncoding.EncodeToString(der)
}

// publicText is a public key as the console shows it.
func publicText(key *rsa.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(providers.RSAKey(&key.PublicKey, "", "").DER)
}

func (f *Face) merchant(appID string) (*merchant, error) {
	if appID == "" {
		return f.list[0], nil
	}
	if m := f.merchants[appID]; m != nil {
		return m, nil
	}
	return nil, domain.EField(domain.KindNotFound, "app_id", "there is no application %.32q", appID)
}

// Channels is one channel for each application, with the keys as they are now.
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
	var keys []string
	for _, k := range m.signers {
		keys = append(keys, publicText(k))
	}
	set := []stage.Setting{
		{Name: "provider", Value: Name},
		{Name: "gateway", Value: f.base + "/gateway.do"},
		{Name: "app_id", Value: m.AppID},
		{Name: "seller_id", Value: m.SellerID},
		{Name: "test", Value: true},
		{Name: "app_key", Value: privateText(m.app)},
		{Name: "alipay_keys", Value: keys},
	}
	if strings.HasPrefix(f.base, "http:") {
		set = append(set, stage.Setting{Name: "allow_plain_http", Value: true})
	}
	return stage.Channel{ID: Name + "-" + m.AppID, Merchant: m.AppID, Settings: set}
}

// Rotate gives an application a new key of Alipay's, which signs from now on.
func (f *Face) Rotate(appID string) error {
	m, err := f.merchant(appID)
	if err != nil {
		return err
	}
	key, err := keyOr("")
	if err != nil {
		return domain.E(domain.KindInternal, "make a key: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m.signers = append(m.signers, key)
	return nil
}

// signer is the key that Alipay signs with now.
func (f *Face) signer(m *merchant) *rsa.PrivateKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	return m.signers[len(m.signers)-1]
}
