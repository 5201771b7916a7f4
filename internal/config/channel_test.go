package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
)

// beside writes files next to a configuration.
func beside(t *testing.T, path string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryProviderHasItsSettings(t *testing.T) {
	t.Parallel()
	path := write(t, `
channels:
  wx:
    provider: wechatpay
    mchid: "1900000109"
    appids: ["wx1", "wx2"]
    api_v3_key_file: v3.key
    old_api_v3_keys_file: old.keys
    merchant_key: `+canary+`
    merchant_serial: 1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C
    platform_keys:
      PUB_KEY_ID_1: pub.pem
      5157F09E: "-----BEGIN CERTIFICATE-----\nx"
    retired_platform_keys:
      5157F09E: "2026-01-31"
    account_from: attach
  ali:
    provider: alipay
    app_id: "2021000000000001"
    seller_id: "2088102119685838"
    app_key_file: app.key
    alipay_keys: ["alipay.pem", "-----BEGIN PUBLIC KEY-----\ny"]
    app_cert: "-----BEGIN CERTIFICATE-----\nc"
    alipay_root_cert: root.crt
    account_from: passback_params
  card:
    provider: stripe
    api_key: `+canary+`
    webhook_secrets: ["whsec_1", "`+canary+`"]
    retired_secrets_file: retired.txt
    account: acct_1
    currency: USD
    currencies: ["USD", "JPY"]
    dispute_lost: expense
`)
	beside(t, path, map[string]string{
		"v3.key": canary + "\n", "old.keys": "one\n\n two \n", "pub.pem": "-----BEGIN PUBLIC KEY-----", "app.key": "app",
		"alipay.pem": "-----BEGIN PUBLIC KEY-----\nz", "retired.txt": "whsec_0",
		"root.crt": "-----BEGIN CERTIFICATE-----\nr",
	})
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	wx, ali, card := c.Channels["wx"], c.Channels["ali"], c.Channels["card"]
	if wx.Protocol != "v3" || wx.APIv3Key.Reveal() != canary || len(wx.OldAPIv3Keys) != 2 || wx.OldAPIv3Keys[1].Reveal() != "two" ||
		!slices.Equal(wx.AppIDs, []string{"wx1", "wx2"}) || wx.RetiredKeys["5157F09E"] != "2026-01-31" ||
		wx.PlatformKeys["PUB_KEY_ID_1"] != "-----BEGIN PUBLIC KEY-----" || !strings.HasSuffix(wx.PlatformKeys["5157F09E"], "\nx") {
		t.Errorf("wechatpay %+v", wx)
	}
	if ali.AppKey.Reveal() != "app" || len(ali.AlipayKeys) != 2 || !strings.HasSuffix(ali.AlipayKeys[0], "z") ||
		!strings.HasSuffix(ali.AlipayKeys[1], "y") || !strings.HasSuffix(ali.AppCert, "c") || !strings.HasSuffix(ali.AlipayRootCert, "r") ||
		ali.Zone != "Asia/Shanghai" {
		t.Errorf("alipay %+v", ali)
	}
	if len(card.Webhooks) != 2 || card.Webhooks[1].Reveal() != canary || card.Retired[0].Reveal() != "whsec_0" ||
		card.Zone != "UTC" || card.Currencies[1] != "JPY" || card.DisputeLost != "expense" || !card.Test {
		t.Errorf("stripe %+v", card)
	}
	if files := wx.SecretFiles("/d"); !slices.Equal(files, []string{"/d/v3.key", "/d/old.keys"}) || !wx.Inline() || ali.Inline() {
		t.Errorf("secret files %v, in the configuration: wx %v, ali %v", files, wx.Inline(), ali.Inline())
	}
}

// A setting of another provider would be without effect, so it is refused.
func TestSettingsOfOtherProvidersAreUnknown(t *testing.T) {
	t.Parallel()
	for provider, lines := range map[string][]string{
		"epay":      {"mchid: x", "app_id: x", "webhook_secrets: [x]", "api_key: x", "account_from: attach"},
		"wechatpay": {"pid: x", "key: x", "platform_key: x", "seller_id: x", "live: true", "zone: UTC", "platform_keys: {a: 1}"},
		"alipay":    {"mchid: x", "merchant_key: x", "currency: USD", "protocol: v3", "alipay_keys: [1]", "app_id: 1"},
		"stripe":    {"pid: x", "protocol: v1", "merchant_key: x", "funds: gateway", "webhook_secrets: [12345678]"},
	} {
		for _, line := range lines {
			name, _, _ := strings.Cut(line, ":")
			_, err := Load(write(t, "channels:\n  a:\n    provider: "+provider+"\n    "+line+"\n"), nil)
			if domain.KindOf(err) != domain.KindInvalid || !strings.HasPrefix(domain.FieldOf(err), "channels.a."+name) {
				t.Errorf("%s with %q: %v", provider, line, err)
			}
		}
	}
}

func TestKeysGivenTwiceOrNowhere(t *testing.T) {
	t.Parallel()
	for lines, field := range map[string]string{
		"provider: stripe\n    webhook_secrets: [whsec_a]\n    webhook_secrets_file: a.key": "webhook_secrets",
		"provider: wechatpay\n    api_v3_key: " + canary + "\n    api_v3_key_file: a.key":   "api_v3_key",
		"provider: wechatpay\n    platform_keys: {PUB_KEY_ID_1: none.pem}":                  "platform_keys.PUB_KEY_ID_1",
		"provider: wechatpay\n    retired_platform_keys: {PUB_KEY_ID_1: \"2026-01-31\"}":    "retired_platform_keys.PUB_KEY_ID_1",
		"provider: wechatpay\n    retired_platform_keys: {PUB_KEY_ID_1: \"January\"}":       "retired_platform_keys.PUB_KEY_ID_1",
		"provider: stripe\n    live: true\n    test: true":                                  "live",
		"provider: alipay\n    alipay_keys: [none.pem]":                                     "alipay_keys",
		"provider: alipay\n    alipay_root_cert: none.crt":                                  "alipay_root_cert",
		"provider: stripe\n    retired_secrets_file: none.txt":                              "retired_secrets_file",
	} {
		path := write(t, "channels:\n  a:\n    "+lines+"\n")
		beside(t, path, map[string]string{"a.key": "whsec_b"})
		_, err := Load(path, nil)
		if domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != "channels.a."+field {
			t.Errorf("%s: %v", lines, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%v tells a key", err)
		}
	}
}

// What the documentation shows can be loaded, once its files are there.
func TestTheDocumentedChannelsLoad(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/channels.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	yaml, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/channels.md shows no channels")
	}
	path := write(t, yaml)
	if err := os.Mkdir(filepath.Join(filepath.Dir(path), "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, word := range strings.FieldsFunc(yaml, func(r rune) bool { return strings.ContainsRune(" []\n", r) }) {
		if strings.HasPrefix(word, "secrets/") {
			files[word] = canary
		}
	}
	beside(t, path, files)
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	// One for each provider, and a partner's shop.
	if len(c.Channels) != len(Providers())+1 || c.Channels["wechat-shop"].SubMchID == "" || c.Channels["card"].Test || c.Channels["wechat"].APIKey.Reveal() != canary ||
		c.Channels["alipay"].AlipayKeys[0] != canary || len(files) != 11 {
		t.Errorf("%d files, channels %+v", len(files), c.Channels)
	}
}
