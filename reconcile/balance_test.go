package reconcile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/operations"
)

// only is the one balance that a run states.
func only(t *testing.T, run operations.BillRun) domain.BillBalance {
	t.Helper()
	if len(run.Balances) != 1 {
		t.Fatalf("balances %+v", run.Balances)
	}
	return run.Balances[0]
}

// The balance with which a fund flow ends a day is held against our book of it
// in the day's run. What is off is told by what moved it, apart from what was off
// before the day, and nothing is booked or found because of it.
func TestFlowIsHeldAgainstTheBook(t *testing.T) {
	t.Parallel()
	f := newFlows(t)
	f.sale(today, "O1", "T1")
	f.flow(today, domain.BillLine{Kind: domain.LinePayout, ID: "m1", PayoutID: "po1", Amount: fen(100), Net: fen(-100)})
	f.flow(today, domain.BillLine{Kind: domain.LineOther, ID: "m2", Amount: fen(-3), Net: fen(-3), ProviderStatus: "调账"})
	_, flow := f.compareDay(today)
	if b := only(t, flow); b.Book != fen(623) || b.Closing != fen(623) || !b.Off().IsZero() || !b.Before.IsZero() || len(b.Parts) != 0 {
		t.Errorf("all that moved is booked: %+v", b)
	}

	next := today.Add(1)
	f.sale(next, "O2", "T2")
	f.flow(next, domain.BillLine{Kind: domain.LineRefund, TradeNo: "T8", RefundID: "R8", Amount: fen(50), Net: fen(-50)})
	_, flow = f.compareDay(next)
	want := domain.BillBalance{
		Currency: domain.CNY, Opening: fen(623), In: fen(730), Out: fen(54), Closing: fen(1299), Held: true, Book: fen(1349), Before: fen(-730),
		Parts: []domain.BalancePart{{What: "payment", Bill: fen(730), Book: fen(0)}, {What: "refund", Bill: fen(-50), Book: fen(0)}},
	}
	// T2's callback came today, by its own time: our book has it since then.
	if diff := cmp.Diff(want, only(t, flow), cmp.Comparer(func(a, b domain.Money) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
