package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/httpapi"
	"counterfoil/ledger"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/providers"
	"counterfoil/providers/epay"

	"github.com/prometheus/client_golang/prometheus"
)

// The channels of every test: V1 that believes callbacks, V1 that asks, V2.
const (
	now = domain.ChannelID("epay-now")
	ask = domain.ChannelID("epay-ask")
	rsV = domain.ChannelID("epay-rsa")
	bug = domain.ChannelID("epay-bug") // its adapter panics

	pid       = "1001"
	sharedKey = "canary-shared-key-0123456789abcdef" // must never be seen outside
	public    = "https://pay.example.com/hooks/"
)

// platform and merchant are the RSA keys of V2, made once.
var (
	platform = sync.OnceValue(newRSA)
	merchant = sync.OnceValue(newRSA)
)

func newRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// site is a whole installation behind one handler: log in memory, everything
// else as in production.
type site struct {
	tb      testing.TB
	store   *memory.Store
	log     *memory.Faulty
	ops     *osqlite.Store
	rows    *psqlite.DB
	ledger  *ledger.Ledger
	server  *httpapi.Server
	handler http.Handler
	logs    *buffer
	clock   *clock
	metrics *prometheus.Registry
	tokens  map[string]string // API keys by the name tests give them
}

type option func(*httpapi.Deps, *httpapi.Config)

func newSite(tb testing.TB, options ...option) *site {
	tb.Helper()
	s := &site{
		tb: tb, store: memory.New(), logs: &buffer{}, clock: &clock{at: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)},
		metrics: prometheus.NewRegistry(), tokens: map[string]string{},
	}
	s.log = memory.NewFaulty(s.store)
	s.openStores()
	id := domain.NewV5(domain.ID{}, "ledger under test")
	cfg := ledger.Config{Software: "counterfoil/test", Clock: s.clock.now, Zone: time.UTC}
	s.ok(ledger.Init(context.Background(), s.store, id, domain.ModeLive, cfg))
	var err error
	s.ledger, err = ledger.Open(context.Background(), s.log, s.ops, cfg)
	s.ok(err)
	deps := httpapi.Deps{
		Ledger: s.ledger, Log: s.log, Rows: s.rows, Ops: s.ops, Bills: s.ops, Channels: s.channels(id),
		Logger:  slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: s.metrics, Clock: s.clock.now,
	}
	conf := httpapi.Config{PublicURL: public, Software: "counterfoil/test", ExpireAfter: 2 * time.Hour}
	for _, o := range options {
		o(&deps, &conf)
	}
	s.ledger = deps.Ledger
	s.server, err = httpapi.New(deps, conf)
	s.ok(err)
	s.handler = s.server.Handler()
	s.key("admin", operations.ScopeAdmin)
	return s
}

func (s *site) openStores() {
	dir := s.tb.TempDir()
	path := filepath.Join(dir, "operations.db")
	s.ok(osqlite.Create(path))
	var err error
	s.ops, err = osqlite.Open(context.Background(), path, osqlite.Options{Clock: s.clock.now})
	s.ok(err)
	s.rows, err = psqlite.Open(filepath.Join(dir, "projections.db"), psqlite.Config{})
	s.ok(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	runner := projections.NewRunner(s.store, s.rows, projections.Config{Pace: -1})
	go func() { done <- runner.Run(ctx) }()
	s.tb.Cleanup(func() {
		cancel()
		<-done
		_ = s.rows.Close()
		_ = s.ops.Close()
	})
}

func (s *site) channels(id domain.ID) map[domain.ChannelID]providers.Channel {
	der, err := x509.MarshalPKCS8PrivateKey(merchant())
	s.ok(err)
	out := map[domain.ChannelID]providers.Channel{}
	for _, cfg := range []epay.Config{
		{Channel: now, Version: epay.V1, Key: providers.NewSecret(sharedKey), Confirm: domain.ConfirmNever},
		{Channel: ask, Version: epay.V1, Key: providers.NewSecret(sharedKey)},
		{
			Channel: rsV, Version: epay.V2, MerchantKey: providers.NewSecret(base64.StdEncoding.EncodeToString(der)),
			PlatformKey: base64.StdEncoding.EncodeToString(epay.PublicDER(&platform().PublicKey)),
		},
	} {
		cfg.Gateway, cfg.PID, cfg.Ledger = "https://gateway.example", pid, id
		ch, err := epay.New(cfg, nil, s.clock.now)
		s.ok(err)
		s.ok(s.ledger.Configure(context.Background(), ch.Config(), ledger.By{Actor: "system"}))
		out[cfg.Channel] = ch
	}
	out[bug] = panicking{out[now]}
	return out
}

// panicking is a channel whose reader has a mistake.
type panicking struct{ providers.Channel }

func (panicking) Read(providers.Request) (providers.Read, providers.Refusal, error) {
	panic("index out of range, planted")
}

func (s *site) ok(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}

// key makes an API key with scopes, under a name.
func (s *site) key(name string, scopes ...operations.Scope) string {
	s.tb.Helper()
	return s.limitedKey(name, nil, nil, scopes...)
}

func (s *site) limitedKey(name string, channels, accounts []string, scopes ...operations.Scope) string {
	s.tb.Helper()
	var secret [32]byte
	copy(secret[:], "canary of the API key "+name)
	token, hash := httpapi.NewKey(name, secret)
	s.ok(s.ops.PutAPIKey(context.Background(), operations.APIKey{
		ID: name, SHA256: hash, Person: "person:li", Scopes: scopes, Channels: channels, Accounts: accounts, CreatedAt: s.clock.now(),
	}))
	s.tokens[name] = token
	return token
}

// place places an order straight into the books.
func (s *site) place(ch domain.ChannelID, no, amount string) {
	s.tb.Helper()
	s.placeFor(ch, no, amount, "user:42")
}

func (s *site) placeFor(ch domain.ChannelID, no, amount, account string) {
	s.tb.Helper()
	m, err := domain.ParseMoney(amount, domain.CNY)
	s.ok(err)
	_, _, err = s.ledger.Place(context.Background(), domain.Order{
		Channel: ch, OrderNo: domain.OrderNo(no), Account: domain.AccountID(account), Amount: m, ExpireAfter: time.Hour,
	}, ledger.Personal{Subject: "credits"}, ledger.By{Actor: "key:test"})
	s.ok(err)
}

// callback is the fields of a genuine V1 callback.
func callback(no, trade, money string) epay.Params {
	return epay.Params{
		{Name: "pid", Value: pid},
		{Name: "trade_no", Value: trade},
		{Name: "out_trade_no", Value: no},
		{Name: "type", Value: "alipay"},
		{Name: "name", Value: "credits"},
		{Name: "money", Value: money},
		{Name: "trade_status", Value: "TRADE_SUCCESS"},
	}
}

// with is fields with one changed or added.
func with(p epay.Params, name, value string) epay.Params {
	out := append(epay.Params{}, p...)
	for i := range out {
		if out[i].Name == name {
			out[i].Value = value
			return out
		}
	}
	return append(out, epay.Param{Name: name, Value: value})
}

// signed is the query or form of fields with their V1 signature.
func signed(p epay.Params) string { return signedWith(p, sharedKey) }

func signedWith(p epay.Params, key string) string {
	return encode(append(append(epay.Params{}, p...),
		epay.Param{Name: "sign", Value: epay.SignMD5(epay.Text(p), key)}, epay.Param{Name: "sign_type", Value: "MD5"}))
}

// signedRSA is the same for V2.
func signedRSA(p epay.Params) string {
	sign, err := epay.SignRSA(epay.Text(p), platform())
	if err != nil {
		panic(err)
	}
	return encode(append(append(epay.Params{}, p...),
		epay.Param{Name: "sign", Value: sign}, epay.Param{Name: "sign_type", Value: "RSA"}))
}

func encode(p epay.Params) string {
	v := make([]string, len(p))
	for i, f := range p {
		v[i] = url.QueryEscape(f.Name) + "=" + url.QueryEscape(f.Value)
	}
	return strings.Join(v, "&")
}

func get(ch domain.ChannelID, query string) *http.Request {
	return httptest.NewRequest(http.MethodGet, "/callbacks/"+string(ch)+"?"+query, nil)
}

func post(ch domain.ChannelID, form string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/callbacks/"+string(ch), strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// serve answers one request.
func (s *site) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// field is a value of the answer by its path, e.g. "payment.state".
func (a answer) field(path string) any {
	var v any
	if json.Unmarshal(a.body, &v) != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i := -1
			if _, err := fmt.Sscan(name, &i); err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

func (a answer) text(path string) string {
	if v := a.field(path); v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// call asks the API as the holder of a key; headers are pairs.
func (s *site) call(key, method, target, body string, headers ...string) answer {
	s.tb.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+s.tokens[key])
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := s.serve(r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

// events is the whole log.
func (s *site) events() []eventstore.Recorded {
	s.tb.Helper()
	var out []eventstore.Recorded
	for b, err := range s.store.Follow(context.Background(), 0, eventstore.FollowOptions{Sealed: true}) {
		s.ok(err)
		out = append(out, b.Events...)
		if b.CaughtUp {
			break
		}
	}
	return out
}

// facts are the types of the events behind the first n.
func (s *site) facts(n int) []string {
	s.tb.Helper()
	var out []string
	for _, e := range s.events()[n:] {
		out = append(out, e.Type)
	}
	return out
}

// settled waits until the projections stand at the log's head.
func (s *site) settled() eventstore.Position {
	s.tb.Helper()
	head, err := s.store.Head(context.Background())
	s.ok(err)
	s.ok(s.rows.Wait(context.Background(), head))
	return head
}

// lines are the log lines with a message.
func (s *site) lines(msg string) []map[string]any {
	s.tb.Helper()
	var out []map[string]any
	dec := json.NewDecoder(bytes.NewReader(s.logs.Bytes()))
	for {
		var line map[string]any
		if err := dec.Decode(&line); err == io.EOF {
			return out
		} else if err != nil {
			s.tb.Fatal(err)
		}
		if line["msg"] == msg {
			out = append(out, line)
		}
	}
}

// callbackRows waits until the callback log has n rows, and answers them oldest
// first.
func (s *site) callbackRows(n int) []operations.Callback {
	s.tb.Helper()
	var rows []operations.Callback
	s.eventually(fmt.Sprintf("%d rows in the callback log", n), func() bool {
		rows = nil
		f := operations.CallbackFilter{Limit: 200}
		for {
			page, err := s.ops.Callbacks(context.Background(), f)
			s.ok(err)
			rows = append(rows, page...)
			if len(page) < 200 {
				return len(rows) >= n
			}
			f.Before = page[len(page)-1].Seq
		}
	})
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows
}

// eventually waits until ok, for what happens in the background.
func (s *site) eventually(what string, ok func() bool) {
	s.tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.tb.Fatalf("never happened: %s", what)
		}
	}
}

// buffer is a log that may be written and read at once.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// hasWord reports whether a gateway would read success out of a body.
func hasWord(body string) bool { return strings.Contains(strings.ToLower(body), "success") }
