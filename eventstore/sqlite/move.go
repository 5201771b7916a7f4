package sqlite

import (
	"errors"
	"log/slog"
	"sync/atomic"

	sqlite3 "modernc.org/sqlite/lib"
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
	for {
		select {
		case <-s.mover.due:
			s.move()
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
		if err := m.c.checkpoint(sqlite3.SQLITE_CHECKPOINT_PASSIVE); err != nil {
			s.moveFailed(err)
			return
		}
		if meanwhile := m.pages.Load() - before; meanwhile <= int64(m.limit/32) {
			break
		}
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	if err := m.c.checkpoint(sqlite3.SQLITE_CHECKPOINT_RESTART); err != nil {
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
