package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
)

// The sealing measurement: pairs of turns so long, each with its own start of
// the reconciler.
const (
	sealingTurn  = 8 * time.Second
	sealingPairs = 6
	sealingRate  = 9_000 // payments placed for each second of a turn
)

// pair is what one turn without and one with sealing came to.
type pair struct{ plain, sealed turn }

// turn is a load, and the part of one processor that the reconciler beside it
// took, its start and end among it.
type turn struct {
	Result
	reconciler float64
}

// sealing tells what sealing costs callbacks as installed: the api takes them,
// the reconciler beside it seals and signs heads as often as by default: a turn is
// long enough to have them. In every other turn the reconciler runs without
// sealing, because this process holds the tree's lock; what those turns leave over
// is caught up in the others, so that sealing is always busy.
func (o Options) sealing(ctx context.Context, p *page) error {
	s, err := NewStore(ctx, filepath.Join(o.Dir, "sealed"), "never", false)
	if err != nil {
		return err
	}
	if err := o.place(ctx, s, 2*sealingPairs*int(sealingTurn.Seconds()*sealingRate)); err != nil {
		return err
	}
	if err := s.seal(ctx); err != nil {
		return err
	}
	o.For, o.Rounds = sealingTurn, 1
	at := 0
	var pairs []pair
	err = o.api(ctx, s, func() error {
		step, done := o.Progress("callbacks, sealed and not", 2*sealingPairs)
		defer done()
		for n := range sealingPairs {
			var both pair
			for _, seals := range []bool{n%2 == 0, n%2 != 0} {
				of := &both.plain
				if seals {
					of = &both.sealed
				}
				if *of, err = o.turn(ctx, s, seals, &at); err != nil {
					return err
				}
				step()
			}
			pairs = append(pairs, both)
		}
		return nil
	})
	if err == nil {
		p.sealing(pairs)
	}
	return err
}

// turn runs the reconciler for one load.
func (o Options) turn(ctx context.Context, s *Store, seals bool, at *int) (t turn, err error) {
	release, err := s.holdTree()
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, release()) }()
	stop, err := o.reconciler(ctx, s)
	if err != nil {
		return t, err
	}
	if seals {
		if err := release(); err != nil {
			return t, err
		}
		release = func() error { return nil }
	}
	began := time.Now()
	time.Sleep(time.Second) // it looks for the lock twice a second
	t.Result, err = o.distinct(ctx, s, 64, at)
	took := time.Since(began)
	t.reconciler = stop().Seconds() / took.Seconds()
	return t, err
}

// holdTree keeps every reconciler from sealing until release is called.
func (s *Store) holdTree() (release func() error, err error) {
	f, err := os.OpenFile(filepath.Join(s.Dir, assembly.TreeFolder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("hold the tree: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("hold the tree: %w", err), f.Close())
	}
	return f.Close, nil
}

// seal seals what is in the log, with nobody beside it.
func (s *Store) seal(ctx context.Context) (err error) {
	app, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	return assembly.SealNow(ctx, app.Config, app.Events, time.Now)
}

// reconciler starts the reconciler program and waits until it works. stop ends
// it and gives the processor time that it took.
func (o Options) reconciler(ctx context.Context, s *Store) (stop func() time.Duration, err error) {
	path := filepath.Join(s.Dir, "reconciler.log")
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("reconciler log: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(o.Bin, "reconciler"), "--dir", s.Dir)
	cmd.Stderr = log
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		return nil, fmt.Errorf("start reconciler: %w", err)
	}
	stop = func() time.Duration {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	for range 500 {
		if text, _ := os.ReadFile(path); bytes.Contains(text, []byte("listening")) {
			return stop, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	return nil, domain.E(domain.KindUnavailable, "the reconciler did not start: see %s", path)
}

// sealing writes what the pairs came to: medians of the turns, and the median
// of their ratios with its quartiles.
func (p *page) sealing(pairs []pair) {
	var plain, sealed []Result
	var ratios, shares []float64
	for _, both := range pairs {
		plain, sealed = append(plain, both.plain.Result), append(sealed, both.sealed.Result)
		ratios = append(ratios, both.plain.Rate/both.sealed.Rate)
		shares = append(shares, both.sealed.reconciler-both.plain.reconciler)
	}
	slices.Sort(ratios)
	slices.Sort(shares)
	n := len(pairs)
	p.row("callbacks, 64 connections, the reconciler beside it not sealing", median(plain), "")
	p.row("callbacks, 64 connections, the reconciler sealing", median(sealed), fmt.Sprintf(
		"takes %.3f × the time (median of %d pairs, quartiles %.3f to %.3f); sealing took %.1f %% of one processor",
		ratios[n/2], n, ratios[n/4], ratios[n*3/4], 100*shares[n/2]))
}
