package domain

import (
	"slices"
	"time"
)

// PeriodState is where a proposal to close a period stands.
type PeriodState string

// The states of a proposal to close a period.
const (
	PeriodProposed   PeriodState = "proposed"
	PeriodSuperseded PeriodState = "superseded" // proposed again, with newer totals
	PeriodDenied     PeriodState = "rejected"
	PeriodShut       PeriodState = "closed"
)

// PeriodProposal is a proposal to close a period and what became of it.
type PeriodProposal struct {
	Ask       PeriodClosing
	State     PeriodState
	DecidedBy string
	Reason    string        // of the one who decided
	Closed    *PeriodClosed // with PeriodShut
}

// Periods is the fold of the periods' stream. The zero Periods is that of an
// empty one.
type Periods struct {
	Proposals []PeriodProposal // in their order
	Last      *PeriodClosed    // the last period that was closed, nil for none
	turns     []turn
}

// turn says which period is the oldest open one from a moment on.
type turn struct {
	at     time.Time
	oldest string
}

// OldestOpen is the oldest period that facts decided at now may be dated into;
// empty while none was ever closed or proposed.
func (p Periods) OldestOpen(now time.Time) string {
	for _, t := range slices.Backward(p.turns) {
		if !now.Before(t.at) {
			return t.oldest
		}
	}
	return ""
}

// Apply is the fold after f; a fact of another stream is KindCorrupt.
func (p Periods) Apply(f Fact) (Periods, error) {
	p.Proposals, p.turns = slices.Clone(p.Proposals), slices.Clip(p.turns)
	switch f := f.(type) {
	case PeriodClosing:
		if i := p.open(); i >= 0 {
			p.Proposals[i].State = PeriodSuperseded
		} else {
			p.turns = append(p.turns, turn{f.EffectiveAt, NextPeriod(f.Period)})
		}
		p.Proposals = append(p.Proposals, PeriodProposal{Ask: f, State: PeriodProposed})
	case PeriodRejected:
		if i := p.find(f.Proposal); i >= 0 {
			p.Proposals[i].State, p.Proposals[i].DecidedBy, p.Proposals[i].Reason = PeriodDenied, f.By, f.Reason
		}
		p.turns = append(p.turns, turn{f.EffectiveAt, p.afterLast()})
	case PeriodClosed:
		p.Last = &f
		if i := p.find(f.Proposal); i >= 0 {
			q := &p.Proposals[i]
			q.State, q.DecidedBy, q.Reason, q.Closed = PeriodShut, f.By, f.Reason, &f
		}
	default:
		return p, E(KindCorrupt, "the periods' stream holds a %s", f.FactType())
	}
	return p, nil
}

// afterLast is the period behind the last closed one, empty while there is none.
func (p Periods) afterLast() string {
	if p.Last == nil {
		return ""
	}
	return NextPeriod(p.Last.Period)
}

// open is the index of the proposal that waits for a decision, -1 for none.
func (p Periods) open() int {
	return slices.IndexFunc(p.Proposals, func(q PeriodProposal) bool { return q.State == PeriodProposed })
}

func (p Periods) find(id ID) int {
	return slices.IndexFunc(p.Proposals, func(q PeriodProposal) bool { return q.Ask.Proposal == id })
}

// Proposal is the newest proposal to close a period; false for none.
func (p Periods) Proposal(period string) (PeriodProposal, bool) {
	for _, q := range slices.Backward(p.Proposals) {
		if q.Ask.Period == period {
			return q, true
		}
	}
	return PeriodProposal{}, false
}

// IsClosed reports whether a period is closed: those before the last one are.
func (p Periods) IsClosed(period string) bool { return p.Last != nil && period <= p.Last.Period }

// takesEffect is when a decision made at now does, never before an earlier one.
func (p Periods) takesEffect(now time.Time) time.Time {
	at := now.Add(PeriodGrace)
	if n := len(p.turns); n > 0 && p.turns[n-1].at.After(at) {
		return p.turns[n-1].at
	}
	return at
}
