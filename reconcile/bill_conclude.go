package reconcile

import (
	"context"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
)

// conclude turns differences into what is written down: rows for people, and
// the pool for the next bills. Before a person is asked, the provider is: about
// each difference that its single query can explain or mend.
func (c *Comparer) conclude(
	ctx context.Context, run *operations.BillRun, ch providers.Channel, ds []domain.Difference,
) (operations.BillResult, error) {
	var out operations.BillResult
	run.Kinds = map[domain.DiscrepancyKind]int64{}
	for _, d := range ds {
		verdict, err := c.asks.explain(ctx, run, ch, d)
		if err != nil {
			return out, err
		}
		d = verdict.difference
		if carried, ok := carriedOf(run, d); ok {
			out.Carried = append(out.Carried, carried)
		}
		if d.State != domain.DifferenceOpen {
			continue
		}
		run.Kinds[d.Kind]++
		row := c.row(run, d)
		if verdict.mended != "" {
			row.State, row.ResolvedBy, row.ResolvedAt = operations.DiscrepancyResolved, run.ID, domain.Instant(c.Clock())
			row.Resolution = verdict.mended
		}
		out.Found = append(out.Found, row)
	}
	run.Differing = 0
	for _, row := range out.Found {
		if row.State == operations.DiscrepancyOpen {
			run.Differing++
		}
	}
	if run.Unanswered > 0 {
		return out, because(operations.CauseUnanswered, domain.E(domain.KindUnavailable,
			"%d questions about single payments had no answer", run.Unanswered))
	}
	return out, nil
}

// carriedOf is the difference's place in the pool, if it has one: what waits,
// what stands on another bill than its own day's, and what only we have, which
// a later bill may still bring.
func carriedOf(run *operations.BillRun, d domain.Difference) (operations.Carried, bool) {
	c := operations.Carried{Channel: run.Channel, Bill: run.Bill}
	switch {
	case d.Kind == domain.Timing && d.State == domain.DifferenceSettled:
		c.On = run.Day
	case d.State == domain.DifferenceWaiting, d.Kind == domain.OnlyOurs, d.Kind == domain.RefundUnknown:
	default:
		return c, false
	}
	if d.Ours == nil { // our books have it, on a day that was not looked at
		t := d.Theirs
		c.Line = domain.OurLine{
			Kind: t.Kind, OrderNo: t.OrderNo, TradeNo: t.TradeNo, RefundID: t.RefundID, RefundNo: t.RefundNo, Amount: t.Amount,
		}
		return c, true
	}
	c.Line = *d.Ours
	if c.Line.Since == "" && c.On == "" {
		c.Line.Since = run.Day
	}
	return c, true
}

// row is a difference as people see it.
func (c *Comparer) row(run *operations.BillRun, d domain.Difference) operations.Discrepancy {
	now, k := domain.Instant(c.Clock()), d.Key()
	row := operations.Discrepancy{
		ID:      domain.NewV5(c.Ledger.ID(), "discrepancy", string(run.Channel), string(k.Kind), k.TradeNo, k.Ref, string(d.Kind)),
		Channel: run.Channel, Day: run.Day, Bill: run.Bill, Kind: d.Kind, State: operations.DiscrepancyOpen,
		Item: k, OrderNo: d.OrderNo(), Delta: d.Delta, Note: d.Note,
		FoundRun: run.ID, FoundAt: now, SeenRun: run.ID, SeenAt: now,
	}
	if o := d.Ours; o != nil {
		row.Ours, row.OurState, row.OurDay, row.At = o.Amount, string(o.State), o.ValueDate, o.At
	}
	if t := d.Theirs; t != nil {
		row.Theirs, row.TheirState, row.Row = t.Amount, t.ProviderStatus, t.Row
		if !t.At.IsZero() {
			row.At = t.At
		}
	}
	return row
}
