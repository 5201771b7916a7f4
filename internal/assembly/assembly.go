// Package assembly puts a configured installation together: stores, ledger,
// channels, projections. Every command that works on one opens it here, so
// that all of them mean the same.
package assembly

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"
	_ "time/tzdata" // zones of channels must load on every machine

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/providers"
	"counterfoil/reconcile"
)

// Software is what writes into every envelope.
const Software = "counterfoil/0.1.0"

// The files of a store in its folder.
const (
	EventsFile      = "events.db"
	OperationsFile  = "operations.db"
	ProjectionsFile = "projections.db"
)

// App is an open installation.
type App struct {
	Config   config.Config
	Logger   *slog.Logger
	Clock    func() time.Time
	Events   eventstore.Store
	Ops      operations.Store
	Bills    operations.Bills
	Rows     *psqlite.DB
	Runner   *projections.Runner
	Ledger   *ledger.Ledger
	Channels map[domain.ChannelID]providers.Channel
}

// Path is where a file of the installation lies.
func Path(cfg config.Config, name string) string { return filepath.Join(cfg.Dir, name) }

// Open opens everything a daemon needs. Settings of channels that differ from
// the recorded ones are recorded; an empty folder is refused.
func Open(ctx context.Context, cfg config.Config, logger *slog.Logger, clock func() time.Time) (*App, error) {
	a := &App{Config: cfg, Logger: logger, Clock: clock}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context) (err error) {
	events, err := OpenEvents(ctx, a.Config, StoreOptions{Logger: a.Logger, Cache: a.Config.Limits.CacheMB << 20})
	if err != nil {
		return err
	}
	a.Events = events
	if to := Retired(events); to != "" {
		return domain.EField(domain.KindMismatch, "store", "%s takes no appends any more: its log has moved to %s; name that store here",
			StoreName(a.Config), to)
	}
	ops, err := osqlite.Open(ctx, Path(a.Config, OperationsFile), osqlite.Options{Logger: a.Logger, Clock: a.Clock})
	if err != nil {
		return fmt.Errorf("open operations store: %w", err)
	}
	a.Ops, a.Bills = ops, ops
	if err := a.openRows(ctx); err != nil {
		return fmt.Errorf("open projections: %w", err)
	}
	a.Runner = projections.NewRunner(a.Events, a.Rows, projections.Config{Log: a.Logger})
	a.Ledger, err = ledger.Open(ctx, announcing{a.Events, a.Rows}, a.Ops, ledger.Config{
		Software: Software, Clock: a.Clock, Timeout: a.Config.Limits.ReplyWithin * 7 / 8, Orders: a.Rows,
		Process: process(), Zone: a.Config.DrawZone(),
	})
	if err = a.whose(err); err != nil {
		return err
	}
	if a.Channels, err = Channels(a.Config, a.Ledger.ID(), a.Clock); err != nil {
		return err
	}
	return a.configure(ctx)
}

// openRows opens the projections. Damaged ones are put aside and folded anew:
// they hold nothing that the log does not say, and callbacks must not wait for
// a person.
func (a *App) openRows(ctx context.Context) (err error) {
	path, cfg := Path(a.Config, ProjectionsFile), psqlite.Config{Log: a.Logger}
	a.Rows, err = psqlite.Open(path, cfg)
	if err == nil || domain.KindOf(err) != domain.KindCorrupt {
		return err
	}
	a.Logger.ErrorContext(ctx, "projections are damaged and are folded anew: check the disk", slog.String("error", err.Error()))
	if err := psqlite.Reset(path); err != nil {
		return err
	}
	a.Rows, err = psqlite.Open(path, cfg)
	return err
}

// configure records channel settings that changed.
func (a *App) configure(ctx context.Context) error {
	if err := Recall(ctx, a.Ledger, a.Channels); err != nil {
		return err
	}
	for _, id := range a.Config.ChannelIDs() {
		if err := a.put(ctx, a.Channels[id].Config(), "config"); err != nil {
			return err
		}
		a.recordLearned(id)
	}
	return nil
}

// Ready says what keeps the installation from its work, nil for nothing.
func (a *App) Ready(ctx context.Context) error {
	if err := a.Events.Ready(ctx); err != nil {
		return fmt.Errorf("event store: %w", err)
	}
	if err := a.Ops.Ready(ctx); err != nil {
		return fmt.Errorf("operations store: %w", err)
	}
	if st := a.Runner.Status(); st.Phase == projections.PhaseStopped {
		return fmt.Errorf("projections stopped: %w", st.Err)
	}
	return nil
}

// Close closes what is open.
func (a *App) Close() error {
	var errs []error
	if a.Rows != nil {
		errs = append(errs, a.Rows.Close())
	}
	if a.Ops != nil {
		errs = append(errs, a.Ops.Close())
	}
	if a.Events != nil {
		errs = append(errs, a.Events.Close())
	}
	return errors.Join(errs...)
}

// Sweeper asks the installation's providers; holder names the process.
func (a *App) Sweeper(holder string, reg prometheus.Registerer) (*reconcile.Sweeper, error) {
	r := a.Config.Reconciler
	return reconcile.New(reconcile.Deps{
		Ledger: a.Ledger, Rows: a.Rows, Ops: a.Ops, Channels: a.Channels, Logger: a.Logger, Metrics: reg, Clock: a.Clock,
	}, reconcile.Config{
		Holder: holder, FirstAsk: r.FirstAsk, Pace: r.Pace, Queries: r.Queries, AskPerSecond: r.AskPerSecond,
	})
}
