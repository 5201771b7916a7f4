package reconcile

import (
	"context"
	"fmt"

	"counterfoil/domain"
	"counterfoil/operations"
)

// unmatchedCursor is the place in a channel's unmatched notices: how many of
// them are scheduled.
func unmatchedCursor(ch domain.ChannelID) string { return "sweep-unmatched-" + string(ch) }

// feedUnmatched asks for the orders of notices that named none.
func (s *Sweeper) feedUnmatched(ctx context.Context) error {
	for ch := range s.Channels {
		for more := true; more; {
			var err error
			if more, err = s.feedUnmatchedPage(ctx, ch); err != nil {
				return fmt.Errorf("schedule unmatched notices of %s: %w", ch, err)
			}
		}
	}
	return nil
}

// feedUnmatchedPage reads from the last notice it knows on: where that is
// missing, the log was restored from an older copy and all are read again.
func (s *Sweeper) feedUnmatchedPage(ctx context.Context, ch domain.ChannelID) (more bool, err error) {
	done, err := s.Ops.Cursor(ctx, unmatchedCursor(ch))
	if err != nil {
		return false, err
	}
	known := min(done, 1)
	notices, err := s.Ledger.Unmatched(ctx, ch, done-known, feedPage)
	if err != nil {
		return false, err
	}
	if uint64(len(notices)) < known {
		return false, s.Ops.PutCursor(ctx, unmatchedCursor(ch), 0)
	}
	now := s.Clock()
	var asks []operations.Ask
	for _, f := range notices[known:] {
		if f.TradeNo == "" { // nothing to ask by: people have it in the log of callbacks
			continue
		}
		ask := operations.Ask{Channel: ch, TradeNo: f.TradeNo, Why: whyUnmatched, Since: f.ReceivedAt, NextAt: now}
		if err := s.askNews(ctx, ask); err != nil {
			return false, err
		}
		asks = append(asks, ask)
	}
	if err := s.Ops.AddAsks(ctx, asks); err != nil || len(notices) == int(known) {
		return false, err
	}
	return len(notices) == feedPage, s.Ops.PutCursor(ctx, unmatchedCursor(ch), done-known+uint64(len(notices)))
}
