// Package bench measures the hot paths on the real programs over real sockets:
// callbacks in, repeats, balances out. Every figure stands beside a plain one
// of the same run — a bare handler, a bare write and sync — because machines
// differ and ratios do not.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"counterfoil/domain"
)

// Options shape a measurement.
type Options struct {
	Dir      string // scratch folder
	Bin      string // folder of the api program
	For      time.Duration
	Rounds   int    // each figure is the median of so many
	Large    int    // payments of the large store; 0 leaves it out
	Only     string // OnlySealing for that measurement alone
	Out      io.Writer
	Progress func(label string, total int) (step func(), done func())
}

// small is how many payments the small store holds before a callback round.
const small = 10_000

// OnlySealing is what sealing costs callbacks.
const OnlySealing = "sealing"

// Run measures everything and writes a page of Markdown.
func Run(ctx context.Context, o Options) error {
	if o.Only != "" && o.Only != OnlySealing {
		return domain.EField(domain.KindInvalid, "only", "%q: can be %q", o.Only, OnlySealing)
	}
	page := &page{out: o.Out}
	page.head()
	if o.Only == OnlySealing {
		return o.sealing(ctx, page)
	}
	if err := o.disk(ctx, page); err != nil {
		return err
	}
	if err := o.callbacks(ctx, page); err != nil {
		return err
	}
	if err := o.sealing(ctx, page); err != nil {
		return err
	}
	if o.Large > 0 {
		return o.large(ctx, page)
	}
	return nil
}

// api runs the api program on a store while f works with it.
func (o Options) api(ctx context.Context, s *Store, f func() error) (err error) {
	log, err := os.OpenFile(filepath.Join(s.Dir, "api.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("api log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(ctx, filepath.Join(o.Bin, "api"), "--dir", s.Dir)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start api: %w", err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	for range 500 {
		conn, err := net.DialTimeout("tcp", s.Listen, time.Second)
		if err == nil {
			_ = conn.Close()
			return f()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return domain.E(domain.KindUnavailable, "the api did not start: see %s", log.Name())
}

// median is the middle run by rate.
func median(rs []Result) Result {
	slices.SortFunc(rs, func(a, b Result) int { return int(a.Rate - b.Rate) })
	return rs[len(rs)/2]
}

// disk measures a bare 4 KB write and fdatasync on the scratch folder's disk.
func (o Options) disk(_ context.Context, p *page) error {
	path := filepath.Join(o.Dir, "disk")
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("bare write: %w", err)
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(path)) }()
	block := make([]byte, 4096)
	var times []time.Duration
	for i := range 600 {
		began := time.Now()
		if _, err := f.WriteAt(block, int64(i)*4096); err != nil {
			return fmt.Errorf("bare write: %w", err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return fmt.Errorf("bare sync: %w", err)
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	p.disk = times[len(times)/2]
	p.row("bare 4 KB write + fdatasync, one after another", Result{
		Good: int64(len(times)), Rate: float64(time.Second) / float64(p.disk), P50: p.disk, P99: times[len(times)*99/100],
	}, "")
	return nil
}

// callbacks measures the small store: distinct payments, one connection,
// repeats, balances, and the bare handler beside them.
func (o Options) callbacks(ctx context.Context, p *page) error {
	s, err := NewStore(ctx, filepath.Join(o.Dir, "small"), "never", false)
	if err != nil {
		return err
	}
	need := int(o.For.Seconds()*16_000)*(o.Rounds+1) + small
	if err := o.place(ctx, s, need); err != nil {
		return err
	}
	at := 0
	return o.api(ctx, s, func() error {
		distinct, err := o.distinct(ctx, s, 64, &at)
		if err != nil {
			return err
		}
		p.base = distinct
		p.row("callbacks, distinct payments, 64 connections, credited and synced", distinct, "")
		one, err := o.distinct(ctx, s, 1, &at)
		if err != nil {
			return err
		}
		p.row("the same, one connection", one, fmt.Sprintf("p50 is %.1f × the bare write and sync", float64(one.P50)/float64(p.disk)))
		if err := o.repeats(ctx, s, p); err != nil {
			return err
		}
		return o.balances(ctx, s, p)
	})
}

func (o Options) place(ctx context.Context, s *Store, n int) error {
	step, done := o.Progress("placing payments", n)
	defer done()
	return s.Place(ctx, n, step)
}

// distinct sends each payment's callback once.
func (o Options) distinct(ctx context.Context, s *Store, conns int, at *int) (Result, error) {
	var rs []Result
	for range o.Rounds {
		n := min(s.Placed-*at, int(o.For.Seconds()*16_000))
		requests := make([][]byte, n)
		for i := range requests {
			requests[i] = s.Callback(*at + i)
		}
		used := int64(0)
		r, err := Load{
			Address: s.Listen, Conns: conns, For: o.For, Warm: o.For / 10, Want: "success",
			Next: func(i int64) []byte {
				if i >= int64(len(requests)) {
					return nil
				}
				return requests[i]
			},
		}.Run(ctx)
		if err != nil {
			return r, err
		}
		if r.Bad > 0 {
			return r, domain.E(domain.KindMismatch, "%d bad answers, the first: %s", r.Bad, r.FirstBad)
		}
		used = r.Good + int64(float64(r.Good)/8) + int64(conns)
		*at += int(min(used, int64(n)))
		rs = append(rs, r)
	}
	return median(rs), nil
}

// repeats sends one paid order's callback again and again.
func (o Options) repeats(ctx context.Context, s *Store, p *page) error {
	again := s.Callback(0)
	var rs []Result
	for range o.Rounds {
		r, err := Load{
			Address: s.Listen, Conns: 64, For: o.For, Warm: o.For / 10, Want: "success", Next: func(int64) []byte { return again },
		}.Run(ctx)
		if err != nil {
			return err
		}
		rs = append(rs, r)
	}
	p.row("repeats of one paid order, 64 connections", median(rs), "")
	return nil
}

// balances reads accounts over the API, and a bare handler that writes as much.
func (o Options) balances(ctx context.Context, s *Store, p *page) error {
	targets := make([][]byte, 1000)
	for i := range targets {
		targets[i] = request(s.Listen, "/v1/accounts/"+account(i)+"/balances", s.Key)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{
		Handler:           Bare(`{"account":"user:1","position":"100000","balances":[{"amount":"7.30","currency":"CNY"}]}` + "\n"),
		ReadHeaderTimeout: time.Second,
	}
	go func() { _ = srv.Serve(l) }()
	defer func() { _ = srv.Close() }()
	bareGet := request(l.Addr().String(), "/", s.Key)
	var bare, ours []Result
	for range o.Rounds {
		b, err := Load{
			Address: l.Addr().String(), Conns: 64, For: o.For, Warm: o.For / 10, Next: func(int64) []byte { return bareGet },
		}.Run(ctx)
		if err != nil {
			return err
		}
		r, err := Load{
			Address: s.Listen, Conns: 64, For: o.For, Warm: o.For / 10,
			Next: func(i int64) []byte { return targets[i%int64(len(targets))] },
		}.Run(ctx)
		if err != nil {
			return err
		}
		if r.Bad > 0 {
			return domain.E(domain.KindMismatch, "%d bad answers, the first: %s", r.Bad, r.FirstBad)
		}
		bare, ours = append(bare, b), append(ours, r)
	}
	b, r := median(bare), median(ours)
	p.row("bare net/http handler, 64 connections", b, "")
	p.row("balances of an account, 64 connections", r, fmt.Sprintf("%.0f %% of the bare handler", 100*r.Rate/b.Rate))
	return nil
}

// large measures callbacks at many payments, in order and scattered.
func (o Options) large(ctx context.Context, p *page) error {
	for _, random := range []bool{false, true} {
		name := "ordered order numbers"
		if random {
			name = "random order numbers"
		}
		s, err := NewStore(ctx, filepath.Join(o.Dir, name), "never", random)
		if err != nil {
			return err
		}
		if err := o.place(ctx, s, small+int(o.For.Seconds()*16_000)*o.Rounds); err != nil {
			return err
		}
		at := 0
		var first, last Result
		if err := o.api(ctx, s, func() (err error) { first, err = o.distinct(ctx, s, 64, &at); return err }); err != nil {
			return err
		}
		if err := o.place(ctx, s, o.Large-s.Placed); err != nil {
			return err
		}
		at = s.Placed - int(o.For.Seconds()*16_000)*o.Rounds
		if random {
			at = s.Placed / 2
		}
		if err := o.api(ctx, s, func() (err error) { last, err = o.distinct(ctx, s, 64, &at); return err }); err != nil {
			return err
		}
		p.row(fmt.Sprintf("callbacks at %d payments, %s", small, name), first, "")
		p.row(fmt.Sprintf("callbacks at %d payments, %s", o.Large, name), last,
			fmt.Sprintf("%.0f %% of the rate at %d", 100*last.Rate/first.Rate, small))
	}
	return nil
}
