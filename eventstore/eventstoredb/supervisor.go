package eventstoredb

import (
	"context"
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
	pause, limit := pauseMin, p.o.firstTry()
	for p.ctx.Err() == nil {
		s, changed := p.look()
		if s != nil {
			pause, limit = pauseMin, p.o.firstTry()
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

func (p *supervisor) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
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
	if s.retired {
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
