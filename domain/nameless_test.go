package domain_test

import (
	"testing"

	"counterfoil/domain"
)

// TestNamelessTrade: a gateway that leaves its number out. The money has no
// name until a query tells it.
func TestNamelessTrade(t *testing.T) {
	t.Parallel()
	cb, q := nameless(callback(1, "", ten)), query(2, "T1", ten)
	first := nameless(callback(9, "", ten))
	waits := facts(placed(), kept(first, domain.OutcomeHeld, domain.ReasonDoubtful), held(first, domain.ReasonDoubtful))
	less := nameless(callback(1, "", five))
	aside := facts(kept(first, domain.OutcomeParked, domain.ReasonUnknownOrder), suspect(first, domain.ReasonUnknownOrder))
	tell(t, []story{
		{
			name: "held", given: facts(placed()), when: cb, outcome: domain.OutcomeHeld, reason: domain.ReasonDoubtful,
			then: facts(held(cb, domain.ReasonDoubtful)),
		},
		{name: "held again", given: waits, when: cb, outcome: domain.OutcomeHeld, reason: domain.ReasonDoubtful},
		{
			name: "the query names it: nothing was lost", given: waits, when: q,
			outcome: domain.OutcomeCredited, then: facts(credited(q)),
		},
		{
			name: "unknown order", when: cb, outcome: domain.OutcomeParked, reason: domain.ReasonUnknownOrder,
			then: facts(suspect(cb, domain.ReasonUnknownOrder)),
		},
		{
			name: "the query names it, unknown order", given: aside, when: q,
			outcome: domain.OutcomeParked, reason: domain.ReasonUnknownOrder,
			then: facts(parked(q, domain.ReasonUnknownOrder)),
		},
		{
			name: "repeated after the credit it came to", when: cb,
			given:   append(waits[:3:3], kept(q, domain.OutcomeCredited, ""), credited(q)),
			outcome: domain.OutcomeRepeated,
		},
		{
			name: "repeated after it was parked", when: cb,
			given:   append(aside[:2:2], kept(q, domain.OutcomeParked, domain.ReasonUnknownOrder), parked(q, domain.ReasonUnknownOrder)),
			outcome: domain.OutcomeRepeated,
		},
		{
			name: "of another amount than decided: other money", when: less,
			given:   append(waits[:3:3], kept(q, domain.OutcomeCredited, ""), credited(q)),
			outcome: domain.OutcomeParked, reason: domain.ReasonSecondPayment,
			then: facts(suspect(less, domain.ReasonSecondPayment)),
		},
	})
}

// TestNamelessTradeIsNotForgotten: money without a number is found again in the
// money of its amount only; any other goes on waiting (held never expires).
func TestNamelessTradeIsNotForgotten(t *testing.T) {
	t.Parallel()
	cb, less, q := nameless(callback(1, "", ten)), query(2, "T1", five), query(3, "T2", ten)
	waits := facts(placed(), kept(cb, domain.OutcomeHeld, domain.ReasonDoubtful), held(cb, domain.ReasonDoubtful))
	other := append(waits, kept(less, domain.OutcomeParked, domain.ReasonOtherAmount),
		parked(less, domain.ReasonOtherAmount))
	for _, c := range []struct {
		name  string
		given []domain.Fact
		waits bool
	}{
		{"other money parked", other, true},
		{"other money allocated to the order", append(other[:5:5], allocated(less, alice, noon)), true},
		{"its own money credited", append(waits[:3:3], kept(q, domain.OutcomeCredited, ""), credited(q)), false},
		{"its own money parked", append(waits[:3:3], kept(q, domain.OutcomeParked, domain.ReasonCancelled), parked(q, domain.ReasonCancelled)), false},
	} {
		if tr, ok := domain.Fold(c.given).Trade(""); tr.State.Waits() != c.waits {
			t.Errorf("%s: the nameless trade is %q (%t), should wait: %t", c.name, tr.State, ok, c.waits)
		}
	}
}

// TestRepeatOfNamelessMoneyIsNoCall: the repeat spoke of the money parked before,
// so the query that finds other money finds a lost one.
func TestRepeatOfNamelessMoneyIsNoCall(t *testing.T) {
	t.Parallel()
	again, q := nameless(callback(1, "", five)), query(3, "T2", ten)
	less := callback(2, "T1", five)
	given := facts(placed(), kept(less, domain.OutcomeParked, domain.ReasonOtherAmount),
		parked(less, domain.ReasonOtherAmount), kept(again, domain.OutcomeRepeated, ""))
	lost, correction := healed(q, "parked")
	want := domain.Verdict{
		Outcome: domain.OutcomeCredited, Facts: facts(kept(q, domain.OutcomeCredited, ""), credited(q), lost, correction),
	}
	same(t, "verdict", want, notify(domain.Fold(given), at(noon, domain.ConfirmAlways), q))
}

// TestNamelessFactsHaveIdsOfTheirOwn: money without a number may come, get its
// number and come again; what is said of each has its own id.
func TestNamelessFactsHaveIdsOfTheirOwn(t *testing.T) {
	t.Parallel()
	first, second := nameless(callback(1, "", five)), nameless(callback(2, "", five))
	for _, pair := range [][2]domain.Fact{
		{held(first, domain.ReasonDoubtful), held(second, domain.ReasonDoubtful)},
		{suspect(first, domain.ReasonOtherAmount), suspect(second, domain.ReasonOtherAmount)},
	} {
		if a, b := domain.FactID(ledgerID, stream, pair[0]), domain.FactID(ledgerID, stream, pair[1]); a == b {
			t.Errorf("two facts of type %s have id %s", pair[0].FactType(), a)
		}
	}
}
