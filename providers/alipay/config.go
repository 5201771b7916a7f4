package alipay

import (
	"crypto/rsa"
	"net/http"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// DefaultGateway is Alipay's production gateway.
const DefaultGateway = "https://openapi.alipay.com/gateway.do"

// AccountFromPassback is the one field of a notice that can name the account of
// an order nobody placed.
const AccountFromPassback = fieldPassback

// maxKeys is how many keys of Alipay's a channel may have: each costs a
// verification for every forged notice.
const maxKeys = 4

// Config is one application of one seller. The names in brackets are those of
// the errors.
type Config struct {
	Channel     domain.ChannelID // (channel)
	Gateway     string           // (gateway) whole address with its path; default DefaultGateway
	AppID       string           // (app_id) the application's number
	SellerID    string           // (seller_id) the seller's number at Alipay, 2088 and 12 more digits
	AppKey      providers.Secret // (app_key) our private key, see providers.ParseRSAPrivate
	AlipayKeys  []string         // (alipay_keys) Alipay's public keys or certificates, during a change more than one
	AppCert     string           // (app_cert) certificate mode only: the application's certificate, PEM
	RootCert    string           // (alipay_root_cert) certificate mode only: Alipay's roots, PEM
	AccountFrom string           // (account_from) AccountFromPassback, or empty: unplaced money parks

	Confirm      domain.ConfirmMode // (confirm) default never: strangers can verify RSA2
	ConfirmAbove domain.Money       // (confirm_above) with domain.ConfirmAbove, and only then

	// AllowPlainHTTP lets Gateway be an http address, also on loopback.
	AllowPlainHTTP bool
	// MaxBill is the longest packed bill in bytes; default 1 GiB.
	MaxBill int64
}

// New makes a channel that is ready to work. A client lends its transport and
// its timeout; nil makes one that uses no proxy. Redirects are never followed.
// The clock dates questions and answers. KindInvalid names the first setting
// that is wrong; its text never holds a secret.
func New(cfg Config, client *http.Client, clock func() time.Time) (*Channel, error) {
	cfg = cfg.withDefaults()
	for _, check := range []func(Config) error{checkNames, checkGateway, checkPolicy} {
		if err := check(cfg); err != nil {
			return nil, err
		}
	}
	if clock == nil {
		return nil, domain.EField(domain.KindInvalid, "clock", "is missing")
	}
	c := &Channel{cfg: cfg, clock: clock}
	c.client, c.timeout = safeClient(client)
	var err error
	if c.app, err = appKey(cfg); err != nil {
		return nil, err
	}
	if c.alipay, err = alipayKeys(cfg, &c.app.PublicKey); err != nil {
		return nil, err
	}
	if c.certs, err = certNumbers(cfg, &c.app.PublicKey); err != nil {
		return nil, err
	}
	return c, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Gateway == "" {
		cfg.Gateway = DefaultGateway
	}
	if cfg.Confirm == "" {
		cfg.Confirm = domain.ConfirmNever
	}
	if cfg.MaxBill == 0 {
		cfg.MaxBill = 1 << 30
	}
	return cfg
}

func checkNames(cfg Config) error {
	if _, err := domain.ParseChannelID(string(cfg.Channel)); err != nil {
		return domain.EField(domain.KindInvalid, "channel", "%w", err)
	}
	if !digits(cfg.AppID, 8, 32) {
		return domain.EField(domain.KindInvalid, "app_id", "%q is not the number of an application", cfg.AppID)
	}
	if !digits(cfg.SellerID, 16, 16) || !strings.HasPrefix(cfg.SellerID, "2088") {
		return domain.EField(domain.KindInvalid, "seller_id", "%q is not 2088 and 12 more digits", cfg.SellerID)
	}
	return nil
}

// digits reports a text of least to most ASCII digits.
func digits(text string, least, most int) bool {
	if len(text) < least || len(text) > most {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

func checkGateway(cfg Config) error {
	return providers.CheckGateway(cfg.Gateway, DefaultGateway, cfg.AllowPlainHTTP)
}

func checkPolicy(cfg Config) error {
	if err := providers.CheckConfirm(cfg.Confirm, cfg.ConfirmAbove, domain.CNY); err != nil {
		return err
	}

	if cfg.AccountFrom != "" && cfg.AccountFrom != AccountFromPassback {
		return domain.EField(domain.KindInvalid, "account_from", "%q is not %s", cfg.AccountFrom, AccountFromPassback)
	}
	if cfg.MaxBill < 0 {
		return domain.EField(domain.KindInvalid, "max_bill", "%d is negative", cfg.MaxBill)
	}
	return nil
}

func appKey(cfg Config) (*rsa.PrivateKey, error) {
	if cfg.AppKey.IsZero() {
		return nil, domain.EField(domain.KindInvalid, "app_key", "is missing")
	}
	key, err := providers.ParseRSAPrivate(cfg.AppKey.Reveal())
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "app_key", "%w", err)
	}
	return key, nil
}

// alipayKeys takes Alipay's keys. The console shows the application's own
// public key beside Alipay's, and mistaking one for the other is what most
// often goes wrong.
func alipayKeys(cfg Config, own *rsa.PublicKey) ([]alipayKey, error) {
	wrong := func(format string, args ...any) error {
		return domain.EField(domain.KindInvalid, "alipay_keys", format, args...)
	}
	if len(cfg.AlipayKeys) == 0 || len(cfg.AlipayKeys) > maxKeys {
		return nil, wrong("has %d keys, want 1 to %d", len(cfg.AlipayKeys), maxKeys)
	}
	keys := make([]alipayKey, 0, len(cfg.AlipayKeys))
	for i, text := range cfg.AlipayKeys {
		pub, err := providers.ParseRSAPublic(text)
		if err != nil {
			return nil, wrong("key %d: %w", i+1, err)
		}
		if pub.Equal(own) {
			return nil, wrong("key %d is the application's own public key, not Alipay's", i+1)
		}
		keys = append(keys, alipayKey{pub: pub, record: providers.RSAKey(pub, "platform", "config")})
	}
	return keys, nil
}
