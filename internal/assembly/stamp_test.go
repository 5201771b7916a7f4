package assembly_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"counterfoil/alerts"
	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/stamptest"
	"counterfoil/ledger"
)

// TestStampJob: a head is stamped when the last stamp is old enough and events
// came since; an authority that is away for more than a day is told.
func TestStampJob(t *testing.T) {
	t.Parallel()
	if !stamptest.Installed() {
		t.Skip("openssl is not installed")
	}
	authority, err := stamptest.Start(t.TempDir(), time.Hour)
	must(t, err)
	defer authority.Server.Close()
	cfg := installation(t, "")
	cfg.Tree.Stamps.URL, cfg.Tree.Stamps.Roots = authority.Server.URL, filepath.Join(authority.Dir, "ca.pem")
	now := time.Now()
	app, err := assembly.Open(t.Context(), cfg, slog.New(slog.DiscardHandler), func() time.Time { return now })
	must(t, err)
	defer func() { must(t, app.Close()) }()
	var told []alerts.Alert
	job := app.StampJob(func(_ context.Context, a alerts.Alert) error { told = append(told, a); return nil })
	stamps := func(want int) {
		t.Helper()
		all, err := assembly.Stamps(cfg).All()
		must(t, err)
		if len(all) != want {
			t.Fatalf("%d stamps, want %d", len(all), want)
		}
	}
	grow := func(order string) {
		t.Helper()
		_, _, err := app.Ledger.Place(t.Context(), domain.Order{
			Channel: "epay-a", OrderNo: domain.OrderNo(order), Account: "user:1", Amount: domain.NewMoney(730, "CNY"),
			ExpiresAt: now.Add(time.Hour),
		}, ledger.Personal{}, ledger.By{Actor: "test"})
		must(t, err)
		must(t, assembly.SealNow(t.Context(), cfg, app.Events, app.Clock))
	}

	must(t, job(t.Context())) // nothing is signed yet
	stamps(0)
	grow("A1")
	must(t, job(t.Context()))
	stamps(1)
	grow("A2")
	must(t, job(t.Context())) // not due yet
	stamps(1)
	now = now.Add(25 * time.Hour)
	must(t, job(t.Context()))
	stamps(2)
	now = now.Add(25 * time.Hour)
	must(t, job(t.Context())) // nothing came since
	stamps(2)

	authority.Server.Close()
	grow("A3")
	if err := job(t.Context()); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("without an authority: %v", err)
	}
	told = nil
	now = now.Add(25 * time.Hour)
	if err := job(t.Context()); domain.KindOf(err) != domain.KindUnavailable || len(told) != 1 || told[0].Kind != "time_stamp" {
		t.Errorf("a day later: %v, told %+v", err, told)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
