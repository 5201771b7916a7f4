package wechatpay

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

func TestNewNamesTheWrongField(t *testing.T) {
	t.Parallel()
	const canary = "canary-canary-canary-canary-1234"
	v3 := func(change func(*Config)) Config { cfg := configV3(); change(&cfg); return cfg }
	v2 := func(change func(*Config)) Config { cfg := configV2(); change(&cfg); return cfg }
	for _, tt := range []struct {
		field string
		cfg   Config
	}{
		{"channel", v3(func(c *Config) { c.Channel = "WeChat" })},
		{"protocol", v3(func(c *Config) { c.Protocol = "v1" })},
		{"protocol", v3(func(c *Config) { c.Protocol = "" })},
		{"ledger", v3(func(c *Config) { c.Ledger = domain.ID{} })},
		{"account_from", v3(func(c *Config) { c.AccountFrom = "openid" })},
		{"mchid", v3(func(c *Config) { c.MchID = "" })},
		{"mchid", v3(func(c *Config) { c.MchID = "1&2" })},
		{"appids", v3(func(c *Config) { c.AppIDs = nil })},
		{"appids", v3(func(c *Config) { c.AppIDs = []string{""} })},
		{"sub_mchid", v3(func(c *Config) { c.SubMchID = "a b" })},
		{"sub_appids", v3(func(c *Config) { c.SubAppIDs = []string{"wx1"} })},
		{"gateway", v3(func(c *Config) { c.Gateway = "http://127.0.0.1" })},
		{"gateway", v3(func(c *Config) { c.Gateway = "https://u:" + canary + "@x" })},
		{"gateway", v3(func(c *Config) { c.Gateway = "https://x/?a=1" })},
		{"currency", v3(func(c *Config) { c.Currency = "cny" })},
		{"confirm", v3(func(c *Config) { c.Confirm = "sometimes" })},
		{"confirm_above", v3(func(c *Config) { c.Confirm = domain.ConfirmAbove })},
		{"confirm_above", v3(func(c *Config) { c.ConfirmAbove = domain.NewMoney(1, domain.CNY) })},
		{"api_v3_key", v3(func(c *Config) { c.APIv3Key = providers.Secret{} })},
		{"api_v3_key", v3(func(c *Config) { c.APIv3Key = providers.NewSecret(canary[1:]) })},
		{"old_api_v3_keys", v3(func(c *Config) { c.OldAPIv3Keys = []providers.Secret{{}} })},
		{"merchant_key", v3(func(c *Config) { c.MerchantKey = providers.Secret{} })},
		{"merchant_key", v3(func(c *Config) { c.MerchantKey = providers.NewSecret(canary) })},
		{"merchant_key", v3(func(c *Config) { c.MerchantKey = providers.NewSecret(publicPEM(strangerKey())) })},
		{"merchant_serial", v3(func(c *Config) { c.MerchantSerial = "" })},
		{"merchant_serial", v3(func(c *Config) { c.MerchantSerial = "1dde55ad" })},
		{"platform_keys", v3(func(c *Config) { c.PlatformKeys = []PlatformKey{{PEM: "x"}} })},
		{"platform_keys", v3(func(c *Config) { c.PlatformKeys = []PlatformKey{{PEM: publicPEM(strangerKey())}} })},
		{"platform_keys", v3(func(c *Config) { c.PlatformKeys = []PlatformKey{{ID: publicKeyID, PEM: publicPEM(merchantKeyOnce())}} })},
		{"platform_keys", v3(func(c *Config) {
			c.PlatformKeys = []PlatformKey{{ID: merchantSerial, PEM: pemVector("platform_cert.pem")}}
		})},
		{"platform_keys", v3(func(c *Config) {
			c.PlatformKeys = []PlatformKey{{ID: publicKeyID, PEM: publicPEM(strangerKey())}, {ID: publicKeyID, PEM: publicPEM(platformKeyOnce())}}
		})},
		{"sign_type", v3(func(c *Config) { c.SignType = SignMD5 })},
		{"api_key", v3(func(c *Config) { c.APIKey = providers.NewSecret(canary[:15]) })},
		{"api_key", v2(func(c *Config) { c.APIKey = providers.Secret{} })},
		{"api_key", v2(func(c *Config) { c.APIKey = providers.NewSecret(canary + "\n") })},
		{"sign_type", v2(func(c *Config) { c.SignType = "SHA256" })},
		{"api_v3_key", v2(func(c *Config) { c.APIv3Key = providers.NewSecret(canary) })},
		{"merchant_key", v2(func(c *Config) { c.MerchantKey = providers.NewSecret(canary) })},
		{"merchant_serial", v2(func(c *Config) { c.MerchantSerial = merchantSerial })},
		{"platform_keys", v2(func(c *Config) { c.PlatformKeys = []PlatformKey{{}} })},
	} {
		_, err := New(tt.cfg, nil, fixedClock)
		if domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != tt.field {
			t.Errorf("want %s named, got %v", tt.field, err)
		}
		if err != nil && strings.Contains(err.Error(), canary[1:15]) {
			t.Errorf("%s: the error tells the secret: %v", tt.field, err)
		}
	}
	if _, err := New(configV3(), nil, nil); domain.FieldOf(err) != "clock" {
		t.Errorf("without a clock: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	v3, v2 := newChannel(t, configV3()).Config(), newChannel(t, configV2()).Config()
	if v3.Confirm != domain.ConfirmNever || v2.Confirm != domain.ConfirmAlways || v3.Gateway != DefaultGateway || v3.Zone != "Asia/Shanghai" ||
		v3.Currency != domain.CNY || v3.AccountFrom != "attach" || v3.Provider != "wechatpay" || v3.Protocol != "v3" || v3.Merchant["mchid"] != mchID {
		t.Errorf("v3 %+v\nv2 %+v", v3, v2)
	}
	if len(v3.PublicKeys) != 2 || len(v3.Secrets) != 2 || len(v2.PublicKeys) != 0 || len(v2.Secrets) != 1 {
		t.Errorf("keys %+v %+v %+v", v3.PublicKeys, v3.Secrets, v2.Secrets)
	}
	cfg := configV3()
	cfg.AccountFrom = NoAccount
	c := newChannel(t, cfg)
	got := mustRead(t, c, event("TRANSACTION.SUCCESS", plainPayment(t, `"attach":""`, `"attach":"user:7"`)))
	if got.Notices[0].Account != "" || c.Config().AccountFrom != "" {
		t.Errorf("account %q", got.Notices[0].Account)
	}
	online, err := New(configV3(), nil, fixedClock)
	if err != nil {
		t.Fatal(err)
	}
	if transport, ok := online.client.Transport.(*http.Transport); !ok || transport.Proxy != nil {
		t.Error("the channel's own client may use a proxy of the environment")
	}
}

func TestPrintedChannelShowsNoKey(t *testing.T) {
	t.Parallel()
	cfg := configV3()
	c := newChannel(t, cfg)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("channel", slog.Any("channel", c), slog.Any("config", cfg))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&log, verb+verb, c, cfg)
	}
	for _, shown := range []string{apiV3Key, apiKey, fmt.Sprintf("%x", apiV3Key)} {
		if strings.Contains(log.String(), shown) {
			t.Errorf("a key is in %s", log.String())
		}
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	good := providers.Order{
		OrderNo: orderNo, Amount: domain.NewMoney(730, domain.CNY), Subject: "充值", NotifyURL: "https://shop.example.com/callbacks/wechat", At: testNow,
	}
	form, err := newChannel(t, configV3()).Form(good)
	want := map[string]string{
		"mchid": mchID, "appid": appID, "out_trade_no": orderNo, "notify_url": good.NotifyURL, "description": "充值",
		"amount.total": "730", "amount.currency": "CNY",
	}
	if err != nil || form.Action != "" || form.URL != "" || fmt.Sprint(form.Fields) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", form, err)
	}
	form, err = newChannel(t, configV2()).Form(good)
	if err != nil || form.Fields["total_fee"] != "730" || form.Fields["mch_id"] != "10000100" || form.Fields["body"] != "充值" {
		t.Errorf("%+v, %v", form, err)
	}
	for field, change := range map[string]func(*providers.Order){
		"order_no":   func(o *providers.Order) { o.OrderNo = "12345" },
		"amount":     func(o *providers.Order) { o.Amount = domain.NewMoney(730, domain.USD) },
		"notify_url": func(o *providers.Order) { o.NotifyURL = "https://shop.example.com/?a=1" },
		"subject":    func(o *providers.Order) { o.Subject = strings.Repeat("充", 128) },
	} {
		o := good
		change(&o)
		if _, err := newChannel(t, configV3()).Form(o); domain.FieldOf(err) != field || domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("want %s named, got %v", field, err)
		}
	}
	plain := good
	plain.NotifyURL = "http://127.0.0.1/callbacks/wechat"
	if _, err := newChannel(t, configV3()).Form(plain); domain.FieldOf(err) != "notify_url" {
		t.Errorf("plain http: %v", err)
	}
}
