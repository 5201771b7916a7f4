package assembly

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/config"
	"counterfoil/providers"
)

func v1(id domain.ChannelID, gateway, pid string) config.Channel {
	return config.Channel{
		ID: id, Provider: "epay", Protocol: "v1", Gateway: gateway, PID: pid,
		Key: providers.NewSecret("0123456789abcdef0123456789abcdef"), AllowPlainHTTP: true,
	}
}

func build(channels ...config.Channel) error {
	cfg := config.Config{Channels: map[string]config.Channel{}}
	for _, c := range channels {
		cfg.Channels[string(c.ID)] = c
	}
	_, err := Channels(cfg, domain.ID{1}, time.Now)
	return err
}

// An order placed on both would be credited twice by one payment: the gateway
// confirms its number to whoever asks for the account.
func TestOneMerchantAccountIsOneChannel(t *testing.T) {
	t.Parallel()
	first := v1("a", "https://pay.example.com/epay", "1001")
	for _, gateway := range []string{
		"https://pay.example.com/epay", "https://PAY.example.com:443/epay/", "https://pay.example.com./epay",
		"http://pay.example.com/epay",
	} {
		err := build(first, v1("b", gateway, "1001"))
		if err == nil || domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != "channels.b.pid" ||
			!strings.Contains(err.Error(), "channel a") {
			t.Errorf("%s: error %v", gateway, err)
		}
	}
}

func TestOtherAccountsAreOtherChannels(t *testing.T) {
	t.Parallel()
	err := build(v1("a", "https://pay.example.com/epay", "1001"), v1("b", "https://pay.example.com/epay", "1002"),
		v1("c", "https://pay.example.com", "1001"), v1("d", "https://other.example.com/epay", "1001"))
	if err != nil {
		t.Error(err)
	}
}

// key is an RSA key as both sides of a test use it.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func private(t *testing.T) providers.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key())
	if err != nil {
		t.Fatal(err)
	}
	return providers.NewSecret(base64.StdEncoding.EncodeToString(der))
}

// public is another key's public half: never the merchant's own.
func public(t *testing.T) string {
	t.Helper()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&other.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func wechat(t *testing.T, id domain.ChannelID, mchid, appid string) config.Channel {
	t.Helper()
	return config.Channel{
		ID: id, Provider: "wechatpay", Protocol: "v3", MchID: mchid, AppIDs: []string{appid},
		APIv3Key: providers.NewSecret("0123456789abcdef0123456789abcdef"), MerchantKey: private(t),
		MerchantSerial: "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",
		PlatformKeys:   map[string]string{"PUB_KEY_ID_1": public(t)},
	}
}

func ali(t *testing.T, id domain.ChannelID, app, seller string) config.Channel {
	t.Helper()
	return config.Channel{
		ID: id, Provider: "alipay", AppID: app, SellerID: seller, AppKey: private(t), AlipayKeys: []string{public(t)},
	}
}

func card(id domain.ChannelID, key, account string) config.Channel {
	return config.Channel{
		ID: id, Provider: "stripe", APIKey: providers.NewSecret(key), Account: account, Currency: "USD",
		Webhooks: []providers.Secret{providers.NewSecret("whsec_0123456789abcdef0123456789abcdef")},
	}
}

// What makes two channels one account differs by provider.
func TestOneAccountIsOneChannelAtEveryProvider(t *testing.T) {
	t.Parallel()
	v2 := wechat(t, "b", "1900000109", "wx1")
	v2.Protocol, v2.APIKey = "v2", providers.NewSecret("0123456789abcdef0123456789abcdef")
	v2.APIv3Key, v2.MerchantKey, v2.MerchantSerial, v2.PlatformKeys = providers.Secret{}, providers.Secret{}, "", nil
	for name, c := range map[string]struct {
		a, b  config.Channel
		field string // of the error; none if empty
	}{
		"WeChat, another app":      {wechat(t, "a", "1900000109", "wx1"), wechat(t, "b", "1900000109", "wx2"), "mchid"},
		"WeChat, v2 beside v3":     {wechat(t, "a", "1900000109", "wx1"), v2, "mchid"},
		"WeChat, another merchant": {wechat(t, "a", "1900000109", "wx1"), wechat(t, "b", "1900000110", "wx1"), ""},
		"Alipay, another app": {
			ali(t, "a", "2021000000000001", "2088102119685838"), ali(t, "b", "2021000000000002", "2088102119685838"), "seller_id",
		},
		"Alipay, another seller": {
			ali(t, "a", "2021000000000001", "2088102119685838"), ali(t, "b", "2021000000000001", "2088102119685839"), "",
		},
		"Stripe, the same key":      {card("a", "sk_test_0123456789abcdef", ""), card("b", "sk_test_0123456789abcdef", ""), "account"},
		"Stripe, another key":       {card("a", "sk_test_0123456789abcdef", ""), card("b", "sk_test_fedcba9876543210", ""), ""},
		"Stripe, connected account": {card("a", "sk_test_0123456789abcdef", "acct_1"), card("b", "sk_test_fedcba9876543210", "acct_1"), "account"},
		"two providers":             {wechat(t, "a", "1900000109", "wx1"), ali(t, "b", "2021000000000001", "2088102119685838"), ""},
	} {
		err := build(c.a, c.b)
		if c.field == "" && err != nil || c.field != "" && domain.FieldOf(err) != "channels.b."+c.field {
			t.Errorf("%s: error %v, want one about %q", name, err, c.field)
		}
	}
}

func TestWrongSettingsAreNamedAsTheFileHasThem(t *testing.T) {
	t.Parallel()
	unknown := v1("a", "https://pay.example.com", "1")
	unknown.Provider = "paypal"
	mute := wechat(t, "a", "1900000109", "wx1")
	mute.APIv3Key = providers.NewSecret("short")
	own := ali(t, "a", "2021000000000001", "2088102119685838")
	own.ConfirmMode = "sometimes"
	for field, c := range map[string]config.Channel{"provider": unknown, "api_v3_key": mute, "confirm_by_query": own} {
		err := build(c)
		if domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != "channels.a."+field {
			t.Errorf("%s: error %v", field, err)
		}
	}
}
