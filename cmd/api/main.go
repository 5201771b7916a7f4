// Command api receives callbacks and serves the API of one installation.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/reconcile"
)

const usage = `api receives payment callbacks and serves the API of one Counterfoil installation.

Usage:
  api --dir DIR          DIR was made by "counterfoil init"
  api --config FILE

Settings come from the file and from COUNTERFOIL_… environment variables.
Exit status: 0 stopped, 1 failure, 2 wrong usage or configuration.
`

func main() {
	ctx, stop := assembly.Signals(context.Background())
	err := run(ctx, os.Args[1:], os.Environ(), os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(exitCode(err))
	}
}

func exitCode(err error) int {
	if domain.KindOf(err) == domain.KindInvalid {
		return 2
	}
	return 1
}

func run(ctx context.Context, args, env []string, out io.Writer) error {
	flags := flag.NewFlagSet("api", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("config", "", "")
	dir := flags.String("dir", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		fmt.Fprint(out, usage)
		if err == flag.ErrHelp { //nolint:errorlint // flag returns it bare
			return nil
		}
		return domain.E(domain.KindInvalid, "arguments: %w", err)
	}
	path, err := config.Find(*file, *dir)
	if err != nil {
		return err
	}
	cfg, err := config.Load(path, env)
	if err != nil {
		return err
	}
	return serve(ctx, cfg, out)
}

func serve(ctx context.Context, cfg config.Config, out io.Writer) error {
	app, err := assembly.Open(ctx, cfg, assembly.Logger(cfg, out), time.Now)
	if err != nil {
		return err
	}
	defer func() { _ = app.Close() }()
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	sweeper, err := app.Sweeper("api", reg)
	if err != nil {
		return err
	}
	api, err := server(app, reg, sweeper)
	if err != nil {
		return err
	}
	limited := func(l net.Listener) net.Listener {
		return httpapi.LimitPerAddress(l, cfg.Limits.ConnsPerAddress, cfg.Limits.TrustedProxies)
	}
	return app.Run(ctx,
		assembly.Serve(cfg.Listen, api.Handler(), app.Logger, limited),
		assembly.Serve(cfg.OpsListen, httpapi.Ops(reg, assembly.Software, app.Ready), app.Logger, nil),
	)
}

func server(app *assembly.App, reg *prometheus.Registry, sweeper *reconcile.Sweeper) (*httpapi.Server, error) {
	return httpapi.New(httpapi.Deps{
		Ledger: app.Ledger, Log: app.Events, Rows: app.Rows, Ops: app.Ops, Channels: app.Channels, Logger: app.Logger,
		Metrics: reg, Clock: app.Clock, Ready: app.Ready, Sweep: sweeper.Sweep,
	}, httpapi.Config{
		PublicURL: app.Config.PublicURL, Software: assembly.Software, ExpireAfter: app.Config.Payments.ExpireAfter,
		TrustedProxies: app.Config.Limits.TrustedProxies,
	})
}
