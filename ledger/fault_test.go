package ledger

import (
	"context"
	"errors"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
)

// TestFailedAppends: whatever becomes of the append, the caller is told a
// failure, and the repeat that follows leaves exactly one credit.
func TestFailedAppends(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault memory.Fault
		kind  domain.Kind
		kept  bool
	}{
		{"not written", memory.Unavailable, domain.KindUnavailable, false},
		{"unknown, not written", memory.Lost, domain.KindUnknown, false},
		{"unknown, written", memory.Written, domain.KindUnknown, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := parallel(t)
			l := w.process(t)
			w.place(t, l, order("A1"))
			w.log.Next(c.fault)
			_, err := notify(l, w.callback(1, main, "A1", "T1", ten))
			wantKind(t, err, c.kind)
			if h := checkLog(t, w); h.deliveries[delivery(1)] != c.kept {
				t.Errorf("kept: %t", !c.kept)
			}
			want := domain.OutcomeCredited
			if c.kept {
				want = domain.OutcomeRepeated
			}
			must(t, l, w.callback(2, main, "A1", "T1", ten), want)
			h := checkLog(t, w)
			if got := h.count(domain.PaymentStream(main, "A1"), domain.TypePaymentCredited); got != 1 {
				t.Errorf("%d credits", got)
			}
		})
	}
}

// TestFailedPlacing is the same for placing: the repeat succeeds.
func TestFailedPlacing(t *testing.T) {
	for _, fault := range []memory.Fault{memory.Unavailable, memory.Lost, memory.Written} {
		w := newWorld(t)
		l := w.process(t)
		w.log.Next(fault)
		_, existed, err := l.Place(context.Background(), order("A1"), shown, desk)
		if err == nil || existed {
			t.Fatalf("fault %d: existed %t, %v", fault, existed, err)
		}
		_, existed, err = l.Place(context.Background(), order("A1"), shown, desk)
		if err != nil || existed != (fault == memory.Written) {
			t.Errorf("fault %d: existed %t, %v", fault, existed, err)
		}
		if got := checkLog(t, w).types(domain.PaymentStream(main, "A1")); len(got) != 1 {
			t.Errorf("fault %d: events %v", fault, got)
		}
	}
}

// TestKeysFail: without a key there is nowhere to put the evidence, so nothing
// is written and nothing acknowledged.
func TestKeysFail(t *testing.T) {
	w := parallel(t)
	w.place(t, w.process(t), order("A1"))
	l := w.process(t) // the one that placed it has the key at hand
	w.keys.broken = domain.E(domain.KindUnavailable, "operations store is busy")
	_, err := notify(l, w.callback(1, main, "A1", "T1", ten))
	wantKind(t, err, domain.KindUnavailable)
	_, err = notify(l, w.callback(2, main, "A2", "T2", ten))
	wantKind(t, err, domain.KindUnavailable)
	w.keys.broken = nil
	if h := checkLog(t, w); len(h.deliveries) != 0 {
		t.Error("a delivery was kept without its evidence")
	}
	must(t, l, w.callback(3, main, "A1", "T1", ten), domain.OutcomeCredited)
	checkLog(t, w)
}

// unreadable is a store whose reads fail.
type unreadable struct {
	*memory.Faulty
	err error
}

func (u *unreadable) ReadStream(
	ctx context.Context, s domain.Stream, o eventstore.ReadOptions,
) ([]eventstore.Recorded, error) {
	if u.err != nil {
		return nil, u.err
	}
	return u.Faulty.ReadStream(ctx, s, o)
}

// TestReadsFail: a stream that cannot be read is not taken for an empty one.
func TestReadsFail(t *testing.T) {
	w := parallel(t)
	u := &unreadable{Faulty: w.log}
	w.place(t, w.process(t), order("A1"))
	l, err := Open(context.Background(), u, w.keys, w.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Configure(context.Background(), settings(main, domain.ConfirmNever), By{Actor: "system"}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []domain.Kind{domain.KindUnavailable, domain.KindCorrupt} {
		u.err = domain.E(kind, "no")
		before := w.log.Calls()
		_, err := notify(l, w.callback(1, main, "A1", "T1", ten))
		wantKind(t, err, kind)
		if w.log.Calls() != before {
			t.Error("it appended all the same")
		}
	}
	u.err = nil
	must(t, l, w.callback(2, main, "A1", "T1", ten), domain.OutcomeCredited)
	checkLog(t, w)
}

// gappy is a store that lost an event of each stream.
type gappy struct{ *memory.Faulty }

func (g gappy) ReadStream(
	ctx context.Context, s domain.Stream, o eventstore.ReadOptions,
) ([]eventstore.Recorded, error) {
	events, err := g.Faulty.ReadStream(ctx, s, o)
	if s.Category() == "payment" && len(events) > 1 {
		events = events[1:]
	}
	return events, err
}

// TestGapsAreDamage: a stream with a hole is not folded, neither from its start
// nor behind what is known.
func TestGapsAreDamage(t *testing.T) {
	w := parallel(t)
	good := w.process(t)
	w.place(t, good, order("A1"))
	w.place(t, good, order("A2"))
	bad := w.process(t)
	if _, err := bad.Expire(context.Background(), main, "A2", desk); err != nil { // it knows A2
		t.Fatal(err)
	}
	for i, no := range []string{"A1", "A2"} {
		must(t, good, w.callback(i, main, no, "T"+no, ten), domain.OutcomeCredited)
	}
	bad.store = gappy{w.log}
	before := w.log.Calls()
	for _, no := range []string{"A1", "A2"} {
		_, err := bad.Cancel(context.Background(), main, domain.OrderNo(no), "x", desk)
		wantKind(t, err, domain.KindCorrupt)
	}
	if _, err := bad.Payment(context.Background(), main, "A1"); domain.KindOf(err) != domain.KindCorrupt {
		t.Errorf("read: %v", err)
	}
	if w.log.Calls() != before+1 { // A2 was cancelled on what was known, and lost
		t.Errorf("%d appends", w.log.Calls()-before)
	}
	checkLog(t, w)
}

// TestNewerSoftware: an event this software does not know stops work on its
// stream: guessing would make balances wrong.
func TestNewerSoftware(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	s := domain.PaymentStream(main, "A1")
	_, err := w.store.Append(context.Background(), s, eventstore.NoStream, []eventstore.Event{{
		ID: delivery(9), Type: "payment.teleported.v1", Data: []byte(`{}`), Meta: []byte(`{}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = notify(l, w.callback(1, main, "A1", "T1", ten))
	wantKind(t, err, domain.KindMismatch)
}

// TestStoreConflictStaysInside: the store's conflict never leaves the package
// as such, domain's does.
func TestStoreConflictStaysInside(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	w.place(t, l, order("A1"))
	o := order("A1")
	o.Amount = five
	_, _, err := l.Place(context.Background(), o, shown, desk)
	wantKind(t, err, domain.KindConflict)
	if errors.Is(err, errStore) {
		t.Error("domain's conflict is marked as the store's")
	}
}
