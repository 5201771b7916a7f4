package memory

import (
	"context"

	"counterfoil/domain"
)

// Ready implements eventstore.Store.
func (s *Store) Ready(context.Context) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.usable()
}

// Failed implements eventstore.Store. A store in memory fails only when Fail
// says so.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Cause implements eventstore.Store.
func (s *Store) Cause() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cause
}

// Fail puts the store into the state after a failed sync: Failed is closed and
// no append is taken any more. The first cause stays.
func (s *Store) Fail(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause == nil {
		s.cause = cause
		close(s.failed)
	}
}

// Close implements eventstore.Store. What was written is gone with it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.grown)
	}
	return nil
}

// usable is nil while appends can succeed.
func (s *Store) usable() error {
	if s.closed {
		return domain.E(domain.KindUnavailable, "the event store is closed")
	}
	if s.cause != nil {
		return domain.E(domain.KindUnavailable, "the event store failed and must be opened again: %w", s.cause)
	}
	return nil
}

func (s *Store) readable(ctx context.Context) error {
	if s.closed {
		return domain.E(domain.KindUnavailable, "the event store is closed")
	}
	if err := ctx.Err(); err != nil {
		return domain.E(domain.KindUnavailable, "read the event store: %w", err)
	}
	return nil
}
