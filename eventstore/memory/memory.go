// Package memory keeps an event store in memory: for tests, the simulation and
// looking around. It passes the same suite as the durable stores, and it is as
// durable as its process.
package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"iter"
	"sort"
	"sync"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// defaultBatch is how many events a follower gets at once when it does not say.
const defaultBatch = 1000

// Store is an event store in memory, safe for concurrent use. Its positions
// advance by the size of what is written, as a file's would, so that nobody
// comes to rely on dense ones.
type Store struct {
	mu      sync.RWMutex
	log     []eventstore.Recorded
	streams map[domain.Stream][]int // by revision: where in log
	grown   chan struct{}           // closed when log grows or the store closes
	closed  bool
	failed  chan struct{}
	cause   error
}

var _ eventstore.Store = (*Store)(nil)

// New is an empty store.
func New() *Store {
	return &Store{
		streams: make(map[domain.Stream][]int),
		grown:   make(chan struct{}),
		failed:  make(chan struct{}),
	}
}

// Append implements eventstore.Appender.
func (s *Store) Append(ctx context.Context, stream domain.Stream, expected eventstore.Expected, events []eventstore.Event) (eventstore.Appended, error) {
	if err := eventstore.Check(stream, expected, events); err != nil {
		return eventstore.Appended{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Appended{}, domain.E(domain.KindUnavailable, "append to %s: %w", stream, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return eventstore.Appended{}, err
	}
	last := eventstore.Expected(len(s.streams[stream])) - 1
	if last != expected {
		return s.repeated(stream, expected, events)
	}
	for _, e := range events {
		s.write(stream, e)
	}
	close(s.grown)
	s.grown = make(chan struct{})
	return s.appended(stream, len(s.streams[stream])-1), nil
}

// repeated tells an identical call made again from a conflict, by the strong
// rule of eventstore.Appender.
func (s *Store) repeated(stream domain.Stream, expected eventstore.Expected, events []eventstore.Event) (eventstore.Appended, error) {
	at := s.streams[stream]
	first := int(expected + 1)
	same := first+len(events) <= len(at)
	for i := 0; same && i < len(events); i++ {
		same = s.log[at[first+i]].ID == events[i].ID
	}
	if !same {
		return eventstore.Appended{}, domain.E(domain.KindConflict,
			"append to %s: expected revision %d, it is at %d", stream, expected, len(at)-1)
	}
	return s.appended(stream, first+len(events)-1), nil
}

func (s *Store) appended(stream domain.Stream, revision int) eventstore.Appended {
	r := s.log[s.streams[stream][revision]]
	return eventstore.Appended{Revision: r.Revision, Position: r.Position}
}

func (s *Store) write(stream domain.Stream, e eventstore.Event) {
	e = clone(e, true)
	s.log = append(s.log, eventstore.Recorded{
		Stream:     stream,
		Revision:   uint64(len(s.streams[stream])),
		Position:   s.head() + eventstore.Position(1+len(e.Data)+len(e.Meta)+len(e.Sealed)),
		Event:      e,
		SealedHash: sha256.Sum256(e.Sealed),
	})
	s.streams[stream] = append(s.streams[stream], len(s.log)-1)
}

// ReadStream implements eventstore.Reader.
func (s *Store) ReadStream(ctx context.Context, stream domain.Stream, o eventstore.ReadOptions) ([]eventstore.Recorded, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	at, ok := s.streams[stream]
	if !ok {
		return nil, domain.E(domain.KindNotFound, "stream %s has no events", stream)
	}
	at = at[min(o.From, uint64(len(at))):]
	if o.Limit > 0 {
		at = at[:min(o.Limit, len(at))]
	}
	events := make([]eventstore.Recorded, 0, len(at))
	for _, i := range at {
		events = append(events, recorded(s.log[i], o.Sealed))
	}
	return events, nil
}

// Follow implements eventstore.Reader.
func (s *Store) Follow(ctx context.Context, after eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	return func(yield func(eventstore.Batch, error) bool) {
		for first := true; ctx.Err() == nil; first = false {
			b, grown, err := s.page(after, o)
			if err != nil {
				yield(eventstore.Batch{}, err)
				return
			}
			if (first || len(b.Events) > 0) && !yield(b, nil) {
				return
			}
			after = b.Position
			if !b.CaughtUp {
				continue
			}
			select {
			case <-grown:
			case <-ctx.Done():
			}
		}
	}
}

// page is the next batch after a position, and what closes when there is more.
func (s *Store) page(after eventstore.Position, o eventstore.FollowOptions) (eventstore.Batch, <-chan struct{}, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.readable(context.Background()); err != nil {
		return eventstore.Batch{}, nil, err
	}
	if after > s.head() {
		return eventstore.Batch{}, nil, domain.E(domain.KindMismatch,
			"follow from position %d: the log ends at %d, this is another log or an older copy", after, s.head())
	}
	size := o.Batch
	if size <= 0 {
		size = defaultBatch
	}
	from := sort.Search(len(s.log), func(i int) bool { return s.log[i].Position > after })
	rest := s.log[from:]
	b := eventstore.Batch{Position: after, CaughtUp: len(rest) <= size}
	for _, r := range rest[:min(size, len(rest))] {
		b.Events = append(b.Events, recorded(r, o.Sealed))
		b.Position = r.Position
	}
	return b, s.grown, nil
}

// Head implements eventstore.Reader.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.readable(ctx); err != nil {
		return 0, err
	}
	return s.head(), nil
}

func (s *Store) head() eventstore.Position {
	if len(s.log) == 0 {
		return 0
	}
	return s.log[len(s.log)-1].Position
}

// recorded is a copy of r that its reader may write over.
func recorded(r eventstore.Recorded, sealed bool) eventstore.Recorded {
	r.Event = clone(r.Event, sealed)
	return r
}

func clone(e eventstore.Event, sealed bool) eventstore.Event {
	e.Data, e.Meta = bytes.Clone(e.Data), bytes.Clone(e.Meta)
	if !sealed || len(e.Sealed) == 0 {
		e.Sealed = nil
	}
	e.Sealed = bytes.Clone(e.Sealed)
	return e
}
