package domain_test

import (
	"testing"
	"time"

	"counterfoil/domain"
)

// early is a notice that is kept until what must come before it has come.
func early(n domain.Notice) domain.Fact {
	return kept(n, domain.OutcomeNoted, domain.ReasonBeforePayment)
}

// ofTrade is n about the money of another trade, or of none.
func ofTrade(n domain.Notice, trade string) domain.Notice {
	n.TradeNo = trade
	return n
}

// TestRefundsThatContradictWhileTheyWait: the first word about a refund holds,
// and no other one takes the place of another refund or its name away.
func TestRefundsThatContradictWhileTheyWait(t *testing.T) {
	t.Parallel()
	r, s := refund(2, "R1", some), refund(4, "R2", two)
	more := refund(3, "R1", five)
	cb := received(callback(5, "T1", ten), noon.Add(2*time.Minute))
	runSteps(t, []step{
		{
			"another amount", facts(placed(), early(r)), more, domain.OutcomeRepeated, domain.ReasonAmountDisagrees, nil, false,
		},
		{
			"another amount, asked", facts(placed(), early(r)), asked(more), domain.OutcomeRepeated, domain.ReasonAmountDisagrees,
			facts(differs(asked(more), domain.AmountMismatch, "pending")), false,
		},
		{
			"another amount, paid", facts(placed(), early(r), kept(more, domain.OutcomeRepeated, domain.ReasonAmountDisagrees), early(s)), cb,
			domain.OutcomeCredited, "", facts(credited(cb), refunded(r, "R1", some), refunded(s, "R2", two)), false,
		},
		{
			"no trade number, paid", facts(placed(), early(r), early(ofTrade(refund(3, "R1", some), ""))), cb,
			domain.OutcomeCredited, "", facts(credited(cb), refunded(r, "R1", some)), false,
		},
	})
}

// TestRefundsInACurrencyThatNeverCame: a word that cannot be true of the money
// which came since blocks no true one.
func TestRefundsInACurrencyThatNeverCame(t *testing.T) {
	t.Parallel()
	dollars := domain.NewMoney(300, domain.USD)
	r, wrong := refund(4, "R1", some), refund(2, "R1", dollars)
	sum, wrongSum := cumulative(5, some), cumulative(3, dollars)
	cb := received(callback(1, "T1", ten), noon.Add(2*time.Minute))
	stage := func(n domain.Notice) []domain.Fact {
		return facts(placed(), early(n), kept(cb, domain.OutcomeCredited, ""), credited(cb), differs(n, domain.CurrencyMismatch, "credited"))
	}
	runSteps(t, []step{
		{
			"when it is paid", facts(placed(), early(wrong)), cb, domain.OutcomeCredited, "",
			facts(credited(cb), differs(wrong, domain.CurrencyMismatch, "credited")), false,
		},
		{"by itself", stage(wrong), r, domain.OutcomeNoted, "", facts(refunded(r, "R1", some)), false},
		{"the wrong one again", stage(wrong), wrong, domain.OutcomeRepeated, "", nil, false},
		{"summed up", stage(wrongSum), sum, domain.OutcomeNoted, "", facts(refunded(sum, "total:3.00", some)), false},
	})
}

// TestFailuresOfAnotherTrade: a failure that names another trade than its refund
// gives nothing back and ends no wait, and is a difference when it was asked for.
func TestFailuresOfAnotherTrade(t *testing.T) {
	t.Parallel()
	r := refund(2, "R1", some)
	astray := ofTrade(says(refund(3, "R1", some), domain.StatusFailed), "T2")
	booked := after(paid(), kept(r, domain.OutcomeNoted, ""), refunded(r, "R1", some))
	cb := received(callback(5, "T1", ten), noon.Add(2*time.Minute))
	runSteps(t, []step{
		{"booked", booked, astray, domain.OutcomeNoted, "", nil, false},
		{
			"booked, asked", booked, asked(astray), domain.OutcomeNoted, "",
			facts(differs(asked(astray), domain.StatusMismatch, "booked")), false,
		},
		{
			"it waits for its payment", facts(placed(), early(r), kept(astray, domain.OutcomeNoted, "")), cb,
			domain.OutcomeCredited, "", facts(credited(cb), refunded(r, "R1", some)), false,
		},
	})
}

// TestDisputesOfTwoTrades: a dispute is of the trade that it was told of first by
// a message which may move money.
func TestDisputesOfTwoTrades(t *testing.T) {
	t.Parallel()
	w, back, gone := disputes(2, domain.StatusWithdrawn, ten), disputes(3, domain.StatusReinstated, ten), disputes(4, domain.StatusLost, ten)
	taken := after(paid(), kept(w, domain.OutcomeNoted, ""), withdrawn(w))
	cb := received(callback(5, "T1", ten), noon.Add(2*time.Minute))
	second := callback(6, "T2", five)
	two := after(taken, kept(second, domain.OutcomeParked, domain.ReasonSecondPayment), parked(second, domain.ReasonSecondPayment))
	runSteps(t, []step{
		{"reinstated elsewhere", two, ofTrade(back, "T2"), domain.OutcomeNoted, "", nil, false},
		{
			"lost elsewhere, asked", two, asked(ofTrade(gone, "T2")), domain.OutcomeNoted, "",
			facts(differs(asked(ofTrade(gone, "T2")), domain.StatusMismatch, "withdrawn")), false,
		},
		{"lost after it was lost elsewhere", after(two, kept(ofTrade(gone, "T2"), domain.OutcomeNoted, "")), gone,
			domain.OutcomeNoted, "", facts(lost(gone, alice, ten)), false},
		{"withdrawn elsewhere", two, ofTrade(w, "T2"), domain.OutcomeNoted, "", nil, false},
		{
			"withdrawn elsewhere while it waits", facts(placed(), early(w), kept(ofTrade(w, "T2"), domain.OutcomeNoted, "")), cb,
			domain.OutcomeCredited, "", facts(credited(cb), withdrawn(w)), false,
		},
	})
}

// TestDisputedMoneyStays: whatever a hint had said of the dispute before, money
// of which a part is away is not moved.
func TestDisputedMoneyStays(t *testing.T) {
	t.Parallel()
	w := disputes(2, domain.StatusWithdrawn, five)
	for _, trade := range []string{"", "T2"} {
		hint := doubted(ofTrade(disputes(3, domain.StatusWithdrawn, five), trade), domain.DoubtUnsigned)
		given := after(paid(), kept(hint, domain.OutcomeHeld, domain.ReasonDoubtful), kept(w, domain.OutcomeNoted, ""), withdrawn(w))
		_, _, err := domain.Fold(given).Propose(desk(), wants(domain.ActionReverse, "T1", ""), domain.Spent{})
		refused(t, err, domain.KindConflict, "action")
	}
}

// TestWaitingDisputesAreWhatAnswersChange: a hint waits until its own movement
// is told, and nothing waits that is in the books.
func TestWaitingDisputesAreWhatAnswersChange(t *testing.T) {
	t.Parallel()
	w, gone := disputes(2, domain.StatusWithdrawn, ten), disputes(3, domain.StatusLost, ten)
	nameless := func(n domain.Notice, trade string) domain.Notice {
		n.DisputeID, n.TradeNo = "", trade
		return n
	}
	held := func(n domain.Notice) domain.Fact { return kept(n, domain.OutcomeHeld, domain.ReasonDoubtful) }
	other := doubted(disputes(4, domain.StatusWithdrawn, five), domain.DoubtUnsigned)
	cb := received(callback(1, "T1", ten), noon.Add(2*time.Minute))
	taken := facts(kept(w, domain.OutcomeNoted, ""), withdrawn(w))
	for name, c := range map[string]struct {
		given []domain.Fact
		waits int
	}{
		"two hints, one is told": {after(after(paid(), held(nameless(w, "T1")), held(nameless(gone, "T1"))), taken...), 1},
		"both are told": {
			after(after(after(paid(), held(nameless(w, "T1")), held(nameless(gone, "T1"))), taken...), kept(gone, domain.OutcomeNoted, ""), lost(gone, alice, ten)), 0,
		},
		"a hint without a trade number": {after(after(paid(), held(nameless(w, ""))), taken...), 0},
		"a hint after it was told":      {after(after(paid(), taken...), held(nameless(w, "T1")), kept(w, domain.OutcomeRepeated, "")), 1},
		"asked after it was told":       {after(after(paid(), taken...), held(nameless(w, "T1")), kept(asked(w), domain.OutcomeRepeated, "")), 0},
		"told again without a trade number": {
			after(after(paid(), taken...), kept(ofTrade(w, ""), domain.OutcomeRepeated, "")), 0,
		},
		"a hint of another amount": {facts(placed(), early(w), held(other), kept(cb, domain.OutcomeCredited, ""), credited(cb), withdrawn(w)), 0},
	} {
		if got := domain.Fold(c.given).WaitingDisputes(); len(got) != c.waits {
			t.Errorf("%s: %+v wait, want %d", name, got, c.waits)
		}
	}
}

// TestRepeatsAnswerNoHint: what was known before a hint came does not say which
// refund the hint means; the provider's answer does.
func TestRepeatsAnswerNoHint(t *testing.T) {
	t.Parallel()
	r, s := refund(2, "R1", some), refund(3, "R2", some)
	hint := refund(4, "", some)
	given := after(paid(), kept(r, domain.OutcomeNoted, ""), refunded(r, "R1", some), kept(hint, domain.OutcomeHeld, domain.ReasonDoubtful))
	for name, c := range map[string]struct {
		then  domain.Fact
		waits int
	}{
		"nothing":       {placed(), 1},
		"the known one": {kept(r, domain.OutcomeRepeated, ""), 1},
		"asked":         {kept(asked(r), domain.OutcomeRepeated, ""), 0},
		"a new one":     {kept(s, domain.OutcomeNoted, ""), 0},
	} {
		if got := domain.Fold(after(given, c.then)).WaitingRefunds(); len(got) != c.waits {
			t.Errorf("%s: %+v wait, want %d", name, got, c.waits)
		}
	}
}
