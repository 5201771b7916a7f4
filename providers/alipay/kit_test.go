package alipay

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"

	"github.com/rogpeppe/go-internal/txtar"
)

const (
	testApp    = "2021000000000000"
	testSeller = "2088102119685838"
)

var (
	testDelivery = domain.NewV5(domain.ID{}, "delivery of the alipay tests")
	testNow      = time.Date(2026, 2, 14, 2, 1, 0, 0, time.UTC)
)

func fixedClock() time.Time { return testNow }

// keyText is a key of testdata: platform.key plays Alipay, merchant.key the
// application. Nobody uses them for anything else.
func keyText(name string) string {
	text, err := os.ReadFile("testdata/" + name + ".key")
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(text))
}

func parseKey(name string) *rsa.PrivateKey {
	key, err := providers.ParseRSAPrivate(keyText(name))
	if err != nil {
		panic(err)
	}
	return key
}

var (
	platformKey = sync.OnceValue(func() *rsa.PrivateKey { return parseKey("platform") })
	merchantKey = sync.OnceValue(func() *rsa.PrivateKey { return parseKey("merchant") })
	otherKey    = sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	})
)

// publicText is a public key as the console shows it.
func publicText(key *rsa.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(providers.RSAKey(&key.PublicKey, "", "").DER)
}

func testConfig() Config {
	return Config{
		Channel: "alipay-main", Gateway: "https://openapi.example.com/gateway.do", AppID: testApp, SellerID: testSeller,
		AppKey: providers.NewSecret(keyText("merchant")), AlipayKeys: []string{publicText(platformKey())},
		AccountFrom: AccountFromPassback,
	}
}

func newChannel(t testing.TB, cfg Config) *Channel {
	t.Helper()
	c, err := New(cfg, nil, fixedClock)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// vectors are the published ones.
func vectors(t testing.TB) map[string]string {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/vectors.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range archive.Files {
		all[f.Name] = strings.TrimSuffix(string(f.Data), "\n")
	}
	return all
}

// notice is a paid notice without its signature; more replaces and adds.
func notice(more ...Param) Params {
	p := Params{
		{"app_id", testApp},
		{"auth_app_id", testApp},
		{"buyer_id", "2088102116773037"},
		{"charset", "utf-8"},
		{"gmt_create", "2026-02-14 10:00:00"},
		{"gmt_payment", "2026-02-14 10:00:05"},
		{"notify_id", "2026021400222100006077031234567890"},
		{"notify_time", "2026-02-14 10:00:06"},
		{"notify_type", "trade_status_sync"},
		{"out_trade_no", "20260214100000001"},
		{"seller_id", testSeller},
		{"subject", "测试商品+1 & more"},
		{"total_amount", "10.00"},
		{"trade_no", "2026021422001473037000123456"},
		{"trade_status", "TRADE_SUCCESS"},
		{"version", "1.0"},
	}
	for _, m := range more {
		p = p.With(m.Name, m.Value)
	}
	return p
}

// without is p without the field.
func without(p Params, name string) Params {
	var rest Params
	for _, f := range p {
		if f.Name != name {
			rest = append(rest, f)
		}
	}
	return rest
}

// signedBy is p with key's signature over what stands there.
func signedBy(key *rsa.PrivateKey, p Params) Params {
	sign, err := Sign(NoticeText(p), key)
	if err != nil {
		panic(err)
	}
	return p.With("sign_type", "RSA2").With("sign", sign)
}

func signed(p Params) Params { return signedBy(platformKey(), p) }

// post is a notice on its way.
func post(body string) providers.Request {
	return providers.Request{
		Method: http.MethodPost, Target: "/callbacks/alipay-main",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}},
		Body:   []byte(body), Remote: "203.0.113.9:40000", ReceivedAt: testNow, Delivery: testDelivery,
	}
}

func posted(p Params) providers.Request { return post(Encode(p)) }

// paidNotice is what notice() says.
func paidNotice() domain.Notice {
	return domain.Notice{
		Source: domain.SourceCallback, Channel: "alipay-main", OrderNo: "20260214100000001",
		TradeNo: "2026021422001473037000123456", Amount: yuan(1000), Status: domain.StatusPaid, ProviderStatus: "TRADE_SUCCESS",
		OccurredAt: time.Date(2026, 2, 14, 2, 0, 5, 0, time.UTC),
	}
}

func yuan(fen int64) domain.Money { return domain.NewMoney(fen, domain.CNY) }
