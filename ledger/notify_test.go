package ledger

import (
	"context"
	"slices"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore/memory"

	"github.com/google/go-cmp/cmp"
)

// TestOneStory is the life of a payment told by its events.
func TestOneStory(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	placed := w.place(t, l, order("A1"))
	credited := must(t, l, w.callback(1, main, "A1", "T1", ten), domain.OutcomeCredited)
	again := must(t, l, w.callback(2, main, "A1", "T1", ten), domain.OutcomeRepeated)
	if placed.Revision != 0 || credited.Revision != 2 || again.Revision != 3 || again.Position <= credited.Position {
		t.Errorf("revisions %d %d %d, positions %s %s", placed.Revision, credited.Revision, again.Revision,
			credited.Position, again.Position)
	}
	h := checkLog(t, w)
	want := []string{
		domain.TypePaymentPlaced, domain.TypePaymentNotified, domain.TypePaymentCredited, domain.TypePaymentNotified,
	}
	s := domain.PaymentStream(main, "A1")
	if diff := cmp.Diff(want, h.types(s)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	meta := h.streams[s][1].Meta
	if meta.Actor != "channel:epay-main" || meta.Cause != delivery(1).String() {
		t.Errorf("meta of a callback: %+v", meta)
	}
	if meta := h.streams[s][0].Meta; meta.Actor != desk.Actor || meta.Cause != desk.Cause || meta.Trace != desk.Trace {
		t.Errorf("meta of the placing: %+v", meta)
	}
	if n, _ := h.streams[s][1].Fact.(domain.PaymentNotified); n.Reply == nil || n.Reply.Body != "success" {
		t.Errorf("the intended reply is not kept: %+v", n.Reply)
	}
}

// TestHeldUntilAsked: a channel that wants confirmation credits at the query.
func TestHeldUntilAsked(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	o := order("A1")
	o.Channel = asked
	w.place(t, l, o)
	must(t, l, w.callback(1, asked, "A1", "T1", ten), domain.OutcomeHeld)
	r := must(t, l, w.query(2, asked, "A1", "T1", ten), domain.OutcomeCredited)
	if r.Payment.State() != domain.StateCredited {
		t.Errorf("state %s", r.Payment.State())
	}
	must(t, l, w.query(3, asked, "A1", "T1", ten), domain.OutcomeRepeated)
	h := checkLog(t, w)
	s := domain.PaymentStream(asked, "A1")
	want := []string{
		domain.TypePaymentPlaced, domain.TypePaymentNotified, domain.TypePaymentHeld, domain.TypePaymentNotified,
		domain.TypePaymentCredited,
	}
	if diff := cmp.Diff(want, h.types(s)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if meta := h.streams[s][3].Meta; meta.Actor != "reconciler" || meta.Cause != "sweep-1" {
		t.Errorf("meta of a query: %+v", meta)
	}
}

// TestRepeatsAreBoundedAndCountedR1: 32 deliveries are events, equal ones
// behind them append nothing, read nothing, and are counted in the next event,
// so that every delivery ever answered can be found as an event or in a count.
func TestRepeatsAreBoundedAndCountedR1(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	w.place(t, l, order("A1"))
	const extra = 100
	must(t, l, w.callback(0, main, "A1", "T1", ten), domain.OutcomeCredited)
	for i := 1; i < domain.MaxEqualNotices; i++ {
		must(t, l, w.callback(i, main, "A1", "T1", ten), domain.OutcomeRepeated)
	}
	before := w.log.Calls()
	for i := range extra {
		r := must(t, l, w.callback(1000+i, main, "A1", "T1", ten), domain.OutcomeRepeated)
		if r.Position != 0 || len(r.Verdict.Facts) != 0 {
			t.Fatalf("delivery %d appended %v", 1000+i, r.Verdict.Facts)
		}
	}
	if got := w.log.Calls() - before; got != 0 {
		t.Errorf("%d appends for counted repeats", got)
	}
	w.clock.add(domain.RepeatsEvery)
	must(t, l, w.callback(2000, main, "A1", "T1", ten), domain.OutcomeRepeated)
	must(t, l, w.callback(2001, main, "A1", "T1", ten), domain.OutcomeRepeated) // counted
	w.clock.add(domain.RepeatsEvery)
	must(t, l, w.callback(2002, main, "A1", "T1", ten), domain.OutcomeRepeated)
	h := checkLog(t, w)
	s := domain.PaymentStream(main, "A1")
	events, counted := 0, 0
	for _, e := range h.streams[s] {
		if n, ok := e.Fact.(domain.PaymentNotified); ok {
			events++
			counted += n.Repeats
		}
	}
	if events != domain.MaxEqualNotices+2 || counted != extra+1 {
		t.Errorf("%d deliveries are kept and %d counted, want %d and %d", events, counted, domain.MaxEqualNotices+2, extra+1)
	}
}

// TestCountsSurviveFailures: a count that was not written is written later, and
// one that may have been is not written twice.
func TestCountsSurviveFailures(t *testing.T) {
	for _, fault := range []memory.Fault{memory.Unavailable, memory.Written} {
		w := newWorld(t)
		l := w.process(t)
		w.place(t, l, order("A1"))
		const deliveries = domain.MaxEqualNotices + 10
		for i := range deliveries {
			if _, err := notify(l, w.callback(i, main, "A1", "T1", ten)); err != nil {
				t.Fatal(err)
			}
		}
		told := 0
		for i := range 3 { // the first of them fails
			w.clock.add(domain.RepeatsEvery)
			if i == 0 {
				w.log.Next(fault)
			}
			if _, err := notify(l, w.callback(1000+i, main, "A1", "T1", ten)); (err != nil) != (i == 0) {
				t.Fatalf("hour %d: %v", i, err)
			}
		}
		for _, e := range checkLog(t, w).streams[domain.PaymentStream(main, "A1")] {
			if n, ok := e.Fact.(domain.PaymentNotified); ok {
				told += n.Repeats
			}
		}
		if told != 10 {
			t.Errorf("fault %d: %d repeats are told, want 10", fault, told)
		}
	}
}

// TestKeyIsAtHand: the process that placed a payment needs no more than one
// look for its key.
func TestKeyIsAtHand(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	w.place(t, l, order("A1"))
	looks := w.keys.looks
	for i := range 5 {
		if _, err := notify(l, w.callback(i, main, "A1", "T1", ten)); err != nil {
			t.Fatal(err)
		}
	}
	if w.keys.looks != looks {
		t.Errorf("%d looks", w.keys.looks-looks)
	}
	checkLog(t, w)
}

// TestCallerMayHangUp: a context that ended before the call, or while the store
// works, cancels nothing.
func TestCallerMayHangUp(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	w.place(t, l, order("A1"))
	ctx, cancel := context.WithCancel(context.Background())
	w.log.Next(memory.Slow)
	n := w.callback(1, main, "A1", "T1", ten)
	done := make(chan error, 1)
	go func() {
		_, err := l.Notify(ctx, n, evidence(n), reply)
		done <- err
	}()
	<-w.log.Waiting()
	cancel()
	w.log.Release()
	if err := <-done; err != nil {
		t.Fatalf("cancelled during the append: %v", err)
	}
	n = w.callback(2, main, "A1", "T1", ten)
	if _, err := l.Notify(ctx, n, evidence(n), reply); err != nil {
		t.Fatalf("cancelled before the call: %v", err)
	}
	if h := checkLog(t, w); !h.deliveries[delivery(1)] || !h.deliveries[delivery(2)] {
		t.Error("a delivery is missing")
	}
}

// TestOwnDeadline: a store that hangs makes the call fail in time.
func TestOwnDeadline(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	w.place(t, l, order("A1"))
	patience := l.cfg.Timeout
	l.cfg.Timeout = 20 * time.Millisecond
	w.log.Next(memory.Slow)
	_, err := notify(l, w.callback(1, main, "A1", "T1", ten))
	wantKind(t, err, domain.KindUnavailable)
	l.cfg.Timeout = patience
	must(t, l, w.callback(2, main, "A1", "T1", ten), domain.OutcomeCredited)
	checkLog(t, w)
}

// TestUnknownOrderThenPlaced: money that came first waits for its order, and is
// allocated when the order follows soon.
func TestUnknownOrderThenPlaced(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	must(t, l, w.callback(1, main, "A1", "T1", ten), domain.OutcomeParked)
	w.clock.add(time.Minute)
	r := w.place(t, l, order("A1"))
	if r.Payment.State() != domain.StateCredited {
		t.Errorf("state %s", r.Payment.State())
	}
	h := checkLog(t, w)
	want := []string{
		domain.TypePaymentNotified, domain.TypePaymentParked, domain.TypePaymentPlaced, domain.TypePaymentAllocated,
	}
	if diff := cmp.Diff(want, h.types(domain.PaymentStream(main, "A1"))); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestRecordedAtNeverDecreases, also when the machine's clock is set back.
func TestRecordedAtNeverDecreases(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	w.place(t, l, order("A1"))
	w.clock.add(-time.Hour)
	must(t, l, w.callback(1, main, "A1", "T1", ten), domain.OutcomeCredited)
	w.clock.add(3 * time.Hour)
	must(t, l, w.callback(2, main, "A1", "T1", ten), domain.OutcomeRepeated)
	var at []time.Time
	for _, e := range checkLog(t, w).streams[domain.PaymentStream(main, "A1")] {
		at = append(at, e.Meta.RecordedAt)
	}
	if !slices.IsSortedFunc(at, time.Time.Compare) || !at[len(at)-1].Equal(noon.Add(2*time.Hour)) {
		t.Errorf("recorded at %v", at)
	}
}

// TestUnknownChannel: nothing is taken for a channel that was not configured.
func TestUnknownChannel(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	_, err := notify(l, w.callback(1, "nobody", "A1", "T1", ten))
	wantKind(t, err, domain.KindNotFound)
	if domain.FieldOf(err) != "channel" {
		t.Errorf("field %q", domain.FieldOf(err))
	}
	_, err = l.Payment(context.Background(), "nobody", "A1")
	wantKind(t, err, domain.KindNotFound)
}

// TestNotifyOnce: a refused delivery that is verified again later is taken in
// once, however often and by whomever it is tried.
func TestNotifyOnce(t *testing.T) {
	w := parallel(t)
	a, b := w.process(t), w.process(t)
	w.place(t, a, order("A1"))
	n := w.callback(1, main, "A1", "T1", ten)
	kept := 0
	for i := range 6 {
		l := a
		if i%2 == 1 {
			l = b
		}
		r, fresh, err := l.NotifyOnce(context.Background(), n, evidence(n), reply)
		if err != nil {
			t.Fatal(err)
		}
		if fresh != (i == 0) || r.Payment.State() != domain.StateCredited {
			t.Errorf("try %d: fresh %t, state %s", i, fresh, r.Payment.State())
		}
		if fresh {
			kept++
		}
	}
	h := checkLog(t, w)
	if got := h.count(domain.PaymentStream(main, "A1"), domain.TypePaymentNotified); got != 1 || kept != 1 {
		t.Errorf("%d events, %d reported", got, kept)
	}
}
