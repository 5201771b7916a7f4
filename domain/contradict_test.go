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
	s := doubted(r, domain.DoubtUnsigned)
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
		{
			"hinted and asked", after(stage(wrong), kept(s, domain.OutcomeHeld, domain.ReasonDoubtful)), asked(r), domain.OutcomeNoted, "",
			facts(refunded(asked(r), "R1", some)), false,
		},
		{"summed up", stage(wrongSum), sum, domain.OutcomeNoted, "", facts(refunded(sum, "total:3.00", some)), false},
	})
	hinted := domain.Fold(after(stage(wrong), kept(s, domain.OutcomeHeld, domain.ReasonDoubtful))).WaitingRefunds()
	if len(hinted) != 1 || hinted[0].State != domain.RefundHeld || hinted[0].Amount != some {
		t.Errorf("after a hint wait %+v", hinted)
	}
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
		{
			"lost after it was lost elsewhere", after(two, kept(ofTrade(gone, "T2"), domain.OutcomeNoted, "")), gone,
			domain.OutcomeNoted, "", facts(lost(gone, alice, ten)), false,
		},
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

// split is the stage after 3.00 of alice's parked 10.00 went back, the rest was
// allocated by rule, and the refund failed: 7.00 are hers, 3.00 stay parked.
func split(t *testing.T) []domain.Fact {
	t.Helper()
	cb, r := callback(1, "T1", ten), refund(2, "R1", some)
	failed := says(refund(3, "R1", some), domain.StatusFailed)
	before := facts(kept(cb, domain.OutcomeParked, domain.ReasonUnknownOrder), parked(cb, domain.ReasonUnknownOrder),
		kept(r, domain.OutcomeNoted, ""), unparked(r, "R1", some))
	placing, err := domain.Fold(before).Place(at(noon.Add(2*time.Minute), domain.ConfirmNever), order())
	if err != nil || len(placing) != 2 {
		t.Fatalf("placed as %+v, %v", placing, err)
	}
	return after(after(before, placing...), kept(failed, domain.OutcomeNoted, ""), takenBack(failed, unparked(r, "R1", some)))
}

// TestRefundThatFailsAfterTheRestWasAllocated: what came back is parked, and
// nobody takes it from a wallet that never had it.
func TestRefundThatFailsAfterTheRestWasAllocated(t *testing.T) {
	t.Parallel()
	p, ps := decide(t, split(t), wants(domain.ActionReverse, "T1", ""))
	same(t, "reversal", []domain.Posting{{Book: "liabilities:parked", Amount: seven.Neg()}, {Book: "liabilities:wallet", Wallet: alice, Amount: seven}}, ps)
	if p.State() != domain.StateParked {
		t.Errorf("then it is %s", p.State())
	}
	_, ps = decide(t, corrected(t, split(t), wants(domain.ActionReverse, "T1", "")), wants(domain.ActionAllocate, "T1", bob))
	if len(ps) != 2 || ps[1].Amount != ten.Neg() {
		t.Errorf("allocated again as %+v", ps)
	}
	_, ps = decide(t, split(t), wants(domain.ActionMove, "T1", bob))
	if len(ps) != 2 || ps[0].Amount != seven {
		t.Errorf("moved as %+v", ps)
	}
	all := refund(5, "R2", ten)
	whole := refunded(all, "R2", ten)
	whole.Postings = three("liabilities:wallet", alice, seven, "liabilities:parked", some, "assets:psp:epay-main")
	booked := after(split(t), kept(all, domain.OutcomeNoted, ""), whole)
	back := says(refund(6, "R2", ten), domain.StatusFailed)
	again := after(booked, kept(back, domain.OutcomeNoted, ""), takenBack(back, whole))
	runSteps(t, []step{
		{"all of it", split(t), all, domain.OutcomeNoted, "", facts(whole), false},
		{"which fails", booked, back, domain.OutcomeNoted, "", facts(takenBack(back, whole)), false},
		{
			"and once more", again, with(all, func(n *domain.Notice) { n.RefundID = "R3" }), domain.OutcomeNoted, "",
			facts(func() domain.PaymentRefunded { f := whole; f.RefundID = "R3"; return f }()), false,
		},
	})
	if got := domain.Fold(booked).State(); got != domain.StateRefunded {
		t.Errorf("refunded as a whole, it is %s", got)
	}
}

// TestRefundThatFailsAfterAWriteOff: what came back is parked, and can be written
// off as well.
func TestRefundThatFailsAfterAWriteOff(t *testing.T) {
	t.Parallel()
	cb, r := callback(1, "T1", ten), refund(2, "R1", some)
	failed := says(refund(3, "R1", some), domain.StatusFailed)
	off := corrected(t, facts(kept(cb, domain.OutcomeParked, domain.ReasonUnknownOrder), parked(cb, domain.ReasonUnknownOrder),
		kept(r, domain.OutcomeNoted, ""), unparked(r, "R1", some)), wants(domain.ActionWriteOff, "T1", ""))
	refusedNow(t, off, wants(domain.ActionWriteOff, "T1", ""), domain.KindConflict, "0.00 CNY of it is left")
	back := after(off, kept(failed, domain.OutcomeNoted, ""), takenBack(failed, unparked(r, "R1", some)))
	_, ps := decide(t, back, wants(domain.ActionWriteOff, "T1", ""))
	if len(ps) != 2 || ps[0].Amount != some {
		t.Errorf("written off as %+v", ps)
	}
	again := refund(4, "R2", some)
	step{"again", back, again, domain.OutcomeNoted, "", facts(unparked(again, "R2", some)), false}.run(t, at(noon.Add(2*time.Hour), domain.ConfirmNever))
}

// TestReversedMoneyThatWentBackIsNotGivenAgain: what people took back and the
// payer has got, no two persons give to a wallet once more.
func TestReversedMoneyThatWentBackIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	r := refund(5, "R1", some)
	reversed := corrected(t, paid(), wants(domain.ActionReverse, "T1", ""))
	back := after(reversed, domain.Fold(reversed).Notify(desk(), r, evidence, answer, 0).Facts...)
	refusedNow(t, back, wants(domain.ActionCredit, "T1", ""), domain.KindConflict, "3.00 CNY of it was refunded")
	failed := says(refund(6, "R1", some), domain.StatusFailed)
	again := after(back, domain.Fold(back).Notify(desk(), failed, evidence, answer, 0).Facts...)
	if p, _ := decide(t, again, wants(domain.ActionCredit, "T1", "")); p.State() != domain.StateCredited {
		t.Errorf("the refund failed, and then it is %s", p.State())
	}
}

// TestAnsweredRefundsWaitNoMore: a refund of which the provider told a sum that
// holds it, or money that cannot be ours, is asked about no longer.
func TestAnsweredRefundsWaitNoMore(t *testing.T) {
	t.Parallel()
	sum := with(cumulative(2, five), func(n *domain.Notice) { n.RefundID = "R1" })
	booked := after(paid(), kept(cumulative(1, five), domain.OutcomeNoted, ""), refunded(cumulative(1, five), "total:5.00", five))
	dollars := asked(refund(4, "R1", domain.NewMoney(300, domain.USD)))
	for name, f := range map[string]struct{ hint, answer domain.Fact }{
		"hinted, within a sum": {
			kept(refund(3, "R1", two), domain.OutcomeHeld, domain.ReasonConfirmByQuery), kept(asked(sum), domain.OutcomeRepeated, ""),
		},
		"on its way, within a sum": {
			kept(says(refund(3, "R1", two), domain.StatusWaiting), domain.OutcomeNoted, domain.ReasonNotPaid), kept(asked(sum), domain.OutcomeRepeated, ""),
		},
		"hinted without a number, in a sum without one": {
			kept(refund(3, "", two), domain.OutcomeHeld, domain.ReasonDoubtful), kept(asked(cumulative(2, five)), domain.OutcomeRepeated, ""),
		},
		"in another currency": {
			kept(refund(3, "R1", two), domain.OutcomeHeld, domain.ReasonConfirmByQuery), kept(dollars, domain.OutcomeNoted, ""),
		},
	} {
		p := domain.Fold(after(booked, f.hint))
		if got := p.WaitingRefunds(); len(got) != 1 {
			t.Errorf("%s: before the answer wait %+v", name, got)
		}
		if got := p.Apply(f.answer).WaitingRefunds(); len(got) != 0 {
			t.Errorf("%s: after the answer wait %+v", name, got)
		}
	}
	failed := says(refund(4, "R1", some), domain.StatusFailed)
	both := domain.Fold(facts(placed(), early(refund(3, "R1", some)), kept(failed, domain.OutcomeHeld, domain.ReasonConfirmByQuery))).WaitingRefunds()
	if len(both) != 2 || both[0].State != domain.RefundHeld || both[1].State != domain.RefundPending {
		t.Errorf("of a refund that waits and may have failed wait %+v", both)
	}
	early := domain.Fold(facts(placed(), kept(refund(3, "R1", two), domain.OutcomeHeld, domain.ReasonConfirmByQuery), early(asked(sum))))
	if got := early.WaitingRefunds(); len(got) != 1 || got[0].State != domain.RefundPending {
		t.Errorf("before its payment wait %+v", got)
	}
}

// TestHintsUnbookNothing: what is in the books under an id stays there, whatever
// a message that may not move money says of it.
func TestHintsUnbookNothing(t *testing.T) {
	t.Parallel()
	wrong := refund(2, "R2", domain.NewMoney(300, domain.USD))
	cb := received(callback(1, "T1", ten), noon.Add(2*time.Minute))
	sum := with(cumulative(3, five), func(n *domain.Notice) { n.RefundID = "R2" })
	given := facts(placed(), early(wrong), kept(cb, domain.OutcomeCredited, ""), credited(cb), differs(wrong, domain.CurrencyMismatch, "credited"),
		kept(sum, domain.OutcomeNoted, ""), refunded(sum, "R2", five),
		kept(doubted(refund(4, "R2", some), domain.DoubtUnsigned), domain.OutcomeHeld, domain.ReasonDoubtful), kept(wrong, domain.OutcomeRepeated, ""))
	step{"a smaller sum", given, cumulative(5, some), domain.OutcomeRepeated, "", nil, false}.run(t, at(noon.Add(2*time.Hour), domain.ConfirmNever))
}
