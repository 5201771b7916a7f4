package sqlite

import (
	"errors"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// commitLoop is the committer: one goroutine that turns what has queued up
// into transactions.
func (s *Store) commitLoop() {
	for {
		select {
		case <-s.queue.wake:
		case <-s.closing:
			return
		}
		for !s.queue.empty() && s.commitGroup() {
		}
	}
}

// commitGroup writes what waits as one transaction. It is false when the store
// closes.
func (s *Store) commitGroup() bool {
	s.gate.Lock()
	defer s.gate.Unlock()
	if err := s.state.usable(); err != nil {
		s.queue.refuse(err)
		return true
	}
	if err := s.begin(); err != nil {
		s.queue.refuse(s.settle(err))
		return !errors.Is(err, errClosing)
	}
	w := s.writer
	w.group = s.queue.take(w.group[:0])
	err := w.write(w.group)
	if err == nil {
		err = w.commit()
	} else {
		w.rollback()
	}
	if err != nil {
		err = s.settle(err)
		for _, r := range w.group {
			r.refuse(err)
		}
		clear(w.group)
		return true
	}
	s.trouble(nil)
	s.head.advance(w.last)
	for i, r := range w.group {
		r.done <- w.results[i]
	}
	clear(w.group)
	s.mover.count(w.pagesWritten())
	return true
}

var errClosing = errors.New("the event store is being closed")

// begin opens a write transaction. SQLite's own waiting sleeps for longer and
// longer, so that of two busy processes one would starve: the tries here are
// short and at random.
func (s *Store) begin() error {
	err := s.writer.begin.run()
	if !isBusy(err) {
		return err
	}
	patience := time.NewTimer(s.o.Wait)
	defer patience.Stop()
	for isBusy(err) {
		pause := time.NewTimer(retryPause())
		select {
		case <-pause.C:
			err = s.writer.begin.run()
		case <-patience.C:
			pause.Stop()
			return err
		case <-s.closing:
			pause.Stop()
			return errClosing
		}
	}
	return err
}

func isBusy(err error) bool {
	var e *sqlError
	return errors.As(err, &e) && e.primary() == codeBusy
}

// unsure wraps an error of a COMMIT after which the transaction may stand.
type unsure struct{ error }

func (u unsure) Unwrap() error { return u.error }

// settle draws the consequences of an error of a transaction, and is the error
// to tell the callers.
func (s *Store) settle(err error) error {
	var sql *sqlError
	known := errors.As(err, &sql)
	switch {
	case errors.Is(err, errClosing):
		return closed()
	case errors.As(err, new(unsure)), known && isSync(sql.code):
		s.fail(err)
		return domain.E(domain.KindUnknown, "it is unknown whether this was written: %w", err)
	case known && sql.code == codeTrigger:
		return s.refusedByMove()
	case known && isDamage(sql):
		s.state.set(&s.state.corrupt, err)
		s.log.Error("event store file is damaged; it takes no appends: verify it, restore if need be")
		return domain.E(domain.KindCorrupt, "the file contradicts itself: %w", err)
	case known && sql.primary() == codeBusy:
		err = domain.E(domain.KindUnavailable, "another process kept the file locked for %s: %w", s.o.Wait, err)
	default:
		err = domain.E(domain.KindUnavailable, "nothing was written: %w", err)
	}
	s.trouble(err)
	return err
}

func isSync(code int32) bool { return code == codeIOFsync || code == codeIODirSyn }

func isDamage(e *sqlError) bool { return e.primary() == codeCorrupt || e.primary() == codeNotADB }

// writer is the committer's connection and what it keeps between groups.
type writer struct {
	c                                            *conn
	begin, end, undo, probe                      *stmt
	newest, revision, behind, insert, insertSeal *stmt

	group   []*request
	results []result
	last    eventstore.Position // of the last event written
}

func newWriter(path string, o Options) (*writer, error) {
	c, err := dialWriter(path, o)
	if err != nil {
		return nil, err
	}
	w := &writer{c: c}
	for _, p := range []struct {
		s   **stmt
		sql string
	}{
		{&w.begin, sqlBegin},
		{&w.end, sqlCommit},
		{&w.undo, sqlRollback},
		{&w.probe, sqlProbe},
		{&w.newest, sqlHead},
		{&w.revision, sqlRevision},
		{&w.behind, sqlBehind},
		{&w.insert, sqlInsert},
		{&w.insertSeal, sqlSeal},
	} {
		if *p.s, err = c.prepare(p.sql); err != nil {
			c.close()
			return nil, err
		}
	}
	c.busyTimeout(0)
	return w, nil
}

// transaction runs do between BEGIN and COMMIT.
func (w *writer) transaction(do func() error) error {
	if err := w.begin.run(); err != nil {
		return err
	}
	if err := do(); err != nil {
		w.rollback()
		return err
	}
	return w.commit()
}

// commit ends the transaction. An error after which SQLite has surely rolled
// back stays what it is; any other leaves it open what the disk holds.
func (w *writer) commit() error {
	err := w.end.run()
	if err == nil {
		return nil
	}
	wasOpen := w.c.inTransaction()
	w.rollback()
	var sql *sqlError
	if errors.As(err, &sql) && surelyNotWritten(sql, wasOpen) {
		return err
	}
	return unsure{err}
}

// surelyNotWritten: the disk was full or refused the write, before the sync,
// and SQLite rolled back; or it was locked and the transaction still open.
func surelyNotWritten(e *sqlError, open bool) bool {
	switch {
	case e.primary() == codeBusy:
		return open
	case e.primary() == codeFull, e.code == codeIOWrite:
		return true
	}
	return false
}

func (w *writer) rollback() {
	if w.c.inTransaction() {
		w.undo.run() //nolint:errcheck // SQLite may have rolled back by itself, and the first error is what counts
	}
}
