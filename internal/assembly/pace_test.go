package assembly

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/config"
)

// A live store keeps real time: at pace 600 the ten days of asking after an
// order's end are over in 24 minutes, and a loss behind them is never found.
func TestPaceIsForTestStores(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode domain.Mode
		pace float64
		kind domain.Kind
	}{
		{domain.ModeLive, 600, domain.KindInvalid},
		{domain.ModeLive, 1, 0},
		{domain.ModeTest, 600, 0},
	} {
		cfg := config.Defaults()
		cfg.Dir, cfg.Reconciler.Pace = t.TempDir(), c.pace
		if _, err := Create(t.Context(), cfg, c.mode, time.Now); err != nil {
			t.Fatal(err)
		}
		app, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = app.Run(ctx)
		if c.kind == 0 && err != nil || c.kind != 0 && (err == nil || domain.KindOf(err) != c.kind) {
			t.Errorf("%s store at pace %v: error %v", c.mode, c.pace, err)
		}
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	}
}
