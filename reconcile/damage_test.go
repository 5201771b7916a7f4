package reconcile

import (
	"context"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
	"counterfoil/sandbox"
)

// haunted rows show a payment whose stream cannot be read.
type haunted struct{ projections.Reader }

func (h haunted) Changed(ctx context.Context, after eventstore.Position, limit int) ([]projections.Payment, error) {
	rows, err := h.Reader.Changed(ctx, after, limit)
	for i := range rows {
		ghost := rows[i]
		ghost.OrderNo, ghost.Notices, ghost.State = "GHOST", 1, domain.StateHeld
		return append([]projections.Payment{ghost}, rows...), err
	}
	return rows, err
}

// A stream that is damaged stops the feed neither now nor at every later run:
// other payments would never be asked about again.
func TestDamagedStreamDoesNotStopTheFeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper(func(d *Deps, _ *Config) { d.Rows = haunted{d.Rows} })
	w.pay(w.place(trusting, "GOOD2", "7.30"), sandbox.Lost)
	w.clock.step(2 * time.Minute)
	w.fold()
	run, err := s.Sweep(t.Context())
	if run.Healed != 1 {
		t.Errorf("run %+v (%v), want the good order healed", run, err)
	}
	if !strings.Contains(w.lines.String(), "GHOST") {
		t.Error("the damaged payment is not named in the log")
	}
}
