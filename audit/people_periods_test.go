package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// ownKey is a key of a person's own, which another person has confirmed.
func (w *world) ownKey(person, other string, seed byte) ed25519.PrivateKey {
	w.t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	public, _ := private.Public().(ed25519.PublicKey)
	key := domain.KeyFingerprint(public)
	must(w.t, w.ledger.ProposeKey(w.t.Context(), domain.KeyProposed{
		Fingerprint: key, Person: person, Public: public, SignedAt: w.now,
		Proof: ed25519.Sign(private, domain.KeyStatement(w.ledger.ID(), person, key, w.now)),
	}, clerk))
	must(w.t, w.ledger.ConfirmKey(w.t.Context(), key, other, "by voice", clerk))
	return private
}

// sign signs what statement says at the world's time.
func (w *world) sign(private ed25519.PrivateKey, statement func(at time.Time) []byte) *domain.Signature {
	public, _ := private.Public().(ed25519.PublicKey)
	return &domain.Signature{Key: domain.KeyFingerprint(public), SignedAt: w.now, Value: ed25519.Sign(private, statement(w.now))}
}

// signedMonth is a month with two persons' keys, which is to be closed.
type signedMonth struct {
	*world
	period   string
	li, wang ed25519.PrivateKey
	ask      domain.PeriodClosing
	basis    domain.CloseBasis
}

func newSignedMonth(t *testing.T) *signedMonth {
	t.Helper()
	w := newWorld(t)
	w.live()
	m := w.signs("2026-11")
	m.now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	return m
}

// signs gives li and wang keys of their own.
func (w *world) signs(period string) *signedMonth {
	w.t.Helper()
	return &signedMonth{world: w, period: period, li: w.ownKey("li", "wang", 1), wang: w.ownKey("wang", "li", 2)}
}

// proposes is what li proposes now, unsigned.
func (m *signedMonth) proposes() domain.PeriodClosing {
	m.t.Helper()
	var err error
	m.basis, err = m.world.basis(m.period)(m.t.Context())
	must(m.t, err)
	m.basis.Zones = []string{"Asia/Shanghai"}
	have, err := m.ledger.Periods(m.t.Context())
	must(m.t, err)
	p, _, err := have.Propose(domain.Context{Ledger: m.ledger.ID(), Stream: domain.PeriodsStream, Now: m.now}, domain.CloseAsk{
		Period: m.period, Reason: "done", By: "li", Basis: m.basis,
	})
	must(m.t, err)
	m.ask = p.Ask
	return p.Ask
}

func (m *signedMonth) propose(sig *domain.Signature) error {
	_, _, err := m.ledger.ProposeClose(m.t.Context(), domain.CloseAsk{Period: m.period, Reason: "done", By: "li"}, sig, m.given(),
		ledger.By{Actor: "person:li"})
	return err
}

// given is the basis that was signed: the keys' own events move it no further.
func (m *signedMonth) given() ledger.Basis {
	return func(context.Context) (domain.CloseBasis, error) { return m.basis, nil }
}

func (m *signedMonth) approves(leaf [32]byte) *domain.Signature {
	return m.sign(m.wang, func(at time.Time) []byte { return domain.ClosedStatement(m.ledger.ID(), leaf, m.ask, "wang", at) })
}

// TestSignedClose: who has a key of their own proposes and approves the close of
// a period with it, and never without; verify and bundles check it.
func TestSignedClose(t *testing.T) {
	t.Parallel()
	m := newSignedMonth(t)
	ask := m.proposes()
	if err := m.propose(nil); domain.KindOf(err) != domain.KindDenied {
		t.Errorf("unsigned: %v", err)
	}
	other := ask
	other.Basis.Totals = other.Basis.Totals[1:]
	for name, f := range map[string]domain.PeriodClosing{"other totals": other, "another proposal": {Period: "2026-11", By: "li", Reason: "done", Basis: ask.Basis}} {
		sig := m.sign(m.li, func(at time.Time) []byte { return domain.ClosingStatement(m.ledger.ID(), f, at) })
		if err := m.propose(sig); domain.KindOf(err) != domain.KindForged {
			t.Errorf("signed for %s: %v", name, err)
		}
	}
	closing := func(at time.Time) []byte { return domain.ClosingStatement(m.ledger.ID(), ask, at) }
	if err := m.propose(m.sign(m.wang, closing)); domain.KindOf(err) != domain.KindForged {
		t.Errorf("signed with another person's key: %v", err)
	}
	must(t, m.propose(m.sign(m.li, closing)))
	m.later(domain.PeriodGrace + domain.PeriodSettle)
	_, leaf, err := m.ledger.ProposedClose(t.Context(), ask.Proposal)
	must(t, err)
	approve := func(sig *domain.Signature) error {
		_, err := m.ledger.ApproveClose(t.Context(), "2026-11", "wang", "checked", sig, m.given(), clerk)
		return err
	}
	if err := approve(nil); domain.KindOf(err) != domain.KindDenied {
		t.Errorf("approved unsigned: %v", err)
	}
	if err := approve(m.approves([32]byte{1})); domain.KindOf(err) != domain.KindForged {
		t.Errorf("approved another event: %v", err)
	}
	must(t, approve(m.approves(leaf)))
	m.fold()
	if rep := m.verify(); !rep.OK() {
		t.Errorf("%+v", rep.Findings)
	}
	if rep := m.check(m.bundle(payment("epay-c/C1")), m.treeKey()); !rep.OK() || rep.Report.Types[domain.TypePeriodClosed] != 1 || rep.Report.Types[domain.TypeKeyAdded] != 2 {
		t.Errorf("a bundle: %+v", rep.Claims)
	}
}

// TestForgedClosesAreFound: decisions about a period that are not signed by who
// must sign, each named by its position, in the store and in a bundle.
func TestForgedClosesAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		forge func(m *signedMonth) domain.Fact
		says  string
	}{
		"an unsigned proposal": {func(m *signedMonth) domain.Fact { return m.proposes() }, "li has a key of their own"},
		"a proposal with another signature": {func(m *signedMonth) domain.Fact {
			f := m.proposes()
			f.Signature = m.sign(m.li, func(at time.Time) []byte { return domain.ClosedStatement(m.ledger.ID(), [32]byte{}, f, "li", at) })
			return f
		}, "it does not sign this decision"},
		"an unsigned close": {func(m *signedMonth) domain.Fact { return m.closed(nil) }, "wang has a key of their own"},
		"a close of another event": {func(m *signedMonth) domain.Fact {
			f := m.closed(nil)
			f.Signature = m.approves([32]byte{1})
			return f
		}, "it does not sign this decision"},
		"a close with the proposer's key": {func(m *signedMonth) domain.Fact {
			f := m.closed(nil)
			f.Signature = m.sign(m.li, func(at time.Time) []byte { return domain.ClosedStatement(m.ledger.ID(), m.leaf(), m.ask, "wang", at) })
			return f
		}, "is no key of wang"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newSignedMonth(t)
			m.forgeFact(domain.PeriodsStream, c.forge(m))
			m.fold()
			at, err := m.events.Head(t.Context())
			must(t, err)
			rep := m.verify()
			if found := besides(rep, audit.CheckTree); len(found) != 1 || found[0].Position != at || !strings.Contains(found[0].Text, c.says) {
				t.Errorf("want %q at %s, found %+v", c.says, at, rep.Findings)
			}
			b := m.check(m.bundle(payment("epay-c/C1")), m.treeKey())
			if last := b.Claims[len(b.Claims)-1]; b.OK() || last.Name != audit.ClaimDecisions || !strings.Contains(last.Text, c.says) {
				t.Errorf("a bundle: %+v", b.Claims)
			}
		})
	}
}

// closed is wang's yes to what li proposed and signed.
func (m *signedMonth) closed(sig *domain.Signature) domain.PeriodClosed {
	m.t.Helper()
	ask := m.proposes()
	must(m.t, m.propose(m.sign(m.li, func(at time.Time) []byte { return domain.ClosingStatement(m.ledger.ID(), ask, at) })))
	m.later(domain.PeriodGrace + domain.PeriodSettle)
	return domain.PeriodClosed{
		Proposal: ask.Proposal, Period: m.period, ProposedBy: "li", By: "wang", Reason: "checked", Basis: m.ask.Basis, Rules: domain.RulesVersion,
		Signature: sig,
	}
}

func (m *signedMonth) leaf() [32]byte {
	m.t.Helper()
	events, err := m.events.ReadStream(m.t.Context(), domain.PeriodsStream, eventstore.ReadOptions{})
	must(m.t, err)
	r := events[len(events)-1]
	return eventstore.LeafHashSealed(r.Stream, r.Revision, r.Event, r.SealedHash)
}
