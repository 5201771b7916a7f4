package config

import (
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Channel is one merchant account at one provider, as written in the file. A
// field tagged "only" belongs to those providers and is unknown at the others;
// the provider's adapter checks what it says. Every secret can be given in a
// file instead, named by the same setting with _file behind it.
type Channel struct {
	ID             domain.ChannelID `koanf:"-"`
	Provider       string           `koanf:"provider"` // epay | wechatpay | alipay | stripe
	Protocol       string           `koanf:"protocol" only:"epay wechatpay"`
	Gateway        string           `koanf:"gateway"` // address of the provider's API; empty: the provider's own
	Currency       string           `koanf:"currency" only:"epay wechatpay stripe"`
	Zone           string           `koanf:"zone" only:"epay stripe"`
	Confirm        string           `koanf:"confirm_by_query"` // never | above AMOUNT | always
	Funds          string           `koanf:"funds" only:"epay"`
	AccountFrom    string           `koanf:"account_from" only:"wechatpay alipay stripe"` // where a payment that nobody placed names its account
	AllowPlainHTTP bool             `koanf:"allow_plain_http"`
	Test           bool             `koanf:"test"`

	// Who we are at the provider.
	PID            string   `koanf:"pid" only:"epay"`
	MchID          string   `koanf:"mchid" only:"wechatpay"`
	AppIDs         []string `koanf:"appids" only:"wechatpay"`
	SubMchID       string   `koanf:"sub_mchid" only:"wechatpay"`
	SubAppIDs      []string `koanf:"sub_appids" only:"wechatpay"`
	AppID          string   `koanf:"app_id" only:"alipay"`
	SellerID       string   `koanf:"seller_id" only:"alipay"`
	Account        string   `koanf:"account" only:"stripe"` // acct_… of a connected account
	Live           bool     `koanf:"live" only:"stripe"`    // events of live mode; otherwise those of test mode
	MerchantSerial string   `koanf:"merchant_serial" only:"wechatpay"`

	// Secrets of ours.
	Key              providers.Secret   `koanf:"key" only:"epay"` // MD5 key
	KeyFile          string             `koanf:"key_file" only:"epay"`
	MerchantKey      providers.Secret   `koanf:"merchant_key" only:"epay wechatpay"` // private key
	MerchantKeyFile  string             `koanf:"merchant_key_file" only:"epay wechatpay"`
	APIv3Key         providers.Secret   `koanf:"api_v3_key" only:"wechatpay"`
	APIv3KeyFile     string             `koanf:"api_v3_key_file" only:"wechatpay"`
	OldAPIv3Keys     []providers.Secret `koanf:"old_api_v3_keys" only:"wechatpay"` // of the past, for kept evidence
	OldAPIv3KeysFile string             `koanf:"old_api_v3_keys_file" only:"wechatpay"`
	APIKey           providers.Secret   `koanf:"api_key" only:"wechatpay stripe"` // WeChat: of v2; Stripe: secret or restricted key
	APIKeyFile       string             `koanf:"api_key_file" only:"wechatpay stripe"`
	AppKey           providers.Secret   `koanf:"app_key" only:"alipay"` // private key of the application
	AppKeyFile       string             `koanf:"app_key_file" only:"alipay"`
	Webhooks         []providers.Secret `koanf:"webhook_secrets" only:"stripe"` // whsec_…; several while one is rolled
	WebhooksFile     string             `koanf:"webhook_secrets_file" only:"stripe"`
	Retired          []providers.Secret `koanf:"retired_secrets" only:"stripe"` // former ones, for kept evidence
	RetiredFile      string             `koanf:"retired_secrets_file" only:"stripe"`

	// Keys of the provider, public ones.
	PlatformKey     string            `koanf:"platform_key" only:"epay"`
	PlatformKeyFile string            `koanf:"platform_key_file" only:"epay"`
	PlatformKeys    map[string]string `koanf:"platform_keys" only:"wechatpay"`         // by serial or PUB_KEY_ID_…: PEM, or the file it is in
	RetiredKeys     map[string]string `koanf:"retired_platform_keys" only:"wechatpay"` // the same ids: from which day on nothing new is accepted
	AlipayKeys      []string          `koanf:"alipay_keys" only:"alipay"`              // keys or certificates; PEM, base64, or the file it is in
	AppCert         string            `koanf:"app_cert" only:"alipay"`                 // certificate mode: the application's; PEM, or the file it is in
	AlipayRootCert  string            `koanf:"alipay_root_cert" only:"alipay"`         // certificate mode: Alipay's roots; PEM, or the file they are in

	// How the provider's messages are read.
	SignType    string   `koanf:"sign_type" only:"wechatpay"` // v2: MD5 | HMAC-SHA256
	APIVersion  string   `koanf:"api_version" only:"stripe"`  //
	OrderKey    string   `koanf:"order_key" only:"stripe"`    // metadata key of the order number
	Currencies  []string `koanf:"currencies" only:"stripe"`   // all that are taken; empty: currency alone
	DisputeLost string   `koanf:"dispute_lost" only:"stripe"` // who bears a lost dispute: wallet | expense

	// What two people may decide of its money, in its currency; empty: no limit.
	CorrectionLimit   string `koanf:"correction_limit"`         // by one correction
	CorrectionPerson  string `koanf:"correction_limit_person"`  // of what one person proposes in a day
	CorrectionAccount string `koanf:"correction_limit_account"` // for one account in a day

	// How its bills are compared; see Bills.
	BillSchedule string        `koanf:"bill_schedule"`  // cron, in the channel's zone: when to look for bills; empty: every five minutes
	BillWaitDays int           `koanf:"bill_wait_days"` // for how many later bills what only we have is waited
	BillCut      time.Duration `koanf:"bill_cut"`       // money this near to midnight may stand on the neighbour's bill
	BillApart    time.Duration `koanf:"bill_apart"`     // how far the two times of a movement may lie apart; 0 does not look
	FeeRate      string        `koanf:"fee_rate"`       // of a payment, e.g. "0.006"; empty does not look
	FeeWithin    string        `koanf:"fee_within"`     // how far a fee may lie from the rate, e.g. "0.01"
	FundFlow     *bool         `koanf:"fund_flow"`      // fetch the fund flow beside the trade bill; left out: yes

	// What Confirm says.
	ConfirmMode  domain.ConfirmMode `koanf:"-"`
	ConfirmAbove domain.Money       `koanf:"-"`

	// What the correction limits say; nil without limits.
	Corrections *domain.CorrectionPolicy `koanf:"-"`
}

// Providers are the names that a channel's provider can have.
func Providers() []string { return []string{"epay", "wechatpay", "alipay", "stripe"} }

// finish fills defaults and what files hold, and checks what all providers
// share.
func (ch *Channel) finish(dir string) error {
	field := func(name string) string { return "channels." + string(ch.ID) + "." + name }
	if _, err := domain.ParseChannelID(string(ch.ID)); err != nil {
		return wrong("channels", string(ch.ID), "a channel's id is 1 to 32 of a-z, 0-9 and -, not beginning with -")
	}
	ch.defaults()
	if _, err := domain.ParseCurrency(ch.Currency); err != nil {
		return wrong(field("currency"), ch.Currency, "must be an ISO 4217 code in capitals, e.g. CNY")
	}
	if _, err := time.LoadLocation(ch.Zone); err != nil {
		return wrong(field("zone"), ch.Zone, "must be an IANA time zone, e.g. Asia/Shanghai")
	}
	if ch.Funds != "gateway" && ch.Funds != "own_account" {
		return wrong(field("funds"), ch.Funds, "must be gateway or own_account")
	}
	if ch.Provider == "" {
		return wrong(field("provider"), ch.Provider, "must name the provider, one of "+strings.Join(Providers(), ", "))
	}
	if ch.Live && ch.Test {
		return wrong(field("live"), "true", "test money is never live")
	}
	for id, day := range ch.RetiredKeys {
		if _, err := domain.ParseDay(day); err != nil {
			return wrong(field("retired_platform_keys."+id), day, "must be a day, YYYY-MM-DD")
		}
	}
	if err := ch.checkBills(field); err != nil {
		return err
	}
	if err := ch.parseLimits(field); err != nil {
		return err
	}
	if err := ch.readFiles(dir, field); err != nil {
		return err
	}
	return ch.parseConfirm(field("confirm_by_query"))
}

func (ch *Channel) defaults() {
	if ch.Currency == "" {
		ch.Currency = "CNY"
	}
	switch {
	case ch.Zone != "":
	case ch.Provider == "stripe":
		ch.Zone = "UTC" // Stripe's days
	default:
		ch.Zone = "Asia/Shanghai"
	}
	if ch.Funds == "" {
		ch.Funds = "gateway"
	}
	ch.billDefaults()
	ch.Test = ch.Test || (ch.Provider == "stripe" && !ch.Live) // Stripe's test mode is play money
	if ch.Protocol == "" && ch.Provider == "wechatpay" {
		ch.Protocol = "v3"
	}
}

func (ch *Channel) parseConfirm(field string) error {
	mode, amount, _ := strings.Cut(ch.Confirm, " ")
	switch domain.ConfirmMode(mode) {
	case "", domain.ConfirmNever, domain.ConfirmAlways:
		if amount != "" {
			return wrong(field, ch.Confirm, "must be never, always or above AMOUNT")
		}
	case domain.ConfirmAbove:
		m, err := domain.ParseMoney(strings.TrimSpace(amount), domain.Currency(ch.Currency))
		if err != nil {
			return wrong(field, ch.Confirm, "must be never, always or above AMOUNT, e.g. above 100.00")
		}
		ch.ConfirmAbove = m
	default:
		return wrong(field, ch.Confirm, "must be never, always or above AMOUNT")
	}
	ch.ConfirmMode = domain.ConfirmMode(mode)
	return nil
}
