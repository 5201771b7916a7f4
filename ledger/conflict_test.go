package ledger

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"

	"pgregory.net/rapid"
)

// TestTwoProcessesOnePaymentR2: whatever the order of their appends, one
// credit, and every delivery kept.
func TestTwoProcessesOnePaymentR2(t *testing.T) {
	w := parallel(t)
	ledgers := []*Ledger{w.process(t), w.process(t)}
	w.place(t, ledgers[0], order("A1"))
	const deliveries = 30 // below the limit: each is an event
	outcomes := make([]domain.Outcome, deliveries)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range deliveries {
		n := w.callback(i, main, "A1", "T1", ten)
		if i%3 == 2 {
			n = w.query(i, main, "A1", "T1", ten)
		}
		wg.Go(func() {
			<-start
			r, err := notify(ledgers[i%2], n)
			if err != nil {
				t.Errorf("delivery %d: %v", i, err)
			}
			outcomes[i] = r.Verdict.Outcome
		})
	}
	close(start)
	wg.Wait()
	h := checkLog(t, w)
	credited := 0
	for i, o := range outcomes {
		switch o {
		case domain.OutcomeCredited:
			credited++
		case domain.OutcomeRepeated:
		default:
			t.Errorf("delivery %d came to %q", i, o)
		}
		if i%3 != 2 && !h.deliveries[delivery(i)] {
			t.Errorf("delivery %d was acknowledged and is not kept (R1)", i)
		}
	}
	if credited != 1 || h.count(domain.PaymentStream(main, "A1"), domain.TypePaymentCredited) != 1 {
		t.Errorf("%d deliveries say that they credited", credited)
	}
}

// TestOtherProcessWins: between the fold and the append another process
// credits; the loser decides again and repeats.
func TestOtherProcessWins(t *testing.T) {
	w := parallel(t)
	a, b := w.process(t), w.process(t)
	w.place(t, a, order("A1"))
	w.log.Before(func(domain.Stream, []eventstore.Event) {
		w.log.Before(nil)
		must(t, b, w.callback(2, main, "A1", "T1", ten), domain.OutcomeCredited)
	})
	must(t, a, w.callback(1, main, "A1", "T1", ten), domain.OutcomeRepeated)
	h := checkLog(t, w)
	if !h.deliveries[delivery(1)] || !h.deliveries[delivery(2)] {
		t.Error("a delivery is missing")
	}
}

// TestEndlessConflicts give up as unavailable: nothing was written.
func TestEndlessConflicts(t *testing.T) {
	w := parallel(t)
	a, b := w.process(t), w.process(t)
	w.place(t, a, order("A1"))
	n := 1000
	var inside bool
	w.log.Before(func(domain.Stream, []eventstore.Event) {
		if inside {
			return
		}
		inside = true
		defer func() { inside = false }()
		n++
		if _, err := notify(b, w.callback(n, main, "A1", fmt.Sprint("T", n), five)); err != nil {
			t.Errorf("the faster one: %v", err)
		}
	})
	_, err := notify(a, w.callback(1, main, "A1", "T1", ten))
	wantKind(t, err, domain.KindUnavailable)
	w.log.Before(nil)
	if h := checkLog(t, w); h.deliveries[delivery(1)] {
		t.Error("it was kept all the same")
	}
	must(t, a, w.callback(2, main, "A1", "T1", ten), domain.OutcomeCredited)
	checkLog(t, w)
}

// TestStaleFoldsRefuseNothing: what another process appended since this one
// last looked must not make it refuse or leave out what is right now.
func TestStaleFoldsRefuseNothing(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, w *world, stale, other *Ledger)
	}{
		{"cancel after placing elsewhere", func(t *testing.T, w *world, stale, other *Ledger) {
			if _, err := stale.Expire(ctx, main, "A1", desk); err != nil { // it looks: nothing there
				t.Fatal(err)
			}
			w.place(t, other, order("A1"))
			if _, err := stale.Cancel(ctx, main, "A1", "no", desk); err != nil {
				t.Errorf("cancel: %v", err)
			}
		}},
		{"expire after placing elsewhere", func(t *testing.T, w *world, stale, other *Ledger) {
			if _, err := stale.Expire(ctx, main, "A1", desk); err != nil {
				t.Fatal(err)
			}
			w.place(t, other, order("A1"))
			w.clock.add(3 * time.Hour)
			if r, err := stale.Expire(ctx, main, "A1", desk); err != nil || r.Payment.State() != domain.StateExpired {
				t.Errorf("state %s, %v", r.Payment.State(), err)
			}
		}},
		{"allocate what was confirmed elsewhere", func(t *testing.T, w *world, stale, other *Ledger) {
			must(t, stale, w.callback(1, asked, "A1", "T1", ten), domain.OutcomeParked) // not confirmed
			must(t, other, w.query(2, asked, "A1", "T1", ten), domain.OutcomeParked)    // now it is
			p, _, err := stale.Propose(ctx, asked, "A1", allocation("li"), unspent, desk)
			if err == nil {
				_, err = other.Approve(ctx, asked, "A1", p.ID(), "wang", "", unspent, desk)
			}
			if err != nil {
				t.Errorf("allocate: %v", err)
			}
		}},
		{"a query that denies what was credited elsewhere", func(t *testing.T, w *world, stale, other *Ledger) {
			w.place(t, stale, order("A1"))
			must(t, other, w.callback(1, main, "A1", "T1", ten), domain.OutcomeCredited)
			n := w.query(2, main, "A1", "T1", ten)
			n.Status, n.ProviderStatus = domain.StatusWaiting, "0"
			must(t, stale, n, domain.OutcomeNoted)
			h := checkLog(t, w)
			if h.count(domain.PaymentStream(main, "A1"), domain.TypeDiscrepancyFound) != 1 {
				t.Error("the difference was not found")
			}
		}},
		{"a repeat of what was confirmed elsewhere", func(t *testing.T, w *world, stale, other *Ledger) {
			o := order("A1")
			o.Channel = asked
			w.place(t, stale, o)
			for i := range domain.MaxEqualNotices + 1 {
				must(t, stale, w.callback(i, asked, "A1", "T1", ten), domain.OutcomeHeld)
			}
			must(t, other, w.query(100, asked, "A1", "T1", ten), domain.OutcomeCredited)
			must(t, stale, w.callback(101, asked, "A1", "T1", ten), domain.OutcomeRepeated)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := parallel(t)
			c.run(t, w, w.process(t), w.process(t))
			checkLog(t, w)
		})
	}
}

// TestSmallCache: folds that were pushed out are read again.
func TestSmallCache(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	l.cache = newCache(2)
	for i := range 6 {
		w.place(t, l, order(fmt.Sprint("A", i)))
	}
	for i := range 6 {
		must(t, l, w.callback(i, main, fmt.Sprint("A", i), fmt.Sprint("T", i), ten), domain.OutcomeCredited)
		must(t, l, w.callback(10+i, main, fmt.Sprint("A", i), fmt.Sprint("T", i), ten), domain.OutcomeRepeated)
	}
	if len(l.cache.slots) != 2 || l.cache.order.Len() != 2 {
		t.Errorf("%d folds are kept", len(l.cache.slots))
	}
	checkLog(t, w)
}

// TestTurnsLeaveNothingBehind: a stream nobody works on takes no memory, also
// after waiting was given up.
func TestTurnsLeaveNothingBehind(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	w.place(t, l, order("A1"))
	w.log.Next(memory.Slow)
	done := make(chan error, 1)
	go func() {
		_, err := notify(l, w.callback(1, main, "A1", "T1", ten))
		done <- err
	}()
	<-w.log.Waiting()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.turns.take(ctx, domain.PaymentStream(main, "A1")); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("waited on: %v", err)
	}
	w.log.Release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(l.turns.queue) != 0 {
		t.Errorf("%d turns are left", len(l.turns.queue))
	}
	checkLog(t, w)
}

// TestAnyRaceR2: 1 to 50 copies of one payment's news, by any path and any of
// two processes, with failing appends among them, make one credit at most; what
// was acknowledged below the limit is kept.
func TestAnyRaceR2(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		ledgers := []*Ledger{w.process(t), w.process(t)}
		o := order("A1")
		o.Channel = channels.Draw(t, "channel")
		w.place(t, ledgers[0], o)
		w.log.Next(rapid.SliceOfN(rapid.SampledFrom([]memory.Fault{
			memory.Pass, memory.Pass, memory.Unavailable, memory.Lost, memory.Written,
		}), 0, 20).Draw(t, "faults")...)
		copies := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 50).Draw(t, "copies")
		acked := make([]bool, len(copies))
		var wg sync.WaitGroup
		for i, kind := range copies {
			n := w.callback(i, o.Channel, "A1", "T1", ten)
			if kind > 1 {
				n = w.query(i, o.Channel, "A1", "T1", ten)
			}
			wg.Go(func() {
				r, err := notify(ledgers[kind%2], n)
				acked[i] = err == nil && r.Position > 0
			})
		}
		wg.Wait()
		h := checkLog(t, w)
		for i := range copies {
			if acked[i] && !h.deliveries[delivery(i)] {
				t.Fatalf("delivery %d was acknowledged and is not kept (R1)", i)
			}
		}
		for range 21 { // the faults that are left come first
			if r, err := notify(ledgers[0], w.query(1000, o.Channel, "A1", "T1", ten)); err == nil {
				if r.Payment.State() != domain.StateCredited {
					t.Fatalf("state %s after the provider confirmed", r.Payment.State())
				}
				return
			}
		}
		t.Fatalf("the sweep never got through")
	})
}
