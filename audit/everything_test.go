package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/ledger"
)

// everything is a history with every type of event.
func everything(t *testing.T) *world {
	w := cardWorld(t)
	w.aftermath()
	w.live()
	w.run()
	w.policies()
	must(t, w.ledger.Act(t.Context(), domain.Act{
		What: domain.ActExport, Person: "li", From: "api", Key: "0a1b2c3d4e5f", Why: "the auditor asked", Subject: "journal 2026-11",
		Detail: map[string]string{"format": "hledger"}, Remote: "203.0.113.9:40000",
	}, clerk))
	w.closesNovember()
	w.rejectsOpening()
	w.closesDecember()
	w.erases()
	return w
}

// run plays a comparison with a bill: what it found, what two persons set aside
// of it, and what it proposed and had rejected.
func (w *world) run() {
	w.t.Helper()
	day, by := domain.Day("2026-11-22"), ledger.By{Actor: "reconciler", Cause: "bill-7"}
	id := domain.NewV5(domain.ID{3}, "RUN1")
	differed := domain.ReconciliationDiffered{Discrepancy: id, Kind: domain.OnlyOurs, Line: domain.LinePayment, TradeNo: "TRUN1", Ours: yuan(w.t, "7.30"), By: "bill-7"}
	must(w.t, w.ledger.Reconciled(w.t.Context(), trusting, day, []domain.Fact{
		domain.ReconciliationCompared{Run: "bill-7", Channel: trusting, Day: day, Bill: "trade", Import: 1, SHA256: "ab", Ours: 2, Theirs: 1, Matched: 1},
		differed,
	}, by))
	for _, who := range []string{"li", "wang"} {
		_, err := w.ledger.SetAside(w.t.Context(), trusting, day, differed, who, "agreed on the phone", nil, ledger.By{Actor: "person:" + who})
		must(w.t, err)
	}
	unspent := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }
	propose := func(order string) domain.ID {
		w.place(trusting, order, "user:1", "7.30")
		w.callback(trusting, order, "T"+order, "7.30", domain.OutcomeCredited)
		p, _, err := w.ledger.Propose(w.t.Context(), trusting, order, domain.Correction{
			Action: domain.ActionReverse, TradeNo: "T" + order, Reason: "the provider says closed", By: "bill-7", ByRun: true,
			Discrepancy: domain.NewV5(domain.ID{3}, order),
		}, unspent, by)
		must(w.t, err)
		return p.ID()
	}
	first, second := propose("RUN1"), propose("RUN2")
	for _, who := range []string{"alice", "bob"} {
		_, err := w.ledger.Approve(w.t.Context(), trusting, "RUN1", first, who, "seen", unspent, ledger.By{Actor: "person:" + who})
		must(w.t, err)
	}
	_, err := w.ledger.Reject(w.t.Context(), trusting, "RUN2", second, "bob", "not so", ledger.By{Actor: "person:bob"})
	must(w.t, err)
}

// policies loosens a policy by two persons, and has another one rejected.
func (w *world) policies() {
	w.t.Helper()
	loosen := func(change func(*domain.ChannelConfigured)) domain.ID {
		next, err := w.ledger.InForce(careful)
		must(w.t, err)
		change(&next)
		must(w.t, w.ledger.Configure(w.t.Context(), next, ledger.By{Actor: "system"}))
		w.later(time.Minute)
		return w.ledger.Waiting()[0].Ask.Proposal
	}
	_, err := w.ledger.RejectPolicy(w.t.Context(), careful, loosen(func(c *domain.ChannelConfigured) { c.AccountFrom = "attach" }), "li", "not agreed", clerk)
	must(w.t, err)
	id := loosen(func(c *domain.ChannelConfigured) { c.Confirm = domain.ConfirmNever })
	for _, who := range []string{"li", "wang"} {
		_, err := w.ledger.ApprovePolicy(w.t.Context(), careful, id, who, "agreed", nil, clerk)
		must(w.t, err)
	}
}

func (w *world) rejectsOpening() {
	w.t.Helper()
	p, _, err := w.ledger.ProposeOpening(w.t.Context(), signed, domain.OpeningAsk{
		Day: "2026-11-30", Balance: []domain.Money{yuan(w.t, "9.00")}, By: "li", Reason: "taken over",
	}, ledger.By{Actor: "person:li"})
	must(w.t, err)
	_, err = w.ledger.RejectOpening(w.t.Context(), signed, p.Ask.Proposal, "wang", "not ours", ledger.By{Actor: "person:wang"})
	must(w.t, err)
}

// closesDecember has two persons sign, one of whom says no at first, and a key
// retired.
func (w *world) closesDecember() {
	w.t.Helper()
	m := w.signs("2026-12")
	m.now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	propose := func() domain.PeriodClosing {
		ask := m.proposes()
		must(w.t, m.propose(m.sign(m.li, func(at time.Time) []byte { return domain.ClosingStatement(m.ledger.ID(), ask, at) })))
		return ask
	}
	propose()
	_, err := m.ledger.RejectClose(w.t.Context(), m.period, "wang", "a bill is missing", clerk)
	must(w.t, err)
	m.later(time.Minute)
	ask := propose()
	m.later(domain.PeriodGrace + domain.PeriodSettle)
	_, leaf, err := m.ledger.ProposedClose(w.t.Context(), ask.Proposal)
	must(w.t, err)
	_, err = m.ledger.ApproveClose(w.t.Context(), m.period, "wang", "checked", m.approves(leaf), m.given(), clerk)
	must(w.t, err)
	public, _ := m.li.Public().(ed25519.PublicKey)
	must(w.t, m.ledger.RetireKey(w.t.Context(), domain.KeyFingerprint(bytes.Clone(public)), "li", "new laptop", clerk))
}

// erases has a payment's evidence erased, when it is old enough.
func (w *world) erases() {
	w.t.Helper()
	w.later(domain.MinRetention + 24*time.Hour)
	_, err := w.eraseAsAPI(trusting, "D1")
	must(w.t, err)
	w.fold()
}

// TestEverythingVerifies: the whole history passes with its keys, its rows and
// its evidence.
func TestEverythingVerifies(t *testing.T) {
	t.Parallel()
	w := everything(t)
	rep := w.verify(scratch(t))
	if !rep.OK() || !rep.Rows.Full || len(rep.Types) != len(domain.Types()) || rep.Evidence.Erased == 0 {
		t.Errorf("%d types, %+v, %+v", len(rep.Types), rep.Evidence, rep.Findings)
	}
}
