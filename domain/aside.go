package domain

import (
	"slices"
	"strconv"
	"time"
)

// Aside is what persons said about one difference, the fold of its facts in its
// reconciliation stream. The zero Aside is that of a difference nobody spoke of.
// An Aside is a value. Its rules:
//
//  1. A difference that may stand for money is set aside by two different
//     persons, another one by one person; see DiscrepancyKind.NeedsTwo.
//  2. The second word is about the difference as the first one tells it. Of one
//     that changed meanwhile, it is a first word again.
//  3. A word that was said before the difference was resolved, or found anew,
//     counts no more.
type Aside struct {
	Ask     *ReconciliationAsked // the first word, that waits for the second; nil for none
	AskedAt time.Time
	Done    *ReconciliationDiffered // by which persons ended it; nil while they did not
	DoneAt  time.Time
	Words   int // of persons so far
}

// DifferenceOf is the difference that a fact of a reconciliation stream is
// about; ok is false for a fact about none.
func DifferenceOf(f Fact) (id ID, ok bool) {
	switch f := f.(type) {
	case ReconciliationDiffered:
		return f.Discrepancy, true
	case ReconciliationAsked:
		return f.Discrepancy, true
	default:
		return ID{}, false
	}
}

// Apply is a after f, a fact about its difference, recorded at a time; other
// facts change nothing.
func (a Aside) Apply(f Fact, at time.Time) Aside {
	switch f := f.(type) {
	case ReconciliationAsked:
		return Aside{Ask: &f, AskedAt: at, Words: a.Words + 1}
	case ReconciliationDiffered:
		next := Aside{Words: a.Words}
		if f.ByPersons() {
			next.Done, next.DoneAt, next.Words = &f, at, a.Words+1
		}
		return next
	default:
		return a
	}
}

// ByPersons reports whether f says that persons ended a difference, as it is
// told since each of their words is an event.
func (f ReconciliationDiffered) ByPersons() bool {
	return !f.Proposal.IsZero() || !f.Correction.IsZero()
}

// next is the id of the next person's word about a difference in a stream.
func (a Aside) next(ledger ID, s Stream, difference ID) ID {
	return NewV5(ledger, string(s), "aside", difference.String(), strconv.Itoa(a.Words))
}

// Say is a person's word that a difference needs nothing more; d tells it as it
// stands now, and none of who resolved it. Where it takes two and nobody has
// spoken for it as it stands, it is the first word, ReconciliationAsked; else
// it is set aside. KindDenied for the same person twice, KindConflict where
// persons have ended it already.
func (a Aside) Say(ledger ID, s Stream, d ReconciliationDiffered, by, reason string) (Fact, error) {
	if err := checkPerson("reason", by, reason); err != nil {
		return nil, err
	}
	d.Resolved, d.How, d.By, d.AskedBy, d.Correction, d.Signature = true, reason, by, "", ID{}, nil
	d.Proposal = a.next(ledger, s, d.Discrepancy)
	two := d.Kind.NeedsTwo()
	switch {
	case a.Done != nil:
		return nil, E(KindConflict, "discrepancy %s is resolved already, by %s", d.Discrepancy, a.Done.By)
	case two && (a.Ask == nil || !slices.Equal(a.Ask.difference(), d.Asked().difference())):
		return d.Asked(), nil
	case two && a.Ask.By == by:
		return nil, EField(KindDenied, "by", "%s asked for it: another person must say so, too", by)
	}
	if two {
		d.AskedBy, d.Proposal = a.Ask.By, a.Ask.Proposal
	}
	return d, nil
}

// difference is what is signed of the difference itself.
func (f ReconciliationAsked) difference() []string {
	return []string{
		"discrepancy", f.Discrepancy.String(), "kind", string(f.Kind), "line", string(f.Line), "order_no", f.OrderNo,
		"trade_no", f.TradeNo, "ref", f.Ref, "ours", f.Ours.String(), "theirs", f.Theirs.String(),
	}
}

// Differed is f's difference, open and nobody's word.
func (f ReconciliationAsked) Differed() ReconciliationDiffered {
	return ReconciliationDiffered{
		Discrepancy: f.Discrepancy, Kind: f.Kind, Line: f.Line, OrderNo: f.OrderNo, TradeNo: f.TradeNo, Ref: f.Ref, Ours: f.Ours, Theirs: f.Theirs,
	}
}

// Asked is f's difference and word as the first of two words tells them.
func (f ReconciliationDiffered) Asked() ReconciliationAsked {
	return ReconciliationAsked{
		Proposal: f.Proposal, Discrepancy: f.Discrepancy, Kind: f.Kind, Line: f.Line, OrderNo: f.OrderNo, TradeNo: f.TradeNo,
		Ref: f.Ref, Ours: f.Ours, Theirs: f.Theirs, Reason: f.How, By: f.By,
	}
}
