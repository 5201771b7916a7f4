package reconcile

import (
	"context"
	"strconv"

	"counterfoil/domain"
	"counterfoil/operations"
)

// lookBack is for how many days before a bill others are looked at: for the
// balance at which it begins, and for what went into its payouts.
const lookBack = 40

// checkBooks holds what a bill says of balances and payouts against itself and
// against the bills of the days around it.
func (c *Comparer) checkBooks(ctx context.Context, run *operations.BillRun, t *domain.BillTally, out *operations.BillResult) error {
	var err error
	if run.Balances, err = t.Balances(); err != nil {
		return theirFault(err)
	}
	run.Payouts = t.Payouts()
	for _, b := range t.Breaks() {
		c.found(out, run, broken(run.Day, b))
	}
	if len(run.Balances)+len(run.Payouts) == 0 {
		return nil
	}
	around, err := c.completed(ctx, *run)
	if err != nil {
		return because(operations.CauseOurs, err)
	}
	around[run.Day] = *run
	for _, day := range []domain.Day{run.Day, run.Day.Add(1)} {
		if err := c.checkOpening(ctx, run, around, day, out); err != nil {
			return err
		}
	}
	return c.checkPayouts(ctx, run, around, out)
}

// broken is a line whose balance does not follow from the line before it.
func broken(day domain.Day, b domain.BalanceBreak) domain.Difference {
	return balanceDiffers("balance/"+string(day)+"/row/"+strconv.Itoa(b.Row), b.Row, b.Want, b.Stated,
		"the balance does not follow from the line before it")
}

// balanceDiffers is a balance that is not what it must be.
func balanceDiffers(id string, row int, want, stated domain.Money, note string) domain.Difference {
	d := domain.Difference{
		Kind: domain.BillTotalMismatch, State: domain.DifferenceOpen, Note: note,
		Ours:   &domain.OurLine{Kind: domain.LineOther, Amount: want},
		Theirs: &domain.BillLine{Kind: domain.LineOther, ID: id, Row: row, Amount: stated},
	}
	if off, err := stated.Sub(want); err == nil { // else it is beyond the range of money, and both sides are told
		d.Delta = off
	}
	return d
}

// completed are the newest complete comparisons of this kind of bill for the
// days before the run's and for the day after it.
func (c *Comparer) completed(ctx context.Context, run operations.BillRun) (map[domain.Day]operations.BillRun, error) {
	out := map[domain.Day]operations.BillRun{}
	f := operations.BillRunFilter{
		Channel: run.Channel, Bill: run.Bill, From: run.Day.Add(-lookBack), To: run.Day.Add(1), State: operations.RunComplete, Limit: 1000,
	}
	for {
		page, err := c.Bills.BillRuns(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, r := range page { // newest first
			if _, newer := out[r.Day]; !newer {
				out[r.Day] = r
			}
			f.Before = r.Seq
		}
		if len(page) < f.Limit {
			return out, nil
		}
	}
}

// checkOpening holds the balances at which a day's bill begins against those at
// which the day before ended. A day that moved nothing states no balance, and the
// one before it counts; a day that nobody compared ends the search.
func (c *Comparer) checkOpening(
	ctx context.Context, run *operations.BillRun, around map[domain.Day]operations.BillRun, day domain.Day, out *operations.BillResult,
) error {
	for _, b := range around[day].Balances {
		before, on, ok := closing(around, day, b.Currency)
		if !ok {
			continue
		}
		id := "balance/" + string(day) + "/opening/" + string(b.Currency)
		d := balanceDiffers(id, 0, before, b.Opening, "the bill of "+string(on)+" ended with another balance")
		if before == b.Opening {
			if err := c.settleRow(ctx, run, d, "the bills follow from one another", out); err != nil {
				return err
			}
			continue
		}
		c.found(out, run, d)
		out.Found[len(out.Found)-1].Day = day
	}
	return nil
}

// closing is the balance with which the days before one ended.
func closing(around map[domain.Day]operations.BillRun, day domain.Day, cur domain.Currency) (m domain.Money, on domain.Day, ok bool) {
	for on = day.Add(-1); ; on = on.Add(-1) {
		r, compared := around[on]
		if !compared {
			return m, on, false
		}
		for _, b := range r.Balances {
			if b.Currency == cur {
				return b.Closing, on, true
			}
		}
	}
}

// settleRow resolves the row of a difference that is not there any more, if
// there is one: the run of another day than the row's may be the one that sees
// it.
func (c *Comparer) settleRow(ctx context.Context, run *operations.BillRun, d domain.Difference, how string, out *operations.BillResult) error {
	row := c.row(run, d)
	was, err := c.Bills.Discrepancy(ctx, row.ID)
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		return nil
	}
	if err != nil || was.State != operations.DiscrepancyOpen {
		return because(operations.CauseOurs, err)
	}
	row.State, row.ResolvedBy, row.ResolvedAt, row.Resolution = operations.DiscrepancyResolved, run.ID, domain.Instant(c.Clock()), how
	out.Found = append(out.Found, row)
	return nil
}

// checkPayouts adds up, for each payout that the bill or a line of it names, the
// lines that went into it. They stand on the bills of many days, and a bill that
// was fetched before the payout was made does not name it: what is not known to
// the end is not judged.
func (c *Comparer) checkPayouts(
	ctx context.Context, run *operations.BillRun, around map[domain.Day]operations.BillRun, out *operations.BillResult,
) error {
	for _, p := range run.Payouts {
		whole, day, known := payoutOf(around, p.ID)
		if !known || whole.Lines == 0 || whole.Stated.Currency() != whole.Parts.Currency() {
			continue
		}
		off, err := whole.Stated.Sub(whole.Parts)
		if err != nil {
			return theirFault(err)
		}
		d := domain.Difference{
			Kind: domain.PayoutMismatch, State: domain.DifferenceOpen, Delta: off,
			Note:   strconv.Itoa(whole.Lines) + " lines went into it and come to " + whole.Parts.String(),
			Ours:   &domain.OurLine{Kind: domain.LinePayout, Amount: whole.Parts},
			Theirs: &domain.BillLine{Kind: domain.LinePayout, PayoutID: p.ID, Row: whole.Row, Amount: whole.Stated},
		}
		if off.IsZero() {
			if err := c.settleRow(ctx, run, d, "the lines that went into it come to it", out); err != nil {
				return err
			}
			continue
		}
		c.found(out, run, d)
		out.Found[len(out.Found)-1].Day = day
	}
	return nil
}

// payoutOf is a payout as the bills of all days tell it, and the day of its own
// line. It is known to the end when that line was seen, and when every bill that
// can have some of its lines was fetched after it was made.
func payoutOf(around map[domain.Day]operations.BillRun, id string) (p domain.PayoutSum, day domain.Day, known bool) {
	p.ID = id
	first := domain.Day("")
	for on, r := range around {
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
	made := around[day]
	for on := min(first, beganOn(around, p, day)); on <= day; on = on.Add(1) {
		if r, compared := around[on]; !compared || on != day && r.StartedAt.Before(made.StartedAt) {
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
			if stated && on < day && on > began && other.Lines > 0 {
				began = on
			}
		}
	}
	if began == "" {
		return earliest
	}
	return began
}

// movedOtherwise is a movement that was booked before with another amount.
func movedOtherwise(m domain.Movement) domain.Difference {
	d := domain.Difference{
		Kind: domain.PayoutMismatch, State: domain.DifferenceOpen, Note: "it is booked with another amount",
		Theirs: &domain.BillLine{Kind: m.Kind, ID: m.ID, PayoutID: m.PayoutID, Row: m.Row, Amount: m.Amount, At: m.At},
	}
	if m.Kind == domain.LineOther {
		d.Kind = domain.BillTotalMismatch
	}
	return d
}
