package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

var clerk = ledger.By{Actor: "person:li", Cause: "request-1"}

// eraseAsAPI erases a payment's evidence as the api does.
func (w *world) eraseAsAPI(ch domain.ChannelID, order string) (*domain.EvidenceErased, error) {
	return w.ledger.Erase(w.t.Context(), ch, order, "", ledger.Erasure{
		Person: "li", Reason: "request 12", Retention: domain.MinRetention,
		Check: func(_ context.Context, _ domain.PaymentNotified, e domain.Evidence) (string, error) {
			_, err := w.channels[ch].Reverify(e)
			return "", err
		},
	}, clerk)
}

// TestErasedIsAClassOfItsOwn: erased evidence is counted as such, never passed,
// and the rest of the payment is verified as ever; a later notice is, too.
func TestErasedIsAClassOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place(trusting, "E1", "user:1", "10.00")
	w.callback(trusting, "E1", "TE1", "10.00", domain.OutcomeCredited)
	w.place(trusting, "E2", "user:1", "5.00")
	w.callback(trusting, "E2", "TE2", "5.00", domain.OutcomeCredited)
	w.later(domain.MinRetention + 24*time.Hour)
	f, err := w.eraseAsAPI(trusting, "E1")
	must(t, err)
	w.callback(trusting, "E1", "TE1", "10.00", domain.OutcomeRepeated)
	w.fold()
	rep := w.verify()
	if !rep.OK() || rep.Complete() || rep.Evidence.Erased+rep.Evidence.Personal.Erased != int64(len(f.Parts)) ||
		rep.Evidence.Verified != 2 {
		t.Errorf("%+v %+v", rep.Evidence, rep.Findings)
	}
	_, err = w.ops.EnsureDataKey(t.Context(), domain.PaymentStream(trusting, "E1")) // as from a backup
	must(t, err)
	if rep := w.verify(); rep.OK() || !strings.Contains(rep.Findings[0].Text, "the key is there") {
		t.Errorf("a key that came back: %+v", rep.Findings)
	}
	must(t, w.ledger.FinishErasure(t.Context(), domain.PaymentStream(trusting, "E1"), *f))
	must(t, w.ops.DestroyDataKey(t.Context(), domain.PaymentStream(trusting, "E2")))
	w.close()
	w.open()
	if rep := w.verify(); rep.OK() || !strings.Contains(rep.Findings[0].Text, "no erasure stands behind it") {
		t.Errorf("a lost key: %+v", rep.Findings)
	}
}

// TestErasedStaysErasedWhenItsKeyComesBack: a backup of the keys brings nothing
// back to anybody's eyes, and verify names it.
func TestErasedStaysErasedWhenItsKeyComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place(trusting, "E1", "user:1", "10.00")
	w.callback(trusting, "E1", "TE1", "10.00", domain.OutcomeCredited)
	s := domain.PaymentStream(trusting, "E1")
	key, err := w.ops.DataKey(t.Context(), s)
	must(t, err)
	w.later(domain.MinRetention + 24*time.Hour)
	_, err = w.eraseAsAPI(trusting, "E1")
	must(t, err)
	w.callback(trusting, "E1", "TE1", "10.00", domain.OutcomeRepeated) // sealed with a key of its own
	w.fold()
	id := sha256.Sum256([]byte(s))
	exec(t, raw(t, w.file("operations.db")), "INSERT INTO data_keys (id, key) VALUES (?, ?)", id[:16], key[:])
	events, err := w.events.ReadStream(t.Context(), s, eventstore.ReadOptions{Sealed: true})
	must(t, err)
	opened := 0
	for _, e := range events {
		if len(e.Sealed) == 0 {
			continue
		}
		switch _, err := w.ledger.Unseal(t.Context(), e); domain.KindOf(err) {
		case domain.KindNotFound:
		default:
			opened++
			if err != nil || e.Position != events[len(events)-1].Position {
				t.Errorf("revision %d was erased and opens: %v", e.Revision, err)
			}
		}
	}
	shown := 0
	for name := range unzip(t, w.bundle(audit.BundleOptions{Subject: audit.Subject{Kind: audit.SubjectPayment, Name: "epay-a/E1"}, Personal: true})) {
		if strings.HasPrefix(name, "evidence/") && strings.HasSuffix(name, ".json") {
			shown++
		}
	}
	if opened != 1 || shown != 1 {
		t.Errorf("%d parts open, %d stand in the bundle, want that of the last notice", opened, shown)
	}
	if rep := w.verify(); rep.OK() || !strings.Contains(rep.Findings[0].Text, "the key is there") {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestForgedErasuresAreFound: too early, of other parts, twice.
func TestForgedErasuresAreFound(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*domain.EvidenceErased){
		"too early":    func(f *domain.EvidenceErased) { f.RetainedUntil = f.RetainedUntil.Add(-365 * 24 * time.Hour) },
		"other part":   func(f *domain.EvidenceErased) { f.Parts[0].Sealed = strings.Repeat("0", 64) },
		"part left":    func(f *domain.EvidenceErased) { f.Parts = f.Parts[:1] },
		"another turn": func(f *domain.EvidenceErased) { f.Generation = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.place(trusting, "E1", "user:1", "10.00")
			w.callback(trusting, "E1", "TE1", "10.00", domain.OutcomeCredited)
			w.later(domain.MinRetention + 24*time.Hour)
			q := ledger.Erasure{
				Person: "li", Reason: "x", Retention: domain.MinRetention, Dry: true,
				Check: func(context.Context, domain.PaymentNotified, domain.Evidence) (string, error) { return "", nil },
			}
			f, err := w.ledger.Erase(t.Context(), trusting, "E1", "", q, clerk)
			must(t, err)
			change(f)
			w.forgeFact(domain.PaymentStream(trusting, "E1"), *f)
			w.fold()
			if rep := w.verify(); rep.OK() {
				t.Error("nothing was found")
			}
		})
	}
}

// TestPolicyIsVerified: a loosening with its two persons passes, and one that
// claims them without is found.
func TestPolicyIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg, err := w.ledger.InForce(careful)
	must(t, err)
	looser := cfg
	looser.Confirm = domain.ConfirmNever
	must(t, w.ledger.Configure(t.Context(), looser, ledger.By{Actor: "system"}))
	id := w.ledger.Waiting()[0].Ask.Proposal
	for _, person := range []string{"li", "wang"} {
		_, err := w.ledger.ApprovePolicy(t.Context(), careful, id, person, "agreed", nil, clerk)
		must(t, err)
	}
	w.fold()
	if rep := w.verify(); !rep.OK() {
		t.Fatalf("%+v", rep.Findings)
	}
	next, err := w.ledger.InForce(careful)
	must(t, err)
	next.AccountFrom = "attach"
	next.Revision++
	w.forgeFact(domain.ChannelStream(careful), next)
	w.fold()
	if rep := w.verify(); rep.OK() || !strings.Contains(rep.Findings[0].Text, "two persons' approvals do not stand before it") {
		t.Errorf("nothing tells of the change: %+v", rep.Findings)
	}
	hash, err := domain.PolicyHash(next)
	must(t, err)
	w.forgeFact(domain.PolicyStream(careful), domain.ConfigApplied{
		Channel: careful, Revision: next.Revision, Hash: hash, Differences: []string{"account_from: attach, was none"}, By: "process:api",
		Proposal: id, ApprovedBy: []string{"li", "wang"},
	})
	w.fold()
	if rep := w.verify(); rep.OK() || !strings.Contains(rep.Findings[0].Text, "two persons' approvals do not stand before it") {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestForgedSignaturesAreFound: a signature that does not sign its approval, and
// a person's key that nobody but its owner confirmed.
func TestForgedSignaturesAreFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place(trusting, "S1", "user:1", "10.00")
	s := domain.PaymentStream(trusting, "S1")
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	public, _ := private.Public().(ed25519.PublicKey)
	key := domain.KeyFingerprint(public)
	must(t, w.ledger.ProposeKey(t.Context(), domain.KeyProposed{
		Fingerprint: key, Person: "wang", Public: public, SignedAt: w.now,
		Proof: ed25519.Sign(private, domain.KeyStatement(w.ledger.ID(), "wang", key, w.now)),
	}, clerk))
	must(t, w.ledger.ConfirmKey(t.Context(), key, "li", "by voice", clerk))
	none := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }
	q, _, err := w.ledger.Propose(t.Context(), trusting, "S1", domain.Correction{
		Action: domain.ActionCredit, TradeNo: "TS1", Reason: "paid at the desk", By: "li",
	}, none, clerk)
	must(t, err)
	ask, leaf, err := w.ledger.Proposed(t.Context(), s, q.ID())
	must(t, err)
	sig := &domain.Signature{
		Key: key, SignedAt: w.now,
		Value: ed25519.Sign(private, domain.ApprovalStatement(w.ledger.ID(), s, leaf, ask, "wang", w.now)),
	}
	_, err = w.ledger.ApproveSigned(t.Context(), trusting, "S1", q.ID(), "wang", "seen", sig, none, clerk)
	must(t, err)
	w.fold()
	if rep := w.verify(); !rep.OK() {
		t.Fatalf("%+v", rep.Findings)
	}
	w.place(trusting, "S2", "user:1", "10.00")
	other, _, err := w.ledger.Propose(t.Context(), trusting, "S2", domain.Correction{
		Action: domain.ActionCredit, TradeNo: "TS2", Reason: "paid at the desk", By: "li",
	}, none, clerk)
	must(t, err)
	w.forgeFact(domain.PaymentStream(trusting, "S2"), domain.CorrectionApproved{Proposal: other.ID(), By: "wang", Signature: sig})
	w.forgeFact(domain.PeopleStream, domain.KeyAdded{Fingerprint: key, Person: "wang", By: "wang"})
	w.fold()
	rep := w.verify()
	var text string
	for _, f := range rep.Findings {
		text += f.Text + "\n"
	}
	if !strings.Contains(text, "does not sign this decision") || !strings.Contains(text, "takes another person to confirm it") {
		t.Errorf("found: %s", text)
	}
}
