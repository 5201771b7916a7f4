package domain_test

import (
	"testing"
	"time"

	"counterfoil/domain"
)

// forBob is n with the account that its message names.
func forBob(n domain.Notice) domain.Notice {
	n.Account = bob
	return n
}

// creditedTo is the credit of an order nobody placed.
func creditedTo(n domain.Notice, account domain.AccountID) domain.PaymentCredited {
	f := credited(n)
	f.Account, f.Amount = account, n.Amount
	f.Postings = legs("assets:psp:epay-main", "liabilities:wallet", account, n.Amount)
	return f
}

func proven(p domain.Payment, c domain.Context, n domain.Notice) domain.Verdict {
	ref := evidence
	ref.Grade = domain.GradeA
	return p.Notify(c, n, ref, answerTo(n), 0)
}

// TestOrdersNobodyPlaced: whose money it is, the notice says where strangers
// can verify it or the provider's own answer says it; else people do.
func TestOrdersNobodyPlaced(t *testing.T) {
	t.Parallel()
	cb, q := forBob(callback(1, "T1", five)), forBob(query(2, "T1", five))
	dollars := forBob(callback(1, "T1", domain.NewMoney(500, domain.USD)))
	waits := facts(kept(cb, domain.OutcomeHeld, domain.ReasonConfirmByQuery), held(cb, domain.ReasonConfirmByQuery))
	settled := facts(kept(cb, domain.OutcomeCredited, ""), creditedTo(cb, bob))
	other := forBob(callback(3, "T2", five))
	runSteps(t, []step{
		{"by a shared secret", nil, cb, domain.OutcomeHeld, domain.ReasonConfirmByQuery, facts(held(cb, domain.ReasonConfirmByQuery)), false},
		{"confirmed", waits, q, domain.OutcomeCredited, "", facts(creditedTo(q, bob)), false},
		{
			"confirmed, but for nobody", waits, query(2, "T1", five), domain.OutcomeParked, domain.ReasonUnknownOrder,
			facts(parked(query(2, "T1", five), domain.ReasonUnknownOrder)), false,
		},
		{"in a currency it does not take", nil, dollars, domain.OutcomeParked, domain.ReasonUnknownOrder, facts(parked(dollars, domain.ReasonUnknownOrder)), false},
		{"other money", settled, other, domain.OutcomeParked, domain.ReasonSecondPayment, facts(parked(other, domain.ReasonSecondPayment)), false},
		{"the same again", settled, cb, domain.OutcomeRepeated, "", nil, false},
	})
	v := proven(domain.Payment{}, at(noon, domain.ConfirmNever), cb)
	same(t, "proven", facts(creditedTo(cb, bob)), v.Facts[1:])
	if v = proven(domain.Payment{}, at(noon, domain.ConfirmAlways), cb); v.Outcome != domain.OutcomeHeld {
		t.Errorf("a channel that asks first credits at once: %+v", v)
	}
	wide := at(noon, domain.ConfirmNever)
	wide.Channel.Currencies = []domain.Currency{domain.CNY, domain.USD}
	if v = proven(domain.Payment{}, wide, dollars); v.Outcome != domain.OutcomeCredited {
		t.Errorf("a channel that takes dollars: %+v", v)
	}
	bad := with(callback(1, "T1", five), func(n *domain.Notice) { n.Account = "a b" })
	if v = proven(domain.Payment{}, at(noon, domain.ConfirmNever), bad); v.Outcome != domain.OutcomeParked {
		t.Errorf("an account outside the grammar: %+v", v)
	}
	storable(t, v.Facts)
}

// TestPlacingWhatWasCredited: the same order is placed and nothing else, any
// other is refused.
func TestPlacingWhatWasCredited(t *testing.T) {
	t.Parallel()
	cb := with(callback(1, "T1", ten), func(n *domain.Notice) { n.Account = alice })
	p := domain.Fold(facts(kept(cb, domain.OutcomeCredited, ""), creditedTo(cb, alice)))
	if p.State() != domain.StateCredited || !p.IsSettled() || p.IsPlaced() {
		t.Fatalf("it is %s, settled %t, placed %t", p.State(), p.IsSettled(), p.IsPlaced())
	}
	c := at(noon.Add(time.Hour), domain.ConfirmNever)
	o := order()
	o.ExpiresAt = noon.Add(2 * time.Hour)
	fs, err := p.Place(c, o)
	if err != nil || len(fs) != 1 {
		t.Fatalf("placing gives %+v, %v", fs, err)
	}
	if placed, ok := fs[0].(domain.PaymentPlaced); !ok || placed.Account != alice || placed.Amount != ten {
		t.Errorf("placed is %+v", fs[0])
	}
	if p = p.Apply(fs[0]); p.State() != domain.StateCredited {
		t.Errorf("then it is %s", p.State())
	}
	if v := notify(p, c, cb); v.Outcome != domain.OutcomeRepeated {
		t.Errorf("its notice again comes to %s", v.Outcome)
	}
	for field, change := range map[string]func(*domain.Order){
		"account": func(o *domain.Order) { o.Account = bob },
		"amount":  func(o *domain.Order) { o.Amount = five },
	} {
		other := o
		change(&other)
		fresh := domain.Fold(facts(kept(cb, domain.OutcomeCredited, ""), creditedTo(cb, alice)))
		_, err := fresh.Place(c, other)
		refused(t, err, domain.KindConflict, field)
	}
}

// TestLatePlacingOfHeldMoney: who places an order long after money for another
// account came may only have seen its number.
func TestLatePlacingOfHeldMoney(t *testing.T) {
	t.Parallel()
	cb := with(callback(1, "T1", ten), func(n *domain.Notice) { n.Account = bob })
	q := with(query(2, "T1", ten), func(n *domain.Notice) { n.Account, n.ReceivedAt = bob, noon.Add(time.Hour) })
	waits := facts(kept(cb, domain.OutcomeHeld, domain.ReasonConfirmByQuery), held(cb, domain.ReasonConfirmByQuery))
	c := at(noon.Add(time.Hour), domain.ConfirmNever)
	late := placedAt(noon.Add(30 * time.Minute)) // for alice
	if v := notify(domain.Fold(after(waits, late)), c, q); v.Outcome != domain.OutcomeParked || v.Reason != domain.ReasonPlacedTooLate {
		t.Errorf("bob's money on alice's late order comes to %s (%s)", v.Outcome, v.Reason)
	}
	late.Account = bob
	if v := notify(domain.Fold(after(waits, late)), c, q); v.Outcome != domain.OutcomeCredited {
		t.Errorf("bob's money on his own late order comes to %s (%s)", v.Outcome, v.Reason)
	}
	soon := placedAt(noon.Add(2 * time.Minute))
	if v := notify(domain.Fold(after(waits, soon)), c, q); v.Outcome != domain.OutcomeCredited {
		t.Errorf("money of an order placed right after it comes to %s (%s)", v.Outcome, v.Reason)
	}
}

// TestCurrenciesOfAChannel: all it takes can be placed, and nothing else.
func TestCurrenciesOfAChannel(t *testing.T) {
	t.Parallel()
	c := at(noon, domain.ConfirmNever)
	o := order()
	o.Amount = domain.NewMoney(1000, domain.USD)
	_, err := domain.Payment{}.Place(c, o)
	refused(t, err, domain.KindMismatch, "currency")
	c.Channel.Currencies = []domain.Currency{domain.CNY, domain.USD}
	if fs, err := (domain.Payment{}).Place(c, o); err != nil || len(fs) != 1 {
		t.Errorf("placing in another currency of the channel: %v, %v", fs, err)
	}
}
