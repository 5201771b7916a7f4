// Command api receives callbacks and serves the API of one installation.
package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/operations"
	"counterfoil/reconcile"
)

const usage = `api receives payment callbacks and serves the API of one Counterfoil installation.

Usage:
  api --dir DIR          DIR was made by "counterfoil init"
  api --config FILE

Settings come from the file and from COUNTERFOIL_… environment variables.
Exit status: 0 stopped, 1 failure, 2 wrong usage or configuration.
`

func main() { os.Exit(assembly.Daemon("api", usage, serve)) }

func serve(ctx context.Context, cfg config.Config, out io.Writer) error {
	app, err := assembly.Open(ctx, cfg, assembly.Logger(cfg, out), time.Now)
	if err != nil {
		return err
	}
	defer func() { _ = app.Close() }()
	reg := app.Registry()
	api, err := server(app, reg)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, api.Drain)()
	limited := func(l net.Listener) net.Listener {
		return httpapi.LimitPerAddress(l, cfg.Limits.ConnsPerAddress, cfg.Limits.TrustedProxies)
	}
	return app.Run(ctx,
		assembly.Serve(cfg.Listen, api.Handler(), app.Logger, limited),
		assembly.Serve(cfg.OpsListen, httpapi.Ops(reg, assembly.Software, app.Ready, app.Notes), app.Logger, nil),
	)
}

func server(app *assembly.App, reg *prometheus.Registry) (*httpapi.Server, error) {
	sweeper, err := app.Sweeper("api", reg)
	if err != nil {
		return nil, err
	}
	comparer, err := app.Comparer(context.Background(), "api", reg)
	if err != nil {
		return nil, err
	}
	return httpapi.New(httpapi.Deps{
		Ledger: app.Ledger, Log: app.Events, Rows: app.Rows, Ops: app.Ops, Bills: app.Bills, Channels: app.Channels, Logger: app.Logger,
		Metrics: reg, Clock: app.Clock, Ready: app.Ready, Sweep: sweepNow(app, sweeper),
		CompareBills: func(ctx context.Context, ch domain.ChannelID, day domain.Day) ([]operations.BillRun, error) {
			return comparer.Backfill(ctx, ch, day, day)
		},
		BillsOf: comparer.BillsOf, Tree: app.Tree(), Acts: app.Ledger.Act,
	}, httpapi.Config{
		PublicURL: app.Config.PublicURL, Software: assembly.Software, ExpireAfter: app.Config.Payments.ExpireAfter,
		TrustedProxies: app.Config.Limits.TrustedProxies, TreePublic: app.Config.Tree.Public,
		Retention: app.Config.Retention,
	})
}

// sweepNow sweeps when the rows show all that was appended before: who places
// an order and then asks for a run means this order, too.
func sweepNow(app *assembly.App, s *reconcile.Sweeper) func(ctx context.Context) (operations.Run, error) {
	return func(ctx context.Context) (operations.Run, error) {
		head, err := app.Events.Head(ctx)
		if err == nil {
			err = app.Rows.Wait(ctx, head)
		}
		if err != nil {
			app.Logger.WarnContext(ctx, "sweep without the newest events", slog.String("error", err.Error()))
		}
		return s.Sweep(ctx)
	}
}
