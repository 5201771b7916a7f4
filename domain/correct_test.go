package domain_test

import (
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

// desk is the context in which people decide, a day after the stage.
func desk() domain.Context { return at(noon.Add(24*time.Hour), domain.ConfirmNever) }

// wants is a correction that li asks for.
func wants(a domain.Action, trade string, to domain.AccountID) domain.Correction {
	return domain.Correction{Action: a, TradeNo: trade, Account: to, Reason: "ticket 12", By: "li"}
}

// parkedStage: 5.00 came where 10.00 was asked for.
func parkedStage() []domain.Fact {
	q := query(1, "T1", five)
	return facts(placed(), kept(q, domain.OutcomeParked, domain.ReasonOtherAmount), parked(q, domain.ReasonOtherAmount))
}

// decide plays a correction from proposal to approval and returns the fold
// after it and the postings it made.
func decide(t *testing.T, before []domain.Fact, q domain.Correction) (domain.Payment, []domain.Posting) {
	t.Helper()
	p := domain.Fold(before)
	proposal, fs, err := p.Propose(desk(), q, domain.Spent{})
	if err != nil || len(fs) != 1 {
		t.Fatalf("propose %s: %d facts, %v", q.Action, len(fs), err)
	}
	p = p.Apply(fs[0])
	effect, err := p.Approve(desk(), proposal.ID(), "wang", "", domain.Spent{})
	if err != nil {
		t.Fatalf("approve %s: %v", q.Action, err)
	}
	var postings []domain.Posting
	for _, f := range effect {
		typ, data := encoded(t, f)
		if _, err := domain.DecodeFact(typ, data); err != nil {
			t.Fatal(err)
		}
		postings = append(postings, domain.PostingsOf(f)...)
		p = p.Apply(f)
	}
	if again, err := p.Approve(desk(), proposal.ID(), "wang", "", domain.Spent{}); err != nil || len(again) != 0 {
		t.Errorf("approving %s again: %d facts, %v", q.Action, len(again), err)
	}
	if got, _ := p.Proposal(proposal.ID()); got.State != domain.ProposalIssued || got.DecidedBy != "wang" {
		t.Errorf("%s is %s by %q", q.Action, got.State, got.DecidedBy)
	}
	return p, postings
}

// What each action posts, and where the money stands after it.
func TestCorrections(t *testing.T) {
	t.Parallel()
	wallet := func(a domain.AccountID, m domain.Money) domain.Posting {
		return domain.Posting{Book: "liabilities:wallet", Wallet: a, Amount: m}
	}
	book := func(name string, m domain.Money) domain.Posting { return domain.Posting{Book: name, Amount: m} }
	own := with(callback(1, "T1", ten), func(n *domain.Notice) { n.Account = bob })
	for name, c := range map[string]struct {
		before []domain.Fact
		ask    domain.Correction
		want   []domain.Posting
		trade  domain.TradeState
		state  domain.State
	}{
		"allocate": {
			parkedStage(), wants(domain.ActionAllocate, "T1", bob),
			[]domain.Posting{book("liabilities:parked", five), wallet(bob, five.Neg())},
			domain.TradeAllocated, domain.StatePlaced,
		},
		"write off": {
			parkedStage(), wants(domain.ActionWriteOff, "T1", ""),
			[]domain.Posting{book("liabilities:parked", five), book("income:unclaimed", five.Neg())},
			domain.TradeWrittenOff, domain.StatePlaced,
		},
		"credit what no provider confirms": {
			facts(placed()), wants(domain.ActionCredit, "T1", ""),
			[]domain.Posting{book("assets:psp:epay-main", ten), wallet(alice, ten.Neg())},
			domain.TradeCredited, domain.StateCredited,
		},
		"credit an order nobody placed": {
			facts(kept(own, domain.OutcomeHeld, domain.ReasonConfirmByQuery)),
			domain.Correction{Action: domain.ActionCredit, TradeNo: "T1", Account: bob, Amount: ten, Reason: "x", By: "li"},
			[]domain.Posting{book("assets:psp:epay-main", ten), wallet(bob, ten.Neg())},
			domain.TradeCredited, domain.StateCredited,
		},
		"reverse a credit": {
			paid(), wants(domain.ActionReverse, "T1", ""),
			[]domain.Posting{book("assets:psp:epay-main", ten.Neg()), wallet(alice, ten)},
			domain.TradeReversed, domain.StateReversed,
		},
		"move": {
			paid(), wants(domain.ActionMove, "T1", bob),
			[]domain.Posting{wallet(alice, ten), wallet(bob, ten.Neg())},
			domain.TradeCredited, domain.StateCredited,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, got := decide(t, c.before, c.ask)
			if len(got) != len(c.want) || got[0] != c.want[0] || got[1] != c.want[1] {
				t.Errorf("posts %v, want %v", got, c.want)
			}
			if tr, _ := p.Trade("T1"); tr.State != c.trade || p.State() != c.state {
				t.Errorf("trade %s, payment %s; want %s, %s", tr.State, p.State(), c.trade, c.state)
			}
		})
	}
}

// Parked money that goes to the account the order was placed for settles it.
func TestAllocationSettles(t *testing.T) {
	t.Parallel()
	for _, to := range []domain.AccountID{alice, bob} {
		if p, _ := decide(t, parkedStage(), wants(domain.ActionAllocate, "T1", to)); p.IsSettled() != (to == alice) {
			t.Errorf("allocation to %s settles alice's order: %t", to, p.IsSettled())
		}
	}
}

// TestR2ReversedCreditIsNotGivenByNotices: only people give back what people
// took, and the provider's word that it was paid is a difference.
func TestR2ReversedCreditIsNotGivenByNotices(t *testing.T) {
	t.Parallel()
	p, _ := decide(t, paid(), wants(domain.ActionReverse, "T1", ""))
	for _, n := range []domain.Notice{callback(8, "T1", ten), query(9, "T1", ten)} {
		v := notify(p, desk(), n)
		if v.Outcome != domain.OutcomeRepeated {
			t.Errorf("%s: %s", n.Source, v.Outcome)
		}
		for _, f := range v.Facts {
			if len(domain.PostingsOf(f)) > 0 {
				t.Errorf("%s posts %s", n.Source, f.FactType())
			}
		}
	}
	if v := notify(p, desk(), query(9, "T1", ten)); len(v.Facts) != 2 || v.Facts[1].FactType() != domain.TypeDiscrepancyFound {
		t.Errorf("the provider's word about a reversed credit: %+v", v.Facts)
	}
	if v := notify(p, desk(), callback(7, "T2", ten)); v.Outcome != domain.OutcomeParked {
		t.Errorf("other money for a reversed order is %s", v.Outcome)
	}
	p, got := decide(t, foldedFacts(t, paid(), wants(domain.ActionReverse, "T1", "")), wants(domain.ActionCredit, "T1", ""))
	if len(got) != 2 || p.State() != domain.StateCredited {
		t.Errorf("given back: %v, %s", got, p.State())
	}
}

// foldedFacts are the facts of a stage with a correction behind it.
func foldedFacts(t *testing.T, before []domain.Fact, q domain.Correction) []domain.Fact {
	t.Helper()
	p := domain.Fold(before)
	proposal, fs, err := p.Propose(desk(), q, domain.Spent{})
	if err != nil {
		t.Fatal(err)
	}
	effect, err := p.Apply(fs[0]).Approve(desk(), proposal.ID(), "wang", "", domain.Spent{})
	if err != nil {
		t.Fatal(err)
	}
	return append(append(before, fs...), effect...)
}

// A refund after people moved the money is taken from where it sits, and one
// after they took it back stands in suspense.
func TestRefundAfterCorrection(t *testing.T) {
	t.Parallel()
	moved := domain.Fold(foldedFacts(t, paid(), wants(domain.ActionMove, "T1", bob)))
	r := moved.Notify(desk(), refund(5, "R1", five), evidence, answer, 0).Facts[1].(domain.PaymentRefunded)
	if r.Account != bob || !r.Excess.IsZero() {
		t.Errorf("after a move: %+v", r)
	}
	reversed := domain.Fold(foldedFacts(t, paid(), wants(domain.ActionReverse, "T1", "")))
	r = reversed.Notify(desk(), refund(5, "R1", five), evidence, answer, 0).Facts[1].(domain.PaymentRefunded)
	if r.Excess != five || r.Postings[0].Book != "suspense:epay-main" {
		t.Errorf("after a reversal: %+v", r)
	}
}

// A refund and a dispute that were told before their payment are booked in the
// append in which people credit it.
func TestWhatWaitedFollowsACreditByHand(t *testing.T) {
	t.Parallel()
	r, d := refund(2, "R1", five), disputes(3, domain.StatusWithdrawn, five)
	p, got := decide(t, facts(placed(), kept(r, domain.OutcomeNoted, domain.ReasonBeforePayment),
		kept(d, domain.OutcomeNoted, domain.ReasonBeforePayment)), wants(domain.ActionCredit, "T1", ""))
	if tr, _ := p.Trade("T1"); len(got) != 6 || tr.Refunded != five || p.Disputes[0].State != domain.DisputeIsWithdrawn {
		t.Errorf("posts %v; %s of it refunded, disputes %+v", got, tr.Refunded, p.Disputes)
	}
}

// TestR7TwoPersons: who may not decide what, with the rule named, and nothing
// changes.
func TestR7TwoPersons(t *testing.T) {
	t.Parallel()
	limited := desk()
	limited.Channel.Corrections = &domain.CorrectionPolicy{Item: ten, PersonDay: domain.NewMoney(1200, domain.CNY), AccountDay: domain.NewMoney(1400, domain.CNY)}
	small := limited
	small.Channel.Corrections = &domain.CorrectionPolicy{Item: five}
	dollars := limited
	dollars.Channel.Corrections = &domain.CorrectionPolicy{Item: domain.NewMoney(1, domain.USD)}
	spent := func(person, account domain.Money) (s domain.Spent) {
		var of domain.Totals
		_, _ = s.Person.Add(person), of.Add(account)
		s.Accounts = map[domain.AccountID]domain.Totals{alice: of}
		return s
	}
	reverse := wants(domain.ActionReverse, "T1", "")
	refundedStage := append(paid(), kept(refund(5, "R1", five), domain.OutcomeNoted, ""), refunded(refund(5, "R1", five), "R1", five))
	for name, c := range map[string]struct {
		before []domain.Fact
		c      domain.Context
		ask    domain.Correction
		spent  domain.Spent
		kind   domain.Kind
		says   string
	}{
		"no person":          {paid(), desk(), domain.Correction{Action: domain.ActionReverse, TradeNo: "T1", Reason: "x"}, domain.Spent{}, domain.KindDenied, "needs a person"},
		"no reason":          {paid(), desk(), domain.Correction{Action: domain.ActionReverse, TradeNo: "T1", By: "li"}, domain.Spent{}, domain.KindInvalid, "needs a reason"},
		"long reason":        {paid(), desk(), domain.Correction{Action: domain.ActionReverse, TradeNo: "T1", By: "li", Reason: strings.Repeat("x", 2001)}, domain.Spent{}, domain.KindInvalid, "2001"},
		"unknown action":     {paid(), desk(), wants("undo", "T1", ""), domain.Spent{}, domain.KindInvalid, "undo"},
		"unknown trade":      {paid(), desk(), wants(domain.ActionReverse, "T9", ""), domain.Spent{}, domain.KindNotFound, "T9"},
		"no trade":           {facts(placed()), desk(), wants(domain.ActionCredit, "", ""), domain.Spent{}, domain.KindNotFound, "no money"},
		"second credit":      {paid(), desk(), wants(domain.ActionCredit, "T2", ""), domain.Spent{}, domain.KindConflict, "(R2)"},
		"credit of nothing":  {nil, desk(), wants(domain.ActionCredit, "T1", bob), domain.Spent{}, domain.KindInvalid, "not positive"},
		"foreign currency":   {nil, desk(), domain.Correction{Action: domain.ActionCredit, TradeNo: "T1", Account: bob, Amount: domain.NewMoney(1, domain.USD), Reason: "x", By: "li"}, domain.Spent{}, domain.KindMismatch, "USD"},
		"parked credit":      {parkedStage(), desk(), wants(domain.ActionCredit, "T1", ""), domain.Spent{}, domain.KindConflict, "allocate it"},
		"no account":         {parkedStage(), desk(), wants(domain.ActionAllocate, "T1", ""), domain.Spent{}, domain.KindInvalid, "account"},
		"allocate credited":  {paid(), desk(), wants(domain.ActionAllocate, "T1", bob), domain.Spent{}, domain.KindConflict, "not parked"},
		"reverse parked":     {parkedStage(), desk(), wants(domain.ActionReverse, "T1", ""), domain.Spent{}, domain.KindInvalid, "account"},
		"write off credited": {paid(), desk(), wants(domain.ActionWriteOff, "T1", ""), domain.Spent{}, domain.KindConflict, "not parked"},
		"move to itself":     {paid(), desk(), wants(domain.ActionMove, "T1", alice), domain.Spent{}, domain.KindConflict, "already"},
		"refunded":           {refundedStage, desk(), reverse, domain.Spent{}, domain.KindConflict, "5.00 CNY of it was refunded"},
		"over the item":      {paid(), small, reverse, domain.Spent{}, domain.KindDenied, "limit of 5.00 CNY for one correction"},
		"over the person":    {paid(), limited, reverse, spent(five, two), domain.KindDenied, "li proposes"},
		"over the account":   {paid(), limited, reverse, spent(two, five), domain.KindDenied, "account user:alice"},
		"no such limit":      {paid(), dollars, reverse, domain.Spent{}, domain.KindDenied, "limits are in USD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, fs, err := domain.Fold(c.before).Propose(c.c, c.ask, c.spent)
			if domain.KindOf(err) != c.kind || err == nil || !strings.Contains(err.Error(), c.says) || len(fs) > 0 {
				t.Errorf("%d facts, %v; want %s with %q", len(fs), err, c.kind, c.says)
			}
		})
	}
	if _, fs, err := domain.Fold(paid()).Propose(limited, reverse, spent(two, two)); err != nil || len(fs) != 1 {
		t.Errorf("at the limits: %d facts, %v", len(fs), err)
	}
}

// TestR7Approval: the proposer never approves, a proposal is decided once, and
// what the books no longer allow is refused with the reason.
func TestR7Approval(t *testing.T) {
	t.Parallel()
	p := domain.Fold(parkedStage())
	ask := wants(domain.ActionAllocate, "T1", bob)
	proposal, fs, err := p.Propose(desk(), ask, domain.Spent{})
	if err != nil {
		t.Fatal(err)
	}
	p, id := p.Apply(fs[0]), proposal.ID()
	if again, fs, err := p.Propose(desk(), ask, domain.Spent{}); err != nil || len(fs) > 0 || again.ID() != id {
		t.Errorf("asked again: %v, %d facts, %v", again.ID(), len(fs), err)
	}
	other := ask
	other.By = "wang"
	if _, _, err := p.Propose(desk(), other, domain.Spent{}); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("asked by another: %v", err)
	}
	limited := desk()
	limited.Channel.Corrections = &domain.CorrectionPolicy{Item: two}
	for name, c := range map[string]struct {
		c    domain.Context
		id   domain.ID
		by   string
		kind domain.Kind
		says string
	}{
		"the proposer":   {desk(), id, "li", domain.KindDenied, "another person"},
		"nobody":         {desk(), id, "", domain.KindDenied, "needs a person"},
		"unknown":        {desk(), delivery(9), "wang", domain.KindNotFound, "no correction"},
		"limits lowered": {limited, id, "wang", domain.KindDenied, "limit"},
	} {
		if fs, err := p.Approve(c.c, c.id, c.by, "", domain.Spent{}); domain.KindOf(err) != c.kind || err == nil || !strings.Contains(err.Error(), c.says) || len(fs) > 0 {
			t.Errorf("%s: %d facts, %v", name, len(fs), err)
		}
	}
	gone := p.Apply(kept(refund(5, "R1", five), domain.OutcomeNoted, "")).Apply(unparked(refund(5, "R1", five), "R1", five))
	if _, err := gone.Approve(desk(), id, "wang", "", domain.Spent{}); domain.KindOf(err) != domain.KindConflict || err == nil || !strings.Contains(err.Error(), "refunded") {
		t.Errorf("refunded meanwhile: %v", err)
	}

	rejected, err := p.Reject(id, "wang", "no receipt")
	if err != nil || len(rejected) != 1 {
		t.Fatalf("reject: %d facts, %v", len(rejected), err)
	}
	p = p.Apply(rejected[0])
	if fs, err := p.Reject(id, "wang", "no receipt"); err != nil || len(fs) > 0 {
		t.Errorf("rejected again: %d facts, %v", len(fs), err)
	}
	if _, err := p.Approve(desk(), id, "zhao", "", domain.Spent{}); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("approved after it was rejected: %v", err)
	}
	next, fs, err := p.Propose(desk(), ask, domain.Spent{})
	if err != nil || len(fs) != 1 || next.ID() == id {
		t.Errorf("proposed anew: %v, %d facts, %v", next.ID(), len(fs), err)
	}
}
