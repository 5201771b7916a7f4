package sqlite

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"counterfoil/domain"
)

// state is whether the store can write, and why not.
type state struct {
	mu      sync.Mutex
	closed  bool
	cause   error  // for ever: something may or may not be on the disk
	corrupt error  // until opened again: the file contradicts itself
	trouble error  // until a write succeeds
	full    error  // until there is room
	aground error  // until the log of before is in the database
	retired string // for ever: where the log has moved to
	still   bool   // for ever: the file cannot be written
	failed  chan struct{}
}

// usable is nil when an append may be tried. Trouble is no reason to refuse
// one: the append itself finds out whether it is over.
func (st *state) usable() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.closed:
		return closed()
	case st.cause != nil:
		return domain.E(domain.KindUnavailable, "the event store failed, restart the process: %w", st.cause)
	case st.corrupt != nil:
		return domain.E(domain.KindCorrupt, "the event store takes no appends: %w", st.corrupt)
	case st.retired != "":
		return domain.E(domain.KindUnavailable, "the event store takes no appends: its log has moved to %s", st.retired)
	case st.still:
		return domain.E(domain.KindDenied, "the event store takes no appends: its file or folder may not be written by this account")
	}
	if st.aground != nil {
		return st.aground
	}
	return st.full
}

func (st *state) isAground() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.aground != nil
}

func (st *state) ready() error {
	if err := st.usable(); err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.trouble
}

// close tells whether this was the first call.
func (st *state) close() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	first := !st.closed
	st.closed = true
	return first
}

func (st *state) fail(cause error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.cause == nil {
		st.cause = cause
		close(st.failed)
	}
}

// enter counts a caller in whom Close has to wait for; false when it is closed.
func (st *state) enter(work *sync.WaitGroup) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.closed {
		work.Add(1)
	}
	return !st.closed
}

// set puts one of the passing reasons and tells whether it came or went.
func (st *state) set(reason *error, err error) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	changed := (*reason == nil) != (err == nil)
	*reason = err
	return changed
}

// Ready implements eventstore.Store.
func (s *Store) Ready(context.Context) error { return s.state.ready() }

// Failed implements eventstore.Store.
func (s *Store) Failed() <-chan struct{} { return s.state.failed }

// Cause implements eventstore.Store.
func (s *Store) Cause() error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return s.state.cause
}

// fail marks the store failed for ever.
func (s *Store) fail(cause error) {
	s.log.Error("event store failed: a sync did not succeed, so the outcome of the last appends is unknown; restart the process",
		slog.Any("error", cause))
	s.state.fail(cause)
}

// trouble remembers why nothing can be written, and nil that it can again.
func (s *Store) trouble(err error) {
	if !s.state.set(&s.state.trouble, err) {
		return
	}
	if err != nil {
		s.log.Error("event store cannot write; callers come again, it recovers by itself once the cause is gone",
			slog.Any("error", err))
		return
	}
	s.log.Info("event store writes again")
}

// checkSpace keeps some of the disk free, so that what must be written to get
// out of a full disk still can be.
func (s *Store) checkSpace() {
	if s.o.MinFree < 0 {
		return
	}
	free, err := freeSpace(s.path)
	switch {
	case err != nil:
		err = domain.E(domain.KindUnavailable, "free space of %s: %w", s.path, err)
	case free < s.o.MinFree:
		err = domain.E(domain.KindUnavailable, "%s has %d bytes free, %d are kept free: make room", s.path, free, s.o.MinFree)
	}
	if s.state.set(&s.state.full, err) && err != nil {
		s.log.Error("event store takes no appends until there is room on its disk", slog.Any("error", err))
	}
}

// probeLoop looks at the free space, and tries to write while the last write
// failed: without it a store that turned red would get no append any more that
// turns it green.
func (s *Store) probeLoop() {
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.closing:
			return
		}
		s.checkSpace()
		s.probe()
	}
}

// probe writes and syncs a row that means nothing, if the store is in trouble.
func (s *Store) probe() {
	s.state.mu.Lock()
	needed := s.state.trouble != nil && s.state.cause == nil
	s.state.mu.Unlock()
	if !needed {
		return
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	err := s.writer.transaction(s.writer.probe.run)
	if err != nil {
		err = s.settle(err)
	}
	s.trouble(err)
}
