package audit_test

import (
	"context"
	"testing"

	"counterfoil/domain"
	"counterfoil/ledger"
)

// TestRunsProposalsAreDerivedAgain: what a run proposed, the first person's yes
// and the second one's stand the rules; nobody else's word is missed.
func TestRunsProposalsAreDerivedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	w.place(trusting, "RUN1", "user:1", "7.30")
	w.callback(trusting, "RUN1", "TRUN1", "7.30", domain.OutcomeCredited)
	unspent := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }
	q := domain.Correction{
		Action: domain.ActionReverse, TradeNo: "TRUN1", Reason: "the provider says closed", By: "bill-7", ByRun: true,
		Discrepancy: domain.NewV5(domain.ID{3}, "RUN1"),
	}
	p, _, err := w.ledger.Propose(t.Context(), trusting, "RUN1", q, unspent, ledger.By{Actor: "reconciler", Cause: "bill-7"})
	must(t, err)
	for _, who := range []string{"alice", "bob"} {
		_, err = w.ledger.Approve(t.Context(), trusting, "RUN1", p.ID(), who, "seen", unspent, ledger.By{Actor: "person:" + who})
		must(t, err)
	}
	w.seal()
	w.fold()
	if rep := w.verify(); !rep.OK() {
		t.Errorf("%+v", rep.Findings)
	}
}
