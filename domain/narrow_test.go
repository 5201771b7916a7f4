package domain_test

import (
	"counterfoil/domain"

	"pgregory.net/rapid"
)

// narrow is a life whose notices are drawn from few values and are mostly about
// refunds and disputes: many of them are about the same money, repeat each other
// or contradict each other.
type narrow struct {
	amounts        []domain.Money // of refunds and disputes
	sums, disputes bool           // are told
	payments       int            // of ten notices
}

// narrowed makes w such a life.
func (w *world) narrowed(t *rapid.T) {
	w.narrow = &narrow{
		amounts: []domain.Money{some, some, five, two}, sums: rapid.IntRange(0, 2).Draw(t, "sums") == 0,
		disputes: rapid.IntRange(0, 2).Draw(t, "disputes") == 0, payments: rapid.IntRange(1, 3).Draw(t, "payments"),
	}
	if rapid.IntRange(0, 3).Draw(t, "dollars") == 0 {
		w.narrow.amounts = append(w.narrow.amounts, domain.NewMoney(300, domain.USD))
	}
	if rapid.IntRange(0, 3).Draw(t, "confirmed") == 0 {
		w.configure(t)
	}
}

// hold checks what no narrow life breaks, whatever else is looked at: what breaks
// it takes more lives than one test has.
func (*narrow) hold(t *rapid.T, w *world) {
	for _, holds := range []invariant{bookedAsToldFirst, withinWhatWasTold, noWalletGivesMore, disputesStay, nothingDueIsLeft} {
		holds(t, w)
	}
}

// draw makes n one of few notices.
func (w *narrow) draw(t *rapid.T, n domain.Notice) domain.Notice {
	n.TradeNo = rapid.SampledFrom([]string{"T1", "T1", "T1", "T1", "T2", "T2", ""}).Draw(t, "narrow trade")
	about := rapid.IntRange(0, 9).Draw(t, "narrow about")
	switch {
	case about < w.payments:
		n.Status, n.Amount = domain.StatusPaid, rapid.SampledFrom([]domain.Money{ten, ten, ten, five}).Draw(t, "narrow amount")
		return n
	case w.disputes && about > 7:
		n.About, n.DisputeID = domain.AboutDispute, rapid.SampledFrom([]string{"D1", "D1", "D2", ""}).Draw(t, "dispute id")
		n.Status = rapid.SampledFrom([]domain.Status{
			domain.StatusWithdrawn, domain.StatusWithdrawn, domain.StatusReinstated, domain.StatusLost,
		}).Draw(t, "movement")
	default:
		n.About, n.RefundID = domain.AboutRefund, rapid.SampledFrom([]string{"R1", "R1", "R1", "R2", "R2", ""}).Draw(t, "refund id")
		n.Status = rapid.SampledFrom([]domain.Status{
			domain.StatusSucceeded, domain.StatusSucceeded, domain.StatusSucceeded, domain.StatusFailed, domain.StatusWaiting,
		}).Draw(t, "end")
		n.Total = w.sums && rapid.IntRange(0, 2).Draw(t, "sum") == 0
	}
	n.Amount = rapid.SampledFrom(append([]domain.Money{ten}, w.amounts...)).Draw(t, "part")
	return n
}
