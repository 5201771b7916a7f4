package domain

import (
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SignedBy checks a person's signature over the statement of its time, which is
// one of those below. nil is no signature: it will do for who has never had a
// key of their own. KindDenied for one that is missing, KindForged for a wrong
// one.
func (p People) SignedBy(person string, s *Signature, statement func(at time.Time) []byte) error {
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

// OpeningStatement is what a person signs to have an opening balance booked: a
// line for each amount at the provider and each account's. leaf binds it to the
// proposal's bytes, the rest says in words what is approved.
func OpeningStatement(ledger ID, leaf [32]byte, ask OpeningProposed, person string, at time.Time) []byte {
	parts := []string{
		"ledger", ledger.String(), "stream", string(OpeningStream(ask.Channel)), "proposal", ask.Proposal.String(),
		"leaf", hex.EncodeToString(leaf[:]), "decision", "approve", "channel", string(ask.Channel), "day", string(ask.Day), "reason", ask.Reason,
	}
	for _, m := range ask.Balance {
		parts = append(parts, "balance", m.String())
	}
	for _, w := range ask.Wallets {
		parts = append(parts, "account", string(w.Account)+" "+w.Amount.String())
	}
	parts = append(parts, "person", person, "signed_at", at.UTC().Format(time.RFC3339Nano))
	return statement("counterfoil opening balance v1", parts...)
}

// PolicyStatement is what a person signs to have a channel's policy loosened: a
// line for each thing that it loosens and each that it changes at all. leaf binds
// it to the proposal's bytes, the rest says in words what is approved.
func PolicyStatement(ledger ID, leaf [32]byte, ask ConfigProposed, person string, at time.Time) []byte {
	parts := []string{
		"ledger", ledger.String(), "stream", string(PolicyStream(ask.Channel)), "proposal", ask.Proposal.String(),
		"leaf", hex.EncodeToString(leaf[:]), "decision", "approve", "channel", string(ask.Channel),
		"base", strconv.FormatUint(ask.Base, 10), "settings", ask.Hash,
	}
	for _, x := range ask.Loosens {
		parts = append(parts, "loosens", x)
	}
	for _, x := range ask.Differences {
		parts = append(parts, "changes", x)
	}
	parts = append(parts, "person", person, "signed_at", at.UTC().Format(time.RFC3339Nano))
	return statement("counterfoil looser policy v1", parts...)
}

// WordStatement is what a person signs who says that a difference needs nothing
// more, ReconciliationAsked or ReconciliationDiffered: the difference as they see
// it, and why. The word's id, which counts those before it, lets the signature
// serve once; leaf binds the second of two words to the first one's event. nil
// for another fact.
func WordStatement(ledger ID, stream Stream, leaf [32]byte, f Fact, at time.Time) []byte {
	switch f := f.(type) {
	case ReconciliationAsked:
		return wordStatement(ledger, stream, f, "ask", "", at)
	case ReconciliationDiffered:
		if f.AskedBy == "" {
			return wordStatement(ledger, stream, f.Asked(), "alone", "", at)
		}
		return wordStatement(ledger, stream, f.Asked(), "agree", hex.EncodeToString(leaf[:]), at)
	default:
		return nil
	}
}

func wordStatement(ledger ID, stream Stream, f ReconciliationAsked, decision, leaf string, at time.Time) []byte {
	parts := []string{
		"ledger", ledger.String(), "stream", string(stream), "proposal", f.Proposal.String(), "leaf", leaf, "decision", decision,
	}
	parts = append(parts, f.difference()...)
	parts = append(parts, "reason", f.Reason, "person", f.By, "signed_at", at.UTC().Format(time.RFC3339Nano))
	return statement("counterfoil setting aside v1", parts...)
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

// WithSignature is facts with the signature in the first: an approval, a word
// that sets a difference aside, or the proposal to close a period. Other facts
// carry none.
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
	case OpeningBooked:
		f.Signature = s
		out[0] = f
	case ConfigApproved:
		f.Signature = s
		out[0] = f
	case ReconciliationAsked:
		f.Signature = s
		out[0] = f
	case ReconciliationDiffered:
		f.Signature = s
		out[0] = f
	default:
	}
	return out
}
