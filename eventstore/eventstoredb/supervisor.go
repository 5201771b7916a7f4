package eventstoredb

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
)

// supervisor owns the client: it makes one, watches it, and replaces it.
type supervisor struct {
	conf   esdb.Configuration
	leader bool // whether every call must be served by the leader
	o      Options
	log    *slog.Logger

	built, repeated, resubscribed atomic.Uint64

	ctx    context.Context // ends with close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the loop, calls and burials

	mu       sync.Mutex
	current  *session
	err      error         // why there is none
	redirect string        // where the next session tries first
	seed     int           // which node of a cluster is asked next
	changed  chan struct{} // closed and replaced when current or err changes
	closed   bool
}

func newSupervisor(conf esdb.Configuration, leader bool, o Options) *supervisor {
	p := &supervisor{conf: conf, leader: leader, o: o, log: o.Logger, changed: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.run)
	return p
}

// run makes a session whenever there is none, and tries an idle one.
func (p *supervisor) run() {
	pause, limit := pauseMin, min(connectMin, p.o.CallTimeout)
	for p.ctx.Err() == nil {
		s, changed := p.look()
		if s != nil {
			pause, limit = pauseMin, min(connectMin, p.o.CallTimeout)
			p.watch(s, changed)
			continue
		}
		if p.build(limit) != nil {
			sleep(p.ctx, pause)
			pause, limit = min(pause*2, pauseMax), min(limit*2, p.o.CallTimeout)
		}
	}
}

func (p *supervisor) look() (*session, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current, p.changed
}

// watch waits until the session is retired, and tries it at every heartbeat: a
// follower alone would not notice a server that went silent or lost the lead.
func (p *supervisor) watch(s *session, changed <-chan struct{}) {
	t := time.NewTimer(p.o.Heartbeat)
	defer t.Stop()
	select {
	case <-changed:
	case <-p.ctx.Done():
	case <-t.C:
		if _, err := within(p.ctx, p, s, p.probe); err != nil && p.ctx.Err() == nil {
			p.retire(s, err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// build makes a session and tries it, for at most limit, before anyone gets it.
func (p *supervisor) build(limit time.Duration) error {
	s, err := newSession(p.target(), p.log)
	if err == nil {
		if err = p.try(s, limit); err != nil {
			p.retire(s, nil)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return p.ctx.Err()
	case err != nil:
		err = p.explain(err)
		if p.err == nil || p.err.Error() != err.Error() {
			p.log.Warn("eventstoredb is not usable; the store tries again by itself", slog.Any("error", err))
		}
	default:
		p.current = s
		p.log.Info("connected to eventstoredb", slog.Uint64("session", p.built.Add(1)))
	}
	p.err = err
	p.announce()
	return err
}

func (p *supervisor) try(s *session, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	_, err := apart(ctx, p, s, p.examine)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (%s)", errSilent, limit)
	}
	return err
}

// target is where the next session goes. A leader that was named is tried once;
// after that the cluster is asked again, one node after the other: the client
// would pick them at random and could meet one that hangs time after time.
func (p *supervisor) target() esdb.Configuration {
	p.mu.Lock()
	defer p.mu.Unlock()
	conf := p.conf
	if p.redirect != "" {
		conf.Address, conf.GossipSeeds, conf.DnsDiscover = p.redirect, nil, false
		p.redirect = ""
	} else if n := len(conf.GossipSeeds); n > 0 {
		conf.GossipSeeds = conf.GossipSeeds[p.seed%n : p.seed%n+1]
		p.seed++
	}
	return conf
}

// explain gives an error of a session that never came to be its kind.
func (p *supervisor) explain(err error) error {
	if lasting(err) {
		return err
	}
	kind := domain.KindUnavailable
	if judge(err) == refused {
		kind = kindOf(err)
	}
	return domain.E(kind, "eventstoredb: %w", err)
}

func (p *supervisor) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// oldest is the first version that tells subscribers when they have caught up.
var oldest = [2]int{23, 10}

// examine finds out who answers: a server of a version that has what we need,
// that takes our credentials, and that leads if it must.
func (p *supervisor) examine(ctx context.Context, c *esdb.Client) (struct{}, error) {
	v, err := c.GetServerVersion()
	if err != nil {
		return struct{}{}, err
	}
	switch {
	case v.Major == 0:
		return struct{}{}, domain.E(domain.KindMismatch, "eventstoredb: the server does not tell its version: it is too old, or no EventStoreDB")
	case v.Major < oldest[0] || (v.Major == oldest[0] && v.Minor < oldest[1]):
		return struct{}{}, domain.E(domain.KindMismatch, "eventstoredb: the server has version %d.%d.%d, needed is %d.%d or newer",
			v.Major, v.Minor, v.Patch, oldest[0], oldest[1])
	}
	return p.probe(ctx, c)
}

// probe reads the last event of the log.
func (p *supervisor) probe(ctx context.Context, c *esdb.Client) (struct{}, error) {
	err := readAll(ctx, c, esdb.End{}, 1, func(*esdb.RecordedEvent) bool { return true })
	return struct{}{}, err
}

// session is the current one. It waits for one until ctx ends, but not when
// waiting is useless.
func (p *supervisor) session(ctx context.Context) (*session, error) {
	for {
		p.mu.Lock()
		s, err, changed, over := p.current, p.err, p.changed, p.closed
		p.mu.Unlock()
		switch {
		case over:
			return nil, closed()
		case s != nil:
			return s, nil
		case err != nil && lasting(err):
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if err == nil {
				err = ctx.Err()
			}
			return nil, domain.E(domain.KindUnavailable, "no connection: %w", err)
		}
	}
}

// retire takes a session out of use. Its calls may end, for a moment.
func (p *supervisor) retire(s *session, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.retired || p.closed {
		return
	}
	if p.current == s {
		p.current, p.err = nil, p.explain(why)
		p.log.Warn("eventstoredb connection given up", slog.Any("error", why))
		p.announce()
	}
	if to := s.redirect(); to != "" {
		p.redirect = to
	}
	p.bury(s)
}

// bury closes a session's client when its calls are over. Those that are stuck
// in the client are freed by the closing. It needs mu.
func (p *supervisor) bury(s *session) {
	s.retired = true
	s.cancel()
	if s.calls == 0 {
		close(s.idle)
	}
	p.wg.Go(func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-s.idle:
		case <-t.C:
		}
		_ = s.client.Close() // always nil
	})
}

// begin counts a call in; false when the supervisor is closed.
func (p *supervisor) begin(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || s.retired {
		return false
	}
	s.calls++
	p.wg.Add(1)
	return true
}

func (p *supervisor) end(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.calls--; s.calls == 0 && s.retired {
		close(s.idle)
	}
	p.wg.Done()
}

// state is nil while there is a connection.
func (p *supervisor) state() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return closed()
	case p.current != nil:
		return nil
	case p.err != nil:
		return p.err
	}
	return domain.E(domain.KindUnavailable, "eventstoredb: not connected yet")
}

// close ends everything and waits for it.
func (p *supervisor) close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.cancel()
		if p.current != nil {
			p.bury(p.current)
			p.current = nil
		}
		p.announce()
	}
	p.mu.Unlock()
	p.wg.Wait()
}
