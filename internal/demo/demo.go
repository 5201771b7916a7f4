// Package demo plays the main job before the reader's eyes: a sandbox gateway
// with every fault, the real daemons as processes, one of them killed in the
// middle, and a verdict that compares our books with the gateway's.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/config"
	"counterfoil/sandbox"
)

// Options shape a demo.
type Options struct {
	Dir      string    // where the store is made; empty means a temporary folder
	Keep     bool      // leave the store there
	Stay     bool      // stay up after the verdict until ctx ends
	Seed     uint64    // of every choice
	Payments int       // how many are placed
	Store    string    // lines of the configuration that name a server as the event store; empty means a file
	Bin      string    // folder of the programs api and reconciler
	Out      io.Writer // the table and verdict
	Log      io.Writer // progress
	Progress func(label string, total int) (step func(), done func())
}

// speed makes a minute of the gateway's and the reconciler's schedules 100 ms.
const speed = 600

// scene is a demo under way.
type scene struct {
	o     Options
	dir   string
	rand  *rand.Rand
	box   *sandbox.Sandbox
	boxAt string
	tills []till
	api   string // base address
	key   string // API key
	procs *processes
	shop  *shop
	began time.Time
}

// Run plays the demo. Its error is about what could not be played; a verdict
// against us is KindMismatch.
func Run(ctx context.Context, o Options) (err error) {
	if o.Payments < 1 || o.Payments > 1_000_000 {
		return domain.EField(domain.KindInvalid, "payments", "%d: 1 to 1000000", o.Payments)
	}
	s := &scene{o: o, dir: o.Dir, rand: rand.New(rand.NewPCG(o.Seed, 1)), began: time.Now()}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "counterfoil-demo-"); err != nil {
			return fmt.Errorf("make a folder for the demo: %w", err)
		}
	}
	if !o.Keep {
		defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.gateway(ctx); err != nil {
		return err
	}
	defer s.box.Stop()
	if err := s.install(ctx); err != nil {
		return err
	}
	s.procs = newProcesses(s.dir, o.Bin)
	defer s.procs.stop()
	return s.play(ctx)
}

func (s *scene) play(ctx context.Context) error {
	if err := s.procs.start(ctx, "api", "api"); err != nil {
		return err
	}
	if err := s.awaitAPI(ctx); err != nil {
		return err
	}
	for i := range 2 {
		name := fmt.Sprintf("reconciler-%d", i+1)
		if err := s.procs.start(ctx, "reconciler", name, "COUNTERFOIL_RECONCILER__OPS_LISTEN=127.0.0.1:0"); err != nil {
			return err
		}
	}
	s.shop = newShop(s)
	if err := s.shop.open(ctx); err != nil {
		return err
	}
	if err := s.calm(ctx); err != nil {
		return err
	}
	verdict, err := s.judge(ctx)
	if err != nil {
		return err
	}
	verdict.print(s.o.Out)
	if s.o.Keep {
		fmt.Fprintf(s.o.Out, "The store is kept in %s\n", s.dir)
	}
	if s.o.Stay {
		s.stay(ctx)
	}
	return verdict.err()
}

// gateway starts the sandbox with every provider and every fault it knows.
func (s *scene) gateway(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the sandbox: %w", err)
	}
	s.boxAt = "http://" + l.Addr().String()
	cfg := sandbox.Config{Now: time.Now, Seed: s.o.Seed, Speed: speed, BaseURL: s.boxAt}
	for _, g := range gateways {
		cfg.Merchants = append(cfg.Merchants, sandbox.MerchantConfig{PID: g.merchant, Version: g.version, Style: g.style})
	}
	if s.box, err = sandbox.New(cfg); err != nil {
		return err
	}
	if err := s.mountFaces(); err != nil {
		return err
	}
	s.openTills()
	if err := s.box.SetRates(s.faults()); err != nil {
		return err
	}
	s.box.Start()
	srv := &http.Server{Handler: s.box, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.Serve(l) }()
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return nil
}

func (s *scene) awaitAPI(ctx context.Context) error {
	return s.procs.await(ctx, s.api+"/openapi.json", 20*time.Second)
}

// stay keeps everything up until the reader has seen enough.
func (s *scene) stay(ctx context.Context) {
	fmt.Fprintf(s.o.Out, "\nEverything stays up until Ctrl-C.\n  gateway  %s/sandbox/\n  API      %s/v1/payments\n  key      %s\n  folder   %s\n",
		s.boxAt, s.api, filepath.Join(s.dir, "secrets", "admin.key"), s.dir)
	<-ctx.Done()
}

// configPath is the demo's configuration.
func (s *scene) configPath() string { return filepath.Join(s.dir, config.FileName) }
