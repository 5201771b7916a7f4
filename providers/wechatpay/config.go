package wechatpay

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// The protocols. The settings of a channel and never a message choose.
const (
	V3 = "v3" // JSON, RSA and AES-GCM
	V2 = "v2" // XML and a shared key
)

// DefaultGateway is WeChat's API host for merchants in mainland China.
const DefaultGateway = "https://api.mch.weixin.qq.com"

// AttachAccount in Config.AccountFrom reads the account of an order that nobody
// placed from its attach field; NoAccount lets such money park.
const (
	AttachAccount = "attach"
	NoAccount     = "none"
)

const (
	minAPIKey   = 16 // bytes of a v2 key; a shorter one can be guessed from one callback
	apiV3KeyLen = 32
	zoneName    = "Asia/Shanghai" // of WeChat's days and of times without a zone
)

// PlatformKey is one of WeChat's keys, by which callbacks and answers are
// verified: never the merchant's own apiclient_cert. During the move from
// certificates to public keys WeChat signs with either, so a channel can hold
// both.
type PlatformKey struct {
	ID      string    // PUB_KEY_ID_… of a public key; a certificate says its serial itself
	PEM     string    // "PUBLIC KEY" or "CERTIFICATE"
	Retired time.Time // from when on nothing is accepted any more that it signs; zero: in use
}

// Config is one merchant account at WeChat Pay. The names in brackets are those
// of the errors.
type Config struct {
	Channel  domain.ChannelID // (channel)
	Protocol string           // (protocol) V3 or V2
	Gateway  string           // (gateway) default DefaultGateway; may have a path

	MchID     string   // (mchid) the merchant's number; for a partner the service provider's
	AppIDs    []string // (appids) those whose payments are this channel's, at least one
	SubMchID  string   // (sub_mchid) partner mode: the merchant for whom the provider collects
	SubAppIDs []string // (sub_appids) partner mode: allowed sub_appid values; empty allows any

	APIv3Key       providers.Secret   // (api_v3_key) v3: 32 bytes, opens what WeChat encrypts
	OldAPIv3Keys   []providers.Secret // (old_api_v3_keys) v3: keys of the past, tried after it
	APIKey         providers.Secret   // (api_key) v2: signs; v3: opens the XML notice of refunds made by hand, optional
	SignType       string             // (sign_type) v2: SignMD5, the default, or SignHMAC
	MerchantKey    providers.Secret   // (merchant_key) v3: our private key, PEM or base64 of PKCS#8
	MerchantSerial string             // (merchant_serial) v3: serial of our certificate
	PlatformKeys   []PlatformKey      // (platform_keys) v3: WeChat's keys that are known from the start

	Currency     domain.Currency    // (currency) where a message names none; default CNY
	Confirm      domain.ConfirmMode // (confirm) default never for V3, always for V2
	ConfirmAbove domain.Money       // (confirm_above) with domain.ConfirmAbove, and only then
	AccountFrom  string             // (account_from) AttachAccount, the default, or NoAccount
	Test         bool               // play money: a sandbox's account

	// AllowPlainHTTP lets Gateway and the download address of bills be http
	// addresses, also on loopback.
	AllowPlainHTTP bool

	Ledger domain.ID // (ledger) of the log in which the channel is recorded: salts the marks of shared keys
}

// New makes a channel that is ready to work. A client lends its transport and
// its timeout; nil makes one that uses no proxy. Redirects are never followed.
// The clock dates questions and answers. KindInvalid names the first setting
// that is wrong; its text never holds a secret. Nobody is called: platform
// certificates that are not configured come with Refresh.
func New(cfg Config, client *http.Client, clock func() time.Time) (*Channel, error) {
	cfg = cfg.withDefaults()
	for _, check := range []func(Config) error{checkNames, checkMerchant, checkGateway, checkMoney} {
		if err := check(cfg); err != nil {
			return nil, err
		}
	}
	if clock == nil {
		return nil, domain.EField(domain.KindInvalid, "clock", "is missing")
	}
	zone, err := time.LoadLocation(zoneName)
	if err != nil {
		return nil, domain.E(domain.KindInternal, "the zone %s is not known here: %w", zoneName, err)
	}
	c := &Channel{cfg: cfg, zone: zone, client: safeClient(client), clock: clock}
	if cfg.Protocol == V2 {
		c.v2, err = newSharedKey(cfg)
		return c, err
	}
	if c.v3, err = newV3(cfg); err != nil {
		return nil, err
	}
	if !cfg.APIKey.IsZero() {
		c.v2, err = newSharedKey(cfg)
	}
	return c, err
}

func (cfg Config) withDefaults() Config {
	if cfg.Gateway == "" {
		cfg.Gateway = DefaultGateway
	}
	cfg.Gateway = strings.TrimRight(cfg.Gateway, "/")
	if cfg.Currency == "" {
		cfg.Currency = domain.CNY
	}
	if cfg.Confirm == "" {
		cfg.Confirm = domain.ConfirmNever
		if cfg.Protocol == V2 {
			cfg.Confirm = domain.ConfirmAlways
		}
	}
	if cfg.AccountFrom == "" {
		cfg.AccountFrom = AttachAccount
	}
	if cfg.SignType == "" && cfg.Protocol == V2 {
		cfg.SignType = SignMD5
	}
	cfg.AppIDs = slices.Sorted(slices.Values(cfg.AppIDs))
	cfg.SubAppIDs = slices.Sorted(slices.Values(cfg.SubAppIDs))
	return cfg
}

func checkNames(cfg Config) error {
	if _, err := domain.ParseChannelID(string(cfg.Channel)); err != nil {
		return domain.EField(domain.KindInvalid, "channel", "%w", err)
	}
	if cfg.Protocol != V3 && cfg.Protocol != V2 {
		return domain.EField(domain.KindInvalid, "protocol", "%q is neither v3 nor v2", cfg.Protocol)
	}
	if cfg.AccountFrom != AttachAccount && cfg.AccountFrom != NoAccount {
		return domain.EField(domain.KindInvalid, "account_from", "%q is neither %s nor %s", cfg.AccountFrom, AttachAccount, NoAccount)
	}
	if cfg.Ledger.IsZero() {
		return domain.EField(domain.KindInvalid, "ledger", "is missing")
	}
	return nil
}

// checkMerchant wants the numbers by which WeChat names a merchant: they keep
// another merchant's genuine callbacks out, so none may be left out.
func checkMerchant(cfg Config) error {
	if !isID(cfg.MchID) {
		return domain.EField(domain.KindInvalid, "mchid", "%q is not 1 to 32 of A-Z, a-z, 0-9, _", cfg.MchID)
	}
	if cfg.SubMchID != "" && !isID(cfg.SubMchID) {
		return domain.EField(domain.KindInvalid, "sub_mchid", "%q is not 1 to 32 of A-Z, a-z, 0-9, _", cfg.SubMchID)
	}
	if len(cfg.AppIDs) == 0 {
		return domain.EField(domain.KindInvalid, "appids", "is missing: name the app ids whose payments are this channel's")
	}
	if i := slices.IndexFunc(cfg.AppIDs, isNoID); i >= 0 {
		return domain.EField(domain.KindInvalid, "appids", "%q is not 1 to 32 of A-Z, a-z, 0-9, _", cfg.AppIDs[i])
	}
	if i := slices.IndexFunc(cfg.SubAppIDs, isNoID); i >= 0 || (len(cfg.SubAppIDs) > 0 && cfg.SubMchID == "") {
		return domain.EField(domain.KindInvalid, "sub_appids", "are not ids, or there is no sub_mchid")
	}
	return nil
}

func isNoID(s string) bool { return !isID(s) }

func isID(s string) bool {
	for i := range len(s) {
		if !nameByte(s[i], 1) {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

func checkGateway(cfg Config) error {
	return providers.CheckGateway(cfg.Gateway, DefaultGateway, cfg.AllowPlainHTTP)
}

func checkMoney(cfg Config) error {
	if _, err := domain.ParseCurrency(string(cfg.Currency)); err != nil {
		return domain.EField(domain.KindInvalid, "currency", "%w", err)
	}
	if err := providers.CheckConfirm(cfg.Confirm, cfg.ConfirmAbove, cfg.Currency); err != nil {
		return err
	}

	return nil
}
