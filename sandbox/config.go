package sandbox

import (
	"crypto/rsa"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers/epay"
)

// Config says how a sandbox starts. Only Now is required.
type Config struct {
	Now       func() time.Time // the real time
	Log       *slog.Logger     // nil logs nothing
	Seed      uint64           // of every choice
	Speed     float64          // waiting time of callbacks per real time; 0 means 1, 600 makes a minute 100 ms
	BaseURL   string           // the gateway's root as merchants and payers see it; empty takes the request's host
	Merchants []MerchantConfig
	Rates     []Rate // faults by chance

	Workers      int               // callbacks under way at once; 0 means 32
	KeepAttempts int               // attempts remembered; 0 means 100,000
	MaxOrders    int               // orders taken before opening is refused; 0 means 1,000,000
	Transport    http.RoundTripper // how callbacks leave; nil makes one with connections kept per target
}

// Version is a side of the protocol.
type Version string

// The two versions of Epay. A callback's format follows the version of the
// endpoint that opened its order, whatever the merchant is set to.
const (
	V1 Version = "v1" // MD5 with a shared key
	V2 Version = "v2" // RSA with SHA-256, a key pair on either side
)

// MerchantConfig is one merchant account. Keys that are left empty are made:
// the MD5 key from the seed, RSA keys from the system's randomness and only
// for V2.
type MerchantConfig struct {
	PID         string  `json:"pid"`
	Name        string  `json:"name,omitempty"`
	Version     Version `json:"version,omitempty"` // what Credentials tells; V1 when empty
	Style       Style   `json:"style,omitempty"`   // Rainbow when empty
	Key         string  `json:"key,omitempty"`     // MD5 key
	PlatformKey string  `json:"platform_key,omitempty"`
	// MerchantKey is the merchant's own private key, which a true gateway never
	// sees. Give it, or only MerchantPublicKey, or neither to have one made.
	MerchantKey       string `json:"merchant_key,omitempty"`
	MerchantPublicKey string `json:"merchant_public_key,omitempty"`

	RSAOnly       bool     `json:"rsa_only,omitempty"`       // refuses MD5 and the V1 query
	TextNumbers   bool     `json:"text_numbers,omitempty"`   // status and pid as digit strings, as PHP before 8.1
	HideName      bool     `json:"hide_name,omitempty"`      // callbacks say "product" instead of the goods
	PostCallbacks bool     `json:"post_callbacks,omitempty"` // callbacks as POST forms
	NoRefunds     bool     `json:"no_refunds,omitempty"`     // refunds by API are switched off
	SuspendAfter  int      `json:"suspend_after,omitempty"`  // callbacks given up in a row that switch the merchant off; 0 never
	AutoPay       Duration `json:"auto_pay,omitempty"`       // waiting time after which a payer pays by himself; 0 never
}

// Credentials is what the merchant's side has to know. It holds secrets: of a
// sandbox, but treat them as if they were real.
type Credentials struct {
	PID               string  `json:"pid"`
	Version           Version `json:"version"`
	Style             Style   `json:"style"`
	BaseURL           string  `json:"base_url"`
	Key               string  `json:"key"`
	MerchantKey       string  `json:"merchant_key,omitempty"`        // private; empty where only its public half is known here
	PlatformPublicKey string  `json:"platform_public_key,omitempty"` //
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxOrders == 0 {
		c.MaxOrders = 1_000_000
	}
	return c
}

// check names the first wrong field.
func (c Config) check() error {
	switch {
	case c.Now == nil:
		return domain.EField(domain.KindInvalid, "now", "a sandbox needs a clock")
	case c.MaxOrders < 1:
		return domain.EField(domain.KindInvalid, "max_orders", "max_orders %d is not positive", c.MaxOrders)
	}
	return checkBaseURL(c.BaseURL)
}

func checkBaseURL(base string) error {
	if base == "" {
		return nil
	}
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" {
		return domain.EField(domain.KindInvalid, "base_url", "base URL %q is not http(s)://host[:port][/path]", base)
	}
	return nil
}

// merchantKeys is what the gateway holds of a merchant.
type merchantKeys struct {
	md5      string
	merchant *rsa.PublicKey  // verifies its requests; nil where it set none
	platform *rsa.PrivateKey // signs what we send; nil where there is none
}

// complete checks the account and fills in what was left empty.
func (m MerchantConfig) complete(seed uint64) (MerchantConfig, error) {
	if m.Version == "" {
		m.Version = V1
	}
	if m.Style == "" {
		m.Style = Rainbow
	}
	if m.Name == "" {
		m.Name = "Merchant " + m.PID
	}
	if err := m.check(); err != nil {
		return m, err
	}
	if m.Key == "" {
		m.Key = seededKey(seed, m.PID)
	}
	return m, m.makePairs()
}

func (m MerchantConfig) check() error {
	_, known := styles[m.Style]
	switch {
	case m.PID == "" || len(m.PID) > 64 || strings.ContainsFunc(m.PID, notInPID):
		return domain.EField(domain.KindInvalid, "pid", "pid %q is not 1 to 64 visible ASCII characters without & = %%", m.PID)
	case m.Version != V1 && m.Version != V2:
		return domain.EField(domain.KindInvalid, "version", "version %q is not v1 or v2", m.Version)
	case !known:
		return domain.EField(domain.KindInvalid, "style", "style %q is not one of %v", m.Style, Styles())
	case m.MerchantKey != "" && m.MerchantPublicKey != "":
		return domain.EField(domain.KindInvalid, "merchant_public_key", "give the merchant's key or its public half, not both")
	case m.SuspendAfter < 0 || m.AutoPay < 0:
		return domain.EField(domain.KindInvalid, "auto_pay", "suspend_after and auto_pay are not negative")
	}
	return nil
}

func notInPID(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("&=%", r) }

// makePairs makes the RSA keys that a V2 account lacks.
func (m *MerchantConfig) makePairs() error {
	if m.Version != V2 {
		return nil
	}
	if m.PlatformKey == "" {
		pair, err := NewKeyPair()
		if err != nil {
			return err
		}
		m.PlatformKey = pair.Private
	}
	if m.MerchantKey == "" && m.MerchantPublicKey == "" {
		pair, err := NewKeyPair()
		if err != nil {
			return err
		}
		m.MerchantKey = pair.Private
	}
	return nil
}

// keys parses the account's keys.
func (m MerchantConfig) keys() (k merchantKeys, err error) {
	k.md5 = m.Key
	if m.PlatformKey != "" {
		if k.platform, err = epay.ParsePrivateKey(m.PlatformKey); err != nil {
			return k, domain.EField(domain.KindInvalid, "platform_key", "platform key of merchant %s: %w", m.PID, err)
		}
	}
	if m.MerchantKey != "" {
		private, err := epay.ParsePrivateKey(m.MerchantKey)
		if err != nil {
			return k, domain.EField(domain.KindInvalid, "merchant_key", "key of merchant %s: %w", m.PID, err)
		}
		k.merchant = &private.PublicKey
		return k, nil
	}
	if m.MerchantPublicKey != "" {
		if k.merchant, err = epay.ParsePublicKey(m.MerchantPublicKey); err != nil {
			return k, domain.EField(domain.KindInvalid, "merchant_public_key", "public key of merchant %s: %w", m.PID, err)
		}
	}
	return k, nil
}
