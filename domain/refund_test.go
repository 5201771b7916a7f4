package domain_test

import (
	"testing"
	"time"

	"counterfoil/domain"
)

var (
	two   = domain.NewMoney(200, domain.CNY)
	some  = domain.NewMoney(300, domain.CNY)
	seven = domain.NewMoney(700, domain.CNY)
	eight = domain.NewMoney(800, domain.CNY)
)

// refund is a callback that says: refund id of trade T1 over m went through.
func refund(n byte, id string, m domain.Money) domain.Notice {
	r := callback(n, "T1", m)
	r.About, r.RefundID, r.Status, r.ProviderStatus = domain.AboutRefund, id, domain.StatusSucceeded, "SUCCESS"
	r.ReceivedAt = noon.Add(time.Hour)
	return r
}

// cumulative is a callback that says how much was refunded so far.
func cumulative(n byte, m domain.Money) domain.Notice {
	return with(refund(n, "", m), func(n *domain.Notice) { n.Total = true })
}

// asked is n as the answer to a question.
func asked(n domain.Notice) domain.Notice {
	n.Source, n.Run = domain.SourceQuery, "run-7"
	return n
}

// refunded is what n books of m under an id, taken from alice's wallet.
func refunded(n domain.Notice, id string, m domain.Money) domain.PaymentRefunded {
	return domain.PaymentRefunded{
		TradeNo: n.TradeNo, RefundID: id, RefundNo: n.RefundNo, Account: alice, Amount: m, Source: n.Source, Basis: basis(n),
		Dates: marchDay(n), Rules: 1, Postings: []domain.Posting{
			{Book: "liabilities:wallet", Wallet: alice, Amount: m}, {Book: "assets:psp:epay-main", Amount: m.Neg()},
		},
	}
}

// unparked is refunded, taken from parked money.
func unparked(n domain.Notice, id string, m domain.Money) domain.PaymentRefunded {
	f := refunded(n, id, m)
	f.Account, f.Postings = "", legs("liabilities:parked", "assets:psp:epay-main", "", m)
	return f
}

// beyond is refunded with a part that is more than was left of the money.
func beyond(n domain.Notice, id string, m, excess domain.Money) domain.PaymentRefunded {
	f := refunded(n, id, m)
	f.Excess = excess
	left := domain.NewMoney(m.Minor()-excess.Minor(), domain.CNY)
	f.Postings = three("liabilities:wallet", alice, left, "suspense:epay-main", excess, "assets:psp:epay-main")
	return f
}

// takenBack is what n takes back of the refund r.
func takenBack(n domain.Notice, r domain.PaymentRefunded) domain.RefundFailed {
	f := domain.RefundFailed{
		TradeNo: r.TradeNo, RefundID: r.RefundID, Amount: r.Amount, Refund: domain.FactID(ledgerID, stream, r),
		Basis: basis(n), Dates: marchDay(n), Rules: 1,
	}
	for _, p := range r.Postings {
		p.Amount = p.Amount.Neg()
		f.Postings = append(f.Postings, p)
	}
	return f
}

// paid is the stage after alice's 10.00 CNY came under T1.
func paid() []domain.Fact {
	cb := callback(1, "T1", ten)
	return facts(placed(), kept(cb, domain.OutcomeCredited, ""), credited(cb))
}

func after(given []domain.Fact, more ...domain.Fact) []domain.Fact {
	return append(append([]domain.Fact{}, given...), more...)
}

// step is a notice, what it comes to and what is kept.
type step struct {
	name    string
	given   []domain.Fact
	notice  domain.Notice
	outcome domain.Outcome
	reason  domain.Reason
	follows []domain.Fact // behind the notice itself; nil for a query keeps nothing at all
	keeps   bool          // a query's notice is kept though nothing follows
}

func (s step) run(t *testing.T, c domain.Context) {
	t.Helper()
	got := notify(domain.Fold(s.given), c, s.notice)
	if got.Outcome != s.outcome || got.Reason != s.reason {
		t.Errorf("comes to %s (%s), want %s (%s)", got.Outcome, got.Reason, s.outcome, s.reason)
	}
	var want []domain.Fact
	if s.notice.Source == domain.SourceCallback || len(s.follows) > 0 || s.keeps {
		want = append(facts(kept(s.notice, s.outcome, s.reason)), s.follows...)
	}
	same(t, "facts", want, got.Facts)
	storable(t, got.Facts)
}

func runSteps(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, at(noon.Add(2*time.Hour), domain.ConfirmNever))
		})
	}
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	r, again, second := refund(2, "R1", some), refund(3, "R1", some), refund(4, "R2", seven)
	booked := after(paid(), kept(r, domain.OutcomeNoted, ""), refunded(r, "R1", some))
	failed := says(refund(5, "R1", some), domain.StatusFailed)
	failedFacts := after(booked, kept(failed, domain.OutcomeNoted, ""), takenBack(failed, refunded(r, "R1", some)))
	parkedMoney := callback(1, "T1", five)
	elsewhere := with(again, func(n *domain.Notice) { n.TradeNo = "T2" })
	dollars := domain.NewMoney(300, domain.USD)
	runSteps(t, []step{
		{"part of it", paid(), r, domain.OutcomeNoted, "", facts(refunded(r, "R1", some)), false},
		{"asked for", paid(), asked(r), domain.OutcomeNoted, "", facts(refunded(asked(r), "R1", some)), false},
		{"the same again", booked, again, domain.OutcomeRepeated, "", nil, false},
		{"the same, asked for", booked, asked(again), domain.OutcomeRepeated, "", nil, false},
		{
			"the same of another trade, asked", booked, asked(elsewhere), domain.OutcomeRepeated, "",
			facts(differs(asked(elsewhere), domain.RefundMissing, "booked")), false,
		},
		{
			"the same with another amount", booked, with(again, func(n *domain.Notice) { n.Amount = five }),
			domain.OutcomeRepeated, domain.ReasonAmountDisagrees, nil, false,
		},
		{"the rest of it", booked, second, domain.OutcomeNoted, "", facts(refunded(second, "R2", seven)), false},
		{
			"more than is left", booked, with(second, func(n *domain.Notice) { n.Amount = eight }),
			domain.OutcomeNoted, "", facts(beyond(with(second, func(n *domain.Notice) { n.Amount = eight }), "R2", eight, domain.NewMoney(100, domain.CNY))), false,
		},
		{"on its way", paid(), says(r, domain.StatusWaiting), domain.OutcomeNoted, domain.ReasonNotPaid, nil, false},
		{"on its way, asked for", paid(), asked(says(r, domain.StatusWaiting)), domain.OutcomeNoted, domain.ReasonNotPaid, nil, true},
		{"failed", booked, failed, domain.OutcomeNoted, "", facts(takenBack(failed, refunded(r, "R1", some))), false},
		{"failed twice", failedFacts, failed, domain.OutcomeRepeated, "", nil, false},
		{"went through after it failed", failedFacts, again, domain.OutcomeNoted, "", nil, false},
		{
			"another after one failed and that was told again",
			after(failedFacts, kept(failed, domain.OutcomeRepeated, "")), second,
			domain.OutcomeNoted, "", facts(refunded(second, "R2", seven)), false,
		},
		{"failed and never went through", paid(), failed, domain.OutcomeNoted, "", nil, false},
		{
			"went through after it failed before", after(paid(), kept(failed, domain.OutcomeNoted, "")), r,
			domain.OutcomeNoted, "", nil, false,
		},
		{
			"of parked money", after(facts(kept(parkedMoney, domain.OutcomeParked, domain.ReasonUnknownOrder)), parked(parkedMoney, domain.ReasonUnknownOrder)),
			r, domain.OutcomeNoted, "", facts(unparked(r, "R1", some)), false,
		},
		{
			"in another currency", paid(), with(r, func(n *domain.Notice) { n.Amount = dollars }), domain.OutcomeNoted, "",
			facts(differs(with(r, func(n *domain.Notice) { n.Amount = dollars }), domain.CurrencyMismatch, "credited")), false,
		},
		{
			"of an amount that nobody tells", paid(), with(r, func(n *domain.Notice) { n.Amount = domain.Money{} }),
			domain.OutcomeNoted, domain.ReasonTakenBack,
			facts(differs(with(r, func(n *domain.Notice) { n.Amount = domain.Money{} }), domain.RefundMissing, "credited")), false,
		},
		{"before its payment", facts(placed()), r, domain.OutcomeNoted, domain.ReasonBeforePayment, nil, false},
		{"before its payment, asked for", facts(placed()), asked(r), domain.OutcomeNoted, domain.ReasonBeforePayment, nil, true},
	})
}

// TestRefundsWithoutProof: what may not move money alone moves none, and waits
// for the provider's word.
func TestRefundsWithoutProof(t *testing.T) {
	t.Parallel()
	r := refund(2, "R1", some)
	unsigned := doubted(r, domain.DoubtUnsigned)
	nameless := doubted(with(r, func(n *domain.Notice) { n.RefundID = "" }), domain.DoubtNoRefundID)
	hinted := after(paid(), kept(nameless, domain.OutcomeHeld, domain.ReasonDoubtful))
	booked := after(paid(), kept(r, domain.OutcomeNoted, ""), refunded(r, "R1", some))
	failed := doubted(says(refund(5, "R1", some), domain.StatusFailed), domain.DoubtUnsigned)
	runSteps(t, []step{
		{"unsigned", paid(), unsigned, domain.OutcomeHeld, domain.ReasonDoubtful, nil, false},
		{"nameless", paid(), nameless, domain.OutcomeHeld, domain.ReasonDoubtful, nil, false},
		{"without its payment's number", paid(), with(r, func(n *domain.Notice) { n.TradeNo = "" }), domain.OutcomeHeld, domain.ReasonDoubtful, nil, false},
		{"confirmed", hinted, asked(r), domain.OutcomeNoted, "", facts(refunded(asked(r), "R1", some)), false},
		{"unsigned failure", booked, failed, domain.OutcomeHeld, domain.ReasonDoubtful, nil, false},
		{
			"nameless answer", paid(), asked(nameless), domain.OutcomeHeld, domain.ReasonDoubtful,
			facts(differs(asked(nameless), domain.RefundMissing, "credited")), false,
		},
		{
			"the provider knows better", after(booked, kept(failed, domain.OutcomeHeld, domain.ReasonDoubtful)), asked(r),
			domain.OutcomeRepeated, "", nil, true,
		},
	})
	t.Run("a channel that asks first", func(t *testing.T) {
		t.Parallel()
		step{"", paid(), r, domain.OutcomeHeld, domain.ReasonConfirmByQuery, nil, false}.
			run(t, at(noon, domain.ConfirmAlways))
	})
}

// TestWaitingRefunds: the provider is asked about what waits, and no longer
// once it has said its word.
func TestWaitingRefunds(t *testing.T) {
	t.Parallel()
	r := refund(2, "R1", some)
	unsigned := doubted(r, domain.DoubtUnsigned)
	nameless := doubted(with(r, func(n *domain.Notice) { n.RefundID, n.RefundNo = "", "our-1" }), domain.DoubtNoRefundID)
	numbered := with(asked(r), func(n *domain.Notice) { n.RefundNo = "our-1" })
	early := facts(placed(), kept(r, domain.OutcomeNoted, domain.ReasonBeforePayment))
	held := func(n domain.Notice) domain.Fact { return kept(n, domain.OutcomeHeld, domain.ReasonDoubtful) }
	for name, c := range map[string]struct {
		given []domain.Fact
		want  int
	}{
		"nothing":                    {paid(), 0},
		"unsigned":                   {after(paid(), held(unsigned)), 1},
		"unsigned twice":             {after(paid(), held(unsigned), held(unsigned)), 1},
		"nameless":                   {after(paid(), held(nameless)), 1},
		"nameless twice":             {after(paid(), held(nameless), held(nameless)), 1},
		"unsigned, then signed":      {after(paid(), held(unsigned), kept(r, domain.OutcomeNoted, ""), refunded(r, "R1", some)), 0},
		"nameless, then confirmed":   {after(paid(), held(nameless), kept(numbered, domain.OutcomeNoted, ""), refunded(numbered, "R1", some)), 0},
		"on its way":                 {after(paid(), kept(says(r, domain.StatusWaiting), domain.OutcomeNoted, "")), 1},
		"on its way, then through":   {after(paid(), kept(says(r, domain.StatusWaiting), domain.OutcomeNoted, ""), kept(r, domain.OutcomeNoted, ""), refunded(r, "R1", some)), 0},
		"on its way, then failed":    {after(paid(), kept(says(r, domain.StatusWaiting), domain.OutcomeNoted, ""), kept(says(r, domain.StatusFailed), domain.OutcomeNoted, "")), 0},
		"before its payment":         {early, 1},
		"before its payment, failed": {after(early, kept(says(r, domain.StatusFailed), domain.OutcomeNoted, "")), 0},
	} {
		if got := domain.Fold(c.given).WaitingRefunds(); len(got) != c.want {
			t.Errorf("%s: %d refunds wait: %+v", name, len(got), got)
		}
	}
	got := domain.Fold(after(paid(), held(nameless))).WaitingRefunds()[0]
	if got.TradeNo != "T1" || got.RefundNo != "our-1" || got.State != domain.RefundHeld {
		t.Errorf("the question would be about %+v", got)
	}
}

// TestRefundTotals: sums book what is new in them, also beside single refunds.
func TestRefundTotals(t *testing.T) {
	t.Parallel()
	first, second := cumulative(2, some), cumulative(3, five)
	one := after(paid(), kept(first, domain.OutcomeNoted, ""), refunded(first, "total:3.00", some))
	two2 := after(one, kept(second, domain.OutcomeNoted, ""), refunded(second, "total:5.00", two))
	single := refund(4, "R1", some)
	singled := after(paid(), kept(single, domain.OutcomeNoted, ""), refunded(single, "R1", some))
	named := with(second, func(n *domain.Notice) { n.RefundID = "R2" })
	runSteps(t, []step{
		{"the first", paid(), first, domain.OutcomeNoted, "", facts(refunded(first, "total:3.00", some)), false},
		{"a higher one", one, second, domain.OutcomeNoted, "", facts(refunded(second, "total:5.00", two)), false},
		{"named", one, named, domain.OutcomeNoted, "", facts(refunded(named, "R2", two)), false},
		{"a lower one", two2, first, domain.OutcomeRepeated, "", nil, false},
		{"the same", two2, second, domain.OutcomeRepeated, "", nil, false},
		{"what a single refund has told", singled, first, domain.OutcomeRepeated, "", nil, false},
		{"more than single refunds have told", singled, second, domain.OutcomeNoted, "", facts(refunded(second, "total:5.00", two)), false},
		{"single, told by a sum before", one, single, domain.OutcomeRepeated, "", nil, false},
		{"single, told by a sum before, asked for", one, asked(single), domain.OutcomeRepeated, "", nil, true},
	})
}

// TestSumsThatMayNotMoveMoney: a sum without a refund's number is held until
// the refunds that make it up are booked, and tells nothing new behind them.
func TestSumsThatMayNotMoveMoney(t *testing.T) {
	t.Parallel()
	sum := doubted(cumulative(2, five), domain.DoubtNoRefundID)
	one, other := refund(3, "R1", some), refund(4, "R2", two)
	held := after(paid(), kept(sum, domain.OutcomeHeld, domain.ReasonDoubtful))
	half := after(held, kept(one, domain.OutcomeNoted, ""), refunded(one, "R1", some))
	whole := after(half, kept(other, domain.OutcomeNoted, ""), refunded(other, "R2", two))
	for name, c := range map[string]struct {
		given []domain.Fact
		waits int
	}{"alone": {held, 1}, "half": {half, 1}, "whole": {whole, 0}} {
		if got := domain.Fold(c.given).WaitingRefunds(); len(got) != c.waits {
			t.Errorf("%s: %+v wait", name, got)
		}
	}
	runSteps(t, []step{
		{"half of it is booked", half, sum, domain.OutcomeHeld, domain.ReasonDoubtful, nil, false},
		{"all of it is booked", whole, sum, domain.OutcomeRepeated, "", nil, false},
	})
}

// TestSumsAfterAFailure: what came back does not count as refunded any more.
func TestSumsAfterAFailure(t *testing.T) {
	t.Parallel()
	first := with(cumulative(2, some), func(n *domain.Notice) { n.RefundID = "R1" })
	failed := says(refund(3, "R1", some), domain.StatusFailed)
	again := with(cumulative(4, some), func(n *domain.Notice) { n.RefundID = "R2" })
	booked := after(paid(), kept(first, domain.OutcomeNoted, ""), refunded(first, "R1", some))
	back := after(booked, kept(failed, domain.OutcomeNoted, ""), takenBack(failed, refunded(first, "R1", some)))
	nameless := cumulative(5, some)
	stray := with(first, func(n *domain.Notice) { n.TradeNo, n.Doubts = "T2", []domain.Doubt{domain.DoubtUnknownFields} })
	astray := after(paid(), kept(stray, domain.OutcomeHeld, domain.ReasonDoubtful), kept(first, domain.OutcomeNoted, ""), refunded(first, "R1", some))
	runSteps(t, []step{
		{"failed, once told of another trade", astray, failed, domain.OutcomeNoted, "", facts(takenBack(failed, refunded(first, "R1", some))), false},
		{"failed", booked, failed, domain.OutcomeNoted, "", facts(takenBack(failed, refunded(first, "R1", some))), false},
		{"another, named", back, again, domain.OutcomeNoted, "", facts(refunded(again, "R2", some)), false},
		{"another", back, nameless, domain.OutcomeNoted, "", facts(refunded(nameless, "total:6.00", some)), false},
	})
}

// TestRefundBeforeItsPayment: credit and refund stand in one append, so nobody
// is told of a credit that was gone already.
func TestRefundBeforeItsPayment(t *testing.T) {
	t.Parallel()
	r, s, total := refund(2, "R1", some), refund(3, "R2", two), cumulative(4, eight)
	wait := func(n domain.Notice) domain.Fact { return kept(n, domain.OutcomeNoted, domain.ReasonBeforePayment) }
	cb := received(callback(5, "T1", ten), noon.Add(2*time.Minute))
	other := received(callback(5, "T1", five), noon.Add(2*time.Minute))
	second := received(callback(7, "T2", ten), noon.Add(2*time.Minute))
	failed := says(refund(6, "R1", some), domain.StatusFailed)
	left := domain.NewMoney(300, domain.CNY)
	of := func(n domain.Notice, trade string) domain.Notice {
		n.TradeNo = trade
		return n
	}
	runSteps(t, []step{
		{
			"two refunds", facts(placed(), wait(r), wait(s)), cb, domain.OutcomeCredited, "",
			facts(credited(cb), refunded(r, "R1", some), refunded(s, "R2", two)), false,
		},
		{
			"refunds and a sum", facts(placed(), wait(r), wait(s), wait(total)), cb, domain.OutcomeCredited, "",
			facts(credited(cb), refunded(r, "R1", some), refunded(s, "R2", two), refunded(total, "total:8.00", left)), false,
		},
		{
			"parked", facts(placed(), wait(r)), other, domain.OutcomeParked, domain.ReasonOtherAmount,
			facts(parked(other, domain.ReasonOtherAmount), unparked(r, "R1", some)), false,
		},
		{
			"told of another trade before", facts(placed(), wait(of(r, "T2")), kept(r, domain.OutcomeRepeated, "")),
			cb, domain.OutcomeCredited, "", facts(credited(cb)), false,
		},
		{
			"one of another trade", after(paid(), kept(r, domain.OutcomeNoted, ""), refunded(r, "R1", some),
				kept(of(r, "T2"), domain.OutcomeRepeated, ""), wait(of(s, "T2"))),
			second, domain.OutcomeParked, domain.ReasonSecondPayment,
			facts(parked(second, domain.ReasonSecondPayment), unparked(of(s, "T2"), "R2", two)), false,
		},
		{
			"it failed meanwhile", facts(placed(), wait(r), kept(failed, domain.OutcomeNoted, "")), cb, domain.OutcomeCredited, "",
			facts(credited(cb)), false,
		},
	})
}

// TestStatesOfRefunds: wholly refunded money is no credit any more, and parked
// money that went back is not there to be allocated.
func TestStatesOfRefunds(t *testing.T) {
	t.Parallel()
	r := refund(2, "R1", ten)
	all := after(paid(), kept(r, domain.OutcomeNoted, ""), refunded(r, "R1", ten))
	failed := says(refund(5, "R1", ten), domain.StatusFailed)
	back := after(all, kept(failed, domain.OutcomeNoted, ""), takenBack(failed, refunded(r, "R1", ten)))
	cb := callback(1, "T1", ten)
	unplaced := facts(kept(cb, domain.OutcomeParked, domain.ReasonUnknownOrder), parked(cb, domain.ReasonUnknownOrder))
	for name, c := range map[string]struct {
		given []domain.Fact
		want  domain.State
	}{
		"part":        {after(paid(), refunded(r, "R1", some)), domain.StateCredited},
		"all":         {all, domain.StateRefunded},
		"failed":      {back, domain.StateCredited},
		"parked":      {after(unplaced, unparked(r, "R1", some)), domain.StateParked},
		"parked, all": {after(unplaced, unparked(r, "R1", ten)), domain.StateNoticed},
	} {
		p := domain.Fold(c.given)
		if got := p.State(); got != c.want {
			t.Errorf("%s: state is %s, want %s", name, got, c.want)
		}
	}
	if !domain.StateRefunded.Settled() || !domain.StateDisputed.Settled() || domain.StateParked.Settled() {
		t.Error("a refunded or disputed order is settled, a parked one is not")
	}
	p := domain.Fold(after(unplaced, unparked(r, "R1", ten)))
	_, _, err := p.Propose(at(noon, domain.ConfirmNever), wants(domain.ActionAllocate, "T1", bob), domain.Spent{})
	refused(t, err, domain.KindConflict, "action")
	p = domain.Fold(after(unplaced, unparked(r, "R1", some)))
	fs, err := p.Place(at(noon.Add(2*time.Minute), domain.ConfirmNever), order())
	if err != nil || len(fs) != 2 || domain.PostingsOf(fs[1])[0].Amount != seven {
		t.Errorf("what is left is allocated as %+v, %v", fs, err)
	}
	if p = p.Apply(fs[0]).Apply(fs[1]); p.State() != domain.StateCredited {
		t.Errorf("then it is %s", p.State())
	}
}

// TestRefundedThereIsExplained: the word "refunded" about a payment whose
// refund is booked is no difference.
func TestRefundedThereIsExplained(t *testing.T) {
	t.Parallel()
	r := refund(2, "R1", ten)
	all := after(paid(), kept(r, domain.OutcomeNoted, ""), refunded(r, "R1", ten))
	for _, s := range []domain.Status{domain.StatusRefunded, domain.StatusClosed} {
		n := says(query(6, "T1", ten), s)
		if v := notify(domain.Fold(all), at(noon, domain.ConfirmNever), n); len(v.Facts) > 0 {
			t.Errorf("%s: %+v", s, v.Facts)
		}
		if v := notify(domain.Fold(paid()), at(noon, domain.ConfirmNever), n); len(v.Facts) == 0 {
			t.Errorf("%s without a refund is no difference", s)
		}
	}
}
