package sqlite

import (
	"context"
	"iter"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/lookout"
)

// head is the newest position known, and wakes those who wait for newer ones.
type head struct {
	mu      sync.Mutex
	at      eventstore.Position
	grown   chan struct{} // closed and replaced when at grows
	waiting atomic.Int32
	awaited chan struct{} // has one element when a first one began to wait
}

func (h *head) advance(to eventstore.Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to <= h.at {
		return
	}
	h.at = to
	if h.waiting.Load() > 0 {
		close(h.grown)
		h.grown = make(chan struct{})
	}
}

// beyond waits until the log has grown beyond a position. It is false when the
// store closes or ctx ends.
func (h *head) beyond(ctx context.Context, after eventstore.Position, closing <-chan struct{}) bool {
	if h.waiting.Add(1) == 1 {
		select {
		case h.awaited <- struct{}{}:
		default: // told already
		}
	}
	defer h.waiting.Add(-1)
	for {
		h.mu.Lock()
		at, grown := h.at, h.grown
		h.mu.Unlock()
		if at > after {
			return true
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return false
		case <-closing:
			return false
		}
	}
}

// Follow implements eventstore.Reader. Each batch is read in one short
// transaction, so a slow consumer holds back neither writers nor the log.
func (s *Store) Follow(ctx context.Context, after eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	return func(yield func(eventstore.Batch, error) bool) {
		linger := time.NewTimer(0)
		defer linger.Stop()
		room := 0 // as much as the page before took: a page that grows is copied again and again
		for first := true; ctx.Err() == nil; first = false {
			linger.Reset(followLinger)
			b, err := s.page(ctx, after, o, room)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(eventstore.Batch{}, err)
				return
			}
			if (first || len(b.Events) > 0) && !yield(b, nil) {
				return
			}
			after, room = b.Position, len(b.Events)
			if b.CaughtUp && s.head.beyond(ctx, after, s.closing) {
				<-linger.C
			}
		}
	}
}

// page is the next batch after a position, made with room for some events.
func (s *Store) page(ctx context.Context, after eventstore.Position, o eventstore.FollowOptions, room int) (eventstore.Batch, error) {
	r, err := s.borrow(ctx)
	if err != nil {
		return eventstore.Batch{}, err
	}
	defer s.giveBack(r)
	if after > math.MaxInt64 {
		return eventstore.Batch{}, beyondHead(after, s.path)
	}
	b, err := r.readPage(after, o, room)
	if err != nil || len(b.Events) > 0 || after == 0 {
		return b, err
	}
	switch last, err := r.head(); {
	case err != nil:
		return eventstore.Batch{}, err
	case after > last:
		return eventstore.Batch{}, beyondHead(after, s.path)
	}
	return b, nil
}

func beyondHead(after eventstore.Position, path string) error {
	return domain.E(domain.KindMismatch,
		"follow from position %d: %s does not reach that far, it is another log or an older copy", after, path)
}

// readPage reads one event more than asked for, to know whether it has caught
// up, and stops early when the events are large.
func (r *reader) readPage(after eventstore.Position, o eventstore.FollowOptions, room int) (eventstore.Batch, error) {
	b := eventstore.Batch{Position: after}
	if room > 0 {
		b.Events, b.Leaves = make([]eventstore.Recorded, 0, room), make([][32]byte, 0, room)
	}
	q := r.page
	q.number(1, int64(after))
	q.number(2, int64(o.Batch)+1)
	defer q.reset()
	for size := 0; ; {
		more, err := q.step()
		if err != nil {
			return eventstore.Batch{}, readError("the log", err)
		}
		if !more {
			b.CaughtUp = true
			return b, nil
		}
		if len(b.Events) == o.Batch || size > pageBytes {
			return b, nil
		}
		e, leaf, err := r.scan(q, domain.Stream(q.bytes(8)), parts{sealed: o.Sealed, bare: o.Hashes && !o.Sealed})
		if err != nil {
			return eventstore.Batch{}, err
		}
		if e.Position <= b.Position { // a damaged tree of pages could lead round in circles
			return eventstore.Batch{}, damaged(e, "it stands behind position "+b.Position.String())
		}
		size += len(e.Data) + len(e.Meta) + len(e.Sealed)
		b.Events, b.Leaves = append(b.Events, e), append(b.Leaves, leaf)
		b.Position = e.Position
	}
}

// watcher looks for commits of other processes.
type watcher struct {
	c               *conn
	version, newest *stmt
	seen            int64
}

func (s *Store) newWatcher() (*watcher, error) {
	c, err := s.dialReader()
	if err != nil {
		return nil, err
	}
	w := &watcher{c: c}
	if w.version, err = c.prepare("PRAGMA data_version"); err == nil {
		w.newest, err = c.prepare(sqlHead)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return w, nil
}

// look is the head of the log if anyone has committed since the last look.
func (w *watcher) look() (eventstore.Position, bool) {
	version, err := w.ask(w.version)
	if err != nil || version == w.seen {
		return 0, false
	}
	last, err := w.ask(w.newest)
	if err != nil {
		return 0, false // locked for a moment: the next look comes soon
	}
	w.seen = version
	return eventstore.Position(last), true
}

func (w *watcher) ask(q *stmt) (int64, error) {
	defer q.reset()
	_, err := q.step()
	if err != nil {
		return 0, err
	}
	return q.int64(0), nil
}

// watchLoop wakes followers when another process has committed. It sleeps while
// nobody follows.
func (s *Store) watchLoop() {
	pace := lookout.Pace{Busy: s.o.Poll, Rest: s.o.Rest}
	due := time.NewTimer(pace.Next(true))
	defer due.Stop()
	for s.watchTurn(due.C) {
		last, changed := s.watcher.look()
		if changed {
			s.head.advance(last)
			s.lookForMove(s.watcher.c)
		}
		due.Reset(pace.Next(changed))
	}
}

// watchTurn waits until a look is due and somebody waits for what it may find.
// It is false when the store closes.
func (s *Store) watchTurn(due <-chan time.Time) bool {
	select {
	case <-due:
	case <-s.closing:
		return false
	}
	for s.head.waiting.Load() == 0 {
		select {
		case <-s.head.awaited:
		case <-s.closing:
			return false
		}
	}
	return true
}
