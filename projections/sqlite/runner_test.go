package sqlite

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// running starts a Runner on rows of its own process and returns a stop that
// waits for its end.
func running(t testing.TB, l eventstore.Reader, d projections.Writer) (r *projections.Runner, stop func() error) {
	t.Helper()
	r = projections.NewRunner(l, d, projections.Config{Retry: time.Millisecond, Pace: time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() error {
		cancel()
		if stopped {
			return nil
		}
		stopped = true
		return <-done
	}
	t.Cleanup(func() { stop() })
	return r, stop
}

// final is the error that a Runner stops with by itself.
func final(t testing.TB, r *projections.Runner) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := r.Run(ctx)
	if err == nil {
		t.Fatalf("the runner did not stop: %+v", r.Status())
	}
	return err
}

func waitFor(t testing.TB, d *DB, p eventstore.Position) {
	t.Helper()
	// A machine under load may need longer than one Wait.
	for range 10 {
		if d.Wait(context.Background(), p) == nil {
			return
		}
	}
	t.Fatalf("position %d was never reached", p)
}

// until polls a condition that another goroutine brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 20_000 {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// TestTwoRunnersTakeTurns: of two processes one folds and the other sees its
// commits by polling; when the first ends the second goes on where it stopped.
func TestTwoRunnersTakeTurns(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 10, 3)
	at := path(t)
	first, second := openDB(t, at), openDB(t, at)
	r1, stop1 := running(t, l, first)
	until(t, "the first works", func() bool { return r1.Status().Phase == projections.PhaseWorking })
	r2, _ := running(t, l, second)
	until(t, "the second stands by", func() bool { return r2.Status().Phase == projections.PhaseStandby })
	l.payments(t, 10, 3)
	head, _ := l.Head(context.Background())
	waitFor(t, second, head)
	if got := r2.Status().Phase; got != projections.PhaseStandby {
		t.Fatalf("the second is %s while the first works", got)
	}
	if err := stop1(); err != nil {
		t.Fatalf("a stopped runner returned %v", err)
	}
	l.payments(t, 10, 3)
	head, _ = l.Head(context.Background())
	waitFor(t, first, head)
	if got := r2.Status().Phase; got != projections.PhaseWorking {
		t.Fatalf("the second is %s after the first ended", got)
	}
	modelOf(t, l.all(t)).check(t, first)
	modelOf(t, l.all(t)).check(t, second)
}

// unlocked lets two runners fold at once, as if the lock failed.
type unlocked struct{ *DB }

func (unlocked) Lock(context.Context) (func(), error) { return func() {}, nil }

// TestCheckpointGuardsWithoutLock: even two runners that both work write every
// event once, because a page only commits where its checkpoint says.
func TestCheckpointGuardsWithoutLock(t *testing.T) {
	t.Parallel()
	l := newLog()
	at := path(t)
	a, b := openDB(t, at), openDB(t, at)
	running(t, l, unlocked{a})
	running(t, l, unlocked{b})
	rng := rand.New(rand.NewPCG(3, 3))
	for range 30 {
		l.random(t, rng, 10)
		time.Sleep(time.Millisecond) // lets the two meet
	}
	head, _ := l.Head(context.Background())
	waitFor(t, a, head)
	waitFor(t, b, head)
	modelOf(t, l.all(t)).check(t, a)
	whole := openDB(t, path(t))
	fold(t, l, whole, 1000)
	if x, y := mustDigest(t, a), mustDigest(t, whole); x != y {
		t.Fatalf("raced: %+v\nat once: %+v", x, y)
	}
}

// TestCommitElsewhereConflicts: a page that begins where the rows are not any
// more is refused and leaves nothing behind.
func TestCommitElsewhereConflicts(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 5, 2)
	at := path(t)
	a, b := openDB(t, at), openDB(t, at)
	stale, err := b.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	fold(t, l, a, 100)
	before := mustDigest(t, a)
	err = b.Commit(context.Background(), projections.Changes{
		From: stale, To: projections.Checkpoint{Position: 1, Stream: "ledger"},
		Posted: []projections.Posted{{Position: 1, Type: "x", Stream: "ledger"}},
	})
	if domain.KindOf(err) != domain.KindConflict {
		t.Fatalf("a stale page: %v", err)
	}
	if after := mustDigest(t, a); after != before {
		t.Fatalf("a refused page changed the rows: %+v, then %+v", before, after)
	}
}

// TestPageIsAllOrNothing: a page that fails in its last table leaves neither
// rows nor checkpoint, and the writer goes on.
func TestPageIsAllOrNothing(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 5, 2)
	d := openDB(t, path(t))
	fold(t, l, d, 100)
	before := mustDigest(t, d)
	// A clock row for this time stands already, so the insert of the page's
	// last table fails.
	cp, err := d.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	to := cp
	to.Position++
	err = d.Commit(context.Background(), projections.Changes{
		From: cp, To: to,
		Posted: []projections.Posted{{Position: to.Position, Type: "payment.new.v9", Stream: "ledger"}},
		Steps:  []projections.Step{{Position: to.Position, Recorded: cp.Recorded}},
	})
	if err == nil {
		t.Fatal("the page was taken")
	}
	if after := mustDigest(t, d); after != before {
		t.Fatalf("half a page stayed: %+v, then %+v", before, after)
	}
	l.payments(t, 5, 2)
	fold(t, l, d, 100)
	modelOf(t, l.all(t)).check(t, d)
}

// TestUnknownTypeStops: what this software does not know it must not skip.
// Everything before it is folded, and the state says why it stopped.
func TestUnknownTypeStops(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 3, 2)
	good, _ := l.Head(context.Background())
	l.raw(t, "ledger", eventstore.Event{ID: l.id(), Type: "payment.credited.v2", Data: []byte("{}"), Meta: []byte("{}")})
	l.payments(t, 1, 1)
	d := openDB(t, path(t))
	r := projections.NewRunner(l, d, projections.Config{})
	err := final(t, r)
	if domain.KindOf(err) != domain.KindMismatch || !strings.Contains(err.Error(), "payment.credited.v2") {
		t.Fatalf("an unknown type: %v", err)
	}
	st := r.Status()
	if st.Phase != projections.PhaseStopped || !errors.Is(st.Err, err) || st.Position != good {
		t.Fatalf("status %+v, the last known event stands at %d", st, good)
	}
	if p, _ := d.Checkpoint(context.Background()); p != good {
		t.Fatalf("checkpoint %d, the last known event stands at %d", p, good)
	}
}

// TestDamagedEventStops: bytes that do not decode are no reason to guess.
func TestDamagedEventStops(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]eventstore.Event{
		"data": {Type: domain.TypePaymentClosed, Data: []byte(`{"cause":1}`), Meta: []byte(`{}`)},
		"meta": {Type: domain.TypePaymentClosed, Data: []byte(`{"cause":"expired"}`), Meta: []byte(`{"recorded_at":"yesterday"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog()
			e.ID = l.id()
			l.raw(t, "payment-a:1", e)
			err := final(t, projections.NewRunner(l, openDB(t, path(t)), projections.Config{}))
			if domain.KindOf(err) != domain.KindCorrupt {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// TestOverflowStops: a balance beyond the range of money is no balance.
func TestOverflowStops(t *testing.T) {
	t.Parallel()
	l := newLog()
	s := domain.PaymentStream("a", "1")
	l.add(t, s, l.credited("a", "t1", "alice", cny(math.MaxInt64-10)))
	l.add(t, s, l.credited("a", "t2", "alice", cny(11)))
	d := openDB(t, path(t))
	err := final(t, projections.NewRunner(l, d, projections.Config{}))
	if domain.KindOf(err) != domain.KindCorrupt {
		t.Fatalf("got %v", err)
	}
}

// TestAnotherLogStops: rows of another log, or of one that was put back from
// an older backup, are never mixed with this one.
func TestAnotherLogStops(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 5, 2)
	at := path(t)
	fold(t, l, openDB(t, at), 100)
	shorter, other := newLog(), newLog()
	shorter.payments(t, 3, 2)
	other.serial = 1000
	other.payments(t, 9, 2)
	for name, log := range map[string]*testLog{"shorter": shorter, "other": other} {
		err := final(t, projections.NewRunner(log, openDB(t, at), projections.Config{}))
		if domain.KindOf(err) != domain.KindCorrupt || !strings.Contains(err.Error(), "rebuild") {
			t.Errorf("%s log: %v", name, err)
		}
	}
}

// TestTransientFailureIsRetried: a store that cannot be read for a while stops
// nothing for good, and the state says so meanwhile.
func TestTransientFailureIsRetried(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 5, 2)
	d := openDB(t, path(t))
	w := &refusing{DB: d, left: 3, refused: make(chan struct{}, 3)}
	running(t, l, w)
	<-w.refused
	head, _ := l.Head(context.Background())
	waitFor(t, d, head)
	modelOf(t, l.all(t)).check(t, d)
}

// refusing fails its first commits.
type refusing struct {
	*DB
	left    int
	refused chan struct{}
}

func (w *refusing) Commit(ctx context.Context, c projections.Changes) error {
	if w.left > 0 {
		w.left--
		w.refused <- struct{}{}
		return domain.E(domain.KindUnavailable, "disk full")
	}
	return w.DB.Commit(ctx, c)
}
