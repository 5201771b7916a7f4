package domain_test

import (
	"testing"

	"counterfoil/domain"
)

// TestDifferencesFoundOnceR7: what the provider says against our books is a
// difference for people, found once, and never takes money.
func TestDifferencesFoundOnceR7(t *testing.T) {
	t.Parallel()
	paid := callback(9, "T1", ten)
	settled := facts(placed(), kept(paid, domain.OutcomeCredited, ""), credited(paid))
	aside := facts(kept(paid, domain.OutcomeParked, domain.ReasonUnknownOrder), parked(paid, domain.ReasonUnknownOrder))
	for _, c := range []struct {
		name   string
		given  []domain.Fact
		when   domain.Notice
		kind   domain.DiscrepancyKind
		ours   string
		reason domain.Reason
	}{
		{"refunded", settled, says(query(1, "T1", ten), domain.StatusRefunded), domain.RefundMissing, "credited", domain.ReasonTakenBack},
		{"refunded, by callback", settled, says(callback(1, "T1", ten), domain.StatusRefunded), domain.RefundMissing, "credited", domain.ReasonTakenBack},
		{"refunded before we knew it paid", facts(placed()), says(callback(1, "T1", ten), domain.StatusRefunded), domain.RefundMissing, "placed", domain.ReasonTakenBack},
		{"frozen", settled, says(query(1, "T1", ten), domain.StatusFrozen), domain.Frozen, "credited", domain.ReasonTakenBack},
		{"waiting", settled, says(query(1, "T1", ten), domain.StatusWaiting), domain.StatusMismatch, "credited", domain.ReasonNotPaid},
		{"closed", settled, says(query(1, "T1", ten), domain.StatusClosed), domain.StatusMismatch, "credited", domain.ReasonNotPaid},
		{"failed", settled, says(query(1, "T1", domain.Money{}), domain.StatusFailed), domain.StatusMismatch, "credited", domain.ReasonNotPaid},
		{"waiting, without a number", settled, says(query(1, "", domain.Money{}), domain.StatusWaiting), domain.StatusMismatch, "credited", domain.ReasonNotPaid},
		{"waiting, parked here", aside, says(query(1, "T1", ten), domain.StatusWaiting), domain.StatusMismatch, "parked", domain.ReasonNotPaid},
	} {
		first := story{
			name: c.name, given: c.given, when: c.when, outcome: domain.OutcomeNoted, reason: c.reason,
			then: facts(differs(c.when, c.kind, c.ours)),
		}
		again := first
		again.name, again.then = c.name+", again", nil
		again.given = append(c.given[:len(c.given):len(c.given)], differs(c.when, c.kind, c.ours))
		again.silent = c.when.Source == domain.SourceQuery
		tell(t, []story{first, again})
	}
}

// TestFrozenAgainR7: once the provider says that frozen money is paid again, its
// being frozen is over; frozen once more it is another difference, of another id.
// An old message that comes again says nothing new.
func TestFrozenAgainR7(t *testing.T) {
	t.Parallel()
	frozen, thawed := says(query(1, "T1", ten), domain.StatusFrozen), query(2, "T1", ten)
	once := after(paid(), kept(frozen, domain.OutcomeNoted, domain.ReasonTakenBack), differs(frozen, domain.Frozen, "credited"))
	over := after(once, kept(thawed, domain.OutcomeRepeated, ""))
	next := says(query(3, "T1", ten), domain.StatusFrozen)
	again := differs(next, domain.Frozen, "credited")
	again.Again = 1
	old := says(callback(4, "T1", ten), domain.StatusFrozen)
	third := again
	third.Again, third.Basis = 2, differs(says(query(6, "T1", ten), domain.StatusFrozen), domain.Frozen, "credited").Basis
	twice := after(over, kept(next, domain.OutcomeNoted, domain.ReasonTakenBack), again)
	tell(t, []story{
		{name: "paid, never frozen", given: paid(), when: thawed, outcome: domain.OutcomeRepeated, silent: true},
		{name: "paid again", given: once, when: thawed, outcome: domain.OutcomeRepeated},
		{name: "paid again, by a message", given: after(once, kept(callback(2, "T1", ten), domain.OutcomeRepeated, "")), when: next, outcome: domain.OutcomeNoted, reason: domain.ReasonTakenBack, silent: true},
		{name: "other money is paid", given: after(once, kept(query(2, "T2", ten), domain.OutcomeParked, domain.ReasonSecondPayment)), when: next, outcome: domain.OutcomeNoted, reason: domain.ReasonTakenBack, silent: true},
		{name: "said twice", given: over, when: query(5, "T1", ten), outcome: domain.OutcomeRepeated, silent: true},
		{name: "frozen again", given: over, when: next, outcome: domain.OutcomeNoted, reason: domain.ReasonTakenBack, then: facts(again)},
		{name: "an old message", given: over, when: old, outcome: domain.OutcomeNoted, reason: domain.ReasonTakenBack},
		{name: "still frozen", given: twice, when: says(query(5, "T1", ten), domain.StatusFrozen), outcome: domain.OutcomeNoted, reason: domain.ReasonTakenBack, silent: true},
		{
			name: "a third time", given: after(twice, kept(query(5, "T1", ten), domain.OutcomeRepeated, "")), when: says(query(6, "T1", ten), domain.StatusFrozen),
			outcome: domain.OutcomeNoted, reason: domain.ReasonTakenBack, then: facts(third),
		},
	})
	s := domain.PaymentStream("epay-main", "A100")
	if a, b := domain.FactID(ledgerID, s, differs(frozen, domain.Frozen, "credited")), domain.FactID(ledgerID, s, again); a == b {
		t.Errorf("both have the id %s", a)
	}
}

// TestRefundThatWaitsIsNotMissing: a refund that was told, and is about to be
// asked for by its number, is no difference when the order's own state shows it
// first.
func TestRefundThatWaitsIsNotMissing(t *testing.T) {
	t.Parallel()
	unsigned := doubted(refund(2, "R1", some), domain.DoubtUnsigned)
	says := says(query(1, "T1", ten), domain.StatusRefunded)
	tell(t, []story{{
		name: "held", given: after(paid(), kept(unsigned, domain.OutcomeHeld, domain.ReasonDoubtful)), when: says,
		outcome: domain.OutcomeNoted, reason: domain.ReasonTakenBack, silent: true,
	}})
}

// TestUnpaidAnswersThatDenyNothing: only an answer about money we have decided
// contradicts it.
func TestUnpaidAnswersThatDenyNothing(t *testing.T) {
	t.Parallel()
	paid := callback(9, "T1", ten)
	settled := facts(placed(), kept(paid, domain.OutcomeCredited, ""), credited(paid))
	waits := facts(placed(), kept(paid, domain.OutcomeHeld, domain.ReasonConfirmByQuery),
		held(paid, domain.ReasonConfirmByQuery))
	silence := func(name string, given []domain.Fact, n domain.Notice) story {
		return story{
			name: name, given: given, when: n, outcome: domain.OutcomeNoted, reason: domain.ReasonNotPaid, silent: true,
		}
	}
	tell(t, []story{
		silence("another trade waits", settled, says(query(1, "T2", ten), domain.StatusWaiting)),
		silence("a word we do not know", settled, says(query(1, "T1", ten), domain.StatusOther)),
		silence("held money waits", waits, says(query(1, "T1", ten), domain.StatusWaiting)),
		silence("an order without money waits", facts(placed()), says(query(1, "", domain.Money{}), domain.StatusWaiting)),
	})
}
