package audit_test

import (
	"context"
	"crypto/ed25519"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/ledger"
)

const asideDay domain.Day = "2026-11-22"

var asideStream = domain.ReconciliationStream(trusting, string(asideDay))

// asiding is a log with two differences about money and one about a fee, and
// with li and wang, who have keys of their own.
type asiding struct {
	*world
	li, wang   ed25519.PrivateKey
	d, more    domain.ReconciliationDiffered
	fee        domain.ReconciliationDiffered
	correction domain.ID // by which li and wang repaired more, if they did
}

func newAsiding(t *testing.T) *asiding {
	t.Helper()
	w := newWorld(t)
	w.live()
	a := &asiding{world: w, li: w.ownKey("li", "wang", 1), wang: w.ownKey("wang", "li", 2)}
	differ := func(n byte, kind domain.DiscrepancyKind) domain.ReconciliationDiffered {
		return domain.ReconciliationDiffered{
			Discrepancy: domain.ID{n}, Kind: kind, Line: domain.LinePayment, TradeNo: "TR1", Ours: yuan(t, "7.30"), By: "bill-7",
		}
	}
	a.d, a.more, a.fee = differ(1, domain.OnlyOurs), differ(2, domain.OnlyOurs), differ(3, domain.FeeMismatch)
	must(t, w.ledger.Reconciled(t.Context(), trusting, asideDay, []domain.Fact{a.d, a.more, a.fee}, ledger.By{Actor: "reconciler", Cause: "bill-7"}))
	return a
}

// word is what a person says of a difference now, signed with a key; nil for
// unsigned.
func (a *asiding) word(d domain.ReconciliationDiffered, by string, key ed25519.PrivateKey) domain.Fact {
	a.t.Helper()
	before, leaf, err := a.ledger.Aside(a.t.Context(), trusting, asideDay, d.Discrepancy)
	must(a.t, err)
	f, err := before.Say(a.ledger.ID(), asideStream, d, by, "seen")
	must(a.t, err)
	if key == nil {
		return f
	}
	return a.signs(f, leaf, key)
}

// signs is a word with a signature over it, behind a leaf.
func (a *asiding) signs(f domain.Fact, leaf [32]byte, key ed25519.PrivateKey) domain.Fact {
	return domain.WithSignature([]domain.Fact{f}, a.world.sign(key, func(at time.Time) []byte {
		return domain.WordStatement(a.ledger.ID(), asideStream, leaf, f, at)
	}))[0]
}

// says tells a word through the ledger.
func (a *asiding) says(d domain.ReconciliationDiffered, by string, key ed25519.PrivateKey) {
	a.t.Helper()
	var sig *domain.Signature
	switch f := a.word(d, by, key).(type) {
	case domain.ReconciliationAsked:
		sig = f.Signature
	case domain.ReconciliationDiffered:
		sig = f.Signature
	default:
	}
	_, err := a.ledger.SetAside(a.t.Context(), trusting, asideDay, d, by, "seen", sig, ledger.By{Actor: "person:" + by})
	must(a.t, err)
}

// corrects has li and wang correct what a difference is about, each with their
// key, and returns what then ends the difference.
func (a *asiding) corrects(d domain.ReconciliationDiffered) domain.ReconciliationDiffered {
	a.t.Helper()
	unspent := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }
	a.place(trusting, "R1", "user:1", "7.30")
	a.callback(trusting, "R1", "TR1", "7.30", domain.OutcomeCredited)
	p, _, err := a.ledger.Propose(a.t.Context(), trusting, "R1", domain.Correction{
		Action: domain.ActionReverse, TradeNo: "TR1", Reason: "paid by nobody", By: "li", Discrepancy: d.Discrepancy,
	}, unspent, clerk)
	must(a.t, err)
	stream := domain.PaymentStream(trusting, "R1")
	ask, leaf, err := a.ledger.Proposed(a.t.Context(), stream, p.ID())
	must(a.t, err)
	_, err = a.ledger.ApproveSigned(a.t.Context(), trusting, "R1", p.ID(), "wang", "seen", a.world.sign(a.wang, func(at time.Time) []byte {
		return domain.ApprovalStatement(a.ledger.ID(), stream, leaf, ask, "wang", at)
	}), unspent, ledger.By{Actor: "person:wang"})
	must(a.t, err)
	a.correction = p.ID()
	d.Resolved, d.How, d.By, d.AskedBy, d.Correction = true, "corrected", "wang", "li", a.correction
	return d
}

// TestAsidesVerify: differences that two persons, one person and a correction
// ended pass, and so does one whose first word was for another amount.
func TestAsidesVerify(t *testing.T) {
	t.Parallel()
	a := newAsiding(t)
	elsewhere := func(prefix string) { // so that the day's stream is forgotten
		for n := range 32 {
			a.place(trusting, prefix+strconv.Itoa(n), "user:1", "7.30")
		}
	}
	a.says(a.d, "li", a.li)
	changed := a.d
	changed.Theirs = yuan(t, "7.00")
	a.says(changed, "wang", a.wang)
	elsewhere("E")
	a.says(changed, "li", a.li)
	elsewhere("F")
	a.says(a.fee, "wang", a.wang)
	must(t, a.ledger.Reconciled(t.Context(), trusting, asideDay, []domain.Fact{a.corrects(a.more)}, ledger.By{Actor: "person:wang"}))
	a.fold()
	if rep := a.verify(); !rep.OK() || rep.Types[domain.TypeReconciliationAsked] != 2 || rep.Types[domain.TypeReconciliationDiffered] != 6 {
		t.Errorf("%+v %v", rep.Findings, rep.Types)
	}
	rep, err := audit.VerifyNear(t.Context(), a.deps(), nil, 1) // streams are read again
	must(t, err)
	if !rep.OK() {
		t.Errorf("forgetful: %+v", rep.Findings)
	}
}

// TestOlderAsidesVerify: a log in which people's words stood in no event yet is
// what it was, also when they sign today; once one word is an event, all are.
func TestOlderAsidesVerify(t *testing.T) {
	t.Parallel()
	a := newAsiding(t)
	old := a.d
	old.Resolved, old.How, old.By, old.AskedBy = true, "agreed on the phone", "wang", "li"
	a.forgeFact(asideStream, old)
	a.fold()
	if rep := a.verify(); len(besides(rep, audit.CheckTree)) > 0 {
		t.Errorf("%+v", rep.Findings)
	}
	a.says(a.fee, "wang", a.wang)
	a.fold()
	if rep := a.verify(); len(besides(rep, audit.CheckTree)) > 0 {
		t.Errorf("%+v", rep.Findings)
	}
	old.Discrepancy = a.more.Discrepancy
	a.forgeFact(asideStream, old)
	a.named("not by which words")
}

// named wants the last event of the log found, alone, with some words.
func (a *asiding) named(says string) {
	a.t.Helper()
	a.fold()
	at, err := a.events.Head(a.t.Context())
	must(a.t, err)
	rep := a.verify()
	if found := besides(rep, audit.CheckTree); len(found) != 1 || found[0].Position != at || found[0].Check != audit.CheckDecisions || !strings.Contains(found[0].Text, says) {
		a.t.Errorf("want %q at %s, found %+v", says, at, rep.Findings)
	}
}

// TestForgedAsidesAreFound: a word that its person did not sign, or not for
// this, or that the rules refuse, is named by its position.
func TestForgedAsidesAreFound(t *testing.T) {
	t.Parallel()
	// second is what wang says behind li's first word, changed before it is signed.
	second := func(change func(a *asiding, f *domain.ReconciliationDiffered, leaf *[32]byte), key func(a *asiding) ed25519.PrivateKey) func(a *asiding) domain.Fact {
		return func(a *asiding) domain.Fact {
			a.says(a.d, "li", a.li)
			a.says(a.more, "li", a.li)
			_, leaf, err := a.ledger.Aside(a.t.Context(), trusting, asideDay, a.d.Discrepancy)
			must(a.t, err)
			f, _ := a.word(a.d, "wang", nil).(domain.ReconciliationDiffered)
			change(a, &f, &leaf)
			if k := key(a); k != nil {
				return a.signs(f, leaf, k)
			}
			return f
		}
	}
	wang := func(a *asiding) ed25519.PrivateKey { return a.wang }
	li := func(a *asiding) ed25519.PrivateKey { return a.li }
	nobody := func(*asiding) ed25519.PrivateKey { return nil }
	as := func(*asiding, *domain.ReconciliationDiffered, *[32]byte) {}
	for name, c := range map[string]struct {
		forge func(a *asiding) domain.Fact
		says  string
	}{
		"an unsigned first word":          {func(a *asiding) domain.Fact { return a.word(a.d, "li", nil) }, "li has a key of their own"},
		"a first word with another's key": {func(a *asiding) domain.Fact { return a.word(a.d, "li", a.wang) }, "is no key of li"},
		"a first word replayed from another difference": {func(a *asiding) domain.Fact {
			f, _ := a.word(a.d, "li", nil).(domain.ReconciliationAsked)
			other, _ := a.word(a.more, "li", a.li).(domain.ReconciliationAsked)
			f.Signature = other.Signature
			return f
		}, "it does not sign this decision"},
		"a first word of another amount": {func(a *asiding) domain.Fact {
			f, _ := a.word(a.d, "li", a.li).(domain.ReconciliationAsked)
			f.Ours = yuan(a.t, "0.01")
			return f
		}, "it does not sign this decision"},
		"a first word for another reason": {func(a *asiding) domain.Fact {
			f, _ := a.word(a.d, "li", a.li).(domain.ReconciliationAsked)
			f.Reason = "lost"
			return f
		}, "it does not sign this decision"},
		"a first word under an id of its own": {func(a *asiding) domain.Fact {
			f, _ := a.word(a.d, "li", a.li).(domain.ReconciliationAsked)
			f.Proposal = domain.ID{9}
			return f
		}, "proposal"},
		"the first person twice": {func(a *asiding) domain.Fact {
			f, _ := a.word(a.d, "li", nil).(domain.ReconciliationAsked)
			a.says(a.d, "li", a.li)
			d := a.d
			d.Resolved, d.How, d.By, d.AskedBy, d.Proposal = true, "seen", "li", "li", f.Proposal
			return a.signs(d, [32]byte{}, a.li)
		}, "another person must say so, too"},
		"an unsigned second word":            {second(as, nobody), "wang has a key of their own"},
		"a second word with the first's key": {second(as, li), "is no key of wang"},
		"a second word behind another's first": {second(func(a *asiding, _ *domain.ReconciliationDiffered, leaf *[32]byte) {
			_, other, err := a.ledger.Aside(a.t.Context(), trusting, asideDay, a.more.Discrepancy)
			must(a.t, err)
			*leaf = other
		}, wang), "it does not sign this decision"},
		"a second word of another amount": {second(func(a *asiding, f *domain.ReconciliationDiffered, _ *[32]byte) {
			f.Ours = yuan(a.t, "0.01")
		}, wang), "reconciliation.asked.v1 belongs here"},
		"a second word with a first nobody said": {second(func(_ *asiding, f *domain.ReconciliationDiffered, _ *[32]byte) { f.AskedBy = "zhao" }, wang), "asked_by"},
		"a second word without a first": {func(a *asiding) domain.Fact {
			d := a.d
			d.Resolved, d.How, d.By, d.AskedBy, d.Proposal = true, "seen", "wang", "li", domain.ID{9}
			return a.signs(d, [32]byte{}, a.wang)
		}, "reconciliation.asked.v1 belongs here"},
		"one word where it takes two": {func(a *asiding) domain.Fact {
			d, _ := a.word(a.fee, "wang", nil).(domain.ReconciliationDiffered)
			d.Discrepancy, d.Kind = a.d.Discrepancy, a.d.Kind
			return a.signs(d, [32]byte{}, a.wang)
		}, "reconciliation.asked.v1 belongs here"},
		"a third word": {func(a *asiding) domain.Fact {
			a.says(a.d, "li", a.li)
			f := a.word(a.d, "wang", a.wang)
			a.says(a.d, "wang", a.wang)
			d, _ := f.(domain.ReconciliationDiffered)
			d.Proposal = domain.ID{9}
			return d
		}, "is resolved already, by wang"},
		"an unsigned word where one is enough": {func(a *asiding) domain.Fact { return a.word(a.fee, "wang", nil) }, "wang has a key of their own"},
		"a machine's word in a person's name": {func(a *asiding) domain.Fact {
			a.says(a.d, "li", a.li)
			d := a.d
			d.Resolved, d.How, d.By = true, "the bill does not show it any more", "wang"
			return d
		}, "not by which words"},
		"a signature under no word": {func(a *asiding) domain.Fact {
			f, _ := a.word(a.fee, "wang", a.wang).(domain.ReconciliationDiffered)
			f.Proposal = domain.ID{}
			return f
		}, "a signature under no word"},
		"two who set aside what stays open": {func(a *asiding) domain.Fact {
			d := a.d
			d.By, d.AskedBy = "wang", "li"
			return d
		}, "what stays open"},
		"a correction that nobody issued": {func(a *asiding) domain.Fact {
			d := a.d
			d.Resolved, d.How, d.By, d.AskedBy, d.Correction = true, "corrected", "wang", "li", domain.ID{9}
			return d
		}, "no such correction stands before it"},
		"a correction of another difference": {func(a *asiding) domain.Fact {
			d := a.corrects(a.more)
			d.Discrepancy = a.d.Discrepancy
			return d
		}, "no such correction stands before it"},
		"a correction by others": {func(a *asiding) domain.Fact {
			d := a.corrects(a.d)
			d.AskedBy = "zhao"
			return d
		}, "no such correction stands before it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAsiding(t)
			a.forgeFact(asideStream, c.forge(a))
			a.named(c.says)
		})
	}
}

// TestRetiredKeyOfAnAsideIsFound: the key of that time counts, not that of today.
func TestRetiredKeyOfAnAsideIsFound(t *testing.T) {
	t.Parallel()
	a := newAsiding(t)
	a.says(a.d, "li", a.li)
	f := a.word(a.d, "wang", a.wang)
	public, _ := a.wang.Public().(ed25519.PublicKey)
	key := domain.KeyFingerprint(slices.Clone(public))
	must(t, a.ledger.RetireKey(t.Context(), key, "li", "laptop lost", clerk))
	a.fold()
	if rep := a.verify(); !rep.OK() {
		t.Errorf("li's word: %+v", rep.Findings)
	}
	a.forgeFact(asideStream, f)
	a.named("is no key of wang that is in use")
}

// TestWordOfAnotherStreamIsFound: a word stands in the stream of its book day.
func TestWordOfAnotherStreamIsFound(t *testing.T) {
	t.Parallel()
	a := newAsiding(t)
	a.forgeFact(domain.BookStream(trusting, asideDay), a.word(a.d, "li", a.li))
	a.fold()
	rep := a.verify()
	if !slices.ContainsFunc(rep.Findings, func(f audit.Finding) bool {
		return f.Check == audit.CheckIdentity && strings.Contains(f.Text, "belongs into stream reconciliation-")
	}) {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestCorrectionBehindItsDifferenceIsFound: a difference is not ended by a
// correction that comes only later.
func TestCorrectionBehindItsDifferenceIsFound(t *testing.T) {
	t.Parallel()
	twin, a := newAsiding(t), newAsiding(t)
	early := twin.corrects(twin.d)
	a.forgeFact(asideStream, early)
	at, err := a.events.Head(t.Context())
	must(t, err)
	a.corrects(a.d)
	a.fold()
	found := besides(a.verify(), audit.CheckTree)
	if a.correction != early.Correction || len(found) != 1 || found[0].Position != at || !strings.Contains(found[0].Text, "no such correction stands before it") {
		t.Errorf("%s, %s: %+v", a.correction, early.Correction, found)
	}
}
