package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/assembly"
	"counterfoil/projections"
	"counterfoil/reconcile"
)

// atOnce sweeps as soon as money is held, and once at the start: a buyer who
// has paid waits for the provider's word and not for the schedule. spacing is
// the least time between two such sweeps.
func atOnce(
	log eventstore.Reader, rows projections.Reader, s *reconcile.Sweeper, logger *slog.Logger, spacing time.Duration,
) assembly.Task {
	return func(ctx context.Context) error {
		at, err := log.Head(ctx)
		if err != nil {
			return fmt.Errorf("find the head of the log: %w", err)
		}
		sweep(ctx, s, logger)
		for b, err := range log.Follow(ctx, at, eventstore.FollowOptions{}) {
			if err != nil {
				return fmt.Errorf("follow the log for held money: %w", err)
			}
			if !anyWaits(b.Events) {
				continue
			}
			if err := rows.Wait(ctx, b.Position); err != nil {
				continue // the projection is behind: the scheduled sweep finds it
			}
			sweep(ctx, s, logger)
			select {
			case <-ctx.Done():
			case <-time.After(spacing):
			}
		}
		return nil
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
