package reconcile

import (
	"context"
	"log/slog"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// fewProposals is how many corrections a run may propose whatever their share of
// the day.
const fewProposals = 5

// proposal is a correction that a run asks people for.
type proposal struct {
	orderNo string
	ask     domain.Correction
}

// proposals are the corrections that the provider's positive word speaks for:
// parked money whose order is there by now, and what refuted says it was never
// paid. That something is absent proposes nothing. A run that would propose too
// much proposes nothing at all: something else is wrong.
func (c *Comparer) proposals(
	ctx context.Context, run *operations.BillRun, may domain.Tolerance, ch providers.Channel, refuted []proposal,
) ([]proposal, error) {
	parked, err := c.parkedOrders(ctx, run, may)
	if err != nil {
		return nil, because(operations.CauseOurs, err)
	}
	n, lines := int64(len(parked)+len(refuted)), run.OurLines+run.TheirLines
	switch {
	case n > int64(may.MaxProposals):
		return nil, because(operations.CauseTooMany, domain.E(domain.KindLimited,
			"%d corrections would be proposed: one run proposes at most %d", n, may.MaxProposals))
	case n > fewProposals && n*100 > lines*int64(may.MaxProposalPercent):
		return nil, because(operations.CauseTooMany, domain.E(domain.KindLimited,
			"%d corrections would be proposed for %d lines: above %d in a hundred something else is wrong", n, lines, may.MaxProposalPercent))
	}
	out := refuted
	for _, p := range parked {
		confirmed, err := c.confirmed(ctx, run, ch, p)
		if err != nil {
			return nil, err
		}
		if confirmed {
			out = append(out, p)
		}
	}
	return out, unanswered(run)
}

// parkedPage is how many parked payments are looked at in one go.
const parkedPage = 200

// parkedOrders are the payments of the channel whose money is parked though its
// order is there, unpaid and of that amount: it was placed too late for the rule
// that allocates by itself.
func (c *Comparer) parkedOrders(ctx context.Context, run *operations.BillRun, may domain.Tolerance) ([]proposal, error) {
	var out []proposal
	f := projections.PaymentFilter{Channel: run.Channel, State: domain.StateParked, Limit: parkedPage}
	for seen := 0; seen < may.MaxItems; {
		rows, err := c.Rows.Payments(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			seen, f.Before = seen+1, r.Position
			v, err := c.Ledger.Payment(ctx, run.Channel, r.OrderNo)
			if err != nil && domain.KindOf(err) != domain.KindNotFound {
				return nil, err
			}
			if ask, ok := v.Payment.Homeless(); ok {
				ask.By, ask.ByRun = run.ID, true
				out = append(out, proposal{r.OrderNo, ask})
			}
		}
		if len(rows) < parkedPage {
			break
		}
	}
	return out, nil
}

// confirmed asks the provider whether parked money is still there as it came.
func (c *Comparer) confirmed(ctx context.Context, run *operations.BillRun, ch providers.Channel, p proposal) (bool, error) {
	answer, err := c.asks.ask(ctx, ch, providers.Question{OrderNo: p.orderNo, TradeNo: p.ask.TradeNo, Run: run.ID, At: c.Clock()})
	run.Asked++
	switch {
	case ctx.Err() != nil:
		return false, because(operations.CauseStopped, ctx.Err())
	case err != nil && refused(err):
		return false, nil // it will never say anything else, and does not confirm it
	case err != nil:
		run.Unanswered++
		return false, nil //nolint:nilerr // silence ends the run incomplete, by its count
	case !answer.Found:
		return false, nil
	}
	if _, _, _, err := c.asks.take(ctx, answer); err != nil {
		return false, because(operations.CauseOurs, err)
	}
	n := answer.Notice
	return n.Status == domain.StatusPaid && n.TradeNo == p.ask.TradeNo && len(answer.Also) == 0, nil
}

// propose asks people for the corrections. What the books or the limits do not
// allow is left to people altogether.
func (c *Comparer) propose(ctx context.Context, run *operations.BillRun, all []proposal) error {
	unspent := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil } // sums are held against it when it is seconded
	for _, p := range all {
		_, r, err := c.Ledger.Propose(ctx, run.Channel, p.orderNo, p.ask, unspent, ledger.By{Actor: "reconciler", Cause: run.ID})
		if k := domain.KindOf(err); err != nil && k != domain.KindConflict && k != domain.KindDenied {
			return err
		}
		if err == nil && len(r.Verdict.Facts) > 0 {
			run.Proposed++
		}
		said := ""
		if err != nil {
			said = err.Error()
		}
		c.Logger.LogAttrs(ctx, slog.LevelInfo, "correction proposed to people", slog.String("run", run.ID),
			slog.String("channel", string(run.Channel)), slog.String("order_no", p.orderNo), slog.String("trade_no", p.ask.TradeNo),
			slog.String("action", string(p.ask.Action)), slog.String("refused", said))
	}
	return nil
}

// refuted is the correction for money that our books have credited and that the
// provider positively says was not paid.
func refuted(run *operations.BillRun, d domain.Difference, said domain.Notice, row domain.ID) (proposal, bool) {
	if d.Ours == nil || d.Ours.Kind != domain.LinePayment || d.Ours.State != domain.TradeCredited || d.OrderNo() == "" {
		return proposal{}, false
	}
	if said.Status != domain.StatusClosed && said.Status != domain.StatusFailed {
		return proposal{}, false
	}
	if said.TradeNo != "" && said.TradeNo != d.Ours.TradeNo {
		return proposal{}, false
	}
	return proposal{d.OrderNo(), domain.Correction{
		Action: domain.ActionReverse, TradeNo: d.Ours.TradeNo, Discrepancy: row, By: run.ID, ByRun: true,
		Reason: "the provider says " + string(said.Status) + " (" + said.ProviderStatus + ") when it is asked about this payment",
	}}, true
}
