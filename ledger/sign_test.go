package ledger

import (
	"context"
	"crypto/ed25519"
	"testing"

	"counterfoil/domain"
)

// signs gives a person a key of their own, confirmed by another one.
func (p pen) signs(t *testing.T, l *Ledger, other string) {
	t.Helper()
	ctx := context.Background()
	if err := l.ProposeKey(ctx, p.proposal(), desk); err != nil {
		t.Fatal(err)
	}
	if err := l.ConfirmKey(ctx, p.fingerprint(), other, "by voice", desk); err != nil {
		t.Fatal(err)
	}
}

// under signs a statement.
func (p pen) under(statement []byte) *domain.Signature {
	return &domain.Signature{Key: p.fingerprint(), SignedAt: noon, Value: ed25519.Sign(p.private, statement)}
}

// refusesUnsigned tries a decision of who has a key of their own without a
// signature and with wrong ones.
func refusesUnsigned(t *testing.T, decide func(*domain.Signature) error, forged map[string]*domain.Signature) {
	t.Helper()
	if err := decide(nil); domain.KindOf(err) != domain.KindDenied || domain.FieldOf(err) != "signature" {
		t.Errorf("unsigned: %v", err)
	}
	for name, sig := range forged {
		if err := decide(sig); domain.KindOf(err) != domain.KindForged || domain.FieldOf(err) != "signature" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOpeningsAreSigned: who has a key books an opening balance with it, this
// one and no other, as it was proposed.
func TestOpeningsAreSigned(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	wang, li := newPen("wang", 1), newPen("li", 2)
	wang.signs(t, l, "li")
	li.signs(t, l, "wang")
	propose := func(fen int64) (domain.OpeningProposed, [32]byte) {
		q, _, err := l.ProposeOpening(ctx, main, domain.OpeningAsk{
			Day: "2026-03-13", Balance: []domain.Money{domain.NewMoney(fen, domain.CNY)}, By: "li", Reason: "the old system",
			Wallets: []domain.OpeningWallet{{Account: bob, Amount: five}},
		}, desk)
		if err != nil {
			t.Fatal(err)
		}
		ask, leaf, err := l.ProposedOpening(ctx, main, q.Ask.Proposal)
		if err != nil {
			t.Fatal(err)
		}
		return ask, leaf
	}
	ask, leaf := propose(900)
	second, leafOfSecond := propose(1000)
	more, another := ask, ask
	more.Balance = []domain.Money{domain.NewMoney(901, domain.CNY)}
	another.Wallets = []domain.OpeningWallet{{Account: alice, Amount: five}}
	approve := func(sig *domain.Signature) error {
		_, err := l.ApproveOpening(ctx, main, ask.Proposal, "wang", "seen", sig, desk)
		return err
	}
	refusesUnsigned(t, approve, map[string]*domain.Signature{
		"with another person's key": li.under(domain.OpeningStatement(testID, leaf, ask, "wang", noon)),
		"for another person":        wang.under(domain.OpeningStatement(testID, leaf, ask, "li", noon)),
		"another proposal's":        wang.under(domain.OpeningStatement(testID, leafOfSecond, second, "wang", noon)),
		"of another event":          wang.under(domain.OpeningStatement(testID, leafOfSecond, ask, "wang", noon)),
		"of more money":             wang.under(domain.OpeningStatement(testID, leaf, more, "wang", noon)),
		"of another account":        wang.under(domain.OpeningStatement(testID, leaf, another, "wang", noon)),
	})
	right := wang.under(domain.OpeningStatement(testID, leaf, ask, "wang", noon))
	for range 2 { // again it is said already
		if err := approve(right); err != nil {
			t.Fatal(err)
		}
	}
	events, err := l.readAll(ctx, domain.OpeningStream(main))
	if err != nil {
		t.Fatal(err)
	}
	f, ok := events[len(events)-1].Fact.(domain.OpeningBooked)
	if !ok || f.Signature == nil || f.Signature.Key != wang.fingerprint() || len(events) != 3 {
		t.Errorf("kept: %+v", events)
	}
	if _, _, err := l.ProposedOpening(ctx, main, domain.ID{1}); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an unknown one: %v", err)
	}
	checkLog(t, w)
}

// TestLooseningsAreSigned: each of the two persons who has a key says yes with
// it; who has none need not.
func TestLooseningsAreSigned(t *testing.T) {
	w := parallel(t)
	ctx := context.Background()
	l := asks(t, w, loosen)
	wang := newPen("wang", 1)
	wang.signs(t, l, "li")
	id := l.Waiting()[0].Ask.Proposal
	ask, leaf, err := l.ProposedPolicy(ctx, asked, id)
	if err != nil {
		t.Fatal(err)
	}
	less, other := ask, ask
	less.Loosens = nil
	other.Hash = "9f86"
	approve := func(sig *domain.Signature) error {
		_, err := l.ApprovePolicy(ctx, asked, id, "wang", "agreed", sig, desk)
		return err
	}
	refusesUnsigned(t, approve, map[string]*domain.Signature{
		"for another person": wang.under(domain.PolicyStatement(testID, leaf, ask, "li", noon)),
		"of another event":   wang.under(domain.PolicyStatement(testID, [32]byte{1}, ask, "wang", noon)),
		"of less":            wang.under(domain.PolicyStatement(testID, leaf, less, "wang", noon)),
		"of other settings":  wang.under(domain.PolicyStatement(testID, leaf, other, "wang", noon)),
	})
	if err := approve(wang.under(domain.PolicyStatement(testID, leaf, ask, "wang", noon))); err != nil {
		t.Fatal(err)
	}
	q, err := l.ApprovePolicy(ctx, asked, id, "li", "agreed", nil, desk)
	if err != nil || q.State != domain.PolicyInForce || q.Approved[0].Signature == nil || q.Approved[1].Signature != nil {
		t.Errorf("%+v, %v", q, err)
	}
	if _, _, err := l.ProposedPolicy(ctx, asked, domain.ID{1}); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an unknown one: %v", err)
	}
	checkLog(t, w)
}
