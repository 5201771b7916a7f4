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
