package audit_test

import (
	"context"
	"testing"

	"counterfoil/domain"
	"counterfoil/ledger"
)

// TestCreditsGivenAnewAreDerivedAgain: a wrong credit by hand, its reversal and
// the right one under another amount and number stand the rules, and the
// balances are those of the log.
func TestCreditsGivenAnewAreDerivedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	unspent := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }
	yuan := func(fen int64) domain.Money { return domain.NewMoney(fen, domain.CNY) }
	for _, q := range []domain.Correction{
		{Action: domain.ActionCredit, TradeNo: "T9", Account: "user:1", Amount: yuan(1000)},
		{Action: domain.ActionReverse, TradeNo: "T9"},
		{Action: domain.ActionCredit, TradeNo: "T9", Account: "user:2", Amount: yuan(10000)},
		{Action: domain.ActionReverse, TradeNo: "T9"},
		{Action: domain.ActionCredit, TradeNo: "T1", Account: "user:2", Amount: yuan(730)},
	} {
		q.By, q.Reason = "alice", "ticket 12"
		p, _, err := w.ledger.Propose(t.Context(), trusting, "HAND1", q, unspent, ledger.By{Actor: "person:alice"})
		must(t, err)
		_, err = w.ledger.Approve(t.Context(), trusting, "HAND1", p.ID(), "bob", "seen", unspent, ledger.By{Actor: "person:bob"})
		must(t, err)
	}
	w.seal()
	w.fold()
	if rep := w.verify(); !rep.OK() {
		t.Errorf("%+v", rep.Findings)
	}
}
