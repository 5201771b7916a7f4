package reconcile

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// comparedBills are the complete comparisons of one kind of bill around a day.
type comparedBills struct {
	days map[domain.Day]operations.BillRun // the newest of each
	// named is since when a payout's own line says that the lines which went into
	// it name it: the earliest comparison in which it did. A bill that was fetched
	// later names it.
	named map[string]time.Time
}

// compared are the comparisons for some days, both included.
func (c *Comparer) compared(ctx context.Context, id domain.ChannelID, bill string, from, to domain.Day) (comparedBills, error) {
	b := comparedBills{days: map[domain.Day]operations.BillRun{}, named: map[string]time.Time{}}
	f := operations.BillRunFilter{Channel: id, Bill: bill, From: from, To: to, State: operations.RunComplete, Limit: 1000}
	for {
		page, err := c.Bills.BillRuns(ctx, f)
		if err != nil {
			return b, err
		}
		for _, r := range page { // newest first
			b.add(r)
			f.Before = r.Seq
		}
		if len(page) < f.Limit {
			return b, nil
		}
	}
}

// add takes a run that is older than those it took before.
func (b comparedBills) add(r operations.BillRun) {
	if _, newer := b.days[r.Day]; !newer {
		b.days[r.Day] = r
	}
	for _, p := range r.Payouts {
		if at, seen := b.named[p.ID]; p.Named && (!seen || r.StartedAt.Before(at)) {
			b.named[p.ID] = r.StartedAt
		}
	}
}

// namedSince is since when bills name what went into a payout that stands on the
// bill of a day.
func (b comparedBills) namedSince(id string, day domain.Day) time.Time {
	if at, known := b.named[id]; known {
		return at
	}
	return b.days[day].StartedAt
}

// namedLater are the days whose bill is to be fetched again because a payout was
// made since: the lines that went into it name it now, and only then can it be
// held against them. Payouts whose lines never name them bring none, and a bill
// that was fetched behind its payouts is not fetched again.
func (c *Comparer) namedLater(ctx context.Context, id domain.ChannelID, bill string, first, last domain.Day) (map[domain.Day]bool, error) {
	b, err := c.compared(ctx, id, bill, first.Add(-lookBack), last.Add(lookBack))
	if err != nil {
		return nil, err
	}
	out := map[domain.Day]bool{}
	for day, made := range b.days {
		for _, p := range made.Payouts {
			if p.Stated.Currency() == "" || b.named[p.ID].IsZero() {
				continue
			}
			for on := beganOn(b.days, p, day); on < day; on = on.Add(1) {
				if r, compared := b.days[on]; compared && r.StartedAt.Before(b.named[p.ID]) {
					out[on] = true
				}
			}
		}
	}
	return out, nil
}

// checkPayouts adds up, for each payout that the bill or a line of it names, and
// for those that are behind it, the lines that went into it. They stand on the
// bills of many days, and a bill that was fetched before the payout was made does
// not name it: what is not known to the end is not judged, and the bill is
// fetched again. Whichever bill comes last sees the whole.
func (c *Comparer) checkPayouts(ctx context.Context, run *operations.BillRun, b comparedBills, out *operations.BillResult) error {
	ids := map[string]bool{}
	for day, r := range b.days {
		for _, p := range r.Payouts {
			if day >= run.Day {
				ids[p.ID] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		whole, day, known := payoutOf(b, id)
		if !known || whole.Lines == 0 || whole.Stated.Currency() != whole.Parts.Currency() {
			continue
		}
		if err := c.checkPayout(ctx, run, whole, day, out); err != nil {
			return err
		}
	}
	return nil
}

func (c *Comparer) checkPayout(ctx context.Context, run *operations.BillRun, p domain.PayoutSum, day domain.Day, out *operations.BillResult) error {
	off, err := p.Stated.Sub(p.Parts)
	if err != nil {
		return theirFault(err)
	}
	d := domain.Difference{
		Kind: domain.PayoutMismatch, State: domain.DifferenceOpen, Delta: off,
		Note:   strconv.Itoa(p.Lines) + " lines went into it and come to " + p.Parts.String(),
		Ours:   &domain.OurLine{Kind: domain.LinePayout, Amount: p.Parts},
		Theirs: &domain.BillLine{Kind: domain.LinePayout, PayoutID: p.ID, Row: p.Row, Amount: p.Stated},
	}
	if off.IsZero() {
		return c.settleRow(ctx, run, d, "the lines that went into it come to it", out)
	}
	c.found(out, run, d)
	out.Found[len(out.Found)-1].Day = day
	return nil
}

// payoutOf is a payout as the bills of all days tell it, and the day of its own
// line. It is known to the end when that line was seen, and when every bill that
// can have some of its lines was fetched after it was made.
func payoutOf(b comparedBills, id string) (p domain.PayoutSum, day domain.Day, known bool) {
	p.ID = id
	first := domain.Day("")
	for on, r := range b.days {
		for _, part := range r.Payouts {
			if part.ID != id {
				continue
			}
			if part.Stated.Currency() != "" {
				p.Stated, p.Row, day = part.Stated, part.Row, on
			}
			if part.Lines == 0 {
				continue
			}
			if first == "" || on < first {
				first = on
			}
			p.Lines += part.Lines
			if p.Parts.Currency() == "" {
				p.Parts = domain.NewMoney(0, part.Parts.Currency())
			}
			sum, err := p.Parts.Add(part.Parts)
			if err != nil {
				return p, day, false // in two currencies
			}
			p.Parts = sum
		}
	}
	if day == "" || first == "" {
		return p, day, false
	}
	since := b.namedSince(id, day)
	for on := min(first, beganOn(b.days, p, day)); on <= day; on = on.Add(1) {
		if r, compared := b.days[on]; !compared || on != day && r.StartedAt.Before(since) {
			return p, day, false
		}
	}
	return p, day, true
}

// beganOn is the first day whose movements can have gone into a payout: that of
// the last earlier payout in its currency that names what went into it, else the
// earliest day that was compared.
func beganOn(around map[domain.Day]operations.BillRun, p domain.PayoutSum, day domain.Day) domain.Day {
	began, earliest := domain.Day(""), day
	for on, r := range around {
		earliest = min(earliest, on)
		for _, other := range r.Payouts {
			stated := other.ID != p.ID && other.Stated.Currency() == p.Stated.Currency()
			if stated && on < day && on > began && (other.Lines > 0 || other.Named) {
				began = on
			}
		}
	}
	if began == "" {
		return earliest
	}
	return began
}
