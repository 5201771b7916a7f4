package main

import (
	"context"
	"iter"
	"log/slog"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// stumbling is a log that cannot be read for a while and then holds money.
type stumbling struct {
	eventstore.Reader
	failures int
}

func (l *stumbling) Head(context.Context) (eventstore.Position, error) { return 7, nil }

func (l *stumbling) Follow(ctx context.Context, _ eventstore.Position, _ eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	return func(yield func(eventstore.Batch, error) bool) {
		if l.failures--; l.failures >= 0 {
			yield(eventstore.Batch{}, domain.E(domain.KindUnavailable, "disk is away"))
			return
		}
		held := eventstore.Recorded{Event: eventstore.Event{Type: domain.TypePaymentHeld}}
		yield(eventstore.Batch{Events: []eventstore.Recorded{held}, Position: 8}, nil)
		<-ctx.Done()
	}
}

type upToDate struct{ projections.Reader }

func (upToDate) Wait(context.Context, eventstore.Position) error { return nil }

// A log that cannot be read for a moment ends neither the watch for held money
// nor, with it, the daemon.
func TestWatchSurvivesALogThatIsAway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sweeps := 0
	h := holds{log: &stumbling{failures: 3}, rows: upToDate{}, logger: slog.New(slog.DiscardHandler), sweep: func(context.Context) {
		if sweeps++; sweeps == 5 { // each of four beginnings makes one
			cancel()
		}
	}}
	if err := h.atOnce(ctx); err != nil {
		t.Errorf("the watch ended: %v", err)
	}
	if sweeps != 5 {
		t.Errorf("%d sweeps, want 5", sweeps)
	}
}
