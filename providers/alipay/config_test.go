package alipay

import (
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

func TestNewDefaults(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Gateway = ""
	cfg.AlipayKeys = append(cfg.AlipayKeys, publicText(otherKey()))
	got := newChannel(t, cfg).Config()
	if got.Gateway != DefaultGateway || got.Confirm != domain.ConfirmNever || got.Currency != domain.CNY || got.Zone != "Asia/Shanghai" ||
		got.Merchant["app_id"] != testApp || got.Merchant["seller_id"] != testSeller || got.AccountFrom != "passback_params" {
		t.Errorf("record %+v", got)
	}
	if len(got.PublicKeys) != 3 || got.PublicKeys[0].Use != "platform" || got.PublicKeys[2].Use != "merchant" {
		t.Errorf("keys %+v", got.PublicKeys)
	}
}

func TestNewNamesTheWrongField(t *testing.T) {
	t.Parallel()
	const canary = "canary-canary-canary"
	for _, tt := range []struct {
		field  string
		change func(*Config)
	}{
		{"channel", func(c *Config) { c.Channel = "Alipay" }},
		{"app_id", func(c *Config) { c.AppID = "" }},
		{"app_id", func(c *Config) { c.AppID = "2021000000000000&" }},
		{"seller_id", func(c *Config) { c.SellerID = "" }},
		{"seller_id", func(c *Config) { c.SellerID = "1088102119685838" }},
		{"gateway", func(c *Config) { c.Gateway = "openapi.alipay.com" }},
		{"gateway", func(c *Config) { c.Gateway = "http://openapi.alipay.com/gateway.do" }},
		{"gateway", func(c *Config) { c.Gateway = "https://u:" + canary + "@a.example" }},
		{"gateway", func(c *Config) { c.Gateway = "https://a.example/?x=1" }},
		{"confirm", func(c *Config) { c.Confirm = "sometimes" }},
		{"confirm_above", func(c *Config) { c.Confirm = domain.ConfirmAbove }},
		{"confirm_above", func(c *Config) { c.ConfirmAbove = yuan(1) }},
		{"account_from", func(c *Config) { c.AccountFrom = "subject" }},
		{"max_bill", func(c *Config) { c.MaxBill = -1 }},
		{"app_key", func(c *Config) { c.AppKey = providers.Secret{} }},
		{"app_key", func(c *Config) { c.AppKey = providers.NewSecret(canary) }},
		{"alipay_keys", func(c *Config) { c.AlipayKeys = nil }},
		{"alipay_keys", func(c *Config) { c.AlipayKeys = []string{""} }},
		{"alipay_keys", func(c *Config) { c.AlipayKeys = []string{publicText(merchantKey())} }},
		{"alipay_keys", func(c *Config) { c.AlipayKeys = make([]string, 5) }},
	} {
		cfg := testConfig()
		tt.change(&cfg)
		_, err := New(cfg, nil, fixedClock)
		if domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != tt.field {
			t.Errorf("want %s named, got %v", tt.field, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error tells the secret: %v", tt.field, err)
		}
	}
	if _, err := New(testConfig(), nil, nil); domain.FieldOf(err) != "clock" {
		t.Errorf("without a clock: %v", err)
	}
}

// TestKeyChange: during a change both keys hold, afterwards only the new one,
// and evidence of the old one is not called forged for that.
func TestKeyChange(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.AlipayKeys = []string{publicText(otherKey()), publicText(platformKey())}
	both := newChannel(t, cfg)
	var kept []domain.Evidence
	for _, r := range []providers.Request{posted(signed(notice())), posted(signedBy(otherKey(), notice()))} {
		got, _, err := both.Read(r)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, got.Evidence)
	}
	if kept[0].Key == kept[1].Key {
		t.Error("the evidence does not tell the keys apart")
	}
	cfg.AlipayKeys = cfg.AlipayKeys[:1]
	after := newChannel(t, cfg)
	if _, refusal, err := after.Read(posted(signed(notice()))); err == nil || refusal.Reason != domain.ReasonWrongSignature {
		t.Errorf("the old key after the change: %v", err)
	}
	if _, err := after.Reverify(kept[0]); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("evidence of the old key: %v", err)
	}
	if notices, err := after.Reverify(kept[1]); err != nil || len(notices) != 1 {
		t.Errorf("evidence of the new key: %+v, %v", notices, err)
	}
}

func TestKeyAsPEM(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	der := providers.RSAKey(&platformKey().PublicKey, "", "").DER
	cfg.AlipayKeys = []string{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
	if _, _, err := newChannel(t, cfg).Read(posted(signed(notice()))); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprintf("%v %+v", newChannel(t, cfg), newChannel(t, cfg)); got != "alipay channel alipay-main alipay channel alipay-main" {
		t.Errorf("printed as %s", got)
	}
}
