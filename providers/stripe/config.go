package stripe

import (
	"net/http"
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
