package stripe

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Who holds the money between payment and payout: always Stripe.
const fundsGateway = "gateway"

// What a Config has when it says nothing else.
const (
	DefaultGateway    = "https://api.stripe.com"
	DefaultAPIVersion = "2025-11-17.clover" // the release whose objects the tests were recorded in
	DefaultOrderKey   = "order_no"
	DefaultZone       = "UTC" // in which Stripe counts its days
)

const (
	secretPrefix = "whsec_" // of every endpoint's signing secret
	minSecret    = 16       // bytes behind the prefix, and of an API key
	maxSecrets   = 8        // that are tried for one callback
	maxKeyName   = 40       // characters of a metadata key, by Stripe's limit
	metadataDot  = "metadata."
)

// Config is one Stripe account, or one connected account of a platform, in one
// mode. The names in brackets are those of the errors.
type Config struct {
	Channel    domain.ChannelID   // (channel)
	Gateway    string             // (gateway) default DefaultGateway; may have a path
	APIKey     providers.Secret   // (api_key) secret or restricted key of the same mode as Live
	Secrets    []providers.Secret // (webhook_secrets) of the endpoint, whsec_…; several while one is rolled
	Retired    []providers.Secret // (retired_secrets) former ones: they verify kept evidence, never what arrives
	Account    string             // (account) the connected account, acct_…; empty for the key's own
	Live       bool               // real money: events of the other mode are a foreign merchant's
	APIVersion string             // (api_version) header of every question; default DefaultAPIVersion

	OrderKey    string             // (order_key) metadata key of the order number; default DefaultOrderKey
	AccountFrom string             // (account_from) "metadata.<key>" that names the account of an order nobody placed
	Currency    domain.Currency    // (currency) default CNY
	Currencies  []domain.Currency  // (currencies) all it takes, Currency among them; empty: Currency alone
	Zone        string             // (zone) IANA zone of the bill's days; default DefaultZone
	Confirm     domain.ConfirmMode // (confirm) default never

	ConfirmAbove domain.Money // (confirm_above) with domain.ConfirmAbove, and only then
	DisputeLost  string       // (dispute_lost) who bears a lost dispute: "wallet", the default, or "expense"

	// AllowPlainHTTP lets Gateway be an http address: a sandbox on loopback.
	AllowPlainHTTP bool

	Ledger domain.ID // (ledger) of the log in which the channel is recorded: salts the marks of the secrets
}

// New makes a channel that is ready to work. A client lends its transport and
// its timeout; nil makes one that uses no proxy. Redirects are never followed.
// The clock dates questions and answers. KindInvalid names the first setting
// that is wrong; its text never holds a secret.
func New(cfg Config, client *http.Client, clock func() time.Time) (*Channel, error) {
	cfg = cfg.withDefaults()
	for _, check := range []func(Config) error{checkNames, checkGateway, checkKeys, checkMoney} {
		if err := check(cfg); err != nil {
			return nil, err
		}
	}
	if clock == nil {
		return nil, domain.EField(domain.KindInvalid, "clock", "is missing")
	}
	zone, err := time.LoadLocation(cfg.Zone)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "zone", "%q is not a time zone known here", cfg.Zone)
	}
	c := &Channel{cfg: cfg, zone: zone, client: safeClient(client), clock: clock, wait: sleep}
	c.accountKey = strings.TrimPrefix(cfg.AccountFrom, metadataDot)
	c.secrets, c.retired = cfg.marked(cfg.Secrets), cfg.marked(cfg.Retired)
	return c, nil
}

func (cfg Config) withDefaults() Config {
	fill(&cfg.Gateway, DefaultGateway)
	fill(&cfg.APIVersion, DefaultAPIVersion)
	fill(&cfg.OrderKey, DefaultOrderKey)
	fill(&cfg.Zone, DefaultZone)
	fill(&cfg.Currency, domain.CNY)
	fill(&cfg.Confirm, domain.ConfirmNever)
	cfg.Gateway = strings.TrimRight(cfg.Gateway, "/")
	return cfg
}

func fill[T ~string](field *T, value T) {
	if *field == "" {
		*field = value
	}
}

var (
	accountGrammar = regexp.MustCompile(`^acct_[A-Za-z0-9]{1,64}$`)
	versionGrammar = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z_]{1,32})?$`)
)

func checkNames(cfg Config) error {
	if _, err := domain.ParseChannelID(string(cfg.Channel)); err != nil {
		return domain.EField(domain.KindInvalid, "channel", "%w", err)
	}
	if cfg.Account != "" && !accountGrammar.MatchString(cfg.Account) {
		return domain.EField(domain.KindInvalid, "account", "%q is not acct_ and letters or digits", cfg.Account)
	}
	if !versionGrammar.MatchString(cfg.APIVersion) {
		return domain.EField(domain.KindInvalid, "api_version", "%q is not a release like %s", cfg.APIVersion, DefaultAPIVersion)
	}
	if !metadataKey(cfg.OrderKey) {
		return domain.EField(domain.KindInvalid, "order_key", "%q is not a metadata key", cfg.OrderKey)
	}
	if key, ok := strings.CutPrefix(cfg.AccountFrom, metadataDot); cfg.AccountFrom != "" && (!ok || !metadataKey(key)) {
		return domain.EField(domain.KindInvalid, "account_from", "%q is not metadata. and a metadata key", cfg.AccountFrom)
	}
	if cfg.Ledger.IsZero() {
		return domain.EField(domain.KindInvalid, "ledger", "is missing")
	}
	return nil
}

// metadataKey is stricter than Stripe, so that a key stands in forms and
// searches as it is.
func metadataKey(key string) bool {
	return key != "" && len(key) <= maxKeyName && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func checkGateway(cfg Config) error {
	wrong := func(format string, args ...any) error {
		return domain.EField(domain.KindInvalid, "gateway", format, args...)
	}
	u, err := url.Parse(cfg.Gateway)
	switch {
	case err != nil || u.Hostname() == "":
		return wrong("is not an address like %s", DefaultGateway)
	case u.User != nil: // first, so that no password is quoted below
		return wrong("has a user name in it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return wrong("%q has more than a path", cfg.Gateway)
	case u.Scheme == "http" && !cfg.AllowPlainHTTP:
		return wrong("%q is not https, and plain http is not allowed for this channel", cfg.Gateway)
	case u.Scheme != "https" && u.Scheme != "http":
		return wrong("%q is not https", cfg.Gateway)
	}
	return nil
}

func checkKeys(cfg Config) error {
	if err := checkAPIKey(cfg); err != nil {
		return err
	}
	if len(cfg.Secrets) == 0 {
		return domain.EField(domain.KindInvalid, "webhook_secrets", "are missing")
	}
	if len(cfg.Secrets) > maxSecrets {
		return domain.EField(domain.KindInvalid, "webhook_secrets", "are %d, want at most %d", len(cfg.Secrets), maxSecrets)
	}
	seen := map[string]bool{}
	for _, list := range []struct {
		field   string
		secrets []providers.Secret
	}{{"webhook_secrets", cfg.Secrets}, {"retired_secrets", cfg.Retired}} {
		for i, s := range list.secrets {
			if fault := secretFault(s.Reveal()); fault != "" {
				return domain.EField(domain.KindInvalid, list.field, "secret %d %s", i+1, fault)
			}
			if seen[s.Reveal()] {
				return domain.EField(domain.KindInvalid, list.field, "secret %d stands there twice", i+1)
			}
			seen[s.Reveal()] = true
		}
	}
	return nil
}

// checkAPIKey also catches the key of the other mode: with it, questions would
// be answered about other money.
func checkAPIKey(cfg Config) error {
	wrong := func(format string, args ...any) error {
		return domain.EField(domain.KindInvalid, "api_key", format, args...)
	}
	key, other := cfg.APIKey.Reveal(), "_live_"
	if cfg.Live {
		other = "_test_"
	}
	switch {
	case key == "":
		return wrong("is missing")
	case len(key) < minSecret || unprintable(key):
		return wrong("has fewer than %d bytes, or a blank in it", minSecret)
	case !strings.HasPrefix(key, "sk_") && !strings.HasPrefix(key, "rk_"):
		return wrong("begins with neither sk_ nor rk_")
	case strings.Contains(key, other):
		return wrong("is one of the other mode")
	}
	return nil
}

func secretFault(secret string) string {
	rest, ok := strings.CutPrefix(secret, secretPrefix)
	switch {
	case secret == "":
		return "is empty"
	case !ok:
		return "does not begin with " + secretPrefix
	case len(rest) < minSecret:
		return "is too short"
	case unprintable(secret):
		return "has a blank, a line break or a control character in it"
	}
	return ""
}

func unprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func checkMoney(cfg Config) error {
	for _, code := range append([]domain.Currency{cfg.Currency}, cfg.Currencies...) {
		if _, err := unitOf(code); err != nil {
			return domain.EField(domain.KindInvalid, "currency", "%w", err)
		}
	}
	if len(cfg.Currencies) > 0 && !slices.Contains(cfg.Currencies, cfg.Currency) {
		return domain.EField(domain.KindInvalid, "currencies", "lack %s, the channel's currency", cfg.Currency)
	}
	if cfg.DisputeLost != "" && cfg.DisputeLost != "wallet" && cfg.DisputeLost != "expense" {
		return domain.EField(domain.KindInvalid, "dispute_lost", "%q is neither wallet nor expense", cfg.DisputeLost)
	}
	switch cfg.Confirm {
	case domain.ConfirmNever, domain.ConfirmAlways:
		if cfg.ConfirmAbove != (domain.Money{}) {
			return domain.EField(domain.KindInvalid, "confirm_above", "is set, but confirm is %s", cfg.Confirm)
		}
	case domain.ConfirmAbove:
		if !cfg.ConfirmAbove.IsPositive() || cfg.ConfirmAbove.Currency() != cfg.Currency {
			return domain.EField(domain.KindInvalid, "confirm_above", "%s is not a positive amount of %s", cfg.ConfirmAbove, cfg.Currency)
		}
	default:
		return domain.EField(domain.KindInvalid, "confirm", "%q is not never, above or always", cfg.Confirm)
	}
	return nil
}
