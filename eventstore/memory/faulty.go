package memory

import (
	"context"
	"sync"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Fault is what befalls one append.
type Fault int

// The faults. A caller that sees KindUnknown cannot tell the two behind it
// apart, and must come out right with both.
const (
	Pass        Fault = iota // nothing: the append goes through
	Unavailable              // KindUnavailable, nothing written
	Lost                     // KindUnknown, nothing written
	Written                  // KindUnknown, but written
	Slow                     // waits for Release, then goes through; KindUnavailable if ctx ends first
)

// Faulty is a store whose appends fail on command, so that whoever appends can
// be tested against every outcome. Reads go through.
type Faulty struct {
	eventstore.Store

	mu      sync.Mutex
	queue   []Fault
	rest    Fault
	before  func(stream domain.Stream, events []eventstore.Event)
	release chan struct{}
	waiting chan struct{}
	calls   int
}

// NewFaulty wraps a store; without commands it only passes calls on.
func NewFaulty(s eventstore.Store) *Faulty {
	return &Faulty{Store: s, release: make(chan struct{}), waiting: make(chan struct{}, 1024)}
}

// Next gives the coming appends their faults, in order. Appends after these go
// as Always said, which is Pass at first.
func (f *Faulty) Next(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, faults...)
}

// Always gives every append without a fault from Next this one, until called
// again.
func (f *Faulty) Always(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rest = fault
}

// Before has hook called ahead of each append, outside all locks: a test lets
// another writer win there. nil takes it away.
func (f *Faulty) Before(hook func(stream domain.Stream, events []eventstore.Event)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = hook
}

// Waiting receives once for each append that has begun to wait as Slow.
func (f *Faulty) Waiting() <-chan struct{} { return f.waiting }

// Release lets every append that waits as Slow now go on.
func (f *Faulty) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.release)
	f.release = make(chan struct{})
}

// Calls is how often Append was called.
func (f *Faulty) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Append implements eventstore.Appender, with the fault that is due.
func (f *Faulty) Append(ctx context.Context, stream domain.Stream, expected eventstore.Expected, events []eventstore.Event) (eventstore.Appended, error) {
	fault, before, release := f.take()
	if before != nil {
		before(stream, events)
	}
	switch fault {
	case Unavailable:
		return eventstore.Appended{}, domain.E(domain.KindUnavailable, "append to %s: injected failure", stream)
	case Lost:
		return eventstore.Appended{}, domain.E(domain.KindUnknown, "append to %s: injected failure, not written", stream)
	case Written:
		if _, err := f.Store.Append(ctx, stream, expected, events); err != nil {
			return eventstore.Appended{}, err
		}
		return eventstore.Appended{}, domain.E(domain.KindUnknown, "append to %s: injected failure after the write", stream)
	case Slow:
		if err := f.wait(ctx, release); err != nil {
			return eventstore.Appended{}, domain.E(domain.KindUnavailable, "append to %s: %w", stream, err)
		}
	case Pass:
	}
	return f.Store.Append(ctx, stream, expected, events)
}

func (f *Faulty) take() (Fault, func(domain.Stream, []eventstore.Event), <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	fault := f.rest
	if len(f.queue) > 0 {
		fault, f.queue = f.queue[0], f.queue[1:]
	}
	return fault, f.before, f.release
}

func (f *Faulty) wait(ctx context.Context, release <-chan struct{}) error {
	select {
	case f.waiting <- struct{}{}:
	default: // nobody counts
	}
	select {
	case <-release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
