package epay

import (
	"net/http"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// The versions of the protocol. The settings of a channel and never a message
// choose the algorithm.
const (
	V1 = "v1" // MD5 with a shared key
	V2 = "v2" // RSA
)

// Who holds the money between payment and payout.
const (
	FundsGateway    = "gateway"
	FundsOwnAccount = "own_account"
)

const (
	minSharedKey = 16 // bytes of a V1 key; a shorter one can be guessed from one callback
	maxPID       = 64 // bytes
)

// Config is one merchant account at one gateway. The names in brackets are
// those of the errors.
type Config struct {
	Channel     domain.ChannelID // (channel)
	Version     string           // (version) V1 or V2
	Gateway     string           // (gateway) address under which submit.php or /api stand; may have a path
	PID         string           // (pid) the merchant's number at the gateway
	Key         providers.Secret // (key) V1: the shared key, at least 16 bytes
	MerchantKey providers.Secret // (merchant_key) V2: our private key, see ParsePrivateKey
	PlatformKey string           // (platform_key) V2: the gateway's public key, see ParsePublicKey

	Currency     domain.Currency    // (currency) of all amounts, as the protocol names none; default CNY
	Zone         string             // (zone) IANA zone of the gateway's times; default Asia/Shanghai
	Confirm      domain.ConfirmMode // (confirm) default always for V1, never for V2
	ConfirmAbove domain.Money       // (confirm_above) with domain.ConfirmAbove, and only then
	Funds        string             // (funds) FundsGateway, the default, or FundsOwnAccount

	// AllowPlainHTTP lets Gateway be an http address, also on loopback. The V1
	// key then travels in clear with every query.
	AllowPlainHTTP bool

	Ledger domain.ID // (ledger) of the log in which the channel is recorded: salts the mark of the shared key
}

// New makes a channel that is ready to work. A client lends its transport and
// its timeout; nil makes one that uses no proxy. Redirects are never followed.
// The clock dates questions and answers. KindInvalid names the first setting
// that is wrong; its text never holds a secret.
func New(cfg Config, client *http.Client, clock func() time.Time) (*Channel, error) {
	cfg = cfg.withDefaults()
	for _, check := range []func(Config) error{checkNames, checkGateway, checkMoney} {
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
	c := &Channel{cfg: cfg, zone: zone, client: safeClient(client), clock: clock}
	if c.scheme, err = newScheme(cfg); err != nil {
		return nil, err
	}
	return c, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Currency == "" {
		cfg.Currency = domain.CNY
	}
	if cfg.Zone == "" {
		cfg.Zone = "Asia/Shanghai"
	}
	if cfg.Funds == "" {
		cfg.Funds = FundsGateway
	}
	if cfg.Confirm == "" {
		cfg.Confirm = domain.ConfirmAlways
		if cfg.Version == V2 {
			cfg.Confirm = domain.ConfirmNever
		}
	}
	cfg.Gateway = strings.TrimRight(cfg.Gateway, "/")
	return cfg
}

func checkNames(cfg Config) error {
	if _, err := domain.ParseChannelID(string(cfg.Channel)); err != nil {
		return domain.EField(domain.KindInvalid, "channel", "%w", err)
	}
	if cfg.Version != V1 && cfg.Version != V2 {
		return domain.EField(domain.KindInvalid, "version", "%q is neither v1 nor v2", cfg.Version)
	}
	if cfg.PID == "" || len(cfg.PID) > maxPID || strings.ContainsFunc(cfg.PID, notInPID) {
		return domain.EField(domain.KindInvalid, "pid", "%q is not 1 to %d visible ASCII characters without & = %%", cfg.PID, maxPID)
	}
	if cfg.Ledger.IsZero() {
		return domain.EField(domain.KindInvalid, "ledger", "is missing")
	}
	return nil
}

func notInPID(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("&=%", r) }

func checkGateway(cfg Config) error {
	return providers.CheckGateway(cfg.Gateway, "https://pay.example.com", cfg.AllowPlainHTTP)
}

func checkMoney(cfg Config) error {
	if _, err := domain.ParseCurrency(string(cfg.Currency)); err != nil {
		return domain.EField(domain.KindInvalid, "currency", "%w", err)
	}
	if err := providers.CheckConfirm(cfg.Confirm, cfg.ConfirmAbove, cfg.Currency); err != nil {
		return err
	}

	if cfg.Funds != FundsGateway && cfg.Funds != FundsOwnAccount {
		return domain.EField(domain.KindInvalid, "funds", "%q is neither %s nor %s", cfg.Funds, FundsGateway, FundsOwnAccount)
	}
	return nil
}
