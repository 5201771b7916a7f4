// Command sandbox runs an Epay gateway that behaves as the real ones do and
// misbehaves on demand, for trying out and testing a receiver of payments. No
// real money moves.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case domain.KindOf(err) == domain.KindInvalid:
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. What to configure goes to out, logs and help to
// errs.
func run(ctx context.Context, args []string, out, errs io.Writer) error {
	o, err := parse(args, errs)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	o.config.Now = time.Now
	o.config.Log = slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level}))
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return domain.E(domain.KindUnavailable, "listen on %s: %w", o.listen, err)
	}
	if o.config.BaseURL == "" {
		o.config.BaseURL = "http://" + listener.Addr().String()
	}
	box, err := o.open()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	describe(out, box, o.config)
	return serve(ctx, box, listener)
}

// open makes the sandbox with all its faces and faults.
func (o *options) open() (*sandbox.Sandbox, error) {
	rates := o.config.Rates
	o.config.Rates = nil // some may be of faces that are not there yet
	box, err := sandbox.New(o.config)
	if err != nil {
		return nil, err
	}
	if err := o.others.mount(box, o.config.BaseURL); err != nil {
		return nil, err
	}
	if o.everyFault > 0 {
		for _, f := range box.Faces() {
			rates = append(rates, everyFault(f, o.everyFault)...)
		}
	}
	return box, box.SetRates(rates)
}

// everyFault is each fault of a face, but for those that nobody can tell from
// the truth.
func everyFault(f stage.Face, share float64) []stage.Rate {
	if f.Name() != sandbox.Name {
		return stage.EveryFault(f, share, wechatpay.RefundXML) // which is about a refund
	}
	rates := sandbox.EveryFault(share)
	for i := range rates {
		rates[i].Face = sandbox.Name
	}
	return rates
}

// serve answers until ctx ends, then lets requests under way finish.
func serve(ctx context.Context, box *sandbox.Sandbox, listener net.Listener) error {
	server := &http.Server{
		Handler:           box,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	box.Start()
	defer box.Stop()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return domain.E(domain.KindUnavailable, "serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}
