package wechatpay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// The keys and messages of testdata/vectors are for tests only; nobody's secret.
const (
	apiV3Key       = "Vectors0Vectors1Vectors2Vectors3"
	apiKey         = "192006250b4c09247ec02edce69f6a2d"
	platformSerial = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
	merchantSerial = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
	publicKeyID    = "PUB_KEY_ID_0119000001092026021400000000000001"
	mchID          = "1900000109"
	appID          = "wxd678efh567hg6787"
	orderNo        = "20260214100000001"
	tradeNo        = "4200001234202602141234567890"
	paymentTime    = 1771034406
	refundTime     = 1771038001
	paymentNonce   = "3vlWsMb8hM7aQ1zX9cVbN5mK2jH4gF6d"
	refundNonce    = "R9vlWsMb8hM7a"
	resourceNonce  = "fdasflkja484"
)

var (
	testLedger   = domain.NewV5(domain.ID{}, "ledger of the wechatpay tests")
	testDelivery = domain.NewV5(domain.ID{}, "delivery of the wechatpay tests")
	testNow      = time.Unix(paymentTime+2, 0).UTC()
)

func fixedClock() time.Time { return testNow }

func vector(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pemVector is a key whose armour does not look like a secret that leaked.
func pemVector(name string) string {
	data, err := os.ReadFile("testdata/vectors/" + name)
	if err != nil {
		panic(err)
	}
	return strings.ReplaceAll(string(data), "TESTING KEY", "PRIVATE KEY")
}

var platformKeyOnce = sync.OnceValue(func() *rsa.PrivateKey { return mustKey("platform_key.pem") })

var merchantKeyOnce = sync.OnceValue(func() *rsa.PrivateKey { return mustKey("merchant_key.pem") })

func mustKey(name string) *rsa.PrivateKey {
	key, err := ParsePrivateKey(pemVector(name))
	if err != nil {
		panic(err)
	}
	return key
}

func publicPEM(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func configV3() Config {
	return Config{
		Channel: "wechat", Protocol: V3, MchID: mchID, AppIDs: []string{appID},
		APIv3Key: providers.NewSecret(apiV3Key), APIKey: providers.NewSecret(apiKey),
		MerchantKey: providers.NewSecret(pemVector("merchant_key.pem")), MerchantSerial: merchantSerial,
		PlatformKeys: []PlatformKey{{PEM: pemVector("platform_cert.pem")}},
		Ledger:       testLedger,
	}
}

func configV2() Config {
	return Config{
		Channel: "wechat-v2", Protocol: V2, MchID: "10000100", AppIDs: []string{"wx2421b1c4370ec43b"},
		APIKey: providers.NewSecret(apiKey), Ledger: testLedger,
	}
}

// offline is a network that is not there: no test calls WeChat.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no network") }

func newChannel(t testing.TB, cfg Config) *Channel {
	t.Helper()
	c, err := New(cfg, &http.Client{Transport: offline{}}, fixedClock)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// signedBy is a callback as WeChat sends it, signed with key under serial.
func signedBy(key *rsa.PrivateKey, serial string, body []byte) providers.Request {
	return sealed(key, serial, paymentTime, paymentNonce, body)
}

func sealed(key *rsa.PrivateKey, serial string, seconds int64, nonce string, body []byte) providers.Request {
	timestamp := strconv.FormatInt(seconds, 10)
	sign, err := SignRSA(signedText(timestamp, nonce, body), key)
	if err != nil {
		panic(err)
	}
	return withHeaders(body, timestamp, nonce, serial, sign)
}

func withHeaders(body []byte, timestamp, nonce, serial, sign string) providers.Request {
	return providers.Request{
		Method: http.MethodPost, Target: "/callbacks/wechat",
		Header: http.Header{
			"User-Agent": {"Mozilla/4.0"}, "Accept": {"*/*"}, "Content-Type": {"application/json"},
			HeaderTimestamp: {timestamp}, HeaderNonce: {nonce}, HeaderSerial: {serial}, HeaderSignature: {sign},
			HeaderSignatureType: {AuthScheme},
		},
		Body: body, Remote: "203.0.113.9:40000", ReceivedAt: testNow, Delivery: testDelivery,
	}
}

// genuineV3 is the published payment callback.
func genuineV3(t testing.TB) providers.Request {
	t.Helper()
	return withHeaders(vector(t, "payment.json"), strconv.Itoa(paymentTime), paymentNonce, platformSerial, string(vector(t, "payment.sig")))
}

// event is a rightly signed callback with plain sealed in it.
func event(kind, plain string) providers.Request {
	return signedBy(platformKeyOnce(), platformSerial, eventBody(kind, plain))
}

func eventBody(kind, plain string) []byte {
	aead, err := NewAEAD(apiV3Key)
	if err != nil {
		panic(err)
	}
	text, err := Seal(aead, resourceNonce, "transaction", []byte(plain))
	if err != nil {
		panic(err)
	}
	return []byte(`{"id":"b5e4bd2a-0b1b-5d1c-9c1f-1f4d7c2f0a01","create_time":"2026-02-14T10:00:06+08:00","resource_type":"encrypt-resource","event_type":"` +
		kind + `","summary":"x","resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":"` + text +
		`","associated_data":"transaction","nonce":"` + resourceNonce + `"}}`)
}

// plainPayment is the published payment with changes.
func plainPayment(t testing.TB, changes ...string) string {
	t.Helper()
	text := string(vector(t, "payment.plain.json"))
	for i := 0; i+1 < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("no %s in %s", changes[i], text)
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return text
}

// paid is what the published payment says.
func paid() domain.Notice {
	return domain.Notice{
		Delivery: testDelivery, Source: domain.SourceCallback, Channel: "wechat",
		OrderNo: orderNo, TradeNo: tradeNo, Amount: domain.NewMoney(1000, domain.CNY),
		Status: domain.StatusPaid, ProviderStatus: "SUCCESS",
		OccurredAt: time.Date(2026, 2, 14, 2, 0, 5, 0, time.UTC), ReceivedAt: testNow,
	}
}

// xmlRequest is a v2 callback.
func xmlRequest(body []byte) providers.Request {
	return providers.Request{
		Method: http.MethodPost, Target: "/callbacks/wechat-v2", Header: http.Header{"Content-Type": {"text/xml"}, "User-Agent": {"Mozilla/4.0"}},
		Body: body, Remote: "203.0.113.9:40000", ReceivedAt: testNow, Delivery: testDelivery,
	}
}

// fieldsV2 is the published v2 callback, not signed, with changes.
func fieldsV2(t testing.TB, changes ...Field) Fields {
	t.Helper()
	var f Fields
	for _, pair := range strings.Split(string(vector(t, "callback_v2.txt")), "&") {
		name, value, _ := strings.Cut(pair, "=")
		f = append(f, Field{name, value})
	}
	for _, change := range changes {
		f = f.with(change)
	}
	return f
}

func (f Fields) with(change Field) Fields {
	for i := range f {
		if f[i].Name == change.Name {
			f[i].Value = change.Value
			return f
		}
	}
	return append(f, change)
}

func signedV2(f Fields, key, signType string) []byte {
	return AppendXML(nil, "xml", append(f[:len(f):len(f)], Field{fieldSign, SignFields(f, key, signType)}))
}

// wantRefused checks a refusal with all its parts.
func wantRefused(t *testing.T, c *Channel, r providers.Request, reason domain.Reason) {
	t.Helper()
	read, refusal, err := c.Read(r)
	if err == nil {
		t.Errorf("accepted, want %s: %+v", reason, read.Notices)
		return
	}
	kind := domain.KindInvalid
	if reason == domain.ReasonWrongSignature || reason == domain.ReasonForeignMerchant || reason == domain.ReasonStale ||
		reason == domain.ReasonProbe {
		kind = domain.KindForged
	}
	if refusal.Reason != reason || domain.KindOf(err) != kind {
		t.Errorf("refused with %s, kind %s (%v), want %s, kind %s", refusal.Reason, domain.KindOf(err), err, reason, kind)
	}
	if len(read.Notices) != 0 || read.Evidence.Kind != "" {
		t.Errorf("a refused callback yields %+v", read)
	}
}

func mustRead(t testing.TB, c *Channel, r providers.Request) providers.Read {
	t.Helper()
	got, refusal, err := c.Read(r)
	if err != nil {
		t.Fatalf("refused with %s: %v", refusal.Reason, err)
	}
	return got
}
