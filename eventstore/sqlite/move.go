package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"counterfoil/domain"
)

// mover moves pages from the write-ahead log into the database (SQLite calls
// it a checkpoint), on a connection of its own, so that the committer seldom
// waits for it.
type mover struct {
	c     *conn
	limit int
	pages atomic.Int64 // written to the log since it last started over
	due   chan struct{}
}

// resetWait is how long a log that starts over waits for readers of the old
// one, in milliseconds; the committer waits with it.
const resetWait = 40

func newMover(path string, limit int) (*mover, error) {
	c, err := dial(path, openReadWrite, "synchronous=FULL", "mmap_size=0", "wal_autocheckpoint=0", journalLimit(limit))
	if err != nil {
		return nil, openError(path, err)
	}
	c.busyTimeout(resetWait)
	return &mover{c: c, limit: limit, due: make(chan struct{}, 1)}, nil
}

// landWithin is how long opening waits for readers of other processes to let
// the log go.
const landWithin = 5 * time.Second

// land moves all that recovery found in the log into the database. After a
// failed sync the system forgets that the log's pages are not on the disk, and
// what recovery read may stand in memory only: another sync would write
// nothing. Written once more, into the database, they are on the disk when its
// sync returns. On a full disk that has to wait: the store opens, so that what is
// there can be read, and takes no appends until there was room for it.
func (s *Store) land(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, landWithin)
	defer cancel()
	for {
		left, err := s.mover.c.checkpoint(sqlite3.SQLITE_CHECKPOINT_PASSIVE)
		switch {
		case isFull(err):
			s.state.set(&s.state.aground, s.aground(err))
			s.log.ErrorContext(ctx, "event store takes no appends: its disk has no room for what the log holds already", slog.Any("error", err))
			return nil
		case err != nil && !isBusy(err):
			return openError(s.path, err)
		case err == nil && left <= 0:
			return nil
		}
		select {
		case <-wait.Done():
			if ctx.Err() != nil {
				return domain.E(domain.KindUnavailable, "open %s: %w", s.path, ctx.Err())
			}
			s.log.WarnContext(ctx, "another process reads the event store's log: what a failed sync may have left is moved later")
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func isFull(err error) bool {
	var e *sqlError
	return errors.As(err, &e) && e.primary() == codeFull
}

func (s *Store) aground(err error) error {
	return domain.E(domain.KindUnavailable, "%s has no room for what its log holds already: make room: %w", s.path, err)
}

// landAgain tries what a full disk prevented when the store was opened.
func (s *Store) landAgain() {
	if !s.state.isAground() {
		return
	}
	if left, err := s.mover.c.checkpoint(sqlite3.SQLITE_CHECKPOINT_PASSIVE); err == nil && left <= 0 {
		s.state.set(&s.state.aground, nil)
		s.log.Info("event store has room again and takes appends")
	}
}

// count adds pages written to the log and calls the mover when it is long.
func (m *mover) count(pages int) {
	if m.pages.Add(int64(pages)) < int64(m.limit) {
		return
	}
	select {
	case m.due <- struct{}{}:
	default:
	}
}

func (s *Store) moveLoop() {
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.mover.due:
			s.move()
		case <-tick.C:
			s.landAgain()
		case <-s.closing:
			return
		}
	}
}

// move empties the log. The bulk goes while appends continue; for the rest,
// which they wrote meanwhile, the committer is held off, and the log starts
// over at its beginning. If readers are still in it, the next call tries again.
func (s *Store) move() {
	m := s.mover
	for range 3 {
		before := m.pages.Load()
		if _, err := m.c.checkpoint(sqlite3.SQLITE_CHECKPOINT_PASSIVE); err != nil {
			s.moveFailed(err)
			return
		}
		if meanwhile := m.pages.Load() - before; meanwhile <= int64(m.limit/32) {
			break
		}
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	if _, err := m.c.checkpoint(sqlite3.SQLITE_CHECKPOINT_RESTART); err != nil {
		s.moveFailed(err)
		return
	}
	m.pages.Store(0)
	select {
	case <-m.due: // called for what has just been done
	default:
	}
}

func (s *Store) moveFailed(err error) {
	var sql *sqlError
	known := errors.As(err, &sql)
	s.mover.pages.Store(int64(s.mover.limit * 3 / 4)) // not at every commit again
	switch {
	case known && isSync(sql.code):
		s.fail(err)
	case isBusy(err):
		s.log.Debug("event store log is in use, it starts over later")
	default:
		s.log.Warn("event store log does not move into the database; it grows until it does", slog.Any("error", err))
	}
}
