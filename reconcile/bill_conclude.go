package reconcile

import (
	"context"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
)

// conclude turns differences into what is written down: rows for people, and
// the pool for the next bills. Before a person is asked, the provider is: about
// each difference that its single query can explain or mend. toReverse is what
// it positively said was never paid.
func (c *Comparer) conclude(
	ctx context.Context, run *operations.BillRun, ch providers.Channel, ds []domain.Difference,
) (out operations.BillResult, toReverse []proposal, err error) {
	run.Kinds, run.Differing = map[domain.DiscrepancyKind]int64{}, 0
	for i, d := range ds {
		if err := c.note(ctx, run, operations.PhaseAsking, int64(i), int64(len(ds))); err != nil {
			return out, nil, err
		}
		verdict, err := c.asks.explain(ctx, run, ch, d)
		if err != nil {
			return out, nil, err
		}
		d = verdict.difference
		if carried, ok := carriedOf(run, d); ok {
			out.Carried = append(out.Carried, carried)
		}
		if d.State != domain.DifferenceOpen {
			continue
		}
		c.foundMended(&out, run, d, verdict.mended)
		if p, ok := refuted(run, d, verdict.said, out.Found[len(out.Found)-1].ID); ok && verdict.mended == "" {
			toReverse = append(toReverse, p)
		}
	}
	return out, toReverse, unanswered(run)
}

// found adds a difference to what a run found.
func (c *Comparer) found(out *operations.BillResult, run *operations.BillRun, d domain.Difference) {
	c.foundMended(out, run, d, "")
}

// foundMended adds a difference, and how it was mended on the way.
func (c *Comparer) foundMended(out *operations.BillResult, run *operations.BillRun, d domain.Difference, mended string) {
	if run.Kinds == nil {
		run.Kinds, run.Differing = map[domain.DiscrepancyKind]int64{}, 0
	}
	run.Kinds[d.Kind]++
	row := c.row(run, d)
	if mended == "" {
		run.Differing++
	} else {
		row.State, row.ResolvedBy, row.ResolvedAt = operations.DiscrepancyResolved, run.ID, domain.Instant(c.Clock())
		row.Resolution = mended
	}
	out.Found = append(out.Found, row)
}

// unanswered refuses to conclude anything while questions had no answer.
func unanswered(run *operations.BillRun) error {
	if run.Unanswered > 0 {
		return because(operations.CauseUnanswered, domain.E(domain.KindUnavailable,
			"%d questions about single payments had no answer", run.Unanswered))
	}
	return nil
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
		ID:      c.rowID(run, k, d.Kind),
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

// rowID names a difference: the same one found again has the same id. What a
// fund flow shows is another finding than what the trade bill shows.
func (c *Comparer) rowID(run *operations.BillRun, k domain.ItemKey, kind domain.DiscrepancyKind) domain.ID {
	parts := []string{"discrepancy", string(run.Channel), string(k.Kind), k.TradeNo, k.Ref, string(kind)}
	if run.Bill == string(providers.BillFunds) && c.threeWay(run.Channel) {
		parts = append(parts, run.Bill)
	}
	return domain.NewV5(c.Ledger.ID(), parts...)
}
