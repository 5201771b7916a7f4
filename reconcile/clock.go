package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"counterfoil/eventstore"
	"counterfoil/operations"
)

// clockCursor is the latest time, in seconds since 1970, at which a run began.
const clockCursor = "sweep-clock"

// clockSlack is how far a clock may go back, or two processes differ, without
// harm: questions are asked that much later.
const clockSlack = time.Minute

// mend looks after a clock that ran ahead and was set back: questions that were
// put off, or given up as over, at a time that has not come, are asked again at
// once. Otherwise a lost payment would wait for that time.
func (s *Sweeper) mend(ctx context.Context) error {
	latest, err := s.Ops.Cursor(ctx, clockCursor)
	if err != nil {
		return fmt.Errorf("read the latest time of a run: %w", err)
	}
	now := s.Clock()
	was := time.Unix(int64(latest), 0)
	if now.Before(was.Add(-clockSlack)) {
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "the clock was set back: questions scheduled by it are asked again",
			slog.Time("clock", now), slog.Time("was", was))
		if err := s.mendAll(ctx, now); err != nil {
			return err
		}
	} else if !now.After(was) {
		return nil
	}
	return s.Ops.PutCursor(ctx, clockCursor, uint64(max(0, now.Unix())))
}

// mendAll goes through all payments: it is rare, and the operations store knows
// questions only by their payment or by the time they are due.
func (s *Sweeper) mendAll(ctx context.Context, now time.Time) error {
	for ch := range s.Channels { // notices without an order have no payment
		if err := s.mendAsks(ctx, operations.Ask{Channel: ch}, now); err != nil {
			return err
		}
	}
	for at := eventstore.Position(0); ; {
		rows, err := s.Rows.Changed(ctx, at, feedPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if err := s.mendAsks(ctx, operations.Ask{Channel: r.Channel, OrderNo: r.OrderNo}, now); err != nil {
				return err
			}
		}
		at = rows[len(rows)-1].Position
	}
}

// mendAsks sets the questions about one payment right that were scheduled by a
// clock ahead of now.
func (s *Sweeper) mendAsks(ctx context.Context, of operations.Ask, now time.Time) error {
	asks, err := s.Ops.Asks(ctx, of.Channel, of.OrderNo)
	if err != nil {
		return err
	}
	var wrong []operations.Ask
	for _, a := range asks {
		if a.LastAt.After(now) || a.Since.After(now) || (!a.Done && a.NextAt.After(now.Add(s.pace.longest(a)))) {
			a.Done, a.Attempts, a.NextAt = false, 0, now
			a.LastAt, a.Since = earlier(a.LastAt, now), earlier(a.Since, now)
			wrong = append(wrong, a)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return s.Ops.PutAsks(ctx, wrong)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// longest is the longest wait that a question is ever put off for: a claim, or
// the last wait of its kind.
func (p pace) longest(a operations.Ask) time.Duration {
	if a.Why == whyCredited {
		return p.of(creditedWaits[len(creditedWaits)-1])
	}
	return max(claimFor, p.of(2*day))
}
