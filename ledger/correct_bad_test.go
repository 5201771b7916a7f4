package ledger

import (
	"context"
	"strings"
	"testing"

	"counterfoil/domain"
)

// refused sees that a correction was refused by the rule named, and that nothing
// was appended.
func (w *world) refused(t *testing.T, err error, before int, kind domain.Kind, says string) {
	t.Helper()
	if err == nil || domain.KindOf(err) != kind || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want %s with %q", err, kind, says)
	}
	if got := len(w.facts(t)); got != before {
		t.Errorf("%d facts were appended", got-before)
	}
}

// TestBadCorrections: twice, by its proposer, above the limit, for a difference
// that has vanished, on a closed period.
func TestBadCorrections(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	w.credit(t, l, 1)
	w.credit(t, l, 2)
	w.credit(t, l, 3)
	reverse := func(no string) domain.Correction {
		return domain.Correction{Action: domain.ActionReverse, TradeNo: "T" + no, Reason: "ticket 12", By: "li"}
	}
	propose := func(no string, q domain.Correction, s Spending) (domain.ID, error) {
		p, _, err := l.Propose(ctx, main, no, q, s, desk)
		return p.ID(), err
	}
	gone := func(context.Context) (domain.Spent, error) {
		return domain.Spent{Resolved: "the bill does not show it any more"}, nil
	}

	// For a difference that has vanished, when it is proposed and when it is approved.
	vanished := reverse("A1")
	vanished.Discrepancy = domain.ID{7}
	before := len(w.facts(t))
	_, err := propose("A1", vanished, gone)
	w.refused(t, err, before, domain.KindConflict, "is resolved already: the bill")
	id, err := propose("A1", vanished, unspent)
	if err != nil {
		t.Fatal(err)
	}
	before = len(w.facts(t))
	_, err = l.Approve(ctx, main, "A1", id, "wang", "", gone, desk)
	w.refused(t, err, before, domain.KindConflict, "is resolved already: the bill")

	// By its proposer.
	_, err = l.Approve(ctx, main, "A1", id, "li", "", unspent, desk)
	w.refused(t, err, before, domain.KindDenied, "li proposed it")

	// Twice: the same approval, the same correction, and one more for the difference.
	if _, err = l.Approve(ctx, main, "A1", id, "wang", "", unspent, desk); err != nil {
		t.Fatal(err)
	}
	before = len(w.facts(t))
	if _, err = l.Approve(ctx, main, "A1", id, "wang", "", unspent, desk); err != nil || len(w.facts(t)) != before {
		t.Errorf("approved again: %v", err)
	}
	_, err = l.Approve(ctx, main, "A1", id, "zhao", "", unspent, desk)
	w.refused(t, err, before, domain.KindConflict, "is issued already")
	_, err = propose("A1", reverse("A1"), unspent)
	w.refused(t, err, before, domain.KindConflict, "its money is reversed")
	again := domain.Correction{Action: domain.ActionCredit, TradeNo: "TA1", Reason: "x", By: "li", Discrepancy: domain.ID{7}}
	_, err = propose("A1", again, unspent)
	w.refused(t, err, before, domain.KindConflict, "was corrected already")

	// On a closed period, when it is proposed and when it is approved.
	w.clock.add(april.Sub(noon))
	dated := reverse("A2")
	dated.ValueDate = "2026-03-14"
	if id, err = propose("A2", dated, unspent); err != nil {
		t.Fatal(err)
	}
	if err := w.propose(t, l, "2026-03", "li"); err != nil {
		t.Fatal(err)
	}
	w.clock.add(domain.PeriodGrace + domain.PeriodSettle)
	if err := w.approve(t, l, "2026-03", "wang"); err != nil {
		t.Fatal(err)
	}
	before = len(w.facts(t))
	_, err = l.Approve(ctx, main, "A2", id, "wang", "", unspent, desk)
	w.refused(t, err, before, domain.KindConflict, "the period 2026-03 is closed")
	late := reverse("A3")
	late.ValueDate = "2026-03-31"
	_, err = propose("A3", late, unspent)
	w.refused(t, err, before, domain.KindConflict, "the period 2026-03 is closed")
	// Of a payment of the closed period it is booked in the open one.
	id, err = propose("A3", reverse("A3"), unspent)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Approve(ctx, main, "A3", id, "wang", "", unspent, desk)
	if err != nil {
		t.Fatal(err)
	}
	if issued, _ := r.Verdict.Facts[1].(domain.CorrectionIssued); issued.Dates.Period != "2026-04" {
		t.Errorf("booked in %+v", issued.Dates)
	}
	checkLog(t, w)
}

// TestCorrectionAboveTheLimit: refused when it is proposed, and when the limit
// was lowered since.
func TestCorrectionAboveTheLimit(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	w.credit(t, l, 1)
	q := domain.Correction{Action: domain.ActionReverse, TradeNo: "TA1", Reason: "ticket 12", By: "li"}
	p, _, err := l.Propose(ctx, main, "A1", q, unspent, desk)
	if err != nil {
		t.Fatal(err)
	}
	limited := l.channels[main].config
	limited.Corrections = &domain.CorrectionPolicy{Item: domain.NewMoney(200, domain.CNY)}
	if err := l.Configure(ctx, limited, desk); err != nil {
		t.Fatal(err)
	}
	before := len(w.facts(t))
	_, err = l.Approve(ctx, main, "A1", p.ID(), "wang", "", unspent, desk)
	w.refused(t, err, before, domain.KindDenied, "limit of 2.00 CNY for one correction")
	w.credit(t, l, 2)
	before = len(w.facts(t))
	q.TradeNo = "TA2"
	_, _, err = l.Propose(ctx, main, "A2", q, unspent, desk)
	w.refused(t, err, before, domain.KindDenied, "limit of 2.00 CNY for one correction")
}

// TestRunsProposalInTheLog: what a run proposed is seconded and issued by two
// persons, and the log says who.
func TestRunsProposalInTheLog(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	w.credit(t, l, 1)
	q := domain.Correction{Action: domain.ActionReverse, TradeNo: "TA1", Reason: "the provider says closed", By: "bill-7", ByRun: true}
	p, _, err := l.Propose(ctx, main, "A1", q, unspent, By{Actor: "reconciler", Cause: "bill-7"})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"li", "li", "wang", "wang"} {
		if _, err := l.Approve(ctx, main, "A1", p.ID(), who, "", unspent, desk); err != nil {
			t.Fatalf("%s: %v", who, err)
		}
	}
	s := domain.PaymentStream(main, "A1")
	log := checkLog(t, w)
	for _, typ := range []string{domain.TypeCorrectionProposed, domain.TypeCorrectionSeconded, domain.TypeCorrectionApproved, domain.TypeCorrectionIssued} {
		if got := log.count(s, typ); got != 1 {
			t.Errorf("%d of %s", got, typ)
		}
	}
}
