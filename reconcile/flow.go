package reconcile

import (
	"context"
	"iter"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
)

// flowLines is the pool of what a fund flow has and the trade bill lacked; what
// the trade bill has and the flow lacked waits under the flow's own name.
const flowLines = string(providers.BillFunds) + operations.TheirPool

// compareFlow compares a fund flow with the trade bill of its day, and what only
// the flow has with the books. That the books and the trade bill agree is the
// trade bill's run to say; so each disagreement of the three is told once.
func (c *Comparer) compareFlow(
	ctx context.Context, run *operations.BillRun, policy billPolicy, flow bill, t *domain.BillTally,
) (operations.BillResult, error) {
	trade, err := c.tradeOf(ctx, run)
	if err != nil {
		return operations.BillResult{}, err
	}
	if err := c.catchUpRows(ctx, run); err != nil {
		return operations.BillResult{}, because(operations.CauseOurs, err)
	}
	ours, err := c.poolOf(ctx, run, run.Bill)
	if err != nil {
		return operations.BillResult{}, err
	}
	theirs, err := c.poolOf(ctx, run, flowLines)
	if err != nil {
		return operations.BillResult{}, err
	}
	var none domain.BillTally
	var plain watched
	ofTrade := c.flowSide(ctx, run.Day, c.lines(ctx, trade, &plain), ours, t.Names, domain.FlowNames.Trade)
	ofFlow := c.flowSide(ctx, run.Day, c.read(ctx, run, flow, t), theirs, none.Names, domain.FlowNames.Flow)
	var sum domain.Compared
	ds, err := c.pass(ctx, run, policy.Tolerance, &sum, domain.CompareFlow(paced(ctx, c, run, ofFlow), ofTrade, t.Names, policy.ComparePolicy, &sum))
	if err != nil {
		return operations.BillResult{}, err
	}
	return c.concludeFlow(ctx, run, policy.ComparePolicy, flow.src.channel(), ds)
}

// tradeOf is the trade bill that was compared last for the run's day.
func (c *Comparer) tradeOf(ctx context.Context, run *operations.BillRun) (bill, error) {
	runs, err := c.Bills.BillRuns(ctx, operations.BillRunFilter{
		Channel: run.Channel, Bill: string(providers.BillTrade), From: run.Day, To: run.Day, State: operations.RunComplete, Limit: 1,
	})
	if err != nil {
		return bill{}, because(operations.CauseOurs, err)
	}
	if len(runs) == 0 {
		return bill{}, because(operations.CauseBillMissing, domain.E(domain.KindNotFound,
			"the trade bill of %s is not compared yet, and the fund flow is held against it", run.Day))
	}
	run.Against = runs[0].SHA256
	b, err := c.taken(runs[0])
	return b, because(operations.CauseOurs, err)
}

// waitingPool is what waits for a side of the comparison, and what other days
// have of it.
type waitingPool struct {
	waiting []domain.OurLine
	skip    map[domain.ItemKey]bool
}

func (c *Comparer) poolOf(ctx context.Context, run *operations.BillRun, name string) (waitingPool, error) {
	rows, err := c.Bills.Carried(ctx, run.Channel, name, run.Day)
	if err != nil {
		return waitingPool{}, because(operations.CauseOurs, err)
	}
	return newPool(rows, run.Day), nil
}

// newPool sorts out what the pool holds for a bill of the day.
func newPool(rows []operations.Carried, day domain.Day) waitingPool {
	p := waitingPool{skip: make(map[domain.ItemKey]bool, len(rows))}
	for _, carried := range rows {
		elsewhere := carried.On != "" && carried.On != day
		if waits := carried.Line.Since != "" && !elsewhere; waits {
			p.waiting = append(p.waiting, carried.Line)
		} else if !elsewhere {
			continue // was taken from a neighbouring day by the same bill before
		}
		p.skip[carried.Line.Key()] = true
	}
	return p
}

// flowSide is one side of the comparison, sorted by the numbers that the flow
// uses. The names are asked for when the first line comes out: by then the flow
// was read.
func (c *Comparer) flowSide(
	ctx context.Context, day domain.Day, lines iter.Seq2[domain.BillLine, error], pool waitingPool,
	names func() domain.FlowNames, key func(domain.FlowNames, *domain.FlowLine) string,
) iter.Seq2[domain.FlowLine, error] {
	return func(yield func(domain.FlowLine, error) bool) {
		known := names()
		side := sorting[domain.FlowLine]{dir: c.cfg.TempDir, codec: flowCodec(func(l *domain.FlowLine) string { return key(known, l) })}
		for line, err := range side.lines(ctx, joined(day, lines, pool)) {
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// joined are a bill's own lines and those that wait, without those that stand on
// the bill of another day.
func joined(day domain.Day, lines iter.Seq2[domain.BillLine, error], pool waitingPool) iter.Seq2[domain.FlowLine, error] {
	return func(yield func(domain.FlowLine, error) bool) {
		for _, o := range pool.waiting {
			if !yield(domain.FlowLineOf(o), nil) {
				return
			}
		}
		for line, err := range lines {
			l := domain.FlowLine{BillLine: line, Day: day}
			if err == nil && len(pool.skip) > 0 && pool.skip[l.Ours().Key()] {
				continue
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// concludeFlow turns differences into rows and into what waits. Money that only
// the flow has is asked about at once: the answer goes the way of every answer.
func (c *Comparer) concludeFlow(
	ctx context.Context, run *operations.BillRun, p domain.ComparePolicy, ch providers.Channel, ds []domain.Difference,
) (operations.BillResult, error) {
	var out operations.BillResult
	run.Kinds, run.Differing = map[domain.DiscrepancyKind]int64{}, 0
	for i, d := range ds {
		if err := c.note(ctx, run, operations.PhaseAsking, int64(i), int64(len(ds))); err != nil {
			return out, err
		}
		switch {
		case d.Kind == domain.OnlyTheirs || d.Kind == domain.RefundMissing:
			if err := c.onlyFlow(ctx, run, p, ch, d, &out); err != nil {
				return out, err
			}
		case d.State == domain.DifferenceOpen:
			c.found(&out, run, d)
			if d.Ours != nil && d.Theirs == nil && d.Kind == domain.BillTotalMismatch {
				out.Carried = append(out.Carried, flowCarried(run, run.Bill, *d.Ours, ""))
			}
		case d.State == domain.DifferenceSettled && d.Ours == nil: // the flow's line had waited
			o := (&domain.FlowLine{BillLine: *d.Theirs}).Ours()
			out.Carried = append(out.Carried, flowCarried(run, flowLines, o, run.Day))
		case d.State == domain.DifferenceSettled:
			out.Carried = append(out.Carried, flowCarried(run, run.Bill, *d.Ours, run.Day))
		case d.Theirs != nil:
			out.Carried = append(out.Carried, flowCarried(run, flowLines, *d.Ours, ""))
		default:
			out.Carried = append(out.Carried, flowCarried(run, run.Bill, *d.Ours, ""))
		}
	}
	return out, unanswered(run)
}

// flowCarried is a line that waits in a pool, or that stands on the bill of a
// day.
func flowCarried(run *operations.BillRun, pool string, o domain.OurLine, on domain.Day) operations.Carried {
	if o.Since == "" && on == "" {
		o.Since = run.Day
	}
	return operations.Carried{Channel: run.Channel, Bill: pool, Line: o, On: on}
}

// onlyFlow is a movement that the trade bill lacks. Where the books have it, or
// take it in on the provider's answer, it is the trade bill that is behind.
func (c *Comparer) onlyFlow(
	ctx context.Context, run *operations.BillRun, p domain.ComparePolicy, ch providers.Channel, d domain.Difference,
	out *operations.BillResult,
) error {
	booked, err := c.asks.booked(ctx, run.Channel, d.Theirs)
	if err != nil {
		return because(operations.CauseOurs, err)
	}
	if !booked {
		if booked, err = c.askOfFlow(ctx, run, ch, d, out); err != nil {
			return err
		}
	}
	line := domain.FlowLine{BillLine: *d.Theirs, Day: run.Day}
	if !booked || !line.Item() {
		return nil
	}
	o := line.Ours()
	out.Carried = append(out.Carried, flowCarried(run, flowLines, o, ""))
	if !p.Later(&o) {
		c.found(out, run, domain.Difference{
			Kind: domain.BillTotalMismatch, State: domain.DifferenceOpen, Theirs: d.Theirs, Delta: d.Delta, Note: "the trade bill lacks it",
		})
	}
	return nil
}

// askOfFlow asks about a movement that neither the trade bill nor the books
// have, and reports whether the books have it now.
func (c *Comparer) askOfFlow(
	ctx context.Context, run *operations.BillRun, ch providers.Channel, d domain.Difference, out *operations.BillResult,
) (booked bool, err error) {
	v, err := c.asks.explain(ctx, run, ch, d)
	if err != nil {
		return false, err
	}
	if v.mended == "" { // it may name a refund whose payment only the answer told
		booked, err = c.asks.booked(ctx, run.Channel, v.difference.Theirs)
		if err != nil {
			return false, because(operations.CauseOurs, err)
		}
	}
	if booked || v.difference.State != domain.DifferenceOpen {
		return true, nil
	}
	c.foundMended(out, run, v.difference, v.mended)
	return v.mended != "", nil
}
