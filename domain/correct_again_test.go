package domain_test

import (
	"strings"
	"testing"
	"time"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// byHand is the credit of an order that nobody placed.
func byHand(trade string, to domain.AccountID, m domain.Money) domain.Correction {
	q := wants(domain.ActionCredit, trade, to)
	q.Amount = m
	return q
}

// corrected are the facts of a stage with corrections behind it, each by two
// persons.
func corrected(t *testing.T, before []domain.Fact, all ...domain.Correction) []domain.Fact {
	t.Helper()
	for _, q := range all {
		before = foldedFacts(t, before, q)
	}
	return before
}

// refusedNow is what a proposal is refused with.
func refusedNow(t *testing.T, before []domain.Fact, q domain.Correction, kind domain.Kind, says string) {
	t.Helper()
	_, fs, err := domain.Fold(before).Propose(desk(), q, domain.Spent{})
	if err == nil || domain.KindOf(err) != kind || !strings.Contains(err.Error(), says) || len(fs) > 0 {
		t.Errorf("%s of %s: %d facts, %v; want %s with %q", q.Action, q.TradeNo, len(fs), err, kind, says)
	}
}

// A wrong amount or account that people entered is taken back and entered
// rightly, and that once more if need be.
func TestRightCreditAfterAWrongOne(t *testing.T) {
	t.Parallel()
	wrong := corrected(t, nil, byHand("T9", bob, ten), wants(domain.ActionReverse, "T9", ""))
	p, got := decide(t, wrong, byHand("T9", alice, five))
	want := []domain.Posting{{Book: "assets:psp:epay-main", Amount: five}, {Book: "liabilities:wallet", Wallet: alice, Amount: five.Neg()}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("posts %v, want %v", got, want)
	}
	if tr, _ := p.Trade("T9"); tr.Amount != five || tr.Account != alice || tr.State != domain.TradeCredited || p.State() != domain.StateCredited {
		t.Errorf("%+v, %s", tr, p.State())
	}
	again := corrected(t, wrong, byHand("T9", bob, five), wants(domain.ActionReverse, "T9", ""), byHand("T9", bob, two))
	if tr, _ := domain.Fold(again).Trade("T9"); tr.Amount != two || tr.Account != bob {
		t.Errorf("the third try: %+v", tr)
	}
	if tr, _ := domain.Fold(corrected(t, wrong, wants(domain.ActionCredit, "T9", ""))).Trade("T9"); tr.Amount != ten || tr.Account != bob {
		t.Errorf("given back as it was: %+v", tr)
	}
}

// A credit under the wrong trade number is taken back, and the order gets its
// own under the right one: the bill must have that one.
func TestRightTradeAfterAWrongOne(t *testing.T) {
	t.Parallel()
	wrong := corrected(t, facts(placed()), wants(domain.ActionCredit, "T9", ""), wants(domain.ActionReverse, "T9", ""))
	right := corrected(t, wrong, wants(domain.ActionCredit, "T1", ""))
	p := domain.Fold(right)
	if tr, _ := p.Trade("T1"); p.State() != domain.StateCredited || p.Settled != "T1" || tr.Amount != ten || tr.Account != alice {
		t.Errorf("%s by %s: %+v", p.State(), p.Settled, tr)
	}
	line, ok := domain.LineOf(right[len(right)-1])
	if !ok || line.Kind != domain.LinePayment || line.TradeNo != "T1" || line.Amount != ten || line.State != domain.TradeCredited {
		t.Errorf("the bill is to have %+v, %t", line, ok)
	}
	refusedNow(t, right, wants(domain.ActionCredit, "T9", ""), domain.KindConflict, "(R2)")
	other := wants(domain.ActionCredit, "T9", "")
	other.Amount = five
	refusedNow(t, wrong, other, domain.KindConflict, "(R3)")
	if v := notify(p, desk(), callback(8, "T1", ten)); v.Outcome != domain.OutcomeRepeated {
		t.Errorf("the provider's word about what people credited: %s", v.Outcome)
	}
	given := corrected(t, wrong, wants(domain.ActionCredit, "T9", ""))
	if line, ok := domain.LineOf(given[len(given)-1]); ok {
		t.Errorf("what was given back as it was stands on no second line: %+v", line)
	}
}

// Where the provider said how much came, people cannot make it another amount.
func TestR3ProvidersAmountHolds(t *testing.T) {
	t.Parallel()
	told := facts(kept(callback(1, "T9", ten), domain.OutcomeHeld, domain.ReasonConfirmByQuery))
	refusedNow(t, told, byHand("T9", bob, five), domain.KindMismatch, "(R3)")
	mistyped := corrected(t, nil, byHand("T9", bob, five))
	mistyped = append(mistyped, kept(callback(1, "T9", ten), domain.OutcomeRepeated, domain.ReasonAmountDisagrees))
	reversed := corrected(t, mistyped, wants(domain.ActionReverse, "T9", ""))
	refusedNow(t, reversed, byHand("T9", bob, two), domain.KindMismatch, "(R3)")
	if tr, _ := domain.Fold(corrected(t, reversed, byHand("T9", bob, ten))).Trade("T9"); tr.Amount != ten {
		t.Errorf("the provider's amount: %+v", tr)
	}
	short := kept(callback(1, "T1", five), domain.OutcomeParked, domain.ReasonOtherAmount)
	refusedNow(t, facts(placed(), short, suspect(callback(1, "T1", five), domain.ReasonOtherAmount)), wants(domain.ActionCredit, "T1", ""),
		domain.KindMismatch, "(R3)")
}

// Money that stands in another order's books is not given a second time (R2), on
// proposal or on approval; what gives nothing is not held up by it.
func TestR2MoneyOfAnotherOrder(t *testing.T) {
	t.Parallel()
	elsewhere := domain.Spent{Elsewhere: "A9"}
	for _, c := range []struct {
		before  []domain.Fact
		ask     domain.Correction
		refused bool
	}{
		{facts(placed()), wants(domain.ActionCredit, "T9", ""), true},
		{parkedStage(), wants(domain.ActionAllocate, "T1", bob), true},
		{parkedStage(), wants(domain.ActionWriteOff, "T1", ""), false},
		{corrected(t, parkedStage(), wants(domain.ActionAllocate, "T1", bob)), wants(domain.ActionReverse, "T1", ""), false},
	} {
		p := domain.Fold(c.before)
		_, fs, err := p.Propose(desk(), c.ask, elsewhere)
		if (domain.KindOf(err) == domain.KindConflict && err != nil) != c.refused || (len(fs) == 0) != c.refused {
			t.Errorf("%s proposed: %d facts, %v", c.ask.Action, len(fs), err)
		}
		q, fs, err := p.Propose(desk(), c.ask, domain.Spent{})
		if err != nil {
			t.Fatal(err)
		}
		fs, err = p.Apply(fs[0]).Approve(desk(), q.ID(), "wang", "", elsewhere)
		if (domain.KindOf(err) == domain.KindConflict && err != nil) != c.refused || (len(fs) == 0) != c.refused {
			t.Errorf("%s approved: %d facts, %v", c.ask.Action, len(fs), err)
		}
	}
}

// An order whose wrong credit was taken back can be placed as it really is.
func TestPlacedRightAfterAWrongCredit(t *testing.T) {
	t.Parallel()
	o := order()
	o.Amount, o.ExpiresAt = five, desk().Now.Add(time.Hour)
	wrong := corrected(t, nil, byHand("T9", bob, ten))
	if _, err := domain.Fold(wrong).Place(desk(), o); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("while it is credited: %v", err)
	}
	fs, err := domain.Fold(corrected(t, wrong, wants(domain.ActionReverse, "T9", ""))).Place(desk(), o)
	if err != nil || len(fs) != 1 {
		t.Errorf("after the reversal: %d facts, %v", len(fs), err)
	}
}

// Money that was allocated, taken back and allocated again keeps its facts apart,
// and so does what takes it back.
func TestAllocatedAgain(t *testing.T) {
	t.Parallel()
	reverse := wants(domain.ActionReverse, "T1", "")
	all := corrected(t, parkedStage(), wants(domain.ActionAllocate, "T1", bob), reverse, wants(domain.ActionAllocate, "T1", alice), reverse,
		wants(domain.ActionAllocate, "T1", bob))
	if tr, _ := domain.Fold(all).Trade("T1"); tr.State != domain.TradeAllocated || tr.Account != bob {
		t.Errorf("%+v", tr)
	}
	ids, taken := map[domain.ID]bool{}, map[domain.ID]bool{}
	for _, f := range all {
		id := domain.FactID(ledgerID, stream, f)
		if ids[id] {
			t.Errorf("%s %s stands there twice", f.FactType(), id)
		}
		ids[id] = true
		if c, ok := f.(domain.CorrectionIssued); ok && c.Action == domain.ActionReverse {
			if !ids[c.Reverses] || taken[c.Reverses] {
				t.Errorf("takes back %s, which is there: %t, and taken back: %t", c.Reverses, ids[c.Reverses], taken[c.Reverses])
			}
			taken[c.Reverses] = true
		}
	}
}

// TestR2OneLiveCredit: whatever two persons credit, take back and credit again
// under whichever numbers, amounts and accounts, at most one trade of the order
// is credited, wallets hold exactly that, each reversal is the exact negation of
// one fact that nothing else took back, and no two facts have one id.
func TestR2OneLiveCredit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var log []domain.Fact
		if rapid.Bool().Draw(t, "placed") {
			log = facts(placed())
		}
		live := map[domain.ID][]domain.Posting{} // credits that nothing took back
		ids := map[domain.ID]bool{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			q := byHand(rapid.SampledFrom([]string{"T1", "T9"}).Draw(t, "trade"),
				rapid.SampledFrom([]domain.AccountID{alice, bob}).Draw(t, "account"),
				rapid.SampledFrom([]domain.Money{ten, five}).Draw(t, "amount"))
			if rapid.Bool().Draw(t, "as it was") {
				q.Account, q.Amount = "", domain.Money{}
			}
			if rapid.IntRange(0, 2).Draw(t, "action") == 0 {
				q.Action = domain.ActionReverse
			}
			p := domain.Fold(log)
			proposal, fs, err := p.Propose(desk(), q, domain.Spent{})
			if err != nil {
				continue
			}
			effect, err := p.Apply(fs[0]).Approve(desk(), proposal.ID(), "wang", "", domain.Spent{})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range append(fs, effect...) {
				id := domain.FactID(ledgerID, stream, f)
				if ids[id] {
					t.Fatalf("%s %s stands there twice", f.FactType(), id)
				}
				ids[id] = true
				log = append(log, f)
				ps := domain.PostingsOf(f)
				if c, ok := f.(domain.CorrectionIssued); ok && c.Action == domain.ActionReverse {
					was := live[c.Reverses]
					if len(was) != 2 || ps[0].Amount != was[0].Amount.Neg() || ps[1].Amount != was[1].Amount.Neg() || ps[1].Wallet != was[1].Wallet {
						t.Fatalf("%v takes back %v", ps, was)
					}
					delete(live, c.Reverses)
				} else if len(ps) > 0 {
					live[id] = ps
				}
			}
			oneLive(t, log, live)
		}
	})
}

// oneLive holds the fold against the credits that nothing took back.
func oneLive(t *rapid.T, log []domain.Fact, live map[domain.ID][]domain.Posting) {
	t.Helper()
	if len(live) > 1 {
		t.Fatalf("%d credits live", len(live))
	}
	p, credited := domain.Fold(log), 0
	for _, tr := range p.Trades {
		if tr.State != domain.TradeCredited {
			continue
		}
		credited++
		for _, ps := range live {
			if ps[1].Wallet != tr.Account || ps[1].Amount != tr.Amount.Neg() || p.Settled != tr.TradeNo {
				t.Fatalf("%+v by the fold, %v by the books", tr, ps)
			}
		}
		if p.IsPlaced() && (tr.Account != p.Placed.Account || tr.Amount != p.Placed.Amount) {
			t.Fatalf("not as placed: %+v (R3)", tr)
		}
	}
	if credited != len(live) || (p.State() == domain.StateCredited) != (len(live) == 1) {
		t.Fatalf("%d trades credited, %d credits live, %s", credited, len(live), p.State())
	}
}

// What people made of a credit since is what a bill is held against: the bill's
// amount ends the difference, any other is told with the new one.
func TestExplainWhatPeopleMade(t *testing.T) {
	t.Parallel()
	line := domain.OurLine{Kind: domain.LinePayment, TradeNo: "T9", OrderNo: "A100", Amount: ten, State: domain.TradeCredited}
	listed := func(m domain.Money) domain.Difference {
		off, _ := m.Sub(ten)
		return domain.Difference{
			Kind: domain.AmountMismatch, State: domain.DifferenceOpen, Ours: &line, Delta: off,
			Theirs: &domain.BillLine{Kind: domain.LinePayment, TradeNo: "T9", Amount: m, Status: domain.StatusPaid},
		}
	}
	lacked := domain.Difference{Kind: domain.OnlyOurs, State: domain.DifferenceOpen, Ours: &line, Delta: ten.Neg()}
	reverse := wants(domain.ActionReverse, "T9", "")
	first := corrected(t, nil, byHand("T9", bob, ten))
	anew := corrected(t, first, reverse, byHand("T9", bob, five))
	gone := corrected(t, anew, reverse)
	for name, c := range map[string]struct {
		facts []domain.Fact
		given domain.Difference
		state domain.DifferenceState
		kind  domain.DiscrepancyKind
		ours  domain.Money
		off   domain.Money
	}{
		"nothing was made of it":       {first, listed(five), domain.DifferenceOpen, domain.AmountMismatch, ten, five.Neg()},
		"the bill's amount":            {anew, listed(five), domain.DifferenceSettled, domain.Timing, ten, five.Neg()},
		"another amount":               {anew, listed(two), domain.DifferenceOpen, domain.AmountMismatch, five, domain.NewMoney(-300, domain.CNY)},
		"the bill lacks it":            {anew, lacked, domain.DifferenceOpen, domain.OnlyOurs, five, five.Neg()},
		"taken back, the bill has it":  {gone, listed(five), domain.DifferenceOpen, domain.AmountMismatch, ten, five.Neg()},
		"taken back, the bill has not": {gone, lacked, domain.DifferenceSettled, domain.Timing, ten, ten.Neg()},
	} {
		d := domain.Fold(c.facts).Explain(c.given)
		if d.State != c.state || d.Kind != c.kind || d.Ours.Amount != c.ours || d.Delta != c.off {
			t.Errorf("%s: %s %s, ours %s, off %s", name, d.Kind, d.State, d.Ours.Amount, d.Delta)
		}
	}
	if line.Amount != ten {
		t.Errorf("the line itself was changed: %s", line.Amount)
	}
}
