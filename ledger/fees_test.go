package ledger

import (
	"context"
	"sync"
	"testing"

	"counterfoil/domain"
)

// TestBookFees: processes that book one bill at once book it once, and a
// changed bill books its difference.
func TestBookFees(t *testing.T) {
	w := parallel(t)
	ledgers := []*Ledger{w.process(t), w.process(t)}
	bill := domain.FeeBill{Day: "2026-03-14", Bill: "trade", Run: "run-1", SHA256: "ab", Fees: "0.60", In: domain.CNY}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if _, err := ledgers[i%2].BookFees(context.Background(), main, bill, desk); err != nil {
				t.Errorf("book: %v", err)
			}
		})
	}
	wg.Wait()
	bill.Run, bill.Fees = "run-2", "0.50"
	if m, err := ledgers[1].BookFees(context.Background(), main, bill, desk); err != nil || m.Minor() != -10 {
		t.Errorf("the changed bill booked %s, %v", m, err)
	}
	if m, err := ledgers[0].BookFees(context.Background(), main, bill, desk); err != nil || !m.IsZero() {
		t.Errorf("again: %s, %v", m, err)
	}
	if got := checkLog(t, w).count(domain.BookStream(main, "2026-03-14"), domain.TypeFeesBooked); got != 2 {
		t.Errorf("%d bookings, want 2", got)
	}
}
