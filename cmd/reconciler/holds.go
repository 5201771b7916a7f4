package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
	"counterfoil/reconcile"
)

// followAgain is the pause before the log is followed again after an error.
const followAgain = 5 * time.Second

// holds watches the log for held money.
type holds struct {
	log    eventstore.Reader
	rows   projections.Reader
	logger *slog.Logger
	sweep  func(ctx context.Context)
	// spacing is the least time between two sweeps, again the pause after an
	// error.
	spacing, again time.Duration
}

// atOnce sweeps as soon as money is held, and once at the start: a buyer who
// has paid waits for the provider's word and not for the schedule. A log that
// cannot be read for a while ends nothing: the scheduled sweep goes on.
func (h holds) atOnce(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := h.follow(ctx); err != nil {
			h.logger.ErrorContext(ctx, "cannot watch for held money, it waits for the scheduled sweep",
				slog.String("error", err.Error()))
			pause(ctx, h.again)
		}
	}
	return nil
}

func (h holds) follow(ctx context.Context) error {
	at, err := h.log.Head(ctx)
	if err != nil {
		return fmt.Errorf("find the head of the log: %w", err)
	}
	h.sweep(ctx) // for what came before
	for b, err := range h.log.Follow(ctx, at, eventstore.FollowOptions{}) {
		if err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
		if !anyWaits(b.Events) {
			continue
		}
		if err := h.rows.Wait(ctx, b.Position); err != nil {
			continue // the projection is behind: the scheduled sweep finds it
		}
		h.sweep(ctx)
		pause(ctx, h.spacing)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func sweep(ctx context.Context, s *reconcile.Sweeper, logger *slog.Logger) {
	if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
		logger.ErrorContext(ctx, "sweep failed; it runs again on schedule", slog.String("error", err.Error()))
	}
}

// anyWaits reports whether one of the events waits for the provider's word.
func anyWaits(events []eventstore.Recorded) bool {
	for _, e := range events {
		if e.Type == domain.TypePaymentHeld || e.Type == domain.TypePaymentParked {
			return true
		}
	}
	return false
}
