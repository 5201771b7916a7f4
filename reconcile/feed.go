package reconcile

import (
	"context"
	"crypto/rand"
	"fmt"
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
	at, err := s.Ops.Cursor(ctx, feedCursor)
	if err != nil {
		return fmt.Errorf("read the sweep's place: %w", err)
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

func (s *Sweeper) feedPage(ctx context.Context, rows []projections.Payment) error {
	var asks []operations.Ask
	for _, r := range rows {
		if _, ours := s.Channels[r.Channel]; !ours {
			continue
		}
		more, err := s.asksFor(ctx, r)
		if err != nil {
			return err
		}
		asks = append(asks, more...)
	}
	if err := s.Ops.AddAsks(ctx, asks); err != nil {
		return fmt.Errorf("schedule questions: %w", err)
	}
	return nil
}

// asksFor says what is to be asked about a changed payment.
func (s *Sweeper) asksFor(ctx context.Context, r projections.Payment) ([]operations.Ask, error) {
	ask := operations.Ask{Channel: r.Channel, OrderNo: r.OrderNo, Since: r.FirstAt}
	switch r.State {
	case domain.StatePlaced:
		ask.Why, ask.Since = whyUnsettled, r.PlacedAt
		ask.NextAt = r.PlacedAt.Add(s.pace.of(s.cfg.FirstAsk))
	case domain.StateCredited, domain.StateHeld, domain.StateParked:
		return s.asksForMoney(ctx, r)
	case domain.StateNoticed, domain.StateExpired, domain.StateClosed, domain.StateCancelled:
		return nil, nil
	}
	return []operations.Ask{ask}, nil
}

// asksForMoney looks into the payment's stream: each waiting trade is asked
// about at once, a settled one again later.
func (s *Sweeper) asksForMoney(ctx context.Context, r projections.Payment) ([]operations.Ask, error) {
	var asks []operations.Ask
	now := s.Clock()
	if r.State == domain.StateCredited {
		asks = append(asks, operations.Ask{
			Channel: r.Channel, OrderNo: r.OrderNo, TradeNo: r.TradeNo, Why: whyCredited, Since: now,
			NextAt: now.Add(s.pace.of(creditedWaits[0])),
		})
		if r.Notices < 2 {
			return asks, nil // one notice settled it: no other trade can wait
		}
	}
	v, err := s.Ledger.Payment(ctx, r.Channel, r.OrderNo)
	if err != nil {
		return nil, err
	}
	for _, t := range v.Payment.Waiting() {
		asks = append(asks, operations.Ask{
			Channel: r.Channel, OrderNo: r.OrderNo, TradeNo: t.TradeNo, Why: whyHeld, Since: t.FirstAt, NextAt: now,
		})
	}
	return asks, nil
}

// feedRefused turns refused callbacks that name an open order into one
// question each: the message proves nothing, the provider's answer may.
func (s *Sweeper) feedRefused(ctx context.Context) error {
	last, err := s.Ops.Cursor(ctx, refusedCursor)
	if err != nil {
		return fmt.Errorf("read the place in the callback log: %w", err)
	}
	seen := map[[2]string]bool{}
	newest, before := last, int64(0)
	for looked := 0; looked < maxRefused; {
		rows, err := s.Ops.Callbacks(ctx, operations.CallbackFilter{
			Outcome: domain.OutcomeRefused, Before: before, Limit: 200,
		})
		if err != nil {
			return fmt.Errorf("read refused callbacks: %w", err)
		}
		for _, r := range rows {
			if uint64(r.Seq) <= last {
				rows = nil
				break
			}
			newest = max(newest, uint64(r.Seq))
			before = r.Seq
			looked++
			if name := [2]string{r.Channel, r.OrderNo}; r.OrderNo != "" && !seen[name] {
				seen[name] = true
				if err := s.askRefused(ctx, domain.ChannelID(r.Channel), r.OrderNo); err != nil {
					return err
				}
			}
		}
		if len(rows) == 0 {
			break
		}
	}
	return s.Ops.PutCursor(ctx, refusedCursor, newest)
}

func (s *Sweeper) askRefused(ctx context.Context, ch domain.ChannelID, orderNo string) error {
	if _, ours := s.Channels[ch]; !ours {
		return nil
	}
	p, err := s.Rows.Payment(ctx, ch, orderNo)
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		return nil
	}
	if err != nil || p.State == domain.StateCredited {
		return err
	}
	now := s.Clock()
	asks, err := s.Ops.Asks(ctx, ch, orderNo)
	if err != nil {
		return err
	}
	for _, a := range asks {
		if a.Why == whyRefused && now.Sub(a.LastAt) < s.pace.of(refusedEvery) {
			return nil
		}
	}
	return s.Ops.PutAsks(ctx, []operations.Ask{{
		Channel: ch, OrderNo: orderNo, Why: whyRefused, Since: now, NextAt: now,
	}})
}
