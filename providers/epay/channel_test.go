package epay

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

var (
	testLedger   = domain.NewV5(domain.ID{}, "ledger of the epay tests")
	testDelivery = domain.NewV5(domain.ID{}, "delivery of the epay tests")
	testNow      = time.Date(2026, 11, 22, 5, 19, 30, 0, time.UTC)
)

func fixedClock() time.Time { return testNow }

func configV1() Config {
	return Config{
		Channel: "epay-main", Version: V1, Gateway: "https://pay.example.com/epay", PID: "1001",
		Key: providers.NewSecret(sampleKey), Ledger: testLedger,
	}
}

func configV2() Config {
	return Config{
		Channel: "epay-rsa", Version: V2, Gateway: "https://pay.example.com", PID: "1001",
		MerchantKey: providers.NewSecret(base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(testKey()))),
		PlatformKey: platformPublicKey, Ledger: testLedger,
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

func TestNewDefaults(t *testing.T) {
	t.Parallel()
	v1 := newChannel(t, configV1()).Config()
	if v1.Confirm != domain.ConfirmAlways || v1.Currency != domain.CNY || v1.Zone != "Asia/Shanghai" || v1.Funds != FundsGateway {
		t.Errorf("V1 defaults: %+v", v1)
	}
	if len(v1.PublicKeys) != 0 || len(v1.Secrets) != 1 || v1.Secrets[0].Use != "md5" ||
		v1.Secrets[0].Fingerprint != SecretFingerprint(sampleKey, testLedger, "epay-main") {
		t.Errorf("V1 keys: %+v, %+v", v1.PublicKeys, v1.Secrets)
	}
	v2 := newChannel(t, configV2()).Config()
	if v2.Confirm != domain.ConfirmNever || v2.Protocol != "v2" || v2.Provider != "epay" || v2.Merchant["pid"] != "1001" {
		t.Errorf("V2 defaults: %+v", v2)
	}
	if len(v2.Secrets) != 0 || len(v2.PublicKeys) != 2 || v2.PublicKeys[0].Use != "platform" ||
		base64.StdEncoding.EncodeToString(v2.PublicKeys[0].DER) != platformPublicKey {
		t.Errorf("V2 keys: %+v, %+v", v2.PublicKeys, v2.Secrets)
	}
}

func TestNewNamesTheWrongField(t *testing.T) {
	t.Parallel()
	const canary = "canary-canary-canary"
	v1 := func(change func(*Config)) Config { cfg := configV1(); change(&cfg); return cfg }
	v2 := func(change func(*Config)) Config { cfg := configV2(); change(&cfg); return cfg }
	tests := []struct {
		field string
		cfg   Config
	}{
		{"channel", v1(func(c *Config) { c.Channel = "Epay" })},
		{"version", v1(func(c *Config) { c.Version = "v3" })},
		{"version", v1(func(c *Config) { c.Version = "" })},
		{"pid", v1(func(c *Config) { c.PID = "" })},
		{"pid", v1(func(c *Config) { c.PID = "1&pid=2" })},
		{"pid", v1(func(c *Config) { c.PID = strings.Repeat("1", 65) })},
		{"ledger", v1(func(c *Config) { c.Ledger = domain.ID{} })},
		{"gateway", v1(func(c *Config) { c.Gateway = "" })},
		{"gateway", v1(func(c *Config) { c.Gateway = "pay.example.com" })},
		{"gateway", v1(func(c *Config) { c.Gateway = "http://pay.example.com" })},
		{"gateway", v1(func(c *Config) { c.Gateway = "http://127.0.0.1:8080" })},
		{"gateway", v1(func(c *Config) { c.Gateway = "ftp://pay.example.com"; c.AllowPlainHTTP = true })},
		{"gateway", v1(func(c *Config) { c.Gateway = "https://u:" + canary + "@pay.example.com" })},
		{"gateway", v1(func(c *Config) { c.Gateway = "https://pay.example.com/?a=1" })},
		{"currency", v1(func(c *Config) { c.Currency = "cny" })},
		{"confirm", v1(func(c *Config) { c.Confirm = "sometimes" })},
		{"confirm_above", v1(func(c *Config) { c.Confirm = domain.ConfirmAbove })},
		{"confirm_above", v1(func(c *Config) { c.Confirm, c.ConfirmAbove = domain.ConfirmAbove, domain.NewMoney(1, domain.USD) })},
		{"confirm_above", v1(func(c *Config) { c.ConfirmAbove = domain.NewMoney(1, domain.CNY) })},
		{"funds", v1(func(c *Config) { c.Funds = "mine" })},
		{"zone", v1(func(c *Config) { c.Zone = "Asia/Nowhere" })},
		{"key", v1(func(c *Config) { c.Key = providers.Secret{} })},
		{"key", v1(func(c *Config) { c.Key = providers.NewSecret(canary[:15]) })},
		{"key", v1(func(c *Config) { c.Key = providers.NewSecret(canary + "\n") })},
		{"merchant_key", v1(func(c *Config) { c.MerchantKey = providers.NewSecret(canary) })},
		{"platform_key", v1(func(c *Config) { c.PlatformKey = platformPublicKey })},
		{"key", v2(func(c *Config) { c.Key = providers.NewSecret(canary) })},
		{"merchant_key", v2(func(c *Config) { c.MerchantKey = providers.Secret{} })},
		{"merchant_key", v2(func(c *Config) { c.MerchantKey = providers.NewSecret(canary) })},
		{"platform_key", v2(func(c *Config) { c.PlatformKey = "" })},
		{"platform_key", v2(func(c *Config) { c.PlatformKey = "AAAA" })},
		{"platform_key", v2(func(c *Config) {
			c.PlatformKey = base64.StdEncoding.EncodeToString(PublicDER(&testKey().PublicKey))
		})},
	}
	for _, tt := range tests {
		_, err := New(tt.cfg, nil, fixedClock)
		if domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != tt.field {
			t.Errorf("want %s named, got %v", tt.field, err)
		}
		if err != nil && strings.Contains(err.Error(), canary[:15]) {
			t.Errorf("%s: the error tells the secret: %v", tt.field, err)
		}
	}
	if _, err := New(configV1(), nil, nil); domain.FieldOf(err) != "clock" {
		t.Errorf("without a clock: %v", err)
	}
}

func TestNewAllowsPlainHTTP(t *testing.T) {
	t.Parallel()
	cfg := configV1()
	cfg.Gateway, cfg.AllowPlainHTTP = "http://127.0.0.1:9090/", true
	if got := newChannel(t, cfg).Config().Gateway; got != "http://127.0.0.1:9090" {
		t.Errorf("gateway = %q", got)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	cfg := configV1()
	c := newChannel(t, cfg)
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("channel", slog.Any("channel", c), slog.Any("config", cfg))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb, c, cfg)
	}
	for _, shown := range []string{sampleKey, fmt.Sprintf("%x", sampleKey)} {
		if strings.Contains(log.String(), shown) {
			t.Errorf("the key is in %s", log.String())
		}
	}
	if !strings.Contains(log.String(), "[hidden]") || !strings.Contains(log.String(), "epay-main") {
		t.Errorf("nothing was printed: %s", log.String())
	}
}

// TestReply pins the answers to the byte: gateways take any body with the word
// in it for a confirmation.
func TestReply(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	want := map[domain.Outcome]domain.Reply{
		domain.OutcomeCredited: {Status: 200, ContentType: "text/plain", Body: "success"},
		domain.OutcomeRepeated: {Status: 200, ContentType: "text/plain", Body: "success"},
		domain.OutcomeHeld:     {Status: 200, ContentType: "text/plain", Body: "success"},
		domain.OutcomeParked:   {Status: 200, ContentType: "text/plain", Body: "success"},
		domain.OutcomeNoted:    {Status: 200, ContentType: "text/plain", Body: "success"},
		domain.OutcomeRefused:  {Status: 400, ContentType: "text/plain", Body: "fail"},
		domain.OutcomeFailed:   {Status: 503, ContentType: "text/plain", Body: "fail"},
	}
	for _, o := range append(domain.Outcomes(), "", "surprise") {
		got := c.Reply(o)
		if w, ok := want[o]; ok && got != w {
			t.Errorf("Reply(%s) = %+v, want %+v", o, got, w)
		}
		if !o.Success() && (strings.Contains(strings.ToLower(got.Body), "success") || got.Status < 400) {
			t.Errorf("Reply(%s) = %+v would count as delivered", o, got)
		}
	}
}

// get is a genuine-looking GET of these fields.
func get(fields Params) providers.Request { return getRaw(encode(fields)) }

func getRaw(query string) providers.Request {
	target := "/callbacks/epay-main?" + query
	return providers.Request{
		Method: http.MethodGet, Target: target, RawQuery: query,
		Header: http.Header{"User-Agent": {"Mozilla/4.0"}, "Accept": {"*/*"}, "Cookie": {"a=b"}, "Authorization": {"Basic x"}},
		Remote: "203.0.113.9:40000", ReceivedAt: testNow, Delivery: testDelivery,
	}
}

func post(body string) providers.Request {
	return providers.Request{
		Method: http.MethodPost, Target: "/callbacks/epay-main",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:   []byte(body), Remote: "203.0.113.9:40000", ReceivedAt: testNow, Delivery: testDelivery,
	}
}

// signedV1 is fields with their V1 signature under the sample key.
func signedV1(fields Params) Params {
	return append(fields[:len(fields):len(fields)], Param{"sign", SignMD5(Text(fields), sampleKey)}, Param{"sign_type", "MD5"})
}

// callback is a genuine paid callback, with fields replaced or, by an empty
// name, left as they are.
func callback(changes ...Param) Params {
	fields := Params{
		{"pid", "1001"},
		{"trade_no", "2016080615134334902"},
		{"out_trade_no", "20160806151343349"},
		{"type", "alipay"},
		{"name", "VIP会员"},
		{"money", "1"},
		{"trade_status", "TRADE_SUCCESS"},
	}
	for _, ch := range changes {
		fields = with(fields, ch)
	}
	return fields
}

func with(fields Params, change Param) Params {
	for i := range fields {
		if fields[i].Name == change.Name {
			fields[i].Value = change.Value
			return fields
		}
	}
	return append(fields, change)
}

func paid() domain.Notice {
	return domain.Notice{
		Delivery: testDelivery, Source: domain.SourceCallback, Channel: "epay-main",
		OrderNo: "20160806151343349", TradeNo: "2016080615134334902", Amount: domain.NewMoney(100, domain.CNY),
		Status: domain.StatusPaid, ProviderStatus: "TRADE_SUCCESS", ReceivedAt: testNow,
	}
}

// wantRefused checks a refusal with all its parts.
func wantRefused(t *testing.T, c *Channel, r providers.Request, reason domain.Reason, orderNo string) {
	t.Helper()
	read, refusal, err := c.Read(r)
	if err == nil {
		t.Errorf("accepted, want %s: %+v", reason, read.Notices)
		return
	}
	kind := domain.KindInvalid
	if reason == domain.ReasonWrongSignature || reason == domain.ReasonForeignMerchant {
		kind = domain.KindForged
	}
	if refusal.Reason != reason || refusal.OrderNo != orderNo || domain.KindOf(err) != kind {
		t.Errorf("refused with %s, %q, kind %s (%v), want %s, %q, kind %s",
			refusal.Reason, refusal.OrderNo, domain.KindOf(err), err, reason, orderNo, kind)
	}
	if len(read.Notices) != 0 || read.Evidence.Kind != "" {
		t.Errorf("a refused callback yields %+v", read)
	}
}

func TestFieldErrorsAreOurs(t *testing.T) {
	t.Parallel()
	_, err := New(Config{}, nil, fixedClock)
	if _, ok := errors.AsType[*domain.Error](err); !ok {
		t.Errorf("not an error of ours: %v", err)
	}
}
