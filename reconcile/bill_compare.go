package reconcile

import (
	"context"
	"fmt"
	"iter"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// compare is the whole of a run but for booking, proposing and writing it down.
// Every error has its cause.
func (c *Comparer) compare(
	ctx context.Context, run *operations.BillRun, src billSource, t *domain.BillTally,
) (found findings, err error) {
	policy, err := c.policy(src.channel(), run.Day)
	if err != nil {
		return found, because(operations.CauseOurs, err)
	}
	b, err := c.take(ctx, run, src)
	if err != nil {
		return found, err
	}
	if run.Bill == string(providers.BillFunds) && c.threeWay(run.Channel) {
		found.BillResult, err = c.compareFlow(ctx, run, policy, b, t)
	} else {
		found, err = c.compareBooks(ctx, run, policy, b, t)
	}
	if err != nil {
		return found, err
	}
	return found, c.checkBooks(ctx, run, t, &found.BillResult)
}

// compareBooks compares a bill with the books.
func (c *Comparer) compareBooks(
	ctx context.Context, run *operations.BillRun, policy billPolicy, b bill, t *domain.BillTally,
) (found findings, err error) {
	pool, err := c.Bills.Carried(ctx, run.Channel, run.Bill, run.Day)
	if err != nil {
		return found, because(operations.CauseOurs, err)
	}
	if err := c.catchUpRows(ctx, run); err != nil {
		return found, because(operations.CauseOurs, err)
	}
	var sum domain.Compared
	differences, err := c.pass(ctx, run, policy.Tolerance, &sum, domain.Compare(
		c.ours(ctx, run, policy.ComparePolicy, pool), paced(ctx, c, run, c.theirs(ctx, run, b, t)), policy.ComparePolicy, &sum))
	if err != nil {
		return found, err
	}
	if asked, ok := b.src.(answers); ok {
		asked.name(run, differences)
	}
	ch := b.src.channel()
	out, toReverse, err := c.conclude(ctx, run, ch, differences)
	if err != nil {
		return found, err
	}
	found.BillResult = out
	found.proposals, err = c.proposals(ctx, run, policy.Tolerance, ch, toReverse)
	return found, err
}

// catchUpRows waits until the projection has what the log has now: a payment
// that was credited a moment ago must not look lost.
func (c *Comparer) catchUpRows(ctx context.Context, run *operations.BillRun) error {
	head, err := c.folded(ctx)
	run.Position = uint64(head)
	return err
}

// folded is the log's head, once the projection has reached it.
func (c *Comparer) folded(ctx context.Context) (eventstore.Position, error) {
	head, err := c.Log.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("find the head of the log: %w", err)
	}
	if err := c.Rows.Wait(ctx, head); err != nil {
		return 0, fmt.Errorf("wait for the projection to reach the log's head: %w", err)
	}
	return head, nil
}

// theirs is the bill, sorted.
func (c *Comparer) theirs(ctx context.Context, run *operations.BillRun, b bill, t *domain.BillTally) iter.Seq2[domain.BillLine, error] {
	return sorting[domain.BillLine]{dir: c.cfg.TempDir, codec: billCodec}.lines(ctx, c.read(ctx, run, b, t))
}

// ours are our lines that the bill can have, sorted: those of its day, of the
// hours around it, and those that wait. What another bill has is left out.
func (c *Comparer) ours(
	ctx context.Context, run *operations.BillRun, p domain.ComparePolicy, pool []operations.Carried,
) iter.Seq2[domain.OurLine, error] {
	carried := newPool(pool, run.Day)
	reversed := map[string]bool{}
	window := projections.LineFilter{
		Channel: run.Channel, From: run.Day.Add(-1), To: run.Day.Add(1), Until: eventstore.Position(run.Position),
	}
	chosen := func(yield func(domain.OurLine, error) bool) {
		if err := c.reversed(ctx, run.Channel, reversed); err != nil {
			yield(domain.OurLine{}, because(operations.CauseOurs, err))
			return
		}
		for _, line := range carried.waiting {
			if !yield(asItIs(line, reversed), nil) {
				return
			}
		}
		for line, err := range c.Lines.Lines(ctx, window) {
			if err == nil && (carried.skip[line.Key()] || !fits(line, p) || unasked(run, line)) {
				continue
			}
			if !yield(asItIs(line, reversed), because(operations.CauseOurs, err)) || err != nil {
				return
			}
		}
	}
	return sorting[domain.OurLine]{dir: c.cfg.TempDir, codec: oursCodec}.lines(ctx, chosen)
}

// reversed gathers by order and trade number the credits that people took back
// and did not give again: the line that booked one stands as it was.
func (c *Comparer) reversed(ctx context.Context, ch domain.ChannelID, into map[string]bool) error {
	f := projections.CorrectionFilter{Channel: ch, State: domain.ProposalIssued, Limit: correctionsPage}
	for {
		rows, err := c.Rows.Corrections(ctx, f)
		if err != nil {
			return fmt.Errorf("read corrections: %w", err)
		}
		for _, r := range rows {
			f.Before = r.Position
			if r.Ask.Action != domain.ActionReverse {
				continue
			}
			v, err := c.Ledger.PaymentOf(ctx, ch, r.OrderNo, r.Ask.TradeNo)
			if err != nil {
				return err
			}
			if t, _ := v.Payment.Trade(r.Ask.TradeNo); t.State == domain.TradeReversed {
				into[wrongly(r.OrderNo, r.Ask.TradeNo)] = true
			}
		}
		if len(rows) < f.Limit {
			return nil
		}
	}
}

// correctionsPage is how many corrections are read at once.
const correctionsPage = 500

// asItIs is a line with what people made of its money since.
func asItIs(l domain.OurLine, reversed map[string]bool) domain.OurLine {
	if l.Kind == domain.LinePayment && reversed[wrongly(l.OrderNo, l.TradeNo)] {
		l.State = domain.TradeReversed
	}
	return l
}

// fits reports whether a bill of the policy's day can have the line.
func fits(l domain.OurLine, p domain.ComparePolicy) bool {
	return l.ValueDate == p.Day || p.NearEdge(l.At, l.ValueDate)
}

// unasked reports lines that answers in place of a bill cannot list: they are
// asked for about payments, and a refund counts on its own day.
func unasked(run *operations.BillRun, l domain.OurLine) bool {
	return run.Bill == BillAnswers && l.Kind != domain.LinePayment
}

// pass runs the comparison and gathers what differs, as far as a run may judge.
func (c *Comparer) pass(
	ctx context.Context, run *operations.BillRun, may domain.Tolerance, sum *domain.Compared, all iter.Seq2[domain.Difference, error],
) ([]domain.Difference, error) {
	var out []domain.Difference
	doubled := ""
	for d, err := range all {
		if err != nil {
			return nil, because(operations.CauseOurs, err)
		}
		if d.Kind == domain.DuplicateTradeNo && d.Ours == nil {
			doubled = d.Theirs.TradeNo
		}
		if len(out) < may.MaxItems {
			out = append(out, d)
		}
	}
	noteSums(run, sum)
	if err := ctx.Err(); err != nil {
		return nil, because(operations.CauseStopped, err)
	}
	known, err := c.known(ctx, run, out)
	if err != nil {
		return nil, because(operations.CauseOurs, err)
	}
	return out, judgeable(run, may, sum, known, doubled)
}

// known counts differences that waited and that the run of an earlier day has
// told already: what only we have stays open on every later bill, and says
// nothing about the day of this one.
func (c *Comparer) known(ctx context.Context, run *operations.BillRun, ds []domain.Difference) (n int64, err error) {
	if len(ds) <= few {
		return 0, nil // judged whatever their share
	}
	for _, d := range ds {
		if d.State != domain.DifferenceOpen || d.Ours == nil || d.Ours.Since == "" {
			continue
		}
		was, err := c.Bills.Discrepancy(ctx, c.rowID(run, d.Key(), d.Kind))
		switch {
		case err == nil && was.Day < run.Day:
			n++
		case err != nil && domain.KindOf(err) != domain.KindNotFound:
			return n, err
		}
	}
	return n, nil
}

// judgeable refuses to conclude anything from a bill that says a thing twice,
// or from a day that differs so much that something else is wrong; what is known
// from earlier days is no news of this one.
func judgeable(run *operations.BillRun, may domain.Tolerance, sum *domain.Compared, known int64, doubled string) error {
	open, lines := sum.OpenCount(), sum.Ours.Lines+sum.Theirs.Lines
	news := open - known
	switch {
	case doubled != "":
		return because(operations.CauseBillDoubled, domain.E(domain.KindCorrupt, "the bill of %s lists trade %.60q twice", run.Day, doubled))
	case open+sum.Waiting+sum.Settled > int64(may.MaxItems):
		return because(operations.CauseTooMany, domain.E(domain.KindLimited,
			"%d differences and %d lines that wait or were found late: one run judges at most %d", open, sum.Waiting+sum.Settled, may.MaxItems))
	case news > few && news*100 > lines*int64(may.MaxPercent):
		return because(operations.CauseTooMany, domain.E(domain.KindLimited,
			"%d differences in %d lines: above %d in a hundred something else is wrong", news, lines, may.MaxPercent))
	}
	return nil
}

// noteSums notes a comparison's sums in the run.
func noteSums(run *operations.BillRun, sum *domain.Compared) {
	run.OurLines, run.TheirLines = sum.Ours.Lines, sum.Theirs.Lines
	run.Matched, run.Split, run.Noted = sum.Matched, sum.Split, sum.Noted
	run.Waiting, run.Settled = sum.Waiting, sum.Settled
	run.ToleratedTimes, run.ToleratedFees = sum.ToleratedTimes, sum.ToleratedFees
	run.Kinds, run.Differing = sum.Open(), sum.OpenCount()
	run.Totals = totalsOf(sum)
}

// totalsOf is what each currency came to.
func totalsOf(sum *domain.Compared) []operations.BillTotal {
	var all domain.Totals
	sides := []*domain.Totals{&sum.Ours.Payments, &sum.Theirs.Payments, &sum.Ours.Refunds, &sum.Theirs.Refunds}
	for _, side := range sides {
		for m := range side.All() {
			_ = all.Add(domain.NewMoney(0, m.Currency())) // 0 always fits
		}
	}
	fees, tolerated := sum.Fees(), sum.Tolerated()
	for currency := range fees {
		_ = all.Add(domain.NewMoney(0, currency)) // 0 always fits
	}
	var out []operations.BillTotal
	for m := range all.All() {
		cur := m.Currency()
		out = append(out, operations.BillTotal{
			Currency: cur, OurPayments: sides[0].Of(cur), TheirPayments: sides[1].Of(cur),
			OurRefunds: sides[2].Of(cur), TheirRefunds: sides[3].Of(cur),
			Fees: fees[cur].String(), Tolerated: tolerated[cur].String(),
		})
	}
	return out
}
