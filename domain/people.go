package domain

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// PersonKey is a key a person signs with, and where it stands.
type PersonKey struct {
	KeyProposed
	Confirmed string // by whom; empty while nobody did
	Retired   string // by whom; empty while it is in use
	AskedAt   time.Time
}

// People is the fold of PeopleStream. The zero People is the empty stream; a
// People is a value.
type People struct{ Keys []PersonKey }

// Apply is p after f, recorded at a time; other facts change nothing.
func (p People) Apply(f Fact, at time.Time) People {
	with := func(fingerprint string, change func(*PersonKey)) People {
		keys := slices.Clone(p.Keys)
		for i := range keys {
			if keys[i].Fingerprint == fingerprint {
				change(&keys[i])
			}
		}
		return People{keys}
	}
	switch f := f.(type) {
	case KeyProposed:
		return People{append(slices.Clip(p.Keys), PersonKey{KeyProposed: f, AskedAt: at})}
	case KeyAdded:
		return with(f.Fingerprint, func(k *PersonKey) { k.Confirmed = f.By })
	case KeyRetired:
		return with(f.Fingerprint, func(k *PersonKey) { k.Retired = f.By })
	default:
		return p
	}
}

// Key is a key by its fingerprint.
func (p People) Key(fingerprint string) (PersonKey, bool) {
	i := slices.IndexFunc(p.Keys, func(k PersonKey) bool { return k.Fingerprint == fingerprint })
	if i < 0 {
		return PersonKey{}, false
	}
	return p.Keys[i], true
}

// Signs reports whether a person has ever had a confirmed key: their approvals
// must be signed from then on, also when it is retired.
func (p People) Signs(person string) bool {
	return slices.ContainsFunc(p.Keys, func(k PersonKey) bool { return k.Person == person && k.Confirmed != "" })
}

// Propose is a person's wish to sign with a key, proved by the key itself.
// Proposing the same again is no facts.
func (p People) Propose(ledger ID, f KeyProposed) ([]Fact, error) {
	if err := CheckPerson(f.Person); err != nil {
		return nil, err
	}
	if len(f.Public) != ed25519.PublicKeySize || f.Fingerprint != KeyFingerprint(f.Public) {
		return nil, EField(KindInvalid, "public", "must be an Ed25519 public key of 32 bytes, under its own fingerprint")
	}
	if !ed25519.Verify(f.Public, KeyStatement(ledger, f.Person, f.Fingerprint, f.SignedAt), f.Proof) {
		return nil, EField(KindForged, "proof", "the key did not sign that it is %s's", f.Person)
	}
	if k, ok := p.Key(f.Fingerprint); ok && k.Person == f.Person && k.Retired == "" {
		return nil, nil
	} else if ok {
		return nil, E(KindConflict, "this key was proposed before, and is another person's or retired: make a new one")
	}
	return []Fact{f}, nil
}

// Confirm is another person's word that a key is its owner's.
func (p People) Confirm(fingerprint, person, reason string) ([]Fact, error) {
	k, err := p.decided(fingerprint, person, reason)
	switch {
	case err != nil:
		return nil, err
	case k.Retired != "":
		return nil, E(KindConflict, "the key is retired")
	case k.Person == person:
		return nil, E(KindDenied, "%s's key takes another person to confirm it", person)
	case k.Confirmed != "":
		return nil, nil
	}
	return []Fact{KeyAdded{Fingerprint: fingerprint, Person: k.Person, By: person, Reason: reason}}, nil
}

// Retire ends a key: its owner's word, or another person's. It takes a reason.
func (p People) Retire(fingerprint, person, reason string) ([]Fact, error) {
	k, err := p.decided(fingerprint, person, reason)
	switch {
	case err != nil:
		return nil, err
	case reason == "":
		return nil, EField(KindInvalid, "reason", "retiring a key needs its reason")
	case k.Retired != "":
		return nil, nil
	}
	return []Fact{KeyRetired{Fingerprint: fingerprint, Person: k.Person, By: person, Reason: reason}}, nil
}

func (p People) decided(fingerprint, person, reason string) (PersonKey, error) {
	if err := CheckPerson(person); err != nil {
		return PersonKey{}, err
	}
	if err := CheckWords("reason", reason); err != nil {
		return PersonKey{}, err
	}
	k, ok := p.Key(fingerprint)
	if !ok {
		return k, E(KindNotFound, "there is no key %.80q", fingerprint)
	}
	return k, nil
}

// Signed checks the signature of a person's approval of a proposal, whose event
// has the leaf hash. nil is no signature: it will do for who has never had a key
// of their own. KindDenied for one that is missing, KindForged for a wrong one.
func (p People) Signed(ledger ID, stream Stream, leaf [32]byte, ask CorrectionProposed, person string, s *Signature) error {
	return p.signed(person, s, func(at time.Time) []byte { return ApprovalStatement(ledger, stream, leaf, ask, person, at) })
}

// SignedClosing checks the signature of the proposal to close a period, as
// Signed does that of an approval.
func (p People) SignedClosing(ledger ID, f PeriodClosing) error {
	return p.signed(f.By, f.Signature, func(at time.Time) []byte { return ClosingStatement(ledger, f, at) })
}

// SignedClosed checks the signature of a person's yes to the proposal ask,
// whose event has the leaf hash, as Signed does.
func (p People) SignedClosed(ledger ID, leaf [32]byte, ask PeriodClosing, person string, s *Signature) error {
	return p.signed(person, s, func(at time.Time) []byte { return ClosedStatement(ledger, leaf, ask, person, at) })
}

// signed checks a person's signature over the statement of its time.
func (p People) signed(person string, s *Signature, statement func(at time.Time) []byte) error {
	if s == nil {
		if p.Signs(person) {
			return EField(KindDenied, "signature", "%s has a key of their own: this must be signed with it", person)
		}
		return nil
	}
	k, ok := p.Key(s.Key)
	if !ok || k.Person != person || k.Confirmed == "" || k.Retired != "" {
		return EField(KindForged, "signature", "%.80q is no key of %s that is in use", s.Key, person)
	}
	if !ed25519.Verify(k.Public, statement(s.SignedAt), s.Value) {
		return EField(KindForged, "signature", "it does not sign this decision")
	}
	return nil
}

// spki begins the DER SubjectPublicKeyInfo of every Ed25519 key (RFC 8410).
var spki = []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}

// KeyFingerprint names an Ed25519 public key: "sha256:" and the hex over its DER
// SubjectPublicKeyInfo.
func KeyFingerprint(public []byte) string {
	sum := sha256.Sum256(append(slices.Clone(spki), public...))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// KeyStatement is what a key signs to prove that its owner has it.
func KeyStatement(ledger ID, person, fingerprint string, at time.Time) []byte {
	return statement("counterfoil key of a person v1", "ledger", ledger.String(), "person", person, "key", fingerprint,
		"signed_at", at.UTC().Format(time.RFC3339Nano))
}

// ApprovalStatement is what a person signs to approve a correction: text, a line
// for each part. leaf binds it to the proposal's bytes, the rest says in words
// what is approved.
func ApprovalStatement(ledger ID, stream Stream, leaf [32]byte, ask CorrectionProposed, person string, at time.Time) []byte {
	return statement("counterfoil approval v1", "ledger", ledger.String(), "stream", string(stream), "proposal", ask.Proposal.String(),
		"leaf", hex.EncodeToString(leaf[:]), "decision", "approve", "action", string(ask.Action), "trade_no", ask.TradeNo,
		"account", string(ask.Account), "from", string(ask.From), "amount", ask.Amount.String(), "person", person,
		"signed_at", at.UTC().Format(time.RFC3339Nano))
}

// ClosingStatement is what a person signs to propose the close of a period: the
// totals and the incomplete runs that they saw. The proposal's id, which counts
// the proposals before it, lets the signature serve once.
func ClosingStatement(ledger ID, ask PeriodClosing, at time.Time) []byte {
	return periodStatement(ledger, ask, "propose", "", ask.By, at)
}

// ClosedStatement is what a person signs to close a period. leaf binds it to the
// proposal's bytes, the rest says in words what is approved.
func ClosedStatement(ledger ID, leaf [32]byte, ask PeriodClosing, person string, at time.Time) []byte {
	return periodStatement(ledger, ask, "approve", hex.EncodeToString(leaf[:]), person, at)
}

// periodStatement has a line for each total and each run that was accepted as
// it is; leaf is empty before there is a proposal.
func periodStatement(ledger ID, ask PeriodClosing, decision, leaf, person string, at time.Time) []byte {
	parts := []string{
		"ledger", ledger.String(), "stream", string(PeriodsStream), "proposal", ask.Proposal.String(), "leaf", leaf,
		"decision", decision, "period", ask.Period, "reason", ask.Reason,
	}
	for _, t := range ask.Basis.Totals {
		parts = append(parts, "total", t.Book+" from "+t.Opening.String()+" to "+t.Closing.String())
	}
	for _, x := range ask.Basis.Incomplete {
		parts = append(parts, "incomplete", x.Name)
	}
	parts = append(parts, "person", person, "signed_at", at.UTC().Format(time.RFC3339Nano))
	return statement("counterfoil close of a period v1", parts...)
}

// statement writes parts as lines. A line's end within a part cannot make
// another line: it is written as \n.
func statement(title string, parts ...string) []byte {
	var b strings.Builder
	b.WriteString(title + "\n")
	for i := 0; i+1 < len(parts); i += 2 {
		b.WriteString(parts[i] + ": " + strings.NewReplacer("\\", "\\\\", "\n", "\\n").Replace(parts[i+1]) + "\n")
	}
	return []byte(b.String())
}

// WithSignature is facts with the signature in the first: an approval, or the
// proposal to close a period.
func WithSignature(facts []Fact, s *Signature) []Fact {
	if len(facts) == 0 || s == nil {
		return facts
	}
	out := slices.Clone(facts)
	switch f := out[0].(type) {
	case CorrectionApproved:
		f.Signature = s
		out[0] = f
	case CorrectionSeconded:
		f.Signature = s
		out[0] = f
	case PeriodClosing:
		f.Signature = s
		out[0] = f
	case PeriodClosed:
		f.Signature = s
		out[0] = f
	default:
	}
	return out
}
