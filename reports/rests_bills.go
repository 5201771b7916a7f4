package reports

import (
	"cmp"
	"context"
	"iter"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/projections"
)

// bills finds what the bills lack. A line of ours is on the bill when its day
// was compared and it neither waits nor differs; only the others are looked at,
// so the cost is that of the days that were not compared.
func (c *collector) bills(ctx context.Context, ch domain.ChannelID) error {
	open, err := c.open(ctx, ch)
	if err != nil {
		return err
	}
	for _, stage := range []Stage{StageInBill, StageSettled} {
		d, err := c.compared(ctx, ch, stage)
		if err != nil || d.first == "" {
			if err != nil {
				return err
			}
			continue // never compared: nothing is known
		}
		if err := c.waiting(ctx, ch, stage, d, open); err != nil {
			return err
		}
		if err := c.uncovered(ctx, ch, stage, d, open); err != nil {
			return err
		}
	}
	return nil
}

// open adds the open discrepancies and returns their items: they are not
// counted twice.
func (c *collector) open(ctx context.Context, ch domain.ChannelID) (map[domain.ItemKey]bool, error) {
	items := map[domain.ItemKey]bool{}
	f := operations.DiscrepancyFilter{Channel: ch, State: operations.DiscrepancyOpen, Limit: restPage}
	for more := true; more; {
		rows, err := c.Bills.Discrepancies(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, d := range rows {
			items[d.Item] = true
			k := restOf{ch, stageOf(d.Bill), FaultWrong, string(d.Kind), d.Item.Kind}
			switch d.Kind { //nolint:exhaustive // the others came and do not agree
			case domain.OnlyOurs, domain.RefundUnknown:
				k.fault = FaultMissing
			case domain.OnlyTheirs, domain.MissingCredit, domain.RefundMissing:
				k.stage, k.fault = StageCredited, FaultMissing
			case domain.PayoutMismatch:
				k.stage = StagePaidOut
			}
			amount := Difference{Ours: d.Ours, Theirs: d.Theirs}.AtStake()
			c.add(k, RestItem{OrderNo: d.OrderNo, TradeNo: d.Item.TradeNo, Ref: d.Item.Ref, Amount: amount, Since: cmp.Or(d.At, d.FoundAt)})
		}
		if more = len(rows) == f.Limit; more {
			f.Before = rows[len(rows)-1].Seq
		}
	}
	return items, nil
}

// stageOf is the stage whose events a kind of bill lists.
func stageOf(bill string) Stage {
	switch bill {
	case "fund_flow":
		return StageSettled
	case operations.BillOrder:
		return StageCredited
	}
	return StageInBill
}

// days are the days of a stage that were compared.
type days struct {
	bill  string // the kind of bill
	first domain.Day
	today domain.Day
	done  map[domain.Day]bool
	tried map[domain.Day]operations.BillCause // why the last try came to nothing
}

func (c *collector) compared(ctx context.Context, ch domain.ChannelID, stage Stage) (days, error) {
	today := domain.DayOf(c.now, c.Zone(ch))
	d := days{today: today, done: map[domain.Day]bool{}, tried: map[domain.Day]operations.BillCause{}}
	f := operations.BillRunFilter{Channel: ch, From: today.Add(-restDays), To: today, Limit: restPage}
	for more := true; more; {
		runs, err := c.Bills.BillRuns(ctx, f)
		if err != nil {
			return d, err
		}
		for _, r := range runs { // newest first
			if stageOf(r.Bill) != stage {
				continue
			}
			switch r.State { //nolint:exhaustive // one that runs says nothing yet
			case operations.RunComplete:
				d.done[r.Day], d.bill = true, r.Bill
				if d.first == "" || r.Day < d.first {
					d.first = r.Day
				}
			case operations.RunIncomplete:
				if _, told := d.tried[r.Day]; !told {
					d.tried[r.Day] = r.Cause
				}
			}
		}
		if more = len(runs) == f.Limit; more {
			f.Before = runs[len(runs)-1].Seq
		}
	}
	return d, nil
}

// waiting adds lines of compared days that later bills may still list.
func (c *collector) waiting(ctx context.Context, ch domain.ChannelID, stage Stage, d days, open map[domain.ItemKey]bool) error {
	pool, err := c.Bills.Carried(ctx, ch, d.bill, d.today)
	if err != nil {
		return err
	}
	for _, p := range pool {
		if p.On != "" || open[p.Line.Key()] || !d.done[p.Line.ValueDate] {
			continue
		}
		c.line(restOf{ch, stage, FaultLate, "waits_for_later_bill", p.Line.Kind}, p.Line)
	}
	return nil
}

// uncovered adds the lines of days without a complete comparison.
func (c *collector) uncovered(ctx context.Context, ch domain.ChannelID, stage Stage, d days, open map[domain.ItemKey]bool) error {
	until, err := c.Rows.Checkpoint(ctx)
	if err != nil {
		return err
	}
	for from, to := range d.gaps() {
		lines := c.Rows.Lines(ctx, projections.LineFilter{Channel: ch, From: from, To: to, Until: until})
		for l, err := range lines {
			if err != nil {
				return err
			}
			if open[l.Key()] {
				continue
			}
			k := restOf{ch, stage, FaultLate, "bill_not_due", l.Kind}
			if due := l.ValueDate.Add(1).Start(c.Zone(ch)).Add(billDue); c.now.After(due) {
				k.fault, k.kind = FaultMissing, cmp.Or(string(d.tried[l.ValueDate]), "not_compared")
			}
			c.line(k, l)
		}
	}
	return nil
}

// gaps are the ranges of days that were not compared, since the first that was.
func (d days) gaps() iter.Seq2[domain.Day, domain.Day] {
	return func(yield func(domain.Day, domain.Day) bool) {
		for day := d.first; day <= d.today; day = day.Add(1) {
			if d.done[day] {
				continue
			}
			from := day
			for day < d.today && !d.done[day.Add(1)] {
				day = day.Add(1)
			}
			if !yield(from, day) {
				return
			}
		}
	}
}

func (c *collector) line(k restOf, l domain.OurLine) {
	c.add(k, RestItem{OrderNo: l.OrderNo, TradeNo: l.TradeNo, Ref: l.RefundID + l.DisputeID, Amount: l.Amount, Since: l.At})
}
