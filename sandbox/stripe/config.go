package stripe

import (
	"encoding/hex"
	"net/url"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers/stripe"
	"counterfoil/sandbox/stage"
)

// Name is the face's name and the first part of its paths.
const Name = "stripe"

// Config says who banks here.
type Config struct {
	// BaseURL is the address under which Routes are reached, with the path of
	// the mount: https://sandbox.example.com/stripe.
	BaseURL  string
	Accounts []Account // at least one
}

// Account is one merchant account. Empty keys are made from its id.
type Account struct {
	ID        string          // acct_…
	APIKey    string          // sk_test_…
	Secret    string          // whsec_…, of the endpoint
	NotifyURL string          // the endpoint; orders of the control interface may name another
	Currency  domain.Currency // proposed in its channel; default CNY
	Connected bool            // of a platform: its events carry its id

	Settlement   domain.Currency // into which all other money is changed; empty: every currency has a balance of its own
	DailyPayouts bool            // what came two days before goes to the bank each midnight, UTC
}

func (a Account) withDefaults() Account {
	if a.APIKey == "" {
		a.APIKey = "sk_test_" + digestHex(a.ID, "api key")
	}
	if a.Secret == "" {
		a.Secret = "whsec_" + digestHex(a.ID, "endpoint")
	}
	if a.Currency == "" {
		a.Currency = domain.CNY
	}
	return a
}

func digestHex(names ...string) string {
	sum := stage.Digest(0, append([]string{Name}, names...)...)
	return hex.EncodeToString(sum[:16])
}

func (a Account) check() error {
	wrong := func(field, why string) error {
		return domain.EField(domain.KindInvalid, field, "account %.40q %s", a.ID, why)
	}
	switch {
	case !strings.HasPrefix(a.ID, "acct_") || strings.ContainsAny(a.ID, " /?#") || len(a.ID) > 64:
		return wrong("id", "is not acct_ and a name")
	case !strings.HasPrefix(a.APIKey, "sk_test_") || len(a.APIKey) < 24:
		return wrong("api_key", "has a key that is not sk_test_ and at least 16 characters")
	case !strings.HasPrefix(a.Secret, "whsec_") || len(a.Secret) < 22:
		return wrong("secret", "has a secret that is not whsec_ and at least 16 characters")
	}
	if _, _, err := stripe.Count(domain.NewMoney(0, a.Currency)); err != nil {
		return domain.EField(domain.KindInvalid, "currency", "account %s: %w", a.ID, err)
	}
	if a.Settlement == "" {
		return nil
	}
	if _, _, err := stripe.Count(domain.NewMoney(0, a.Settlement)); err != nil {
		return domain.EField(domain.KindInvalid, "settlement", "account %s: %w", a.ID, err)
	}
	return nil
}

// New makes the face on a stage. KindInvalid names the first wrong field.
func New(s *stage.Stage, c Config) (*Face, error) {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, domain.EField(domain.KindInvalid, "base_url", "%q is not a web address", c.BaseURL)
	}
	if len(c.Accounts) == 0 {
		return nil, domain.EField(domain.KindInvalid, "accounts", "there is none")
	}
	f := &Face{stage: s, base: c.BaseURL, accounts: map[string]*account{}, keys: map[string]*account{}, orders: map[string]*order{}}
	for _, config := range c.Accounts {
		config = config.withDefaults()
		if err := config.check(); err != nil {
			return nil, err
		}
		if f.accounts[config.ID] != nil || f.keys[config.APIKey] != nil {
			return nil, domain.EField(domain.KindInvalid, "id", "there are two accounts %s, or of its key", config.ID)
		}
		a := newAccount(s, config)
		f.accounts[config.ID], f.keys[config.APIKey] = a, a
		f.list = append(f.list, a)
	}
	f.routes = f.mux()
	return f, nil
}
