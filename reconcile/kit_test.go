package reconcile

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/ledger"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/providers"
	"counterfoil/providers/epay"
	"counterfoil/sandbox"
)

// The channels: V1 that asks first, V1 that believes callbacks, V2.
const (
	careful  domain.ChannelID = "epay-a"
	trusting domain.ChannelID = "epay-b"
	signed   domain.ChannelID = "epay-c"
)

var pids = map[domain.ChannelID]string{careful: "1001", trusting: "1002", signed: "1003"}

// pairs are made once: RSA keys are slow to find.
var gatewayPair, merchantPair = sync.OnceValues(sandbox.NewKeyPair), sync.OnceValues(sandbox.NewKeyPair)

// clock is everybody's time.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is an installation beside a gateway that misbehaves on demand.
type world struct {
	t        *testing.T
	clock    *clock
	box      *sandbox.Sandbox
	gateway  *front
	receiver *httptest.Server
	log      *memory.Store
	ops      *osqlite.Store
	rows     *psqlite.DB
	ledger   *ledger.Ledger
	channels map[domain.ChannelID]providers.Channel
	cfg      Config
	lines    *lines
	folds    sync.Mutex
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, clock: &clock{at: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)}, log: memory.New(), lines: &lines{},
		cfg: Config{Holder: "one", FirstAsk: 2 * time.Minute, Pace: 1, Queries: 4, AskPerSecond: 1e6},
	}
	w.openStores()
	w.openGateway()
	w.openChannels()
	w.receiver = httptest.NewServer(http.HandlerFunc(w.receive))
	t.Cleanup(w.receiver.Close)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) openStores() {
	w.t.Helper()
	dir := w.t.TempDir()
	path := filepath.Join(dir, "operations.db")
	must(w.t, osqlite.Create(path))
	var err error
	w.ops, err = osqlite.Open(w.t.Context(), path, osqlite.Options{Clock: w.clock.now})
	must(w.t, err)
	w.t.Cleanup(func() { _ = w.ops.Close() })
	w.rows, err = psqlite.Open(filepath.Join(dir, "projections.db"), psqlite.Config{})
	must(w.t, err)
	w.t.Cleanup(func() { _ = w.rows.Close() })
	cfg := ledger.Config{Software: "test/1", Clock: w.clock.now}
	must(w.t, ledger.Init(w.t.Context(), w.log, domain.ID{1, 2, 3}, domain.ModeTest, cfg))
	w.ledger, err = ledger.Open(w.t.Context(), w.log, w.ops, cfg)
	must(w.t, err)
}

func (w *world) openGateway() {
	w.t.Helper()
	gateway, err := gatewayPair()
	must(w.t, err)
	merchant, err := merchantPair()
	must(w.t, err)
	w.box, err = sandbox.New(sandbox.Config{Now: w.clock.now, Seed: 1, Merchants: []sandbox.MerchantConfig{
		{PID: pids[careful]},
		{PID: pids[trusting]},
		{PID: pids[signed], Version: sandbox.V2, PlatformKey: gateway.Private, MerchantKey: merchant.Private},
	}})
	must(w.t, err)
	w.gateway = newFront(w.t, w.box)
	w.box.Start()
	w.t.Cleanup(w.box.Stop)
}

func (w *world) openChannels() {
	w.t.Helper()
	gateway, err := gatewayPair()
	must(w.t, err)
	w.channels = map[domain.ChannelID]providers.Channel{}
	for i, id := range []domain.ChannelID{careful, trusting, signed} {
		c := w.box.Credentials()[i]
		cfg := epay.Config{
			Channel: id, Version: string(c.Version), Gateway: w.gateway.server.URL, PID: c.PID,
			Key: providers.NewSecret(c.Key), AllowPlainHTTP: true, Ledger: w.ledger.ID(),
		}
		switch id {
		case trusting:
			cfg.Confirm = domain.ConfirmNever
		case signed:
			cfg.Key, cfg.MerchantKey, cfg.PlatformKey = providers.Secret{}, providers.NewSecret(c.MerchantKey), gateway.Public
		}
		ch, err := epay.New(cfg, nil, w.clock.now)
		must(w.t, err)
		set := ch.Config()
		set.Test = true
		must(w.t, w.ledger.Configure(w.t.Context(), set, ledger.By{Actor: "system", Cause: "config"}))
		w.channels[id] = ch
	}
}

// sweeper is one more process; change shapes it.
func (w *world) sweeper(change ...func(*Deps, *Config)) *Sweeper {
	w.t.Helper()
	d := Deps{
		Ledger: w.ledger, Rows: w.rows, Ops: w.ops, Channels: w.channels, Logger: slog.New(slog.NewJSONHandler(w.lines, nil)),
		Metrics: prometheus.NewRegistry(), Clock: w.clock.now,
	}
	cfg := w.cfg
	for _, c := range change {
		c(&d, &cfg)
	}
	s, err := New(d, cfg)
	must(w.t, err)
	return s
}

// process is a ledger of its own on the same log.
func (w *world) process(d *Deps, cfg *Config) {
	w.t.Helper()
	l, err := ledger.Open(w.t.Context(), w.log, w.ops, ledger.Config{Software: "test/1", Clock: w.clock.now})
	must(w.t, err)
	for _, ch := range w.channels {
		set := ch.Config()
		set.Test = true
		must(w.t, l.Configure(w.t.Context(), set, ledger.By{Actor: "system", Cause: "config"}))
	}
	d.Ledger, cfg.Holder = l, "another"
}

// sweep folds the log and sweeps; the run must end as wanted.
func (w *world) sweep(s *Sweeper, want operations.RunState) operations.Run {
	w.t.Helper()
	w.fold()
	run, err := s.Sweep(w.t.Context())
	must(w.t, err)
	if run.State != want {
		w.t.Fatalf("run ended %s (%s), want %s: %+v", run.State, run.Note, want, run)
	}
	return run
}

// fold brings the rows to the log's end. Only one folds at a time, as in the
// product: the rows of a file refuse a second.
func (w *world) fold() {
	w.t.Helper()
	w.folds.Lock()
	defer w.folds.Unlock()
	must(w.t, projections.NewRunner(w.log, w.rows, projections.Config{Pace: -1}).CatchUp(w.t.Context(), 0))
}

// place places an order for two hours and opens it at the gateway. It returns
// the gateway's number.
func (w *world) place(ch domain.ChannelID, order, money string) string {
	w.t.Helper()
	w.placeOnly(ch, order, money)
	return w.open(ch, order, money)
}

func (w *world) placeOnly(ch domain.ChannelID, order, money string) {
	w.t.Helper()
	_, _, err := w.ledger.Place(w.t.Context(), domain.Order{
		Channel: ch, OrderNo: domain.OrderNo(order), Account: "user:1", Amount: yuan(w.t, money),
		ExpiresAt: w.clock.now().Add(2 * time.Hour),
	}, ledger.Personal{Subject: "points"}, w.by())
	must(w.t, err)
}

func (w *world) by() ledger.By { return ledger.By{Actor: "key:test", Cause: "request"} }

func (w *world) open(ch domain.ChannelID, order, money string) string {
	w.t.Helper()
	o, err := w.box.Open(sandbox.OpenOrder{
		PID: pids[ch], OutTradeNo: order, Money: money, NotifyURL: w.receiver.URL + "/callbacks/" + string(ch),
	})
	must(w.t, err)
	return o.TradeNo
}

// pay pays with the faults given and waits until the gateway rests.
func (w *world) pay(trade string, faults ...sandbox.Class) {
	w.t.Helper()
	var all []sandbox.Fault
	for _, f := range faults {
		all = append(all, sandbox.Fault{Class: f})
	}
	_, err := w.box.PayWith(trade, all...)
	must(w.t, err)
	must(w.t, w.box.Settled(w.t.Context()))
}

func (w *world) mint(trade string) {
	w.t.Helper()
	_, err := w.box.PayWith(trade, sandbox.Fault{Class: sandbox.Minted, Unpaid: true})
	must(w.t, err)
	must(w.t, w.box.Settled(w.t.Context()))
}

// receive takes callbacks as the API does.
func (w *world) receive(rw http.ResponseWriter, r *http.Request) {
	ch := w.channels[domain.ChannelID(strings.TrimPrefix(r.URL.Path, "/callbacks/"))]
	body, _ := io.ReadAll(r.Body)
	id, _ := domain.NewRandom(rand.Reader)
	row := operations.Callback{
		Delivery: id, Channel: string(ch.Config().Channel), ReceivedAt: w.clock.now(), Remote: r.RemoteAddr, Method: r.Method,
		Outcome: domain.OutcomeRefused,
	}
	got, refusal, err := ch.Read(providers.Request{
		Method: r.Method, Target: r.URL.RequestURI(), RawQuery: r.URL.RawQuery, Header: r.Header, Body: body,
		Remote: r.RemoteAddr, ReceivedAt: w.clock.now(), Delivery: id,
	})
	row.OrderNo, row.Reason = refusal.OrderNo, refusal.Reason
	for _, n := range got.Notices {
		row.Outcome, row.OrderNo = domain.OutcomeFailed, n.OrderNo
		if res, nerr := w.ledger.Notify(r.Context(), n, got.Evidence, ch.Reply); nerr == nil {
			row.Outcome, row.Reason = res.Verdict.Outcome, res.Verdict.Reason
		}
	}
	if err != nil {
		row.Error = err.Error()
	}
	row.Reply = ch.Reply(row.Outcome)
	w.ops.LogCallback(row)
	rw.WriteHeader(row.Reply.Status)
	_, _ = io.WriteString(rw, row.Reply.Body)
}

// refusedLogged waits until the callback log holds n refused rows: it is
// written in the background.
func (w *world) refusedLogged(n int) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); ; {
		rows, err := w.ops.Callbacks(w.t.Context(), operations.CallbackFilter{Outcome: domain.OutcomeRefused, Limit: 1000})
		must(w.t, err)
		if len(rows) >= n {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("%d refused callbacks in the log, want %d", len(rows), n)
		}
	}
}

func (w *world) payment(ch domain.ChannelID, order string) domain.Payment {
	w.t.Helper()
	v, err := w.ledger.Payment(w.t.Context(), ch, order)
	must(w.t, err)
	return v.Payment
}

func (w *world) wantState(ch domain.ChannelID, order string, want domain.State) {
	w.t.Helper()
	if got := w.payment(ch, order).State(); got != want {
		w.t.Fatalf("%s is %s, want %s", order, got, want)
	}
}

// types are the events of an order, in short.
func (w *world) types(ch domain.ChannelID, order string) string {
	w.t.Helper()
	v, err := w.ledger.Payment(w.t.Context(), ch, order)
	must(w.t, err)
	out := make([]string, len(v.Events))
	for i, e := range v.Events {
		out[i] = strings.TrimSuffix(strings.TrimPrefix(e.Type, "payment."), ".v1")
	}
	return strings.Join(out, " ")
}

func (w *world) wantTypes(ch domain.ChannelID, order, want string) {
	w.t.Helper()
	if got := w.types(ch, order); got != want {
		w.t.Fatalf("%s has\n  %s, want\n  %s", order, got, want)
	}
}

func (w *world) head() eventstore.Position {
	w.t.Helper()
	p, err := w.log.Head(w.t.Context())
	must(w.t, err)
	return p
}

// ask is the one question scheduled about an order for a reason.
func (w *world) ask(ch domain.ChannelID, order, why string) operations.Ask {
	w.t.Helper()
	all, err := w.ops.Asks(w.t.Context(), ch, order)
	must(w.t, err)
	for _, a := range all {
		if a.Why == why {
			return a
		}
	}
	w.t.Fatalf("nothing is asked about %s for %q: %+v", order, why, all)
	return operations.Ask{}
}

func yuan(t testing.TB, text string) domain.Money {
	t.Helper()
	m, err := domain.ParseMoney(text, domain.CNY)
	must(t, err)
	return m
}

// front stands before the gateway: it counts questions and can spoil them.
type front struct {
	server *httptest.Server
	mu     sync.Mutex
	asked  map[string]int // by the order or trade number asked for
	total  int
	down   bool
	before func(r *http.Request, number string)
}

func newFront(t *testing.T, next http.Handler) *front {
	t.Helper()
	f := &front{asked: map[string]int{}}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := questionOf(r)
		down, before := f.count(number)
		if before != nil {
			before(r, number)
		}
		if down {
			http.Error(w, "bad gateway", http.StatusBadGateway)
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(f.server.Close)
	return f
}

// questionOf is the number a V1 or V2 question names.
func questionOf(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	number := ""
	for _, part := range strings.Split(r.URL.RawQuery+"&"+string(body), "&") {
		if name, value, _ := strings.Cut(part, "="); name == "out_trade_no" || name == "trade_no" {
			number = value
		}
	}
	return number
}

func (f *front) count(number string) (down bool, before func(*http.Request, string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	f.asked[number]++
	return f.down, f.before
}

func (f *front) set(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *front) hook(before func(r *http.Request, number string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

func (f *front) questions(number string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[number]
}

func (f *front) all() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}

// lines keeps what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// reader is a store of rows that counts what it hands out.
type counted struct {
	projections.Reader
	mu   sync.Mutex
	rows int
}

func (c *counted) Changed(ctx context.Context, after eventstore.Position, limit int) ([]projections.Payment, error) {
	rows, err := c.Reader.Changed(ctx, after, limit)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows += len(rows)
	return rows, err
}

func (c *counted) String() string { return fmt.Sprint(c.rows, " rows read") }
