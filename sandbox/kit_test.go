package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/providers/epay"
)

// testKey is the sample key of the public documents.
const testKey = "89unJUB8HZ54Hj7x4nUj56HN4nUzUJ8i"

// pairs are made once: RSA keys are slow to make.
var platformPair, merchantPair = sync.OnceValue(mustPair), sync.OnceValue(mustPair)

func mustPair() KeyPair {
	p, err := NewKeyPair()
	if err != nil {
		panic(err)
	}
	return p
}

func v1Merchant(style Style) MerchantConfig {
	return MerchantConfig{PID: "1001", Version: V1, Style: style, Key: testKey}
}

func v2Merchant() MerchantConfig {
	return MerchantConfig{
		PID: "2002", Version: V2, Key: testKey,
		PlatformKey: platformPair().Private, MerchantKey: merchantPair().Private,
	}
}

// newBox makes and starts a sandbox that ends with the test.
func newBox(t testing.TB, c Config) *Sandbox {
	t.Helper()
	if c.Now == nil {
		c.Now = time.Now
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// got is one callback as a receiver saw it.
type got struct {
	at     time.Time
	method string
	target string // path and query
	form   url.Values
}

// shop is the merchant's side: it remembers what came and answers by reply.
type shop struct {
	mu    sync.Mutex
	came  []got
	reply func(n int, form url.Values) (int, string) // n counts from 1; nil answers success
}

func (h *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		raw = string(body)
	}
	form, _ := url.ParseQuery(raw) // what the gateway broke ("&amp;") is left out
	h.mu.Lock()
	h.came = append(h.came, got{time.Now(), r.Method, r.URL.RequestURI(), form})
	status, text := http.StatusOK, "success"
	if h.reply != nil {
		status, text = h.reply(len(h.came), form)
	}
	h.mu.Unlock()
	w.WriteHeader(status)
	io.WriteString(w, text)
}

func (h *shop) all() []got {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]got(nil), h.came...)
}

// wire carries requests to a handler without a network, so that a bubble's
// clock stands still while one is under way.
type wire struct{ to http.Handler }

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w.to.ServeHTTP(rec, in)
	return rec.Result(), nil
}

// bubble runs f with a fake clock, a sandbox of these merchants and a shop.
func bubble(t *testing.T, c Config, f func(t *testing.T, s *Sandbox, h *shop)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		// The bubble starts in 2000, when timestamps had nine digits.
		time.Sleep(time.Until(time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)))
		h := &shop{}
		c.Transport = wire{h}
		f(t, newBox(t, c), h)
	})
}

// opened is an order of a merchant that calls back to the shop.
func opened(t testing.TB, s *Sandbox, pid, outTradeNo, money string) Order {
	t.Helper()
	return openedAt(t, s, pid, outTradeNo, money, "http://shop.example/notify")
}

func openedAt(t testing.TB, s *Sandbox, pid, outTradeNo, money, notifyURL string) Order {
	t.Helper()
	o, err := s.Open(OpenOrder{PID: pid, OutTradeNo: outTradeNo, Money: money, Name: "VIP会员", NotifyURL: notifyURL})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// pay pays with these faults and waits until all callbacks are over.
func pay(t testing.TB, s *Sandbox, tradeNo string, faults ...Fault) Order {
	t.Helper()
	o, err := s.PayWith(tradeNo, faults...)
	if err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	return o
}

func settle(t testing.TB, s *Sandbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 24*365*time.Hour)
	defer cancel()
	if err := s.Settled(ctx); err != nil {
		t.Fatal(err)
	}
}

// holds reports whether a callback's signature is true under the test keys.
func holds(form url.Values) bool {
	text := epay.Text(params(form))
	if form.Get("sign_type") == "RSA" {
		key, err := epay.ParsePublicKey(platformPair().Public)
		return err == nil && epay.VerifyRSA(text, form.Get("sign"), key)
	}
	return epay.VerifyMD5(text, testKey, form.Get("sign"))
}

func params(form url.Values) epay.Params {
	var p epay.Params
	for name := range form {
		p = append(p, epay.Param{Name: name, Value: form.Get(name)})
	}
	return p
}

// ask makes a request to the gateway and returns its answer.
func ask(t testing.TB, s http.Handler, method, target, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if method == http.MethodPost && !strings.HasPrefix(body, "{") && !strings.HasPrefix(body, "[") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// decode reads JSON with numbers kept as text.
func decode(t testing.TB, body string) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewBufferString(body))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return m
}

// signedV2 is a V2 request of the merchant, signed now.
func signedV2(t testing.TB, s *Sandbox, kv ...string) string {
	t.Helper()
	s.mu.Lock()
	m := s.merchants["2002"]
	s.mu.Unlock()
	f := fields{"pid": "2002"}
	for i := 0; i < len(kv); i += 2 {
		f[kv[i]] = kv[i+1]
	}
	if f["timestamp"] == "" {
		f["timestamp"] = itoa(s.stage.Now().Unix())
	}
	key, err := epay.ParsePrivateKey(m.MerchantKey)
	if err != nil {
		t.Fatal(err)
	}
	sign, err := epay.SignRSA(epay.Text(f.params()), key)
	if err != nil {
		t.Fatal(err)
	}
	return encode(withSign(f.params(), sign, "RSA"))
}
