package month

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/reconcile"
	"counterfoil/sandbox"
)

// world is one installation, the providers it sells at, and the people who work
// there.
type world struct {
	tb    testing.TB
	clock *clock
	rnd   *rand.Rand
	plan  *plan

	box      *sandbox.Sandbox
	boxAt    string
	shopAt   string
	tills    []*till
	app      *assembly.App
	api      http.Handler
	sweeper  *reconcile.Sweeper
	comparer *reconcile.Comparer
	keys     map[string]string // API keys by person

	hidden  atomic.Pointer[string] // a movement that the provider's list lacks
	closed  atomic.Bool            // the API is away: callbacks find nobody
	asleep  bool                   // the reconciler is away
	inside  atomic.Int64           // callbacks being answered
	notable map[string]int
	mute    unanswered
}

// do ends the test on an error of the harness itself.
func (w *world) do(err error) {
	w.tb.Helper()
	if err != nil {
		w.tb.Fatal(err)
	}
}

func newWorld(tb testing.TB, seed uint64, payments int) *world {
	tb.Helper()
	w := &world{
		tb: tb, clock: &clock{at: day(1).AddDate(0, 0, -2)}, rnd: rand.New(rand.NewPCG(seed, 0x30)), keys: map[string]string{},
		notable: map[string]int{},
	}
	shop := httptest.NewServer(http.HandlerFunc(w.serve))
	tb.Cleanup(shop.Close)
	w.shopAt = shop.URL
	w.openProviders(seed)
	w.install()
	w.openDaemons()
	w.hire()
	w.box.Start()
	tb.Cleanup(w.box.Stop)
	w.plan = newPlan(w, payments)
	return w
}

// serve is the shop's address: the API, unless it is away.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	if w.closed.Load() {
		panic(http.ErrAbortHandler)
	}
	w.inside.Add(1)
	defer w.inside.Add(-1)
	w.api.ServeHTTP(rw, r)
}

func (w *world) openProviders(seed uint64) {
	w.tb.Helper()
	var err error
	server := httptest.NewServer(http.HandlerFunc(w.serveProviders))
	w.tb.Cleanup(server.Close)
	w.boxAt = server.URL
	w.box, err = sandbox.New(sandbox.Config{
		Now: w.clock.Now, Seed: seed, BaseURL: w.boxAt, Workers: workers, KeepAttempts: 1, Merchants: gatewayMerchants(),
	})
	w.do(err)
	for _, f := range w.otherFaces() {
		w.do(w.box.Mount(f))
	}
	w.openTills()
}

// serveProviders is every provider's API. While a movement is hidden, Stripe's
// lists lack it.
func (w *world) serveProviders(rw http.ResponseWriter, r *http.Request) {
	id := w.hidden.Load()
	if id == nil || !strings.HasSuffix(r.URL.Path, "/v1/balance_transactions") {
		w.box.ServeHTTP(rw, r)
		return
	}
	whole := httptest.NewRecorder()
	w.box.ServeHTTP(whole, r)
	var list map[string]any
	w.do(json.Unmarshal(whole.Body.Bytes(), &list))
	rows, _ := list["data"].([]any)
	list["data"] = slices.DeleteFunc(rows, func(row any) bool { return row.(map[string]any)["id"] == *id })
	rw.WriteHeader(whole.Code)
	w.do(json.NewEncoder(rw).Encode(list))
}

// install makes the installation as `counterfoil init` does.
func (w *world) install() {
	w.tb.Helper()
	dir := w.tb.TempDir()
	text := "public_url: " + w.shopAt + "\nlog_level: error\nreconciler:\n  queries: 16\n  ask_per_second: 10000\nbills:\n  ask_instead: true\nchannels:\n"
	for _, t := range w.tills {
		text += t.yaml
	}
	path := filepath.Join(dir, config.FileName)
	w.do(os.WriteFile(path, []byte(text), 0o600))
	cfg, err := config.Load(path, nil)
	w.do(err)
	_, err = assembly.Create(w.tb.Context(), cfg, domain.ModeTest, w.clock.Now)
	w.do(err)
	w.app, err = assembly.Open(w.tb.Context(), cfg, slog.New(listener{w.logger().Handler(), w, ""}), w.clock.Now)
	w.do(err)
	w.tb.Cleanup(func() { _ = w.app.Close() })
}

// logger discards, unless COUNTERFOIL_MONTH_LOG names a level.
func (w *world) logger() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(os.Getenv("COUNTERFOIL_MONTH_LOG"))); err != nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(w.tb.Output(), &slog.HandlerOptions{Level: level}))
}

// openDaemons starts what cmd/api and cmd/reconciler are made of.
func (w *world) openDaemons() {
	w.tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.app.Runner.Run(ctx) }()
	w.tb.Cleanup(func() { stop(); <-done })
	reg := prometheus.NewRegistry()
	var err error
	w.sweeper, err = w.app.Sweeper("month", reg)
	w.do(err)
	w.comparer, err = w.app.Comparer(w.tb.Context(), "month", reg)
	w.do(err)
	api, err := httpapi.New(httpapi.Deps{
		Ledger: w.app.Ledger, Log: w.app.Events, Rows: w.app.Rows, Ops: w.app.Ops, Bills: w.app.Bills, Channels: w.app.Channels,
		Logger: w.app.Logger, Metrics: reg, Clock: w.clock.Now, Ready: w.app.Ready, Tree: w.app.Tree(), BillsOf: w.comparer.BillsOf,
	}, httpapi.Config{PublicURL: w.shopAt, Software: assembly.Software, ExpireAfter: 2 * time.Hour})
	w.do(err)
	w.api = api.Handler()
}

// fold waits until the projections have all that the log has.
func (w *world) fold() {
	w.tb.Helper()
	head, err := w.app.Events.Head(w.tb.Context())
	w.do(err)
	for {
		err = w.app.Rows.Wait(w.tb.Context(), head)
		if err == nil || domain.KindOf(err) != domain.KindUnavailable {
			break
		}
	}
	w.do(err)
}

// play is the month, slot by slot, and what follows it until the last bills are
// compared.
func (w *world) play() {
	w.tb.Helper()
	for at := range w.plan.slots {
		w.moveTo(slotTime(at))
		w.plan.before(at)
		w.sell(w.plan.slots[at].sales)
		w.settle()
		if acts := w.plan.slots[at].acts; len(acts) > 0 {
			w.fold() // some refunds name their payment only, and whose that is the rows know
			for _, act := range acts {
				act()
			}
			w.settle()
		}
		w.moveTo(slotTime(at).Add(20 * time.Second))
		for _, act := range w.plan.slots[at].lasts {
			act()
			w.settle()
		}
		w.reconcile(at)
	}
}

// reconcile is what the daemon does at its schedule: bills that are ready, then
// questions that are due.
func (w *world) reconcile(at int) {
	w.tb.Helper()
	if w.asleep {
		return
	}
	w.fold()
	runs, err := w.comparer.CatchUp(w.tb.Context())
	w.do(err)
	for _, r := range runs {
		w.plan.compared(r)
	}
	w.fold()
	for asked := 1; asked > 0; { // one run asks a bounded number of questions, and another follows every minute
		run, err := w.sweeper.Sweep(w.tb.Context())
		w.do(err)
		asked = run.Asked
		w.notable["asked"] += run.Asked
		w.notable["unanswered"] += run.Unanswered
	}
}

// story is what the month came to, in numbers.
func (w *world) story() string {
	w.notable["payments"], w.notable["comparisons"], w.notable["differences"] = len(w.plan.sales), w.plan.runs, len(w.plan.rows)
	w.notable["on payments"], w.notable["set aside"] = len(w.plan.heals), len(w.plan.aside)
	return fmt.Sprint(w.notable)
}
