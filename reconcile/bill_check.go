package reconcile

import (
	"context"
	"strconv"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
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
	if len(run.Balances)+len(run.Payouts) == 0 && run.Bill != string(providers.BillFunds) {
		return nil
	}
	b, err := c.compared(ctx, run.Channel, run.Bill, run.Day.Add(-lookBack), run.Day.Add(lookBack))
	if err != nil {
		return because(operations.CauseOurs, err)
	}
	b.add(*run)
	b.days[run.Day] = *run
	for _, day := range []domain.Day{run.Day, run.Day.Add(1)} {
		if err := c.checkOpening(ctx, run, b.days, day, out); err != nil {
			return err
		}
	}
	return c.checkPayouts(ctx, run, b, out)
}

// holdBalances holds the balances with which the bill ends its day against our
// book of them, once all that the bill tells was booked. It finds nothing and
// moves nothing: each cause of what is off has its own name.
func (c *Comparer) holdBalances(ctx context.Context, run *operations.BillRun, t *domain.BillTally) error {
	if len(run.Balances) == 0 {
		return nil
	}
	head, err := c.folded(ctx)
	if err != nil {
		return err
	}
	books, err := c.Balances.BookDay(ctx, run.Channel, run.Day, head)
	if err != nil {
		return err
	}
	return t.Against(run.Balances, books)
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
