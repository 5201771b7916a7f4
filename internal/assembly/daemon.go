package assembly

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/internal/config"
)

// Logger is the process's logger as configured.
func Logger(cfg config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// Signals is a context that ends at SIGINT or SIGTERM.
func Signals(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// stopWithin is how long a stopping process lets requests finish.
const stopWithin = 10 * time.Second

// Task is something a daemon does until its context ends.
type Task func(ctx context.Context) error

// Run runs the projector and the tasks until ctx ends, a task fails, or the
// event store's state becomes unknown: then the process must end, because only
// a new start can find out what is durable.
func (a *App) Run(ctx context.Context, tasks ...Task) error {
	if err := a.checkPace(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		// A projection that stops is shown by readiness; callbacks go on.
		_ = a.Runner.Run(ctx)
		return nil
	})
	g.Go(func() error {
		select {
		case <-a.Events.Failed():
			return fmt.Errorf("the event store's state is unknown, this process must end: %w", a.Events.Cause())
		case <-ctx.Done():
			return nil
		}
	})
	g.Go(func() error { return a.watchStores(ctx) })
	g.Go(func() error {
		keepKeys(ctx, a.Channels, a.Logger)
		return nil
	})
	g.Go(func() error { return a.tend(ctx) })
	for _, t := range tasks {
		g.Go(func() error { return t(ctx) })
	}
	return g.Wait()
}

// checkPace keeps real money from a schedule that plays days in seconds: it
// would stop asking about an order before its buyer has paid.
func (a *App) checkPace() error {
	if p := a.Config.Reconciler.Pace; p != 1 && a.Ledger.Mode() == domain.ModeLive {
		return domain.EField(domain.KindInvalid, "reconciler.pace", "%v: must be 1 in a live store", p)
	}
	return nil
}

// watchStores ends the process when the operations store's state became
// unknown, because a data key that was handed out must be on the disk, and when
// the log has moved to another store: started again, it finds the new one or
// says what is missing.
func (a *App) watchStores(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.Ops.Ready(ctx); err != nil && domain.KindOf(err) == domain.KindUnknown {
			return fmt.Errorf("the operations store's state is unknown, this process must end: %w", err)
		}
		if to := Retired(a.Events); to != "" {
			return domain.EField(domain.KindMismatch, "store", "the log has moved to %s, this process must end", to)
		}
	}
}

// Serve answers HTTP on addr until ctx ends, then lets requests finish.
func Serve(addr string, h http.Handler, logger *slog.Logger, wrap func(net.Listener) net.Listener) Task {
	return func(ctx context.Context) error {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		if wrap != nil {
			l = wrap(l)
		}
		srv := &http.Server{
			Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 60 * time.Second,
			MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		}
		logger.InfoContext(ctx, "listening", slog.String("address", l.Addr().String()))
		done := make(chan error, 1)
		go func() { done <- srv.Serve(l) }()
		select {
		case err := <-done:
			return fmt.Errorf("serve %s: %w", addr, err)
		case <-ctx.Done():
		}
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			return errors.Join(fmt.Errorf("stop %s: %w", addr, err), srv.Close())
		}
		return nil
	}
}
