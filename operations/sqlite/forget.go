package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"counterfoil/domain"
)

// emptyJournal copies the write-ahead log into the file and cuts it to nothing:
// what was deleted or written over stood in both until now. Deleted bytes are
// zeros in the file then, also in pages that were given up (secure_delete).
// It waits for those who read the journal as long as writers wait for each other.
func (s *Store) emptyJournal(ctx context.Context) (err error) {
	db, err := open(s.path, fmt.Sprintf("&_pragma=busy_timeout(%d)", s.limits.lockWait.Milliseconds())+commonPragmas, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var busy, frames, copied int64
	if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &copied); err != nil {
		err = classify("empty the journal", err)
		s.health.note(err)
		return err
	}
	if busy != 0 {
		return domain.E(domain.KindUnavailable, "somebody reads the journal of %s, which cannot be emptied now", s.path)
	}
	return nil
}

// forgetEvery is how often what was removed for its age is also taken out of the
// journal: each time all writers wait for it.
const forgetEvery = time.Hour

// leftovers are removed rows whose bytes the journal may still hold.
type leftovers struct {
	mu      sync.Mutex
	waiting bool
	emptied time.Time
}

// due notes rows that were removed, and tells whether it is time to empty the
// journal behind them.
func (l *leftovers) due(now time.Time, removed bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = l.waiting || removed
	if !l.waiting || now.Sub(l.emptied) < forgetEvery {
		return false
	}
	l.waiting, l.emptied = false, now
	return true
}
