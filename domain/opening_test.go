package domain_test

import (
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
)

func openingAsk() domain.OpeningAsk {
	return domain.OpeningAsk{
		Day: "2026-03-13", Balance: []domain.Money{ten}, By: "li", Reason: "closing of the old system",
		Wallets: []domain.OpeningWallet{{Account: bob, Amount: domain.NewMoney(100, domain.CNY)}, {Account: alice, Amount: five}},
	}
}

// TestOpening: what was before these books is booked once, by two people, and
// the rest between the two sides is nobody's.
func TestOpening(t *testing.T) {
	t.Parallel()
	var o domain.Openings
	p, f, err := o.Propose(desk(), openingAsk())
	if err != nil || f == nil {
		t.Fatal(f, err)
	}
	taken(t, []domain.Fact{f}, o.Apply)
	if again, f, err := o.Propose(desk(), openingAsk()); f != nil || err != nil || again.Ask.Proposal != p.Ask.Proposal {
		t.Errorf("proposed again: %+v, %+v, %v", again, f, err)
	}
	if _, err := o.Approve(desk(), p.Ask.Proposal, "li", ""); domain.KindOf(err) != domain.KindDenied {
		t.Errorf("the proposer approves: %v", err)
	}
	f, err = o.Approve(desk(), p.Ask.Proposal, "wang", "checked")
	if err != nil {
		t.Fatal(err)
	}
	want := []domain.Posting{
		{Book: "assets:psp:epay-main", Amount: ten},
		{Book: "liabilities:wallet", Wallet: alice, Amount: five.Neg()},
		{Book: "liabilities:wallet", Wallet: bob, Amount: domain.NewMoney(-100, domain.CNY)},
		{Book: "equity:opening", Amount: domain.NewMoney(-400, domain.CNY)},
	}
	if dates, _ := domain.DatesOf(f); !slices.Equal(domain.PostingsOf(f), want) || dates.ValueDate != "2026-03-13" {
		t.Errorf("booked %+v", f)
	}
	taken(t, []domain.Fact{f}, o.Apply)
	if f, err := o.Approve(desk(), p.Ask.Proposal, "wang", ""); f != nil || err != nil {
		t.Errorf("approved again: %+v, %v", f, err)
	}
	if _, _, err := o.Propose(desk(), openingAsk()); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("booked, and proposed again: %v", err)
	}
}

// TestOpeningRejected: a no ends a proposal, and it can be made anew.
func TestOpeningRejected(t *testing.T) {
	t.Parallel()
	var o domain.Openings
	p, f, err := o.Propose(desk(), openingAsk())
	if err != nil {
		t.Fatal(err)
	}
	taken(t, []domain.Fact{f}, o.Apply)
	if _, err := o.Reject(p.Ask.Proposal, "wang", ""); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("without a reason: %v", err)
	}
	f, err = o.Reject(p.Ask.Proposal, "wang", "another balance there")
	if err != nil {
		t.Fatal(err)
	}
	taken(t, []domain.Fact{f}, o.Apply)
	if _, err := o.Approve(desk(), p.Ask.Proposal, "wang", ""); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("approved when rejected: %v", err)
	}
	if q, f, err := o.Propose(desk(), openingAsk()); f == nil || err != nil || q.Ask.Proposal == p.Ask.Proposal {
		t.Errorf("anew: %+v, %v", q, err)
	}
}

// TestOpeningRefused names what is wrong with a proposal.
func TestOpeningRefused(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*domain.OpeningAsk){
		"person":                 func(q *domain.OpeningAsk) { q.By = "" },
		"reason":                 func(q *domain.OpeningAsk) { q.Reason = "" },
		"not a day":              func(q *domain.OpeningAsk) { q.Day = "yesterday" },
		"in the future":          func(q *domain.OpeningAsk) { q.Day = "2026-03-16" },
		"does not take":          func(q *domain.OpeningAsk) { q.Balance[0] = domain.NewMoney(1, domain.JPY) },
		"CNY stands there twice": func(q *domain.OpeningAsk) { q.Balance = append(q.Balance, five) },
		"bob stands there twice": func(q *domain.OpeningAsk) { q.Wallets[1].Account = bob },
		"not a positive amount":  func(q *domain.OpeningAsk) { q.Wallets[0].Amount = five.Neg() },
		"account \"a b\"":        func(q *domain.OpeningAsk) { q.Wallets[0].Account = "a b" },
		"nothing to book":        func(q *domain.OpeningAsk) { q.Balance, q.Wallets = nil, nil },
		"in parts":               func(q *domain.OpeningAsk) { q.Wallets = make([]domain.OpeningWallet, domain.MaxOpeningWallets+1) },
	} {
		q := openingAsk()
		change(&q)
		if _, f, err := (&domain.Openings{}).Propose(desk(), q); f != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v", says, f, err)
		}
	}
}
