// Command reconciler asks the providers what became of payments and heals what
// was lost on the way.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/robfig/cron/v3"

	"counterfoil/alerts"
	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
)

const usage = `reconciler compares one Counterfoil installation with its payment providers.

Usage:
  reconciler --dir DIR          DIR was made by "counterfoil init"
  reconciler --config FILE

It sweeps on schedule: unsettled, held and credited payments are asked about,
lost ones credited from the provider's answer. Once a day it compares each
provider's bill with the books. Any number may run at once.
Exit status: 0 stopped, 1 failure, 2 wrong usage or configuration.
`

func main() { os.Exit(assembly.Daemon("reconciler", usage, serve)) }

func serve(ctx context.Context, cfg config.Config, out io.Writer) error {
	app, err := assembly.Open(ctx, cfg, assembly.Logger(cfg, out), time.Now)
	if err != nil {
		return err
	}
	defer func() { _ = app.Close() }()
	reg := app.Registry()
	holder := "reconciler-" + strconv.Itoa(os.Getpid())
	sweeper, err := app.Sweeper(holder, reg)
	if err != nil {
		return err
	}
	watch, err := alerts.New(alerts.Deps{
		Rows: app.Rows, Ops: app.Ops, Bills: app.Bills, Arrivals: app.Rows, Logger: app.Logger, Metrics: reg, Clock: app.Clock, Waiting: app.Ledger.Waiting,
	}, alerts.Config{
		URL: cfg.Alerts.URL, Command: cfg.Alerts.Command, HeldAfter: cfg.Alerts.HeldAfter,
		SilenceAfter: cfg.Alerts.SilenceAfter, Channels: cfg.ChannelIDs(), Zone: cfg.ChannelZone,
	})
	if err != nil {
		return err
	}
	bills, err := billJobs(ctx, app, holder, reg)
	if err != nil {
		return err
	}
	jobs := scheduled{
		{"sweep", every(cfg.Reconciler.SweepEvery), func(ctx context.Context) error { _, err := sweeper.Sweep(ctx); return err }},
		{"alerts", every(max(cfg.Reconciler.SweepEvery, time.Second)), watch.Check},
		{"self-check", every(cfg.Reconciler.SelfCheck), app.SelfCheck},
	}
	jobs = append(jobs, bills...)
	if cfg.Tree.Stamps.URL != "" {
		jobs = append(jobs, job{"time stamps", every(min(10*time.Minute, cfg.Tree.Stamps.Every)), app.StampJob(watch.Tell)})
	}
	held := holds{
		log: app.Events, rows: app.Rows, logger: app.Logger, spacing: min(time.Second, cfg.Reconciler.SweepEvery), again: followAgain,
		sweep: func(ctx context.Context) { sweep(ctx, sweeper, app.Logger) },
	}
	sealer, err := app.Sealer(reg, watch.Tell)
	if err != nil {
		return err
	}
	ready := func(ctx context.Context) error { return errors.Join(app.Ready(ctx), sealer.Ready(ctx)) }
	return app.Run(ctx, jobs.run(app.Logger), held.atOnce, sealer.Run,
		assembly.Serve(cfg.Reconciler.OpsListen, httpapi.Ops(reg, assembly.Software, ready, app.Notes), app.Logger, nil))
}

// job is something done on a schedule, never twice at once.
type job struct {
	name string
	at   cron.Schedule
	do   func(ctx context.Context) error
}

type scheduled []job

// run does the jobs on schedule until the context ends, and waits for those
// under way.
func (jobs scheduled) run(logger *slog.Logger) assembly.Task {
	return func(ctx context.Context) error {
		log := cron.PrintfLogger(slog.NewLogLogger(logger.Handler(), slog.LevelError))
		c := cron.New(cron.WithChain(cron.Recover(log), cron.SkipIfStillRunning(cron.DiscardLogger)))
		for _, j := range jobs {
			c.Schedule(j.at, cron.FuncJob(func() {
				if err := j.do(ctx); err != nil && ctx.Err() == nil {
					logger.ErrorContext(ctx, "scheduled job failed; it runs again on schedule",
						slog.String("job", j.name), slog.String("kind", domain.KindOf(err).String()),
						slog.String("error", fmt.Sprint(err)))
				}
			}))
		}
		c.Start()
		<-ctx.Done()
		<-c.Stop().Done()
		return nil
	}
}

// every is a schedule with parts of a second, which cron's own @every rounds
// away.
type every time.Duration

// Next is the next time after t.
func (e every) Next(t time.Time) time.Time { return t.Add(time.Duration(e)) }
