package audit_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
)

// signedAsk is what li proposed to wang, who has a key of their own: an opening
// balance and a looser policy.
type signedAsk struct {
	*world
	li, wang ed25519.PrivateKey
	opening  domain.OpeningProposed
	policy   domain.ConfigProposed
	leaf     [32]byte // of the opening
	settings [32]byte // of the policy
}

func newSignedAsk(t *testing.T) *signedAsk {
	t.Helper()
	w := newWorld(t)
	a := &signedAsk{world: w, li: w.ownKey("li", "wang", 1), wang: w.ownKey("wang", "li", 2)}
	q, _, err := w.ledger.ProposeOpening(t.Context(), trusting, domain.OpeningAsk{
		Day: "2026-11-21", Balance: []domain.Money{yuan(t, "50.00")}, By: "li", Reason: "taken over",
		Wallets: []domain.OpeningWallet{{Account: "user:1", Amount: yuan(t, "30.00")}},
	}, clerk)
	must(t, err)
	a.opening, a.leaf, err = w.ledger.ProposedOpening(t.Context(), trusting, q.Ask.Proposal)
	must(t, err)
	cfg, err := w.ledger.InForce(careful)
	must(t, err)
	cfg.Confirm = domain.ConfirmNever
	must(t, w.ledger.Configure(t.Context(), cfg, clerk))
	a.policy, a.settings, err = w.ledger.ProposedPolicy(t.Context(), careful, w.ledger.Waiting()[0].Ask.Proposal)
	must(t, err)
	return a
}

// books is an opening's signature by a person with a key.
func (a *signedAsk) books(key ed25519.PrivateKey, leaf [32]byte) *domain.Signature {
	return a.sign(key, func(at time.Time) []byte { return domain.OpeningStatement(a.ledger.ID(), leaf, a.opening, "wang", at) })
}

// loosens is a policy's signature by a person with a key.
func (a *signedAsk) loosens(person string, key ed25519.PrivateKey, leaf [32]byte) *domain.Signature {
	return a.sign(key, func(at time.Time) []byte { return domain.PolicyStatement(a.ledger.ID(), leaf, a.policy, person, at) })
}

// approved is wang's yes to the opening, as it is booked by the rules.
func (a *signedAsk) approved(sig *domain.Signature) domain.Fact {
	a.t.Helper()
	o, err := a.ledger.Openings(a.t.Context(), trusting)
	must(a.t, err)
	cfg, err := a.ledger.InForce(trusting)
	must(a.t, err)
	zone, err := time.LoadLocation(cfg.Zone)
	must(a.t, err)
	f, err := o.Approve(domain.Context{
		Ledger: a.ledger.ID(), Stream: domain.OpeningStream(trusting), Now: a.now, Channel: cfg, Revision: cfg.Revision, Zone: zone,
	}, a.opening.Proposal, "wang", "seen")
	must(a.t, err)
	return domain.WithSignature([]domain.Fact{f}, sig)[0]
}

// TestSignedApprovalsVerify: openings and looser policies that are approved with
// people's own keys pass.
func TestSignedApprovalsVerify(t *testing.T) {
	t.Parallel()
	a := newSignedAsk(t)
	_, err := a.ledger.ApproveOpening(t.Context(), trusting, a.opening.Proposal, "wang", "seen", a.books(a.wang, a.leaf), clerk)
	must(t, err)
	for person, key := range map[string]ed25519.PrivateKey{"li": a.li, "wang": a.wang} {
		_, err := a.ledger.ApprovePolicy(t.Context(), careful, a.policy.Proposal, person, "agreed", a.loosens(person, key, a.settings), clerk)
		must(t, err)
	}
	a.fold()
	rep := a.verify()
	if !rep.OK() || rep.Types[domain.TypeOpeningBooked] != 1 || rep.Types[domain.TypeConfigApproved] != 2 {
		t.Errorf("%+v %v", rep.Findings, rep.Types)
	}
}

// TestForgedApprovalsAreFound: a yes to an opening balance or to a looser policy
// that its person did not sign is named by its position.
func TestForgedApprovalsAreFound(t *testing.T) {
	t.Parallel()
	yes := func(a *signedAsk, sig *domain.Signature) domain.Fact {
		return domain.ConfigApproved{Proposal: a.policy.Proposal, By: "wang", Reason: "agreed", Signature: sig}
	}
	opening, policy := domain.OpeningStream(trusting), domain.PolicyStream(careful)
	for name, c := range map[string]struct {
		stream domain.Stream
		forge  func(a *signedAsk) domain.Fact
		says   string
	}{
		"an unsigned opening":              {opening, func(a *signedAsk) domain.Fact { return a.approved(nil) }, "wang has a key of their own"},
		"an opening of another event":      {opening, func(a *signedAsk) domain.Fact { return a.approved(a.books(a.wang, a.settings)) }, "it does not sign this decision"},
		"an opening with another's key":    {opening, func(a *signedAsk) domain.Fact { return a.approved(a.books(a.li, a.leaf)) }, "is no key of wang"},
		"an unsigned loosening":            {policy, func(a *signedAsk) domain.Fact { return yes(a, nil) }, "wang has a key of their own"},
		"a loosening of another event":     {policy, func(a *signedAsk) domain.Fact { return yes(a, a.loosens("wang", a.wang, a.leaf)) }, "it does not sign this decision"},
		"a loosening signed as another":    {policy, func(a *signedAsk) domain.Fact { return yes(a, a.loosens("li", a.wang, a.settings)) }, "it does not sign this decision"},
		"a loosening with another's key":   {policy, func(a *signedAsk) domain.Fact { return yes(a, a.loosens("wang", a.li, a.settings)) }, "is no key of wang"},
		"a loosening nobody ever proposed": {policy, func(*signedAsk) domain.Fact { return domain.ConfigApproved{By: "wang"} }, "no settings wait"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newSignedAsk(t)
			a.place(careful, "P1", "user:1", "1.00")
			a.forgeFact(c.stream, c.forge(a))
			a.fold()
			at, err := a.events.Head(t.Context())
			must(t, err)
			rep := a.verify()
			if found := besides(rep, audit.CheckTree); len(found) != 1 || found[0].Position != at || !strings.Contains(found[0].Text, c.says) {
				t.Errorf("want %q at %s, found %+v", c.says, at, rep.Findings)
			}
			b := a.check(a.bundle(account("user:1")), a.treeKey())
			if last := b.Claims[len(b.Claims)-1]; b.OK() || last.Name != audit.ClaimDecisions || !strings.Contains(last.Text, c.says) {
				t.Errorf("a bundle: %+v", b.Claims)
			}
		})
	}
}
