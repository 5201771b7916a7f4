package assembly_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb/esdbtest"
	"counterfoil/eventstore/storetest"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/ledger"
)

// place puts n orders into the books.
func place(ctx context.Context, l *ledger.Ledger, from, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := from; i < from+n; i++ {
		g.Go(func() error {
			_, _, err := l.Place(ctx, domain.Order{
				Channel: "epay-a", OrderNo: domain.OrderNo(fmt.Sprint("ORDER-", i)), Account: "user:1",
				Amount: domain.NewMoney(int64(100+i), domain.CNY), ExpireAfter: time.Hour,
			}, ledger.Personal{Subject: fmt.Sprint("goods ", i)}, ledger.By{Actor: "test", Cause: "test"})
			return err
		})
	}
	return g.Wait()
}

// books is an installation in files with some orders.
func books(t *testing.T, orders int) config.Config {
	t.Helper()
	cfg := installation(t, "")
	app, err := assembly.Open(t.Context(), cfg, quiet, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(place(t.Context(), app.Ledger, 0, orders), app.Runner.CatchUp(t.Context(), 0), app.Close()); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func moved(t *testing.T, cfg config.Config, server *esdbtest.Server) config.Config {
	t.Helper()
	target, err := cfg.WithStore(server.ConnectionString(), "moved", "", "")
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// logOf is every event of a configured store, without positions.
func logOf(t *testing.T, cfg config.Config) []eventstore.Recorded {
	t.Helper()
	s, err := assembly.OpenEvents(t.Context(), cfg, assembly.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	events := storetest.Log(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range events {
		events[i].Position = 0
	}
	return events
}

func wantSameLog(t *testing.T, a, b config.Config) {
	t.Helper()
	ours, theirs := logOf(t, a), logOf(t, b)
	if len(ours) != len(theirs) {
		t.Fatalf("%d and %d events", len(ours), len(theirs))
	}
	for i := range ours {
		x, y := ours[i], theirs[i]
		if eventstore.LeafHash(x.Stream, x.Revision, x.Event) != eventstore.LeafHash(y.Stream, y.Revision, y.Event) {
			t.Fatalf("event %d differs: %s and %s", i+1, x.Stream, y.Stream)
		}
	}
}

// A moved installation goes on where it was: projections stand ready, new
// orders go to the server, and the keys open what was sealed before.
func TestMigrate(t *testing.T) {
	t.Parallel()
	cfg := books(t, 60)
	server := play(t, esdbtest.Options{})
	target := moved(t, cfg, server)
	var steps []string
	told, err := assembly.Migrate(t.Context(), cfg, target, assembly.MigrateOptions{
		Clock: time.Now,
		Step: func(what string) (func(uint64, uint64), func()) {
			steps = append(steps, what)
			return func(done, total uint64) {
				if done > total {
					t.Errorf("%s: %d of %d", what, done, total)
				}
			}, func() {}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantSameLog(t, cfg, target)
	if told.Events != 62 || told.Copied != 62 || told.Payments != 60 || len(told.Root) != 64 || len(told.Digest) != 64 {
		t.Errorf("%+v", told)
	}
	if strings.Join(steps, ", ") != "find the place, copy, compare, fold both, projections, tree" {
		t.Errorf("steps %v", steps)
	}
	app := openApp(t, target)
	head, err := app.Events.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if at, err := app.Rows.Checkpoint(t.Context()); err != nil || at != head {
		t.Errorf("the rows stand at %s, the log at %s (%v)", at, head, err)
	}
	if err := place(t.Context(), app.Ledger, 60, 5); err != nil {
		t.Error(err)
	}
	if err := app.Runner.CatchUp(t.Context(), 0); err != nil {
		t.Error(err)
	}
	sealed, err := app.Events.ReadStream(t.Context(), "payment-epay-a:ORDER-7", eventstore.ReadOptions{Sealed: true})
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := app.Ledger.Unseal(t.Context(), sealed[0]); err != nil || !strings.Contains(string(plain), "goods 7") {
		t.Errorf("unsealed %s, %v", plain, err)
	}
}

// Called again after it was done, by whoever was not sure, it proves the same.
func TestMigrateAgain(t *testing.T) {
	t.Parallel()
	cfg := books(t, 20)
	server := play(t, esdbtest.Options{})
	target := moved(t, cfg, server)
	first, err := assembly.Migrate(t.Context(), cfg, target, assembly.MigrateOptions{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	again, err := assembly.Migrate(t.Context(), cfg, target, assembly.MigrateOptions{Clock: time.Now})
	if err != nil || again.Copied != 0 || again.Root != first.Root || again.Digest != first.Digest || again.Events != first.Events {
		t.Errorf("again: %+v, %v", again, err)
	}
	other, err := cfg.WithStore(server.ConnectionString(), "elsewhere", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := assembly.Migrate(t.Context(), cfg, other, assembly.MigrateOptions{Clock: time.Now}); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("to another place: %v", err)
	}
}

// Daemons that go on meanwhile lose nothing: what they were told was kept is in
// the new log, and the rest was refused.
func TestMigrateUnderLoad(t *testing.T) {
	t.Parallel()
	cfg := books(t, 30)
	app := openApp(t, cfg)
	server := play(t, esdbtest.Options{})
	server.Every(9, esdbtest.AbortedAfter, esdbtest.CutAfter, esdbtest.Unavailable, esdbtest.Cut)
	target := moved(t, cfg, server)
	var kept atomic.Int64
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				err := place(t.Context(), app.Ledger, 1000*(w+1)+i, 1)
				if err != nil {
					if k := domain.KindOf(err); k != domain.KindUnavailable || !strings.Contains(err.Error(), "moved") {
						t.Errorf("refused with %v", err)
					}
					return
				}
				kept.Add(1)
				time.Sleep(20 * time.Millisecond) // copying must be faster
			}
		})
	}
	told, err := assembly.Migrate(t.Context(), cfg, target, assembly.MigrateOptions{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	writers.Wait()
	wantSameLog(t, cfg, target)
	if want := uint64(32 + kept.Load()); told.Events != want {
		t.Errorf("%d events, %d were kept", told.Events, want)
	}
	if err := app.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "moved") {
		t.Errorf("readiness of a daemon on the old file: %v", err)
	}
}

// A wrong target is told before anything is written to it, and the file stays
// in use.
func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{})
	onServer(t, server, "store_namespace: ledger-two")
	server.Write("counterfoil.stray.other", "order-placed", []byte(`{}`), nil)
	server.Write("stray.other", "order-placed", []byte(`{}`), nil)
	envelope := append([]byte{1, 0, 0, 0, 2}, "{}"...)
	server.Write("half.other", "thing.happened.v1", []byte(`{}`), envelope)
	for namespace, c := range map[string]struct {
		kind domain.Kind
		says string
	}{
		"ledger-two": {domain.KindMismatch, "this is ledger"},
		"stray":      {domain.KindCorrupt, "another program wrote it"},
		"half":       {domain.KindMismatch, "neither empty nor a beginning"},
	} {
		t.Run(namespace, func(t *testing.T) {
			t.Parallel()
			cfg := books(t, 3)
			target, err := cfg.WithStore(server.ConnectionString(), namespace, "", "")
			if err != nil {
				t.Fatal(err)
			}
			before := len(server.Log(namespace + "."))
			_, err = assembly.Migrate(t.Context(), cfg, target, assembly.MigrateOptions{Clock: time.Now})
			if domain.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s and %q", err, c.kind, c.says)
			}
			if after := len(server.Log(namespace + ".")); after != before {
				t.Errorf("%d events were written", after-before)
			}
			openApp(t, cfg)
		})
	}
}

// A server that fails and comes back is waited for; one that stays away leaves
// the file in use, and the next call goes on.
func TestMigrateToAFailingServer(t *testing.T) {
	t.Parallel()
	cfg := books(t, 40)
	server := play(t, esdbtest.Options{})
	target := moved(t, cfg, server)
	ctx, cancel := context.WithCancel(t.Context())
	appends := 0
	_, err := assembly.Migrate(ctx, cfg, target, assembly.MigrateOptions{
		Clock: time.Now,
		Step: func(what string) (func(uint64, uint64), func()) {
			if what == "copy" {
				server.Next(esdbtest.Pass, esdbtest.Pass, esdbtest.Unavailable, esdbtest.CutAfter, esdbtest.AbortedAfter)
				server.Always(esdbtest.Unavailable)
				time.AfterFunc(2*time.Second, cancel)
			}
			return func(uint64, uint64) {}, func() {}
		},
	})
	if err == nil {
		t.Fatal("migrated to a server that takes nothing")
	}
	appends = len(server.Log("moved."))
	if appends == 0 || appends > 30 {
		t.Errorf("%d events were copied (%v)", appends, err)
	}
	openApp(t, cfg)
	server.Always(esdbtest.Pass)
	told, err := assembly.Migrate(t.Context(), cfg, target, assembly.MigrateOptions{Clock: time.Now})
	if err != nil || told.Copied != uint64(42-appends) {
		t.Errorf("%+v, %v", told, err)
	}
	wantSameLog(t, cfg, target)
}

// Without its file there is nothing to move, and no server to be asked.
func TestMigrateNothing(t *testing.T) {
	t.Parallel()
	cfg := configured(t)
	target, err := cfg.WithStore("esdb://127.0.0.1:1?tls=false", "moved", "", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = assembly.Migrate(t.Context(), cfg, target, assembly.MigrateOptions{Clock: time.Now})
	if domain.KindOf(err) != domain.KindNotFound || !strings.Contains(err.Error(), filepath.Base(assembly.EventsFile)) {
		t.Errorf("%v", err)
	}
	if _, err := cfg.WithStore("sqlite", "", "", ""); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("a file as the target: %v", err)
	}
}
