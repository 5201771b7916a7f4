package assembly

import (
	"net/url"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/config"
	"counterfoil/providers"
	"counterfoil/providers/alipay"
	"counterfoil/providers/epay"
	"counterfoil/providers/stripe"
	"counterfoil/providers/wechatpay"
)

// kind is how channels of one provider are made.
type kind struct {
	build func(c config.Channel, ledgerID domain.ID, clock func() time.Time) (providers.Channel, error)
	// account names the merchant account within which the provider's order
	// numbers are unique, and named is the setting that says so.
	account func(c config.Channel) string
	named   string
}

// kinds has every provider by the name that the configuration has for it.
var kinds = map[string]kind{
	"epay": {build: newEpay, named: "pid", account: func(c config.Channel) string { return c.PID }},
	// V2 and V3 of one merchant share its orders, and so do all its app ids.
	"wechatpay": {build: newWechatPay, named: "mchid", account: func(c config.Channel) string { return c.MchID + "/" + c.SubMchID }},
	// So do all applications of one seller.
	"alipay": {build: newAlipay, named: "seller_id", account: func(c config.Channel) string { return c.SellerID }},
	"stripe": {build: newStripe, named: "account", account: stripeAccount},
}

// place names a gateway however its address is spelt.
func place(gateway string) string {
	u, err := url.Parse(gateway)
	if err != nil {
		return gateway
	}
	at := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if p := u.Port(); p != "" && p != "80" && p != "443" {
		at += ":" + p
	}
	return at + strings.TrimRight(u.Path, "/")
}

func newEpay(c config.Channel, ledgerID domain.ID, clock func() time.Time) (providers.Channel, error) {
	return made(epay.New(epay.Config{
		Channel: c.ID, Version: c.Protocol, Gateway: c.Gateway, PID: c.PID, Key: c.Key,
		MerchantKey: c.MerchantKey, PlatformKey: c.PlatformKey,
		Currency: domain.Currency(c.Currency), Zone: c.Zone, Confirm: c.ConfirmMode, ConfirmAbove: c.ConfirmAbove,
		Funds: c.Funds, AllowPlainHTTP: c.AllowPlainHTTP, Ledger: ledgerID,
	}, nil, clock))
}

func newWechatPay(c config.Channel, ledgerID domain.ID, clock func() time.Time) (providers.Channel, error) {
	cfg := wechatpay.Config{
		Channel: c.ID, Protocol: c.Protocol, Gateway: c.Gateway,
		MchID: c.MchID, AppIDs: c.AppIDs, SubMchID: c.SubMchID, SubAppIDs: c.SubAppIDs,
		APIv3Key: c.APIv3Key, OldAPIv3Keys: c.OldAPIv3Keys, APIKey: c.APIKey, SignType: c.SignType,
		MerchantKey: c.MerchantKey, MerchantSerial: c.MerchantSerial,
		Currency: domain.Currency(c.Currency), Confirm: c.ConfirmMode, ConfirmAbove: c.ConfirmAbove,
		AccountFrom: c.AccountFrom, Test: c.Test, AllowPlainHTTP: c.AllowPlainHTTP, Ledger: ledgerID,
	}
	for id, pem := range c.PlatformKeys {
		key := wechatpay.PlatformKey{ID: id, PEM: pem}
		if day := c.RetiredKeys[id]; day != "" {
			retired, err := time.ParseInLocation(time.DateOnly, day, beijing)
			if err != nil {
				return nil, domain.EField(domain.KindInvalid, "retired_platform_keys", "%w", err)
			}
			key.Retired = retired
		}
		cfg.PlatformKeys = append(cfg.PlatformKeys, key)
	}
	return made(wechatpay.New(cfg, nil, clock))
}

// beijing is the zone in which WeChat's keys are retired.
var beijing = time.FixedZone("CST", 8*60*60)

func newAlipay(c config.Channel, _ domain.ID, clock func() time.Time) (providers.Channel, error) {
	return made(alipay.New(alipay.Config{
		Channel: c.ID, Gateway: c.Gateway, AppID: c.AppID, SellerID: c.SellerID, AppKey: c.AppKey, AlipayKeys: c.AlipayKeys,
		AppCert: c.AppCert, RootCert: c.AlipayRootCert,
		AccountFrom: c.AccountFrom, Confirm: c.ConfirmMode, ConfirmAbove: c.ConfirmAbove, AllowPlainHTTP: c.AllowPlainHTTP,
	}, nil, clock))
}

func newStripe(c config.Channel, ledgerID domain.ID, clock func() time.Time) (providers.Channel, error) {
	cfg := stripe.Config{
		Channel: c.ID, Gateway: c.Gateway, APIKey: c.APIKey, Secrets: c.Webhooks, Retired: c.Retired, Account: c.Account,
		Live: c.Live, APIVersion: c.APIVersion, OrderKey: c.OrderKey, AccountFrom: c.AccountFrom,
		Currency: domain.Currency(c.Currency), Zone: c.Zone, Confirm: c.ConfirmMode, ConfirmAbove: c.ConfirmAbove,
		DisputeLost: c.DisputeLost, AllowPlainHTTP: c.AllowPlainHTTP, Ledger: ledgerID,
	}
	for _, code := range c.Currencies {
		cfg.Currencies = append(cfg.Currencies, domain.Currency(code))
	}
	return made(stripe.New(cfg, nil, clock))
}

// stripeAccount is a connected account, else the one that the key belongs to,
// of which the key is all that is known here.
func stripeAccount(c config.Channel) string {
	mode := "test "
	if c.Live {
		mode = "live "
	}
	if c.Account != "" {
		return mode + c.Account
	}
	return mode + c.APIKey.Reveal()
}

// made keeps a nil pointer from becoming a channel that is not nil.
func made[C providers.Channel](ch C, err error) (providers.Channel, error) {
	if err != nil {
		return nil, err
	}
	return ch, nil
}
