package sqlite

import (
	"context"
	"crypto/sha256"
	"sync"
	"sync/atomic"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// request is an append on its way. Its state moves once: either the committer
// takes it, or its caller withdraws it and can be sure that nothing is written.
type request struct {
	stream   domain.Stream
	expected eventstore.Expected
	events   []eventstore.Event
	hashes   []hashes // of the events
	size     int      // bytes, about
	state    atomic.Int32
	done     chan result // gets one result
}

const (
	queued int32 = iota
	taken
	withdrawn
)

// hashes are computed by the caller's goroutine, not by the one committer.
type hashes struct{ sealed, leaf [sha256.Size]byte }

type result struct {
	appended eventstore.Appended
	err      error
}

func newRequest(stream domain.Stream, expected eventstore.Expected, events []eventstore.Event) *request {
	r := &request{
		stream:   stream,
		expected: expected,
		events:   events,
		hashes:   make([]hashes, len(events)),
		done:     make(chan result, 1),
	}
	for i, e := range events {
		h := &r.hashes[i]
		h.sealed = sha256.Sum256(e.Sealed)
		h.leaf = eventstore.LeafHashSealed(stream, uint64(int64(expected)+1+int64(i)), e, h.sealed)
		r.size += len(stream) + len(e.Type) + len(e.Data) + len(e.Meta) + len(e.Sealed) + 100
	}
	return r
}

// Append implements eventstore.Appender. When ctx ends before the committer
// has taken the append, nothing is written (KindUnavailable); afterwards the
// caller may stop waiting but not stop the write (KindUnknown).
func (s *Store) Append(ctx context.Context, stream domain.Stream, expected eventstore.Expected, events []eventstore.Event) (eventstore.Appended, error) {
	if err := eventstore.Check(stream, expected, events); err != nil {
		return eventstore.Appended{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Appended{}, domain.E(domain.KindUnavailable, "append to %s: %w", stream, err)
	}
	if err := s.state.usable(); err != nil {
		return eventstore.Appended{}, err
	}
	r := newRequest(stream, expected, events)
	if err := s.queue.add(r, s.o.Queue); err != nil {
		return eventstore.Appended{}, err
	}
	select {
	case res := <-r.done:
		return res.appended, res.err
	case <-ctx.Done():
		return r.abandon(ctx)
	}
}

// abandon is the result for a caller who waits no longer.
func (r *request) abandon(ctx context.Context) (eventstore.Appended, error) {
	if r.state.CompareAndSwap(queued, withdrawn) {
		return eventstore.Appended{}, domain.E(domain.KindUnavailable, "append to %s: given up in the queue: %w", r.stream, ctx.Err())
	}
	select {
	case res := <-r.done:
		return res.appended, res.err
	default:
		return eventstore.Appended{}, domain.E(domain.KindUnknown, "append to %s: given up while it was written: %w", r.stream, ctx.Err())
	}
}

// queue holds the appends that the committer has not taken yet.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	bytes   int
	ended   error
	wake    chan struct{}
}

// add puts r at the end, unless limit appends or too many bytes wait already.
func (q *queue) add(r *request, limit int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended != nil {
		return q.ended
	}
	if len(q.waiting) >= limit || q.bytes+r.size > queueBytes {
		return domain.E(domain.KindUnavailable, "append to %s: %d appends wait already", r.stream, len(q.waiting))
	}
	q.waiting = append(q.waiting, r)
	q.bytes += r.size
	if len(q.waiting) == 1 {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// take moves appends from the queue into group, as many as one transaction may
// hold. It leaves out those whose callers have gone.
func (q *queue) take(group []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	size, n := 0, 0
	for _, r := range q.waiting {
		if len(group) == groupAppends || size > groupBytes {
			break
		}
		n++
		q.bytes -= r.size
		if r.state.CompareAndSwap(queued, taken) {
			group = append(group, r)
			size += r.size
		}
	}
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return group
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
}

// refuse gives every append that waits now err; later ones are not concerned.
func (q *queue) refuse(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.waiting {
		if r.state.CompareAndSwap(queued, taken) {
			r.refuse(err)
		}
	}
	q.waiting, q.bytes = nil, 0
}

// end refuses what waits and all that comes.
func (q *queue) end(err error) {
	q.mu.Lock()
	q.ended = err
	q.mu.Unlock()
	q.refuse(err)
}

// refuse answers an append that was taken, with err and its kind.
func (r *request) refuse(err error) {
	r.done <- result{err: domain.E(domain.KindOf(err), "append to %s: %w", r.stream, err)}
}
