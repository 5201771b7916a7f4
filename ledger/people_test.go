package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"

	"counterfoil/domain"
)

// pen is a person's own key.
type pen struct {
	person  string
	private ed25519.PrivateKey
}

func newPen(person string, seed byte) pen {
	return pen{person, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (p pen) public() []byte      { return p.private.Public().(ed25519.PublicKey) }
func (p pen) fingerprint() string { return domain.KeyFingerprint(p.public()) }

func (p pen) proposal() domain.KeyProposed {
	return domain.KeyProposed{
		Fingerprint: p.fingerprint(), Person: p.person, Public: p.public(), Obtained: "api key desk", SignedAt: noon,
		Proof: ed25519.Sign(p.private, domain.KeyStatement(testID, p.person, p.fingerprint(), noon)),
	}
}

// sign signs an approval of a proposal on the stream of A1.
func (p pen) sign(t *testing.T, l *Ledger, proposal domain.ID, person string) *domain.Signature {
	t.Helper()
	s := domain.PaymentStream(main, "A1")
	ask, leaf, err := l.Proposed(context.Background(), s, proposal)
	if err != nil {
		t.Fatal(err)
	}
	return &domain.Signature{
		Key: p.fingerprint(), SignedAt: noon,
		Value: ed25519.Sign(p.private, domain.ApprovalStatement(testID, s, leaf, ask, person, noon)),
	}
}

// TestKeysTakeAnotherPerson: a key proves itself, its owner does not confirm it,
// and a retired one does not come back.
func TestKeysTakeAnotherPerson(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	p := newPen("wang", 1)
	stolen := p.proposal()
	stolen.Person = "li"
	if err := l.ProposeKey(ctx, stolen, desk); domain.KindOf(err) != domain.KindForged {
		t.Errorf("another's key: %v", err)
	}
	steps := []struct {
		name string
		do   func() error
		want domain.Kind // KindInternal: no error
	}{
		{"unknown", func() error { return l.ConfirmKey(ctx, p.fingerprint(), "li", "", desk) }, domain.KindNotFound},
		{"propose", func() error { return l.ProposeKey(ctx, p.proposal(), desk) }, domain.KindInternal},
		{"again", func() error { return l.ProposeKey(ctx, p.proposal(), desk) }, domain.KindInternal},
		{"confirm one's own", func() error { return l.ConfirmKey(ctx, p.fingerprint(), "wang", "", desk) }, domain.KindDenied},
		{"confirm", func() error { return l.ConfirmKey(ctx, p.fingerprint(), "li", "by voice", desk) }, domain.KindInternal},
		{"confirm again", func() error { return l.ConfirmKey(ctx, p.fingerprint(), "zhao", "", desk) }, domain.KindInternal},
		{"retire without a reason", func() error { return l.RetireKey(ctx, p.fingerprint(), "li", "", desk) }, domain.KindInvalid},
		{"retire", func() error { return l.RetireKey(ctx, p.fingerprint(), "li", "laptop lost", desk) }, domain.KindInternal},
		{"confirm a retired one", func() error { return l.ConfirmKey(ctx, p.fingerprint(), "li", "", desk) }, domain.KindConflict},
		{"propose a retired one", func() error { return l.ProposeKey(ctx, p.proposal(), desk) }, domain.KindConflict},
	}
	for _, s := range steps {
		if err := s.do(); (err == nil) != (s.want == domain.KindInternal) || err != nil && domain.KindOf(err) != s.want {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	people, err := l.People(ctx)
	if err != nil || len(people.Keys) != 1 || !people.Signs("wang") || people.Signs("li") {
		t.Errorf("%+v, %v", people, err)
	}
	checkLog(t, w)
}

// TestApprovalsAreSigned: who has a key signs with it, this approval and no
// other; who has none need not; after retirement nothing goes until there is
// another key.
func TestApprovalsAreSigned(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	w.place(t, l, order("A1"))
	must(t, l, w.callback(1, main, "A1", "T1", five), domain.OutcomeParked)
	none := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }
	q, _, err := l.Propose(ctx, main, "A1", domain.Correction{
		Action: domain.ActionAllocate, TradeNo: "T1", Account: bob, Reason: "ticket 12", By: "li",
	}, none, desk)
	if err != nil {
		t.Fatal(err)
	}
	p, other := newPen("wang", 1), newPen("wang", 2)
	for _, key := range []pen{p, newPen("li", 3)} {
		if err := l.ProposeKey(ctx, key.proposal(), desk); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.ConfirmKey(ctx, p.fingerprint(), "li", "by voice", desk); err != nil {
		t.Fatal(err)
	}
	approve := func(sig *domain.Signature) error {
		_, err := l.ApproveSigned(ctx, main, "A1", q.ID(), "wang", "seen", sig, none, desk)
		return err
	}
	changed := p.sign(t, l, q.ID(), "wang")
	changed.SignedAt = changed.SignedAt.Add(1000)
	for name, sig := range map[string]*domain.Signature{
		"unsigned": nil, "another key": other.sign(t, l, q.ID(), "wang"), "another person's": newPen("li", 3).sign(t, l, q.ID(), "wang"),
		"for another person": p.sign(t, l, q.ID(), "zhao"), "another time": changed,
	} {
		if err := approve(sig); domain.KindOf(err) != domain.KindForged && domain.KindOf(err) != domain.KindDenied || domain.FieldOf(err) != "signature" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := approve(p.sign(t, l, q.ID(), "wang")); err != nil {
		t.Fatal(err)
	}
	view, err := l.Payment(ctx, main, "A1")
	if err != nil {
		t.Fatal(err)
	}
	signed := false
	for _, e := range view.Events {
		if f, ok := e.Fact.(domain.CorrectionApproved); ok {
			signed = f.Signature != nil && f.Signature.Key == p.fingerprint()
		}
	}
	if !signed {
		t.Error("the approval is kept without its signature")
	}
	if err := l.RetireKey(ctx, p.fingerprint(), "wang", "new laptop", desk); err != nil {
		t.Fatal(err)
	}
	back, _, err := l.Propose(ctx, main, "A1", domain.Correction{Action: domain.ActionReverse, TradeNo: "T1", Reason: "wrong", By: "li"}, none, desk)
	if err != nil {
		t.Fatal(err)
	}
	for name, sig := range map[string]*domain.Signature{"unsigned": nil, "retired": p.sign(t, l, back.ID(), "wang")} {
		if _, err := l.ApproveSigned(ctx, main, "A1", back.ID(), "wang", "", sig, none, desk); err == nil {
			t.Errorf("%s, with a retired key: it was approved", name)
		}
	}
	if _, err := l.Approve(ctx, main, "A1", back.ID(), "zhao", "", none, desk); err != nil {
		t.Errorf("who has no key: %v", err)
	}
	checkLog(t, w)
}
