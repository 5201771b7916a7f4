package ledger

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

const bookDay domain.Day = "2026-03-13"

func comparison(run string) domain.ReconciliationCompared {
	return domain.ReconciliationCompared{Run: run, Channel: main, Day: bookDay, Bill: "trade", Import: 1, SHA256: "ab", Ours: 1, Theirs: 1, Matched: 1}
}

func differed(n int, by string) domain.ReconciliationDiffered {
	return domain.ReconciliationDiffered{
		Discrepancy: domain.NewV5(domain.ID{1}, fmt.Sprint(n)), Kind: domain.OnlyOurs, Line: domain.LinePayment, TradeNo: fmt.Sprint("T", n),
		Ours: ten, By: by,
	}
}

func told(t *testing.T, w *world) int {
	t.Helper()
	events, err := w.store.ReadStream(context.Background(), domain.ReconciliationStream(main, string(bookDay)), eventstore.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return len(events)
}

// A comparison's facts stand in the stream of its day once, however often and
// by how many processes they are told; a long list goes in parts.
func TestReconciledOnce(t *testing.T) {
	w := parallel(t)
	l, other := w.process(t), w.process(t)
	by := By{Actor: "reconciler", Cause: "bill-1"}
	facts := []domain.Fact{comparison("bill-1")}
	for n := range 3 * perAppend {
		facts = append(facts, differed(n, "bill-1"))
	}
	for _, p := range []*Ledger{l, other, l} {
		if err := p.Reconciled(context.Background(), main, bookDay, facts, by); err != nil {
			t.Fatal(err)
		}
	}
	if got := told(t, w); got != len(facts) {
		t.Errorf("%d events, want %d", got, len(facts))
	}
	if err := l.Reconciled(context.Background(), main, bookDay, []domain.Fact{comparison("bill-2")}, by); err != nil || told(t, w) != len(facts)+1 {
		t.Errorf("%d events, %v", told(t, w), err)
	}
	checkLog(t, w)
}

// Two processes at once on one day lose nothing.
func TestReconciledAtOnce(t *testing.T) {
	w := parallel(t)
	var all sync.WaitGroup
	for i := range 4 {
		l := w.process(t)
		all.Go(func() {
			for n := range 10 {
				run := fmt.Sprintf("bill-%d-%d", i, n)
				if err := l.Reconciled(context.Background(), main, bookDay, []domain.Fact{comparison(run), differed(n, run)}, By{Actor: "reconciler", Cause: run}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := told(t, w); got != 80 {
		t.Errorf("%d events, want 80", got)
	}
}

// Money does not come in through this door.
func TestReconciledTakesNoMoney(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	err := l.Reconciled(context.Background(), main, bookDay, []domain.Fact{comparison("bill-1"), domain.PaymentClosed{Cause: domain.ClosedExpired}}, desk)
	wantKind(t, err, domain.KindInternal)
	if _, err := w.store.ReadStream(context.Background(), domain.ReconciliationStream(main, string(bookDay)), eventstore.ReadOptions{}); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("something was appended: %v", err)
	}
}
