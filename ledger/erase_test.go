package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

const (
	keeps = domain.MinRetention
	later = keeps + 24*time.Hour
)

// asksToErase is an erasure whose every part verifies.
func asksToErase() Erasure {
	return Erasure{
		Person: "li", Reason: "request 12", Retention: keeps,
		Check: func(context.Context, domain.PaymentNotified, domain.Evidence) (string, error) { return "", nil },
	}
}

// paid is a credited payment with two kept notices, the retention long over.
func paid(t *testing.T, w *world, l *Ledger) domain.Stream {
	t.Helper()
	w.place(t, l, order("A1"))
	must(t, l, w.callback(1, main, "A1", "T1", ten), domain.OutcomeCredited)
	must(t, l, w.callback(2, main, "A1", "T1", ten), domain.OutcomeRepeated)
	w.clock.add(later)
	return domain.PaymentStream(main, "A1")
}

func sealedOf(t *testing.T, w *world, s domain.Stream) []eventstore.Recorded {
	t.Helper()
	events, err := w.store.ReadStream(context.Background(), s, eventstore.ReadOptions{Sealed: true})
	if err != nil {
		t.Fatal(err)
	}
	var out []eventstore.Recorded
	for _, r := range events {
		if len(r.Sealed) > 0 {
			out = append(out, r)
		}
	}
	return out
}

// TestErase: the sealed parts are named with their hashes and verdicts, nobody
// reads them again, and the payment is what it was.
func TestErase(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	s := paid(t, w, l)
	before, err := l.Payment(ctx, main, "A1")
	if err != nil {
		t.Fatal(err)
	}
	dry := asksToErase()
	dry.Dry = true
	if f, err := l.Erase(ctx, main, "A1", "", dry, desk); err != nil || len(f.Parts) != 3 {
		t.Fatalf("dry: %+v, %v", f, err)
	}
	if _, err := l.Unseal(ctx, sealedOf(t, w, s)[0]); err != nil {
		t.Fatalf("a dry run erased: %v", err)
	}
	f, err := l.Erase(ctx, main, "A1", "", asksToErase(), desk)
	if err != nil || len(f.Parts) != 3 || f.Generation != 0 || f.Through != before.Revision() {
		t.Fatalf("erased: %+v, %v", f, err)
	}
	if f.Parts[0].Verdict != domain.PartPersonal || f.Parts[1].Verdict != domain.PartVerified || f.Parts[1].SHA256 == "" || f.Parts[1].Grade != domain.GradeB {
		t.Errorf("parts: %+v", f.Parts)
	}
	for _, r := range sealedOf(t, w, s) {
		if _, err := l.Unseal(ctx, r); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("revision %d: %v", r.Revision, err)
		}
	}
	after, err := l.Payment(ctx, main, "A1")
	if err != nil || after.Payment.State() != before.Payment.State() || after.Payment.Settled != before.Payment.Settled {
		t.Errorf("the payment changed: %+v, %v", after.Payment, err)
	}
	if f, err := l.Erase(ctx, main, "A1", "", asksToErase(), desk); err != nil || f != nil {
		t.Errorf("again: %+v, %v", f, err)
	}
	checkLog(t, w, s)
}

// TestNoticesAfterAnErasure: what comes later is sealed with a key of its own,
// by whichever process, also one that had the old key at hand; and can be erased
// in its turn.
func TestNoticesAfterAnErasure(t *testing.T) {
	w := parallel(t)
	one, two := w.process(t), w.process(t)
	ctx := context.Background()
	s := paid(t, w, one)
	must(t, two, w.callback(3, main, "A1", "T1", ten), domain.OutcomeRepeated) // it has the key at hand
	w.clock.add(later)
	if f, err := one.Erase(ctx, main, "A1", "", asksToErase(), desk); err != nil || len(f.Parts) != 4 {
		t.Fatalf("erased: %+v, %v", f, err)
	}
	must(t, two, w.callback(4, main, "A1", "T1", ten), domain.OutcomeRepeated)
	must(t, one, w.callback(5, main, "A1", "T1", ten), domain.OutcomeRepeated)
	for i, r := range sealedOf(t, w, s) {
		_, err := two.Unseal(ctx, r)
		if readable := err == nil; readable != (i >= 4) {
			t.Errorf("part %d: %v", i, err)
		}
	}
	w.clock.add(later)
	if f, err := two.Erase(ctx, main, "A1", "", asksToErase(), desk); err != nil || len(f.Parts) != 2 || f.Generation != 1 {
		t.Fatalf("erased again: %+v, %v", f, err)
	}
	for i, r := range sealedOf(t, w, s) {
		if _, err := one.Unseal(ctx, r); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("part %d: %v", i, err)
		}
	}
}

// TestErasureIsRefused: within the retention period, while anything is open,
// without a reason, and where the evidence does not verify.
func TestErasureIsRefused(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	s := paid(t, w, l)
	must(t, l, w.callback(3, main, "A9", "T9", ten), domain.OutcomeParked)
	parked := domain.PaymentStream(main, "A9")
	young := order("A8")
	young.ExpiresAt = w.clock.now().Add(time.Hour)
	w.place(t, l, young)
	if _, err := l.Cancel(ctx, main, "A8", "", desk); err != nil {
		t.Fatal(err)
	}
	broken := func(context.Context, domain.PaymentNotified, domain.Evidence) (string, error) {
		return "", domain.E(domain.KindCorrupt, "the signature is wrong")
	}
	for name, c := range map[string]struct {
		order  string
		change func(*Erasure)
		want   domain.Kind
	}{
		"young":         {"A8", func(*Erasure) {}, domain.KindDenied},
		"parked":        {"A9", func(*Erasure) {}, domain.KindConflict},
		"unknown":       {"A7", func(*Erasure) {}, domain.KindNotFound},
		"no reason":     {"A1", func(q *Erasure) { q.Reason = "" }, domain.KindInvalid},
		"nobody":        {"A1", func(q *Erasure) { q.Person = "" }, domain.KindInvalid},
		"too soon":      {"A1", func(q *Erasure) { q.Retention = time.Hour }, domain.KindInvalid},
		"does not hold": {"A1", func(q *Erasure) { q.Check = broken }, domain.KindCorrupt},
	} {
		q := asksToErase()
		c.change(&q)
		_, err := l.Erase(ctx, main, c.order, "", q, desk)
		if err == nil || domain.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	for _, of := range []domain.Stream{s, parked} {
		for _, r := range sealedOf(t, w, of) {
			if _, err := l.Unseal(ctx, r); err != nil {
				t.Errorf("refused, but %s/%d is gone: %v", of, r.Revision, err)
			}
		}
	}
	checkLog(t, w)
}

// TestErasureIsFinished: killed behind the fact and before the key, the fact
// stands and the key goes with the next look at it.
func TestErasureIsFinished(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	s := paid(t, w, l)
	l.keys = stubborn{w.keys}
	f, err := l.Erase(ctx, main, "A1", "", asksToErase(), desk)
	if !errors.Is(err, errKilled) || f == nil {
		t.Fatalf("%+v, %v", f, err)
	}
	next := w.process(t)
	events := sealedOf(t, w, s)
	if erased, _, err := next.Erased(ctx, events[0]); err != nil || !erased {
		t.Fatalf("the fact does not stand: %v", err)
	}
	for range 2 {
		if err := next.FinishErasure(ctx, s, *f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := next.Unseal(ctx, events[0]); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("still readable: %v", err)
	}
	must(t, next, w.callback(7, main, "A1", "T1", ten), domain.OutcomeRepeated)
	if err := next.FinishErasure(ctx, s, *f); err != nil { // the keys came back from a backup, say
		t.Fatal(err)
	}
	last := sealedOf(t, w, s)[3]
	if _, err := next.Unseal(ctx, last); err != nil {
		t.Errorf("what came later went with it: %v", err)
	}
}

var errKilled = errors.New("killed")

// stubborn keys are not destroyed: the process is killed at that moment.
type stubborn struct{ *keyring }

func (stubborn) DestroyDataKey(context.Context, domain.Stream) error { return errKilled }
