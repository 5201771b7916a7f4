package reconcile

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
)

const (
	feedCursor    = "sweep-feed"
	refusedCursor = "sweep-refused"
	feedPage      = 1000

	// refusedEvery is how often a refused callback may cause a question about
	// one order.
	refusedEvery = time.Minute
	// maxRefused bounds what one run looks at of a flood of refused callbacks.
	maxRefused = 1000
)

// newRunID names a run so that names sort by time.
func newRunID(at time.Time) (string, error) {
	id, err := domain.NewRandom(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("name a run: %w", err)
	}
	return "sweep-" + at.UTC().Format("20060102T150405.000Z") + "-" + id.String()[:8], nil
}

// feed brings payments that changed since the last run into the schedule. Two
// processes that feed at once write the same rows.
func (s *Sweeper) feed(ctx context.Context) error {
	at, err := s.place(ctx)
	if err != nil {
		return err
	}
	for {
		rows, err := s.Rows.Changed(ctx, eventstore.Position(at), feedPage)
		if err != nil {
			return fmt.Errorf("read changed payments: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		if err := s.feedPage(ctx, rows); err != nil {
			return err
		}
		at = uint64(rows[len(rows)-1].Position)
		if err := s.Ops.PutCursor(ctx, feedCursor, at); err != nil {
			return fmt.Errorf("keep the sweep's place: %w", err)
		}
	}
}

// place is where the feed goes on. A place that the rows do not reach is one in
// another log, or in one that was restored from an older copy: what comes after
// it would never be asked about. Then everything is fed anew, which leaves
// alone what is scheduled.
func (s *Sweeper) place(ctx context.Context) (uint64, error) {
	at, err := s.Ops.Cursor(ctx, feedCursor)
	if err != nil {
		return 0, fmt.Errorf("read the sweep's place: %w", err)
	}
	end, err := s.Rows.Checkpoint(ctx)
	if err != nil {
		return 0, fmt.Errorf("read how far the rows go: %w", err)
	}
	if at > uint64(end) {
		s.Logger.WarnContext(ctx, "the sweep's place lies beyond the log: it was restored or is folded anew; all payments are looked at again",
			slog.Uint64("place", at), slog.Uint64("end", uint64(end)))
		return 0, nil
	}
	return at, nil
}

// feedPage schedules also what belongs to channels that this process does not
// have: the place in the log is shared with processes that may have them.
// What is wrong with one payment's books is told and keeps no other from its
// questions.
func (s *Sweeper) feedPage(ctx context.Context, rows []projections.Payment) error {
	var asks []operations.Ask
	for _, r := range rows {
		more, err := s.asksFor(ctx, r)
		if err != nil && ends(err) {
			return err
		}
		if err != nil {
			s.tellBad(ctx, r.Channel, r.OrderNo, err)
		}
		asks = append(asks, more...)
	}
	if err := s.Ops.AddAsks(ctx, asks); err != nil {
		return fmt.Errorf("schedule questions: %w", err)
	}
	return nil
}

// tellBad tells people of a payment whose books cannot be worked with.
func (s *Sweeper) tellBad(ctx context.Context, ch domain.ChannelID, orderNo string, err error) {
	s.Logger.LogAttrs(ctx, slog.LevelError, "a payment could not be reconciled: run counterfoil verify",
		slog.String("channel", string(ch)), slog.String("order_no", orderNo),
		slog.String("kind", domain.KindOf(err).String()), slog.String("error", err.Error()))
}

// asksFor says what is to be asked about a changed payment. An order without
// its own credit is asked about whatever else came for it: money that is held
// or parked may be somebody's trick, and the true money lost on the way.
func (s *Sweeper) asksFor(ctx context.Context, r projections.Payment) ([]operations.Ask, error) {
	now := s.Clock()
	ask := operations.Ask{Channel: r.Channel, OrderNo: r.OrderNo}
	var asks []operations.Ask
	switch {
	case r.State.Settled():
		ask.Why, ask.TradeNo, ask.Since, ask.NextAt = whyCredited, r.TradeNo, now, now.Add(s.pace.of(creditedWaits[0]))
		asks = append(asks, ask)
		if r.Notices < 2 {
			return asks, nil // one notice settled it: no other trade can wait
		}
	case !r.PlacedAt.IsZero():
		ask.Why, ask.Since, ask.NextAt = whyUnsettled, r.PlacedAt, r.PlacedAt.Add(s.pace.of(s.cfg.FirstAsk))
		asks = append(asks, ask)
	}
	if r.Notices == 0 {
		return asks, nil
	}
	held, err := s.asksHeld(ctx, r, now)
	return append(asks, held...), err
}

// asksHeld looks into the payment's stream: each waiting trade is asked about
// at once.
func (s *Sweeper) asksHeld(ctx context.Context, r projections.Payment, now time.Time) ([]operations.Ask, error) {
	v, err := s.Ledger.PaymentOf(ctx, r.Channel, r.OrderNo, r.TradeNo)
	if err != nil {
		return nil, err
	}
	asks := s.asksAfter(r, v.Payment, now)
	for _, ask := range asks {
		if err := s.askNews(ctx, ask); err != nil {
			return nil, err
		}
	}
	for _, t := range v.Payment.Waiting() {
		ask := operations.Ask{
			Channel: r.Channel, OrderNo: r.OrderNo, TradeNo: t.TradeNo, Why: whyHeld, Since: t.FirstAt, NextAt: now,
		}
		if t.TradeNo == "" {
			if err := s.askAnew(ctx, ask); err != nil {
				return nil, err
			}
		}
		asks = append(asks, ask)
	}
	return asks, nil
}

// asksAfter are the questions about refunds and disputes that wait: one for each
// trade, since when the newest of them waits.
func (s *Sweeper) asksAfter(r projections.Payment, p domain.Payment, now time.Time) []operations.Ask {
	var asks []operations.Ask
	add := func(why, trade string, since time.Time) {
		i := slices.IndexFunc(asks, func(a operations.Ask) bool { return a.Why == why && a.TradeNo == trade })
		if i < 0 {
			asks = append(asks, operations.Ask{
				Channel: r.Channel, OrderNo: r.OrderNo, TradeNo: trade, Why: why, Since: since, NextAt: now,
			})
		} else if asks[i].Since.Before(since) {
			asks[i].Since = since
		}
	}
	for _, w := range p.WaitingRefunds() {
		add(whyRefund, w.TradeNo, w.FirstAt)
	}
	for _, w := range p.WaitingDisputes() {
		add(whyDispute, w.TradeNo, w.FirstAt)
	}
	return asks
}

// askNews opens a question again at once where something new waits under its
// name since it was asked first.
func (s *Sweeper) askNews(ctx context.Context, ask operations.Ask) error {
	asks, err := s.Ops.Asks(ctx, ask.Channel, ask.OrderNo)
	if err != nil {
		return err
	}
	for _, a := range asks {
		if a.Why == ask.Why && a.TradeNo == ask.TradeNo && (a.Done || a.Since.Before(ask.Since)) {
			return s.Ops.PutAsks(ctx, []operations.Ask{ask})
		}
	}
	return nil
}

// askAnew opens a question that was settled once: other money without a number
// may wait under the same name.
func (s *Sweeper) askAnew(ctx context.Context, ask operations.Ask) error {
	asks, err := s.Ops.Asks(ctx, ask.Channel, ask.OrderNo)
	if err != nil {
		return err
	}
	for _, a := range asks {
		if a.Why == ask.Why && a.TradeNo == ask.TradeNo && a.Done {
			return s.Ops.PutAsks(ctx, []operations.Ask{ask})
		}
	}
	return nil
}

// refusedPage is how many rows of the callback log are read at once.
const refusedPage = 200

// feedRefused turns refused callbacks that name an open order into one
// question each: the message proves nothing, the provider's answer may. Of a
// flood only the newest are looked at.
func (s *Sweeper) feedRefused(ctx context.Context) error {
	last, err := s.Ops.Cursor(ctx, refusedCursor)
	if err != nil {
		return fmt.Errorf("read the place in the callback log: %w", err)
	}
	rows, err := s.refusedSince(ctx, last)
	if err != nil || len(rows) == 0 {
		return err
	}
	seen := map[[2]string]bool{}
	for _, r := range rows {
		if name := [2]string{r.Channel, r.OrderNo}; r.OrderNo != "" && !seen[name] {
			seen[name] = true
			if err := s.askRefused(ctx, domain.ChannelID(r.Channel), r.OrderNo); err != nil {
				return err
			}
		}
	}
	return s.Ops.PutCursor(ctx, refusedCursor, uint64(rows[0].Seq))
}

// refusedSince are the refused callbacks behind a place in the log, the newest
// first, a bounded number of them.
func (s *Sweeper) refusedSince(ctx context.Context, last uint64) ([]operations.Callback, error) {
	var out []operations.Callback
	for before := int64(0); len(out) < maxRefused; {
		rows, err := s.Ops.Callbacks(ctx, operations.CallbackFilter{
			Outcome: domain.OutcomeRefused, Before: before, Limit: refusedPage,
		})
		if err != nil {
			return nil, fmt.Errorf("read refused callbacks: %w", err)
		}
		for _, r := range rows {
			if uint64(r.Seq) <= last {
				return out, nil
			}
			out = append(out, r)
		}
		if len(rows) < refusedPage {
			break
		}
		before = rows[len(rows)-1].Seq
	}
	return out, nil
}

// askRefused asks about an order at once, unless that is going to happen or has
// just happened.
func (s *Sweeper) askRefused(ctx context.Context, ch domain.ChannelID, orderNo string) error {
	p, err := s.Rows.Payment(ctx, ch, orderNo)
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		return nil
	}
	if err != nil || p.State.Settled() {
		return err
	}
	now := s.Clock()
	asks, err := s.Ops.Asks(ctx, ch, orderNo)
	if err != nil {
		return err
	}
	for _, a := range asks {
		if a.Why == whyRefused && (!a.Done || now.Sub(a.LastAt) < s.pace.of(refusedEvery)) {
			return nil
		}
	}
	return s.Ops.PutAsks(ctx, []operations.Ask{{
		Channel: ch, OrderNo: orderNo, Why: whyRefused, Since: now, NextAt: now,
	}})
}
