package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/projections"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// rows are projections that hold what the test puts there.
type rows struct {
	projections.Reader
	payments   []projections.Payment
	callbacks  []projections.Callback
	duplicates []projections.Duplicate
	owed       projections.Receivables
	scans      int // of all accounts
	err        error
}

func (r *rows) Receivables(context.Context, int) (projections.Receivables, error) {
	r.scans++
	return r.owed, r.err
}

func (r *rows) Payments(_ context.Context, f projections.PaymentFilter) ([]projections.Payment, error) {
	var out []projections.Payment
	for _, p := range slices.Backward(r.payments) {
		fits := (f.State == "" || p.State == f.State) && (f.Channel == "" || p.Channel == f.Channel) &&
			(f.Before == 0 || p.Position < f.Before)
		if fits && len(out) < f.Limit {
			out = append(out, p)
		}
	}
	return out, r.err
}

func (r *rows) Callbacks(_ context.Context, f projections.CallbackFilter) ([]projections.Callback, error) {
	var out []projections.Callback
	for _, c := range slices.Backward(r.callbacks) {
		fits := (f.Outcome == "" || c.Outcome == f.Outcome) && (f.Channel == "" || c.Channel == f.Channel) &&
			(f.OrderNo == "" || c.OrderNo == f.OrderNo)
		if fits && len(out) < f.Limit {
			out = append(out, c)
		}
	}
	return out, r.err
}

func (r *rows) Duplicates(context.Context) ([]projections.Duplicate, error) {
	return r.duplicates, r.err
}

// inbox is a receiver on the network.
type inbox struct {
	mu     sync.Mutex
	got    []Alert
	raw    []string
	status int
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	var a Alert
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/json" && json.Unmarshal(body, &a) == nil {
		i.got = append(i.got, a)
		i.raw = append(i.raw, string(body))
	}
	if i.status != 0 {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(i.status)
	}
}

func (i *inbox) kinds() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []string
	for _, a := range i.got {
		out = append(out, strings.TrimSuffix(a.Kind+" "+a.OrderNo, " "))
	}
	slices.Sort(out)
	i.got = nil
	return out
}

type world struct {
	t     *testing.T
	now   time.Time
	rows  *rows
	ops   *osqlite.Store
	inbox *inbox
	url   string
	log   *strings.Builder
	cfg   Config
}

const token = "canary-token-7261"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: noon, rows: &rows{}, inbox: &inbox{}, log: &strings.Builder{}}
	path := filepath.Join(t.TempDir(), "operations.db")
	if err := osqlite.Create(path); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.ops, err = osqlite.Open(t.Context(), path, osqlite.Options{Clock: w.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.ops.Close() })
	server := httptest.NewServer(w.inbox)
	t.Cleanup(server.Close)
	w.url = server.URL + "/hook?token=" + token
	w.cfg = Config{URL: w.url, HeldAfter: 15 * time.Minute, Channels: []domain.ChannelID{"epay-a"}}
	return w
}

func (w *world) clock() time.Time { return w.now }

func (w *world) watch() *Watch {
	w.t.Helper()
	watch, err := New(Deps{
		Rows: w.rows, Ops: w.ops, Bills: w.ops, Logger: slog.New(slog.NewJSONHandler(w.log, nil)), Metrics: prometheus.NewRegistry(), Clock: w.clock,
	}, w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return watch
}

// want checks with each watch and compares what arrived.
func (w *world) want(kinds []string, watches ...*Watch) {
	w.t.Helper()
	for _, watch := range watches {
		if err := watch.Check(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	if diff := cmp.Diff(kinds, w.inbox.kinds()); diff != "" {
		w.t.Errorf("told:\n%s", diff)
	}
}

// logged waits until the callback log has n rows.
func (w *world) logged(rows ...operations.Callback) {
	w.t.Helper()
	before, err := w.ops.Callbacks(w.t.Context(), operations.CallbackFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range rows {
		w.ops.LogCallback(r)
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := w.ops.Callbacks(w.t.Context(), operations.CallbackFilter{Limit: 1000})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(now) == len(before)+len(rows) {
			return
		}
		<-tick.C
	}
}

func cny(fen int64) domain.Money { return domain.NewMoney(fen, domain.CNY) }

// everything is one of each kind.
func (w *world) everything() {
	w.rows.payments = []projections.Payment{
		{Channel: "epay-a", OrderNo: "H1", State: domain.StateHeld, Amount: cny(730), UpdatedAt: noon.Add(-time.Hour), Position: 1},
		{Channel: "epay-a", OrderNo: "P1", State: domain.StateParked, TradeNo: "T1", Amount: cny(100), UpdatedAt: noon, Position: 2},
		{Channel: "epay-a", OrderNo: "C1", State: domain.StateCredited, Amount: cny(100), UpdatedAt: noon, Position: 3},
		{Channel: "epay-a", OrderNo: "O1", State: domain.StatePlaced, Amount: cny(100), PlacedAt: noon.Add(-3 * time.Hour), Position: 4},
		{Channel: "epay-a", OrderNo: "O2", State: domain.StatePlaced, Amount: cny(100), PlacedAt: noon.Add(-time.Minute), Position: 5},
	}
	w.rows.callbacks = []projections.Callback{
		{
			Channel: "epay-a", OrderNo: "C1", TradeNo: "T2", Amount: cny(100), Outcome: domain.OutcomeParked,
			Reason: domain.ReasonSecondPayment, ReceivedAt: noon.Add(-time.Minute),
		},
		{Channel: "epay-a", OrderNo: "P1", TradeNo: "T1", Outcome: domain.OutcomeParked, Reason: domain.ReasonOtherAmount, ReceivedAt: noon},
	}
	w.rows.duplicates = []projections.Duplicate{{Channel: "epay-a", TradeNo: "T9", Orders: []string{"A", "B"}}}
	w.cfg.SilenceAfter = 2 * time.Hour
	w.logged(
		operations.Callback{Channel: "epay-b", Outcome: domain.OutcomeFailed, ReceivedAt: noon.Add(-10 * time.Minute)},
		operations.Callback{Channel: "epay-b", Outcome: domain.OutcomeFailed, ReceivedAt: noon.Add(-5 * time.Minute)},
	)
}

var eachKind = []string{"duplicate_trade_no", "failed", "held H1", "parked P1", "second_payment C1", "silence"}

// Each thing is told once by whoever checks first, and again after six hours
// as long as it stands.
func TestEachKindIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.everything()
	one, two := w.watch(), w.watch()
	w.want(eachKind, one, two, one)
	w.now = noon.Add(repeatAfter - time.Second)
	w.want(nil, one, two)
	w.now = noon.Add(repeatAfter)
	w.rows.payments[4].PlacedAt = w.now.Add(-time.Minute)                                                                // orders go on
	w.logged(operations.Callback{Channel: "epay-b", Outcome: domain.OutcomeFailed, ReceivedAt: w.now.Add(-time.Minute)}) // failures, too
	w.want(eachKind, two, one)
	w.rows.payments, w.rows.duplicates, w.rows.callbacks = nil, nil, nil
	w.now = w.now.Add(2 * repeatAfter)
	w.want(nil, one, two)
}

func TestBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.everything()
	w.want(eachKind, w.watch())
	var got map[string]any
	for _, raw := range w.inbox.raw {
		if strings.Contains(raw, "second_payment") {
			if err := json.Unmarshal([]byte(raw), &got); err != nil {
				t.Fatal(err)
			}
		}
	}
	text, _ := got["text"].(string)
	delete(got, "text")
	want := map[string]any{
		"kind": "second_payment", "channel": "epay-a", "order_no": "C1", "trade_no": "T2", "amount": "1.00 CNY",
		"since": "2026-03-14T11:59:00Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body:\n%s", diff)
	}
	if !strings.Contains(text, "second time") || !strings.Contains(text, "退款") {
		t.Errorf("text %q is not in both languages", text)
	}
}

// Held money is told after held_after, counted from its first notice.
func TestHeldOnlyWhenTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	watch := w.watch()
	w.rows.payments = []projections.Payment{{Channel: "epay-a", OrderNo: "H1", State: domain.StateHeld, UpdatedAt: noon, Position: 1}}
	w.rows.callbacks = []projections.Callback{{Channel: "epay-a", OrderNo: "H1", Outcome: domain.OutcomeHeld, ReceivedAt: noon}}
	w.now = noon.Add(15*time.Minute - time.Second)
	w.want(nil, watch)
	repeat := w.rows.callbacks[0]
	repeat.ReceivedAt = w.now
	w.rows.callbacks = append(w.rows.callbacks, repeat) // the gateway repeats it
	w.rows.payments[0].UpdatedAt = w.now
	w.now = noon.Add(15 * time.Minute)
	w.want([]string{"held H1"}, watch)
}

// Old held money is found behind any number of newer ones.
func TestOldHeldIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rows.payments = []projections.Payment{{Channel: "epay-a", OrderNo: "OLD", State: domain.StateHeld, UpdatedAt: noon.Add(-day), Position: 1}}
	for i := range 3 * pageSize {
		w.rows.payments = append(w.rows.payments, projections.Payment{
			Channel: "epay-a", OrderNo: fmt.Sprint("NEW", i), State: domain.StateHeld, UpdatedAt: noon, Position: eventPosition(i + 2),
		})
	}
	w.want([]string{"held OLD"}, w.watch())
}

// More than one check can tell is told by the next ones.
func TestManyAreToldInTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 60 {
		w.rows.payments = append(w.rows.payments, projections.Payment{
			Channel: "epay-a", OrderNo: fmt.Sprint("P", i), State: domain.StateParked, UpdatedAt: noon, Position: eventPosition(i + 1),
		})
	}
	watch := w.watch()
	for _, want := range []int{maxPerCheck, 60 - maxPerCheck, 0} {
		if err := watch.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(w.inbox.kinds()); got != want {
			t.Errorf("told %d, want %d", got, want)
		}
	}
}

func TestSecondPaymentIsToldForThreeDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rows.callbacks = []projections.Callback{{
		Channel: "epay-a", OrderNo: "C1", TradeNo: "T2", Outcome: domain.OutcomeParked, Reason: domain.ReasonSecondPayment, ReceivedAt: noon,
	}}
	watch := w.watch()
	times := 0
	for w.now.Before(noon.Add(10 * day)) {
		if err := watch.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		times += len(w.inbox.kinds())
		w.now = w.now.Add(time.Hour)
	}
	if want := int(secondFor/repeatAfter) + 1; times != want {
		t.Errorf("told %d times, want %d", times, want)
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	placed := func(ago ...time.Duration) []projections.Payment {
		var out []projections.Payment
		for i, d := range ago {
			out = append(out, projections.Payment{
				Channel: "epay-a", OrderNo: fmt.Sprint("O", i), State: domain.StatePlaced, PlacedAt: noon.Add(-d), Position: eventPosition(i + 1),
			})
		}
		return out
	}
	for _, test := range []struct {
		name   string
		after  time.Duration
		placed []projections.Payment
		called time.Duration // ago; 0 never
		want   []string
	}{
		{"never a callback", 2 * time.Hour, placed(3*time.Hour, time.Minute), 0, []string{"silence"}},
		{"callbacks stopped", 2 * time.Hour, placed(3*time.Hour, time.Minute), 4 * time.Hour, []string{"silence"}},
		{"switched off", 0, placed(3*time.Hour, time.Minute), 0, nil},
		{"the first order has just been placed", 2 * time.Hour, placed(time.Minute), 0, nil},
		{"nobody buys any more", 2 * time.Hour, placed(5*time.Hour, 3*time.Hour), 0, nil},
		{"no orders", 2 * time.Hour, nil, 0, nil},
		{"a callback came", 2 * time.Hour, placed(3*time.Hour, time.Minute), time.Hour, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.cfg.SilenceAfter = test.after
			w.rows.payments = test.placed
			if test.called > 0 {
				w.logged(operations.Callback{Channel: "epay-a", Outcome: domain.OutcomeRefused, ReceivedAt: noon.Add(-test.called)})
			}
			w.want(test.want, w.watch())
		})
	}
}

// A receiver that fails is logged without its address, and gets the alert
// again before six hours are over. Redirects are failures.
func TestFailingReceiverIsOnlyLogged(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world){
		"500":      func(w *world) { w.inbox.status = http.StatusInternalServerError },
		"redirect": func(w *world) { w.inbox.status = http.StatusTemporaryRedirect },
		"refused":  func(w *world) { w.cfg.URL = "http://127.0.0.1:1/hook?token=" + token },
		"no url":   func(w *world) { w.cfg.URL = "http://[::1/hook?token=" + token },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.everything()
			spoil(w)
			watch := w.watch()
			if err := watch.Check(t.Context()); err != nil {
				t.Fatalf("the check fails: %v", err)
			}
			if n := strings.Count(w.log.String(), "not delivered: check alerts"); n != 1 {
				t.Errorf("%d lines tell of the failure", n)
			}
			if got := w.inbox.kinds(); w.inbox.status != 0 && len(got) != 1 {
				t.Errorf("the failing receiver was tried %d times, or a redirect followed", len(got))
			}
			w.inbox.status, w.cfg.URL = 0, w.url
			w.now = noon.Add(retryAfter)
			w.want(eachKind, w.watch())
			if strings.Contains(w.log.String(), token) || strings.Contains(w.log.String(), "127.0.0.1") {
				t.Errorf("the address is in the log: %s", w.log)
			}
		})
	}
}

func TestCommandGetsJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.everything()
	dir := t.TempDir()
	w.cfg.URL = ""
	w.cfg.Command = []string{"/bin/sh", "-c", `cat >"$1/$$.json"`, "sh", dir}
	if err := w.watch().Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != len(eachKind) {
		t.Fatalf("%d runs of the command (%v)", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		var a Alert
		if err != nil || json.Unmarshal(raw, &a) != nil || a.Kind == "" || a.Text == "" {
			t.Errorf("the command got %q (%v)", raw, err)
		}
	}
}

func TestFailingCommandIsOnlyLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.everything()
	w.cfg.Command = []string{"/bin/sh", "-c", "exit 3"}
	watch := w.watch()
	if err := watch.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.inbox.kinds(); len(got) != 1 { // the other receiver has it all the same
		t.Errorf("the address got %v", got)
	}
	if !strings.Contains(w.log.String(), "alerts.command: exit status 3") {
		t.Errorf("log: %s", w.log)
	}
}

// What cannot be read is the check's error: cron logs it.
// A provider that answers nobody is told once its silence is as long as money
// may be held; a complete run between ends it.
func TestUnansweredRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	watch := w.watch()
	run := func(id string, ago time.Duration, state operations.RunState) {
		t.Helper()
		r := operations.Run{ID: "sweep-" + id, Kind: "sweep", Holder: "a", State: state, StartedAt: w.now.Add(-ago)}
		if state != operations.RunRunning {
			r.EndedAt = r.StartedAt.Add(time.Second)
		}
		if err := w.ops.PutRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	run("1", 30*time.Minute, operations.RunIncomplete)
	run("2", 20*time.Minute, operations.RunComplete)
	run("3", 14*time.Minute, operations.RunIncomplete)
	run("4", time.Minute, operations.RunRunning)
	w.want(nil, watch)
	w.now = w.now.Add(time.Minute)
	w.want([]string{"unanswered"}, watch, watch)
	w.now = w.now.Add(repeatAfter)
	run("5", time.Minute, operations.RunComplete)
	w.want(nil, watch)
}

func TestStoreTroubleIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rows.err = errors.New("disk gone")
	if err := w.watch().Check(t.Context()); !errors.Is(err, w.rows.err) {
		t.Errorf("error %v", err)
	}
}

// Numbers of any length and bytes name an alert, and no two share a name.
func TestKeys(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, a := range []Alert{
		{Kind: "held", Channel: "a", OrderNo: "b/c"},
		{Kind: "held", Channel: "a/b", OrderNo: "c"},
		{Kind: "held", Channel: "a", OrderNo: "b", TradeNo: "c"},
		{Kind: "parked", Channel: "a", OrderNo: "b", TradeNo: "c"},
		{Kind: "held", Channel: "a", OrderNo: strings.Repeat("x", 10_000)},
	} {
		if seen[a.key()] || len(a.key()) > 100 {
			t.Errorf("%.60s has key %s", a.OrderNo, a.key())
		}
		seen[a.key()] = true
	}
}

func eventPosition(i int) eventstore.Position { return eventstore.Position(i) }
