package sqlite

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// When a queue of the callback log is written.
const (
	callbackEvery = 100 * time.Millisecond
	callbackBatch = 1000
)

// Longest texts and requests of a row, in bytes. A request body is at most
// 256 KiB, and its evidence is JSON with base64.
const (
	maxText    = 256
	maxReply   = 1024
	maxRequest = 1 << 20
)

// callbackQueue holds rows that are not written yet.
type callbackQueue struct {
	maxRows, maxBytes int
	dropped           atomic.Uint64
	begun             chan struct{} // has one element when rows came into an empty queue
	full              chan struct{} // a batch is together

	mu     sync.Mutex
	rows   []operations.Callback
	bytes  int // of requests
	closed bool
}

func newCallbackQueue(l limits) *callbackQueue {
	return &callbackQueue{maxRows: l.queueRows, maxBytes: l.queueBytes, begun: make(chan struct{}, 1), full: make(chan struct{}, 1)}
}

// LogCallback queues a row, or drops and counts it when the queue is full or
// the store is closed. It never waits. Rows are written within about 100 ms;
// when that fails they wait in the queue. Over-long texts are cut, and only a
// refused row keeps its Request.
func (s *Store) LogCallback(c operations.Callback) {
	if !s.log.add(bounded(c)) {
		s.log.dropped.Add(1)
	}
}

// Dropped is how many rows of the callback log were lost since Open.
func (s *Store) Dropped() uint64 { return s.log.dropped.Load() }

// bounded is c with every field within its limit.
func bounded(c operations.Callback) operations.Callback {
	for _, text := range []*string{
		&c.Channel, &c.Remote, &c.Method, (*string)(&c.Reason), &c.OrderNo, &c.TradeNo,
		&c.BodySHA256, &c.Reply.ContentType,
	} {
		*text = cut(*text, maxText)
	}
	c.Reply.Body = cut(c.Reply.Body, maxReply)
	c.Error = cut(c.Error, maxReply)
	if c.Outcome != domain.OutcomeRefused || len(c.Request) > maxRequest {
		c.Request = nil
	}
	return c
}

// cut is s without what is beyond its limit.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most]
}

func (q *callbackQueue) add(c operations.Callback) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.rows) >= q.maxRows || q.bytes+len(c.Request) > q.maxBytes {
		return false
	}
	q.rows = append(q.rows, c)
	q.bytes += len(c.Request)
	if len(q.rows) == 1 {
		tell(q.begun)
	}
	if len(q.rows) >= callbackBatch {
		tell(q.full)
	}
	return true
}

// tell puts an element into a channel that has room for one, unless it was told
// already.
func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (q *callbackQueue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.rows) == 0
}

// next is the oldest rows; they stay until remove.
func (q *callbackQueue) next() []operations.Callback {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.rows), callbackBatch)
	return slices.Clone(q.rows[:n])
}

func (q *callbackQueue) remove(batch []operations.Callback) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range batch {
		q.bytes -= len(c.Request)
	}
	q.rows = slices.Delete(q.rows, 0, len(batch))
}

// close refuses further rows and counts those that are left as dropped.
func (q *callbackQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.dropped.Add(uint64(len(q.rows)))
	q.rows = nil
}

// stopAdding refuses further rows.
func (q *callbackQueue) stopAdding() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// writeCallbacks writes the queue until ctx ends, and then the rest of it. It
// sleeps while the queue is empty.
func (s *Store) writeCallbacks(ctx context.Context) {
	defer s.log.close()
	due := time.NewTimer(callbackEvery)
	defer due.Stop()
	failing := false
	for {
		select {
		case <-s.log.begun:
			due.Reset(callbackEvery)
			continue
		case <-due.C:
		case <-s.log.full:
		case <-ctx.Done():
			s.log.stopAdding()
			s.flushCallbacks(true, failing)
			return
		}
		if failing = s.flushCallbacks(false, failing); !s.log.empty() {
			due.Reset(callbackEvery)
		}
	}
}

// flushCallbacks writes full batches and the one that was begun; all at the
// end. It returns whether writing fails, and tells so once.
func (s *Store) flushCallbacks(all, failing bool) bool {
	for {
		batch := s.log.next()
		if len(batch) == 0 {
			return failing
		}
		err := s.insertCallbacks(batch)
		if err != nil && !failing {
			s.logger.Error("callback log cannot be written", slog.Any("error", err),
				slog.Uint64("dropped", s.Dropped()))
		}
		if failing = err != nil; failing && domain.KindOf(err) == domain.KindUnavailable {
			return failing // they wait for better times
		}
		if failing {
			s.log.dropped.Add(uint64(len(batch)))
		}
		s.log.remove(batch)
		if !all && len(batch) < callbackBatch {
			return failing
		}
	}
}
