package audit_test

import (
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// What changed between two positions is what the projections say as of each.
func TestDiffIsTheStepBetweenTwoBalances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	head, err := w.events.Head(t.Context())
	must(t, err)
	for from := eventstore.Position(0); from <= head; from += 7 {
		for to := from; to <= head; to += 11 {
			d, err := audit.Diff(t.Context(), w.events, from, to)
			must(t, err)
			if d.Events != int64(to-from) {
				t.Errorf("%s to %s: %d events", from, to, d.Events)
			}
			sum := domain.Totals{}
			for _, c := range d.Changes {
				must(t, sum.Add(c.Change))
				if c.Book == domain.BookWallet && c.Change != w.walletAt(c.Wallet, from, to) {
					t.Errorf("%s to %s: %+v", from, to, c)
				}
			}
			if !sum.IsZero() {
				t.Errorf("%s to %s: the changes sum to %s", from, to, &sum)
			}
		}
	}
	if d, err := audit.Diff(t.Context(), w.events, 0, head+100); err != nil || d.To != head {
		t.Errorf("beyond the head: %+v, %v", d.To, err)
	}
	if _, err := audit.Diff(t.Context(), w.events, 5, 4); domain.KindOf(err) != domain.KindInvalid {
		t.Error(err)
	}
}

// walletAt is the change of a wallet as its projected balances tell it, with
// the sign of the books.
func (w *world) walletAt(a domain.AccountID, from, to eventstore.Position) domain.Money {
	w.t.Helper()
	at := func(p eventstore.Position) domain.Money {
		if p == 0 {
			return domain.NewMoney(0, domain.CNY)
		}
		rows, _, err := w.rows.Balances(w.t.Context(), a, projections.AsOf{Position: p})
		must(w.t, err)
		if len(rows) == 0 {
			return domain.NewMoney(0, domain.CNY)
		}
		return rows[0].Amount
	}
	change, err := at(from).Sub(at(to))
	must(w.t, err)
	return change
}
