package domain

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CloseBasis is what stands when a period is to be closed: its basis as a fact
// will tell it, and what only the decision needs.
type CloseBasis struct {
	PeriodBasis        // Incomplete holds every run that is not complete
	First       string // the earliest period with a posting; empty for none
}

// CloseAsk is what a person asks for who proposes to close a period.
type CloseAsk struct {
	Period string
	Reason string
	By     string   // a person, never a key
	Accept []string // names of incomplete runs to close with; "run:<channel>" stands for all of a channel
	Basis  CloseBasis
}

// maxPeriodNames bounds what a period's facts list by name.
const maxPeriodNames = 100

// Propose asks for the second person's yes to close a period. It is held
// against the rules at once: the period is over in every zone, all before it
// are closed, its runs are complete or accepted by name, the books balance and
// go on from the period before. The same proposal made again yields no facts;
// with newer totals it supersedes the proposer's earlier one.
func (p Periods) Propose(c Context, q CloseAsk) (PeriodProposal, []Fact, error) {
	if err := checkPerson("reason", q.By, q.Reason); err != nil {
		return PeriodProposal{}, nil, err
	}
	if _, err := ParsePeriod(q.Period); err != nil {
		return PeriodProposal{}, nil, err
	}
	if err := p.closable(c, q.Period, q.Basis); err != nil {
		return PeriodProposal{}, nil, err
	}
	if err := accepted(q.Basis.Incomplete, q.Accept); err != nil {
		return PeriodProposal{}, nil, err
	}
	f := PeriodClosing{Period: q.Period, By: q.By, Reason: q.Reason, Basis: q.Basis.PeriodBasis, Rules: RulesVersion}
	f.Proposal = p.NextClosing(c.Ledger, q.Period)
	f.EffectiveAt = p.takesEffect(c.Now)
	if i := p.open(); i >= 0 {
		open := p.Proposals[i]
		switch {
		case open.Ask.By != q.By:
			return open, nil, EField(KindConflict, "period", "%s proposed to close %s: approve or reject that first", open.Ask.By, open.Ask.Period)
		case slices.Equal(open.Ask.Basis.Totals, f.Basis.Totals) && slices.Equal(open.Ask.Basis.Incomplete, f.Basis.Incomplete):
			return open, nil, nil
		}
		f.EffectiveAt = open.Ask.EffectiveAt // it holds since the first one
	}
	return PeriodProposal{Ask: f, State: PeriodProposed}, []Fact{f}, nil
}

// NextClosing is the id of the next proposal to close a period.
func (p Periods) NextClosing(ledger ID, period string) ID {
	attempt := 0
	for _, earlier := range p.Proposals {
		if earlier.Ask.Period == period {
			attempt++
		}
	}
	return NewV5(ledger, string(PeriodsStream), "closing", period, strconv.Itoa(attempt))
}

// closable holds a period against the rules of closing.
func (p Periods) closable(c Context, period string, b CloseBasis) error {
	want := p.afterLast()
	if want == "" {
		want = b.First
	}
	switch {
	case p.IsClosed(period):
		return EField(KindConflict, "period", "%s is closed already, for ever: what comes late is booked in the oldest open period", period)
	case b.First == "":
		return EField(KindConflict, "period", "nothing is booked yet: there is no period to close")
	case period > want:
		return EField(KindConflict, "period", "%s is open: periods close one after the other", want)
	case period < want:
		return EField(KindConflict, "period", "nothing was booked in %s: the books begin with %s", period, want)
	case len(b.Zones) == 0:
		return EField(KindConflict, "period", "no channel is known, so no zone to end the period in")
	}
	for _, name := range b.Zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			return EField(KindInvalid, "zone", "%q is no IANA time zone", name)
		}
		if end := PeriodEnd(period, zone); c.Now.Before(end) {
			return EField(KindConflict, "period", "%s is not over in %s before %s", period, name, Instant(end).Format(time.RFC3339))
		}
	}
	return p.balanced(b.Totals)
}

// balanced sees that the totals are in order, sum to zero in each currency
// before and after, and begin where the period before ended.
func (p Periods) balanced(totals []PeriodTotal) error {
	var before, after Totals
	for i, t := range totals {
		if i > 0 && totals[i-1].compare(t) >= 0 {
			return E(KindInternal, "the totals of a period are not in order at %s", t.Book)
		}
		if err := before.Add(t.Opening); err != nil {
			return err
		}
		if err := after.Add(t.Closing); err != nil {
			return err
		}
	}
	if !before.IsZero() || !after.IsZero() {
		return EField(KindConflict, "period", "the trial balance is not zero: %s before, %s after; verify says where", before.String(), after.String())
	}
	if p.Last == nil {
		return nil
	}
	for _, t := range totals {
		if was := closingOf(p.Last.Basis.Totals, t); was != t.Opening {
			return EField(KindConflict, "period", "%s of %s was closed with %s and opens with %s: something was dated into a closed period; verify says what",
				t.Book, p.Last.Period, was, t.Opening)
		}
	}
	return nil
}

// closingOf is what t's book and currency was closed with, zero where it was
// not there.
func closingOf(totals []PeriodTotal, t PeriodTotal) Money {
	if i, ok := slices.BinarySearchFunc(totals, t, PeriodTotal.compare); ok {
		return totals[i].Closing
	}
	return NewMoney(0, t.Opening.currency)
}

func (t PeriodTotal) compare(o PeriodTotal) int {
	return cmp.Or(cmp.Compare(t.Book, o.Book), cmp.Compare(t.Closing.currency, o.Closing.currency))
}

// accepted sees that every incomplete run was accepted by its name.
func accepted(incomplete []PeriodException, accept []string) error {
	if len(incomplete) > maxPeriodNames {
		return EField(KindConflict, "accept", "%d runs of the period are not complete, more than a close can name: begin with %s (%s)",
			len(incomplete), incomplete[0].Name, incomplete[0].What)
	}
	var missing []string
	for _, x := range incomplete {
		if !slices.ContainsFunc(accept, x.named) {
			missing = append(missing, x.Name+" ("+x.What+")")
		}
	}
	if len(missing) > 0 {
		return EField(KindConflict, "accept", "runs of the period are not complete: %s; finish them, or accept them by name",
			strings.Join(missing, ", "))
	}
	return nil
}

// named reports whether name accepts x: its own, or that of its channel.
func (x PeriodException) named(name string) bool {
	return x.Name == name || strings.HasPrefix(name, "run:") && strings.Count(name, ":") == 1 && strings.HasPrefix(x.Name, name+":")
}

// Approve is the second person's yes. It takes another person than the
// proposer, and totals that are still those proposed, taken after the proposal
// took effect and everything decided before that stands in the log. Approving
// again what the same person approved yields no facts.
func (p Periods) Approve(c Context, period, by, reason string, b CloseBasis) ([]Fact, error) {
	q, err := p.decided(period, by, PeriodShut)
	if err != nil || q.State == PeriodShut {
		return nil, err
	}
	switch settled := q.Ask.EffectiveAt.Add(PeriodSettle); {
	case by == "":
		return nil, EField(KindDenied, "by", "an approval needs a person")
	case by == q.Ask.By:
		return nil, EField(KindDenied, "by", "%s proposed it: another person must approve", by)
	case len(reason) > maxReason:
		return nil, EField(KindInvalid, "reason", "%d bytes are more than %d", len(reason), maxReason)
	case c.Now.Before(settled):
		return nil, EField(KindConflict, "period", "the proposal is too fresh: the totals of %s stand at %s", period, settled.Format(time.RFC3339))
	}
	if err := p.closable(c, period, b); err != nil {
		return nil, err
	}
	if changed := changedTotals(q.Ask.Basis.Totals, b.Totals); changed != "" {
		return nil, EField(KindConflict, "period", "since %s proposed, %s: propose it again", q.Ask.By, changed)
	}
	if err := accepted(b.Incomplete, names(q.Ask.Basis.Incomplete)); err != nil {
		return nil, err
	}
	return []Fact{PeriodClosed{
		Proposal: q.Ask.Proposal, Period: period, ProposedBy: q.Ask.By, By: by, Reason: reason, Basis: b.PeriodBasis, Rules: RulesVersion,
	}}, nil
}

// changedTotals names the first total that is not what was proposed, empty for
// none.
func changedTotals(proposed, now []PeriodTotal) string {
	for _, t := range now {
		if was := closingOf(proposed, t); was != t.Closing {
			return t.Book + " went from " + was.String() + " to " + t.Closing.String()
		}
	}
	for _, t := range proposed {
		if is := closingOf(now, t); is != t.Closing {
			return t.Book + " went from " + t.Closing.String() + " to " + is.String()
		}
	}
	return ""
}

// Reject ends the open proposal: another person's no, or the proposer's own
// withdrawal. It needs a reason. Rejecting again what the same person rejected
// yields no facts.
func (p Periods) Reject(c Context, period, by, reason string) ([]Fact, error) {
	q, err := p.decided(period, by, PeriodDenied)
	if err != nil || q.State == PeriodDenied {
		return nil, err
	}
	if err := checkPerson("reason", by, reason); err != nil {
		return nil, err
	}
	return []Fact{PeriodRejected{
		Proposal: q.Ask.Proposal, Period: period, By: by, Reason: reason, EffectiveAt: p.takesEffect(c.Now),
	}}, nil
}

// decided finds the newest proposal for a period, if it is open or was brought
// to the state wanted by the same person.
func (p Periods) decided(period, by string, want PeriodState) (PeriodProposal, error) {
	q, ok := p.Proposal(period)
	switch {
	case !ok:
		return q, EField(KindNotFound, "period", "nobody proposed to close %.20q", period)
	case q.State != PeriodProposed && (q.State != want || q.DecidedBy != by):
		return q, EField(KindConflict, "period", "%s is %s already", period, q.State)
	}
	return q, nil
}
