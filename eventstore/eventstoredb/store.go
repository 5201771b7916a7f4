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
	"counterfoil/eventstore"
)

// Store is an event store on an EventStoreDB server, safe for concurrent use.
type Store struct {
	o      Options
	log    *slog.Logger
	prefix string      // of the server's stream names
	lead   *supervisor // for what must be true: appends, streams, the head
	tail   *supervisor // for followers; the same one unless another node is preferred
	head   atomic.Uint64

	cancel context.CancelFunc // ends the guard
	guards sync.WaitGroup
	failed chan struct{}

	mu       sync.Mutex
	damaged  error // the log contradicts itself
	guarding error // a stream may forget
}

var _ eventstore.Store = (*Store)(nil)

// Open connects to the server and checks that it is one the store can live on:
// its version, our credentials, and the metadata of our streams. It waits for
// it at most Options.Connect.
//
// Errors: KindInvalid (options), KindUnavailable (no such server, or not the
// right one behind the name), KindDenied, KindMismatch (too old a server),
// KindCorrupt (streams that may forget).
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	conf, err := o.parse()
	if err != nil {
		return nil, fmt.Errorf("eventstoredb: %w", err)
	}
	s := &Store{o: o, log: o.Logger, prefix: o.Namespace + ".", failed: make(chan struct{})}
	lead := *conf
	lead.NodePreference = esdb.NodePreferenceLeader
	s.lead = newSupervisor(lead, true, o)
	s.tail = s.lead
	if conf.NodePreference != esdb.NodePreferenceLeader {
		s.tail = newSupervisor(*conf, false, o)
	}
	if err := s.start(ctx); err != nil {
		_ = s.Close() // the error at hand is the one to tell
		return nil, err
	}
	return s, nil
}

// start waits for the server and, for a moment, for the guard's first look. On
// a long log that look takes longer than anybody should wait to start; appends
// go on meanwhile, and stop when it finds something.
func (s *Store) start(ctx context.Context) error {
	guarding, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	ctx, done := context.WithTimeout(ctx, s.o.Connect)
	defer done()
	if _, err := s.lead.session(ctx); err != nil {
		return fmt.Errorf("open the event store: %w", err)
	}
	g := &guard{store: s, checked: make(chan struct{}), found: make(map[string]string)}
	s.guards.Go(func() { g.run(guarding) })
	patience := time.NewTimer(glance)
	defer patience.Stop()
	select {
	case <-g.checked:
	case <-patience.C:
		s.log.InfoContext(ctx, "the streams' metadata is still being read; appends go on")
	case <-ctx.Done():
		return domain.E(domain.KindUnavailable, "open the event store: %w", ctx.Err())
	}
	return s.usable()
}

// usable is nil when an append may be tried.
func (s *Store) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lead.ctx.Err() != nil:
		return closed()
	case s.damaged != nil:
		return domain.E(domain.KindCorrupt, "the event store takes no appends: %w", s.damaged)
	case s.guarding != nil:
		return fmt.Errorf("the event store takes no appends: %w", s.guarding)
	}
	return nil
}

func (s *Store) setGuard(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guarding = err
}

// corrupt passes an error on. One that says that the log contradicts itself
// stops appends until the store is opened again.
func (s *Store) corrupt(err error) error {
	if domain.KindOf(err) != domain.KindCorrupt {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged == nil {
		s.damaged = err
		s.log.Error("the event store contradicts itself; it takes no appends until a person has looked and it is opened again", slog.Any("error", err))
	}
	return err
}

// Ready implements eventstore.Store. It asks the server, for as long as one
// try may take.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.lead.state(); err != nil {
		return err
	}
	if _, _, err := call(ctx, s.lead, s.lead.probe); err != nil {
		return s.lead.explain(err)
	}
	return nil
}

// Failed implements eventstore.Store. The state of a server elsewhere cannot be
// lost in this process, so it never closes.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Cause implements eventstore.Store.
func (s *Store) Cause() error { return nil }

// Close implements eventstore.Store. It waits until no goroutine is left.
func (s *Store) Close() error {
	s.lead.close()
	s.tail.close()
	if s.cancel != nil {
		s.cancel()
	}
	s.guards.Wait()
	return nil
}

// Stats is what the connections have been through, for metrics.
type Stats struct {
	Connected    bool   // there is a connection for appends
	Sessions     uint64 // clients made so far
	Repeats      uint64 // calls repeated because an outcome was open
	Resubscribed uint64 // subscriptions begun again after a drop
}

// Stats is the state of the store's connections at this moment.
func (s *Store) Stats() Stats {
	out := Stats{Connected: s.lead.state() == nil}
	for i, p := range []*supervisor{s.lead, s.tail} {
		if i > 0 && p == s.lead {
			break
		}
		out.Sessions += p.built.Load()
		out.Repeats += p.repeated.Load()
		out.Resubscribed += p.resubscribed.Load()
	}
	return out
}
