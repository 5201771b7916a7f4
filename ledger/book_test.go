package ledger

import (
	"context"
	"sync"
	"testing"

	"counterfoil/domain"
)

// TestBookBill: processes that book one bill at once book it once, and a
// changed bill books its difference.
func TestBookBill(t *testing.T) {
	w := parallel(t)
	ledgers := []*Ledger{w.process(t), w.process(t)}
	bill := domain.BookedBill{
		Day: "2026-03-14", Bill: "trade", Run: "run-1", SHA256: "ab",
		Charges: []domain.Charge{{Currency: domain.CNY, Fees: "0.60", Discounts: "1"}},
	}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if _, err := ledgers[i%2].BookBill(context.Background(), main, bill, desk); err != nil {
				t.Errorf("book: %v", err)
			}
		})
	}
	wg.Wait()
	bill.Run, bill.Charges[0].Fees = "run-2", "0.50"
	b, err := ledgers[1].BookBill(context.Background(), main, bill, desk)
	if err != nil || len(b.Facts) != 1 || b.Facts[0].(domain.FeesBooked).Amount.Minor() != -10 {
		t.Errorf("the changed bill booked %+v, %v", b, err)
	}
	if b, err := ledgers[0].BookBill(context.Background(), main, bill, desk); err != nil || len(b.Facts) != 0 {
		t.Errorf("again: %+v, %v", b, err)
	}
	s := domain.BookStream(main, "2026-03-14")
	log := checkLog(t, w)
	if fees, discounts := log.count(s, domain.TypeFeesBooked), log.count(s, domain.TypeDiscountBooked); fees != 2 || discounts != 1 {
		t.Errorf("%d bookings of fees, %d of discounts, want 2 and 1", fees, discounts)
	}
}

// TestBookMovements: processes that import one bill at once book each line
// and each stage of a payout once.
func TestBookMovements(t *testing.T) {
	w := parallel(t)
	ledgers := []*Ledger{w.process(t), w.process(t)}
	sent := domain.Movement{Kind: domain.LinePayout, PayoutID: "po_1", Amount: domain.NewMoney(900, domain.CNY), Bill: "fund_flow", Run: "run-1"}
	ms := []domain.Movement{sent}
	for range 120 { // more than one append takes
		ms = append(ms, domain.Movement{Kind: domain.LineOther, Net: domain.NewMoney(-1, domain.CNY), Bill: "fund_flow", Run: "run-1"})
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if b, err := ledgers[i%2].BookMovements(context.Background(), main, "2026-03-14", ms, desk); err != nil || len(b.Differing) != 0 {
				t.Errorf("book: %+v, %v", b.Differing, err)
			}
		})
	}
	wg.Wait()
	arrival := domain.Arrival{By: "li", Reason: "on the statement"}
	for i := range 4 {
		wg.Go(func() {
			if p, _, err := ledgers[i%2].ArrivePayout(context.Background(), main, "po_1", arrival, desk); err != nil || p.Arrived == nil {
				t.Errorf("arrive: %+v, %v", p, err)
			}
		})
	}
	wg.Wait()
	sent.Amount = domain.NewMoney(901, domain.CNY)
	if b, err := ledgers[0].BookMovements(context.Background(), main, "2026-03-14", []domain.Movement{sent}, desk); err != nil || len(b.Differing) != 1 || len(b.Facts) != 0 {
		t.Errorf("another amount: %+v, %v", b, err)
	}
	log := checkLog(t, w)
	if got := log.count(domain.BookStream(main, "2026-03-14"), domain.TypeMovementBooked); got != 120 {
		t.Errorf("%d movements booked, want 120", got)
	}
	if got := log.count(domain.PayoutStream(main, "po_1"), domain.TypePayoutSent); got != 1 {
		t.Errorf("sent %d times", got)
	}
	if got := log.count(domain.PayoutStream(main, "po_1"), domain.TypePayoutArrived); got != 1 {
		t.Errorf("arrived %d times", got)
	}
}
