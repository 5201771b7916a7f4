package doctor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
)

func TestPermissions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dir, file os.FileMode
		secret    bool
		want      Result
		text      string
	}{
		"closed":              {0o700, 0o600, true, OK, "their owner only"},
		"open to all":         {0o755, 0o644, true, Warn, "everyone may read it"},
		"open to the group":   {0o750, 0o640, true, Warn, "its group may read it"},
		"behind a door":       {0o700, 0o644, true, OK, "their owner only"},
		"only listed":         {0o744, 0o644, true, OK, "their owner only"},
		"no secret":           {0o755, 0o644, false, OK, "their owner only"},
		"group behind a door": {0o705, 0o640, true, OK, "their owner only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := bare()
			e.Dir = filepath.Join(t.TempDir(), "store")
			must(t, os.MkdirAll(filepath.Join(e.Dir, "secrets"), 0o755))
			path := filepath.Join(e.Dir, "secrets", "epay.key")
			must(t, os.WriteFile(path, []byte("x"), 0o600))
			must(t, os.Chmod(path, c.file))
			must(t, os.Chmod(e.Dir, c.dir))
			e.Files = []File{{Path: path, Secret: c.secret}}
			wants(t, e.folder(t.Context())[1], c.want, c.text)
		})
	}
	e := bare()
	e.Dir = filepath.Join(t.TempDir(), "nothing")
	wants(t, e.folder(t.Context())[0], Fail, "no such file")
	e.Dir = filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(e.Dir, nil, 0o600))
	wants(t, e.folder(t.Context())[0], Fail, "is no folder")
}

func TestDisk(t *testing.T) {
	t.Parallel()
	i := install(t)
	for free, want := range map[int64]Result{8 << 30: OK, 500 << 20: Warn, 10 << 20: Fail} {
		i.in.Store.Free = free
		wants(t, newExaminer(i.in).disk(t.Context())[0], want, size(free)+" free")
	}
	wants(t, bare().disk(t.Context())[0], Skipped, "not open")
}

func TestStoreThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		text string
	}{
		{domain.E(domain.KindNotFound, "no event store at /x"), "counterfoil init"},
		{domain.E(domain.KindMismatch, "/x is on NFS: an event store needs a local disk"), "is on NFS"},
		{domain.E(domain.KindCorrupt, "/x is damaged"), "from its backup"},
	} {
		e := bare()
		e.Store.Err = c.err
		got := e.store(t.Context())
		wants(t, got[0], Fail, c.text)
		// What needs the store is skipped, not failed again.
		for _, f := range []Finding{e.clock(t.Context())[0], e.projections(t.Context())[0], e.dataKeys(t.Context())[0], e.disk(t.Context())[0]} {
			wants(t, f, Skipped, "not open")
		}
	}
}

func TestStoreThatOpens(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.in.Store.Settings = "WAL, FULL"
	got := newExaminer(i.in).store(t.Context())
	wants(t, got[0], OK, "test mode, WAL, FULL")
	wants(t, got[1], OK, "3.53.4")
	wants(t, newExaminer(i.in).clock(t.Context())[0], OK, "newest event recorded ")
	i.in.Store.Log = full{i.in.Store.Log}
	wants(t, newExaminer(i.in).store(t.Context())[2], Fail, "disk is full")
	i.in.OpsErr = domain.E(domain.KindUnavailable, "operations.db is locked")
	wants(t, newExaminer(i.in).operations(t.Context())[0], Fail, "operations.db is locked")
}

// full is a log that takes no appends.
type full struct{ Log }

func (full) Ready(context.Context) error { return domain.E(domain.KindUnavailable, "disk is full") }

func TestClockThatWentBack(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.off = 2 * time.Hour
	i.place(t, "A1")
	wants(t, newExaminer(i.in).clock(t.Context())[0], Fail, "recorded 2h0m0s in the future")
	i.in.Clock = func() time.Time { return time.Now().Add(3 * time.Hour) }
	wants(t, newExaminer(i.in).clock(t.Context())[0], OK, "1h0m ago")
}

// place places an order, whose subject is sealed.
func (i *installed) place(t testing.TB, orderNo domain.OrderNo) {
	t.Helper()
	_, _, err := i.Ledger.Place(t.Context(), domain.Order{
		Channel: "epay-a", OrderNo: orderNo, Account: TestAccount, Amount: domain.NewMoney(1, domain.CNY),
		ExpiresAt: i.Clock().Add(time.Hour),
	}, ledger.Personal{Subject: "points"}, ledger.By{Actor: "key:test"})
	must(t, err)
}

func TestProjections(t *testing.T) {
	t.Parallel()
	i := install(t)
	e := newExaminer(i.in)
	wants(t, e.projections(t.Context())[0], Warn, "at position 0 of 2, 2 behind")
	i.settle(t)
	wants(t, e.projections(t.Context())[0], OK, "caught up at position 2")
	_, err := os.Stat(filepath.Join(t.TempDir(), "projections.db"))
	i.in.RowsErr = err
	wants(t, newExaminer(i.in).projections(t.Context())[0], Warn, "none yet")
	i.in.RowsErr = domain.E(domain.KindMismatch, "of another log")
	wants(t, newExaminer(i.in).projections(t.Context())[0], Fail, "projections rebuild")
}

// The log is whole, and yet the evidence is lost: only opening it tells.
func TestDataKeys(t *testing.T) {
	t.Parallel()
	i := install(t)
	wants(t, newExaminer(i.in).dataKeys(t.Context())[0], Skipped, "nothing is sealed yet")
	for _, n := range []domain.OrderNo{"A1", "A2", "A3"} {
		i.place(t, n)
	}
	wants(t, newExaminer(i.in).dataKeys(t.Context())[0], OK, "the newest 3 sealed parts open")

	foreign := opsStore(t)
	l, err := ledger.Open(t.Context(), i.Events, foreign, ledger.Config{Clock: time.Now})
	must(t, err)
	i.in.Operations, i.in.Store.Unseal = foreign, func(ctx context.Context, r eventstore.Recorded) error {
		_, err := l.Unseal(ctx, r)
		return err
	}
	wants(t, newExaminer(i.in).dataKeys(t.Context())[0], Fail, "3 of 3 sealed parts do not open, first payment-epay-a:A1")
	must(t, func() error { _, err := foreign.EnsureDataKey(t.Context(), "payment-epay-a:A1"); return err }())
	wants(t, newExaminer(i.in).dataKeys(t.Context())[0], Fail, "operations.db does not belong to this log")
}

// A whole examination of an installation whose daemons are down: told in a
// fixed order, every line of use.
func TestExamine(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.in.API, i.in.Reconciler, i.in.PublicURL = "127.0.0.1:1", "127.0.0.1:0", "http://127.0.0.1:1"
	i.in.Channels = []Channel{channel(t, "http://127.0.0.1:1"), {ID: "epay-b", Err: domain.E(domain.KindInvalid, "pid: is missing")}}
	i.in.Channels[0].CallbackURL = providers.NotifyURL(i.in.PublicURL, "epay-a")
	i.settle(t)
	var last map[string]Result
	for range 2 {
		found := map[string]Result{}
		must(t, Examine(t.Context(), i.in, func(f Finding) { found[f.Check+" "+f.About] = f.Result }))
		for what, want := range map[string]Result{
			"daemon api": Fail, "daemon reconciler": Skipped, "sweep ": Fail, "callback address epay-a": Fail,
			"gateway query epay-a": Fail, "settings epay-b": Fail, "callback address epay-b": Skipped, "gateway query epay-b": Skipped,
			"operations store ": OK, "event store ": OK,
		} {
			if found[what] != want {
				t.Errorf("%s: %q, want %s", what, found[what], want)
			}
		}
		if last != nil && len(last) != len(found) {
			t.Errorf("%d findings, then %d", len(last), len(found))
		}
		last = found
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := Examine(ctx, i.in, func(Finding) {}); err == nil {
		t.Error("an examination that was broken off ends well")
	}
}

func put(t *testing.T, ops operations.Store, runs ...operations.Run) {
	t.Helper()
	for _, r := range runs {
		must(t, ops.PutRun(t.Context(), r))
	}
}
