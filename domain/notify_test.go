package domain_test

import (
	"testing"
	"time"

	"counterfoil/domain"
)

// story is one callback or query: facts before it, what it comes to, facts
// after it.
type story struct {
	name    string
	confirm domain.ConfirmMode // empty: the callback alone may move money
	given   []domain.Fact
	when    domain.Notice
	outcome domain.Outcome
	reason  domain.Reason
	// then are the effects; the event that keeps the notice stands before them.
	then []domain.Fact
	// silent: nothing at all is appended.
	silent bool
}

func (s story) run(t *testing.T) {
	t.Parallel()
	if s.confirm == "" {
		s.confirm = domain.ConfirmNever
	}
	got := notify(domain.Fold(s.given), at(s.when.ReceivedAt, s.confirm), s.when)
	want := domain.Verdict{Outcome: s.outcome, Reason: s.reason}
	if !s.silent {
		want.Facts = append(facts(kept(s.when, s.outcome, s.reason)), s.then...)
	}
	same(t, "verdict", want, got)
	storable(t, got.Facts)
}

func tell(t *testing.T, stories []story) {
	t.Helper()
	for _, s := range stories {
		t.Run(s.name, s.run)
	}
}

// TestCreditedR3 is the first row of the table of outcomes.
func TestCreditedR3(t *testing.T) {
	t.Parallel()
	cb, q := callback(1, "T1", ten), query(2, "T1", ten)
	afterExpiry := received(cb, expiry.Add(time.Hour))
	named := with(afterExpiry, func(n *domain.Notice) { n.OccurredAt = expiry })
	lastMoment := credited(named)
	lastMoment.Dates = domain.Dates{
		OccurredAt: expiry, ReceivedAt: named.ReceivedAt, ValueDate: "2026-03-14", Period: "2026-03",
	}
	lost, correction := healed(q, "placed")
	tell(t, []story{
		{
			name: "callback", given: facts(placed()), when: cb,
			outcome: domain.OutcomeCredited, then: facts(credited(cb)),
		},
		{
			name: "waiting before paid", when: cb,
			given: facts(placed(), kept(says(callback(9, "T1", ten), domain.StatusWaiting),
				domain.OutcomeNoted, domain.ReasonNotPaid)),
			outcome: domain.OutcomeCredited, then: facts(credited(cb)),
		},
		{
			name: "late after expiry", given: facts(placed(), closed(domain.ClosedExpired)), when: afterExpiry,
			outcome: domain.OutcomeCredited, then: facts(late(credited(afterExpiry))),
		},
		{
			name: "late before anyone closed it", given: facts(placed()), when: afterExpiry,
			outcome: domain.OutcomeCredited, then: facts(late(credited(afterExpiry))),
		},
		{
			name: "late after the provider closed it", given: facts(placed(), closed(domain.ClosedProvider)), when: cb,
			outcome: domain.OutcomeCredited, then: facts(late(credited(cb))),
		},
		{
			name: "paid in time, told late", given: facts(placed()), when: named,
			outcome: domain.OutcomeCredited, then: facts(lastMoment),
		},
		{
			name: "query heals what no callback announced", confirm: domain.ConfirmAlways,
			given: facts(placed()), when: q,
			outcome: domain.OutcomeCredited, then: facts(credited(q), lost, correction),
		},
		{
			name: "query confirms what was held: nothing was lost", confirm: domain.ConfirmAlways, when: q,
			given: facts(placed(), kept(cb, domain.OutcomeHeld, domain.ReasonConfirmByQuery),
				held(cb, domain.ReasonConfirmByQuery)),
			outcome: domain.OutcomeCredited, then: facts(credited(q)),
		},
		{
			name: "other money parked before does not settle the order", when: cb,
			given: facts(placed(), kept(callback(8, "T0", five), domain.OutcomeParked, domain.ReasonOtherAmount),
				parked(callback(8, "T0", five), domain.ReasonOtherAmount)),
			outcome: domain.OutcomeCredited, then: facts(credited(cb)),
		},
	})
}

func TestRepeatedR2(t *testing.T) {
	t.Parallel()
	first, again := callback(1, "T1", ten), callback(2, "T1", ten)
	settled := facts(placed(), kept(first, domain.OutcomeCredited, ""), credited(first))
	putAside := facts(kept(first, domain.OutcomeParked, domain.ReasonUnknownOrder),
		parked(first, domain.ReasonUnknownOrder))
	bobs := allocated(first, bob, noon.Add(time.Hour))
	otherAmount, askedAmount := callback(2, "T1", five), query(2, "T1", five)
	dollars := callback(2, "T1", domain.NewMoney(1000, domain.USD))
	tell(t, []story{
		{name: "after the credit", given: settled, when: again, outcome: domain.OutcomeRepeated},
		{name: "after parking", given: putAside, when: again, outcome: domain.OutcomeRepeated},
		{name: "after allocation", given: append(putAside, bobs), when: again, outcome: domain.OutcomeRepeated},
		{
			name: "after allocation, the order now placed", when: again,
			given: append(putAside[:2:2], bobs, placedAt(noon.Add(2*time.Minute))), outcome: domain.OutcomeRepeated,
		},
		{
			name: "doubted and to be confirmed", confirm: domain.ConfirmAlways, given: settled,
			when: doubted(again, domain.DoubtAmbiguousText), outcome: domain.OutcomeRepeated,
		},
		{name: "query says the same", given: settled, when: query(2, "T1", ten), outcome: domain.OutcomeRepeated, silent: true},
		{
			name: "with another amount", given: settled, when: otherAmount,
			outcome: domain.OutcomeRepeated, reason: domain.ReasonAmountDisagrees,
		},
		{
			name: "with another currency", given: settled, when: dollars,
			outcome: domain.OutcomeRepeated, reason: domain.ReasonAmountDisagrees,
		},
		{
			name: "query says another amount: a difference", given: settled, when: askedAmount,
			outcome: domain.OutcomeRepeated, reason: domain.ReasonAmountDisagrees,
			then: facts(differs(askedAmount, domain.AmountMismatch, "credited")),
		},
		{
			name: "query says another amount again: found once", when: askedAmount, silent: true,
			given:   append(settled[:3:3], differs(query(5, "T1", five), domain.AmountMismatch, "credited")),
			outcome: domain.OutcomeRepeated, reason: domain.ReasonAmountDisagrees,
		},
	})
}

func TestHeld(t *testing.T) {
	t.Parallel()
	cb, q := callback(1, "T1", ten), query(2, "T1", ten)
	first := callback(9, "T1", ten)
	waiting := facts(placed(), kept(first, domain.OutcomeHeld, domain.ReasonConfirmByQuery),
		held(first, domain.ReasonConfirmByQuery))
	doubtful := doubted(cb, domain.DoubtUnknownFields)
	asked := doubted(q, domain.DoubtLooseText)
	tell(t, []story{
		{
			name: "the channel wants confirmation", confirm: domain.ConfirmAlways, given: facts(placed()), when: cb,
			outcome: domain.OutcomeHeld, reason: domain.ReasonConfirmByQuery,
			then: facts(held(cb, domain.ReasonConfirmByQuery)),
		},
		{
			name: "an unknown policy is the strictest", confirm: "sometimes", given: facts(placed()), when: cb,
			outcome: domain.OutcomeHeld, reason: domain.ReasonConfirmByQuery,
			then: facts(held(cb, domain.ReasonConfirmByQuery)),
		},
		{
			name: "a doubt", given: facts(placed()), when: doubtful,
			outcome: domain.OutcomeHeld, reason: domain.ReasonDoubtful,
			then: facts(held(doubtful, domain.ReasonDoubtful)),
		},
		{
			name: "an answer with a doubt confirms nothing", given: facts(placed()), when: asked,
			outcome: domain.OutcomeHeld, reason: domain.ReasonDoubtful,
			then: facts(held(asked, domain.ReasonDoubtful)),
		},
		{
			name: "the same again", confirm: domain.ConfirmAlways, given: waiting, when: cb,
			outcome: domain.OutcomeHeld, reason: domain.ReasonConfirmByQuery,
		},
		{
			name: "an answer with a doubt, the same again", given: waiting, when: asked, silent: true,
			outcome: domain.OutcomeHeld, reason: domain.ReasonDoubtful,
		},
		{
			name: "the answer says not yet", confirm: domain.ConfirmAlways, given: waiting, silent: true,
			when: says(q, domain.StatusWaiting), outcome: domain.OutcomeNoted, reason: domain.ReasonNotPaid,
		},
		{
			name: "the answer names another amount", confirm: domain.ConfirmAlways, given: waiting,
			when:    query(2, "T1", five),
			outcome: domain.OutcomeParked, reason: domain.ReasonOtherAmount,
			then: facts(parked(query(2, "T1", five), domain.ReasonOtherAmount)),
		},
		{
			name: "another trade waits for itself", confirm: domain.ConfirmAlways, given: waiting,
			when: callback(2, "T2", ten), outcome: domain.OutcomeHeld, reason: domain.ReasonConfirmByQuery,
			then: facts(held(callback(2, "T2", ten), domain.ReasonConfirmByQuery)),
		},
	})
}

// TestConfirmAbove: up to the limit the callback is enough, above it is not.
func TestConfirmAbove(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		limit domain.Money
		want  domain.Outcome
	}{
		{"below", domain.NewMoney(1001, domain.CNY), domain.OutcomeCredited},
		{"at the limit", ten, domain.OutcomeCredited},
		{"above", domain.NewMoney(999, domain.CNY), domain.OutcomeHeld},
		{"limit in another currency", domain.NewMoney(9999, domain.USD), domain.OutcomeHeld},
		{"no limit", domain.Money{}, domain.OutcomeHeld},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := at(noon, domain.ConfirmAbove)
			ctx.Channel.ConfirmAbove = c.limit
			got := notify(domain.Fold(facts(placed())), ctx, callback(1, "T1", ten))
			if got.Outcome != c.want {
				t.Errorf("10.00 with limit %s: %s, want %s", c.limit, got.Outcome, c.want)
			}
		})
	}
}

func TestParkedR3(t *testing.T) {
	t.Parallel()
	cb, q := callback(1, "T1", ten), query(2, "T1", ten)
	less, dollars := callback(1, "T1", five), callback(1, "T1", domain.NewMoney(1000, domain.USD))
	t0 := callback(9, "T0", ten)
	settled := facts(placed(), kept(t0, domain.OutcomeCredited, ""), credited(t0))
	cancelled := facts(placed(), closed(domain.ClosedMerchant))
	lateOrder := facts(kept(cb, domain.OutcomeParked, domain.ReasonUnknownOrder),
		suspect(cb, domain.ReasonUnknownOrder), placedAt(noon.Add(16*time.Minute+time.Microsecond)))
	tell(t, []story{
		{
			name: "unknown order", when: cb, outcome: domain.OutcomeParked, reason: domain.ReasonUnknownOrder,
			then: facts(parked(cb, domain.ReasonUnknownOrder)),
		},
		{
			name: "other amount", given: facts(placed()), when: less,
			outcome: domain.OutcomeParked, reason: domain.ReasonOtherAmount,
			then: facts(parked(less, domain.ReasonOtherAmount)),
		},
		{
			name: "other currency", given: facts(placed()), when: dollars,
			outcome: domain.OutcomeParked, reason: domain.ReasonOtherCurrency,
			then: facts(parked(dollars, domain.ReasonOtherCurrency)),
		},
		{
			name: "cancelled", given: cancelled, when: cb,
			outcome: domain.OutcomeParked, reason: domain.ReasonCancelled, then: facts(parked(cb, domain.ReasonCancelled)),
		},
		{
			name: "second payment", given: settled, when: cb,
			outcome: domain.OutcomeParked, reason: domain.ReasonSecondPayment,
			then: facts(parked(cb, domain.ReasonSecondPayment)),
		},
		{
			name: "query finds a second payment", given: settled, when: q,
			outcome: domain.OutcomeParked, reason: domain.ReasonSecondPayment,
			then: facts(parked(q, domain.ReasonSecondPayment)),
		},
		{
			name: "order placed too late, confirmed now", given: lateOrder, when: q,
			outcome: domain.OutcomeParked, reason: domain.ReasonPlacedTooLate,
			then: facts(parked(q, domain.ReasonPlacedTooLate)),
		},
		{
			name: "order placed too late, still unconfirmed", confirm: domain.ConfirmAlways, given: lateOrder,
			when:    callback(2, "T1", ten),
			outcome: domain.OutcomeParked, reason: domain.ReasonPlacedTooLate,
		},
	})
}

// TestSuspect: money that would be parked waits for the provider's answer
// before it is booked.
func TestSuspect(t *testing.T) {
	t.Parallel()
	cb, q := callback(1, "T1", ten), query(2, "T1", ten)
	unknown := facts(kept(cb, domain.OutcomeParked, domain.ReasonUnknownOrder), suspect(cb, domain.ReasonUnknownOrder))
	less := callback(1, "T1", five)
	short := facts(placed(), kept(less, domain.OutcomeParked, domain.ReasonOtherAmount),
		suspect(less, domain.ReasonOtherAmount))
	vague := doubted(cb, domain.DoubtURLFields)
	tell(t, []story{
		{
			name: "unknown order", confirm: domain.ConfirmAlways, when: cb,
			outcome: domain.OutcomeParked, reason: domain.ReasonUnknownOrder,
			then: facts(suspect(cb, domain.ReasonUnknownOrder)),
		},
		{
			name: "doubted", when: vague, outcome: domain.OutcomeParked, reason: domain.ReasonUnknownOrder,
			then: facts(suspect(vague, domain.ReasonUnknownOrder)),
		},
		{
			name: "again", confirm: domain.ConfirmAlways, given: unknown, when: callback(2, "T1", ten),
			outcome: domain.OutcomeParked, reason: domain.ReasonUnknownOrder,
		},
		{
			name: "confirmed", confirm: domain.ConfirmAlways, given: unknown, when: q,
			outcome: domain.OutcomeParked, reason: domain.ReasonUnknownOrder,
			then: facts(parked(q, domain.ReasonUnknownOrder)),
		},
		{
			name: "confirmed after the order was placed in time", confirm: domain.ConfirmAlways, when: q,
			given:   append(unknown[:2:2], placedAt(noon.Add(16*time.Minute))),
			outcome: domain.OutcomeCredited, then: facts(credited(q)),
		},
		{
			name: "the answer names the placed amount", confirm: domain.ConfirmAlways, given: short, when: q,
			outcome: domain.OutcomeCredited, then: facts(credited(q)),
		},
		{
			name: "other amount confirmed", confirm: domain.ConfirmAlways, given: short, when: query(2, "T1", five),
			outcome: domain.OutcomeParked, reason: domain.ReasonOtherAmount,
			then: facts(parked(query(2, "T1", five), domain.ReasonOtherAmount)),
		},
	})
}

func TestNoted(t *testing.T) {
	t.Parallel()
	cb := callback(1, "T1", ten)
	nothing := callback(1, "T1", domain.Money{})
	byProvider := domain.PaymentClosed{Cause: domain.ClosedProvider, Basis: basis(cb)}
	noted := func(name string, n domain.Notice, given ...domain.Fact) story {
		return story{name: name, given: given, when: n, outcome: domain.OutcomeNoted, reason: domain.ReasonNotPaid}
	}
	closing := noted("closed", says(cb, domain.StatusClosed), placed())
	closing.then = facts(byProvider)
	asked := noted("closed, says the query", says(query(1, "", domain.Money{}), domain.StatusClosed), placed())
	asked.then = facts(byProvider)
	waiting := noted("waiting, says the query", says(query(1, "T1", ten), domain.StatusWaiting), placed())
	waiting.silent = true
	tell(t, []story{
		noted("waiting", says(cb, domain.StatusWaiting), placed()),
		noted("failed", says(cb, domain.StatusFailed), placed()),
		noted("a word we do not know", says(cb, domain.StatusOther), placed()),
		noted("paid without an amount", nothing, placed()),
		noted("unknown order, unpaid", says(cb, domain.StatusWaiting)),
		noted("closed, never placed", says(cb, domain.StatusClosed)),
		noted("closed again", says(cb, domain.StatusClosed), placed(), closed(domain.ClosedProvider)),
		noted("closed after expiry", says(cb, domain.StatusClosed), placed(), closed(domain.ClosedExpired)),
		noted("closed after the credit, unsigned by a query", says(cb, domain.StatusClosed), placed(), credited(cb)),
		closing, asked, waiting,
	})
}
