package sqlite

import (
	"context"
	"log/slog"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// retiredFlag is set in the user_version of a file whose log has moved to
// another store. Programs that know nothing of moving refuse the file for it.
const retiredFlag = 1 << 16

// retirement is what a retired file has besides schema. The trigger holds for
// whoever has the file open already, too.
var retirement = []object{
	{"table", "retired", `CREATE TABLE retired (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  moved_to TEXT NOT NULL
)`},
	{"trigger", "events_insert", `CREATE TRIGGER events_insert BEFORE INSERT ON events
BEGIN SELECT RAISE(ABORT, 'the log has moved'); END`},
	{"trigger", "retired_update", `CREATE TRIGGER retired_update BEFORE UPDATE ON retired
BEGIN SELECT RAISE(ABORT, 'a log moves once'); END`},
	{"trigger", "retired_delete", `CREATE TRIGGER retired_delete BEFORE DELETE ON retired
BEGIN SELECT RAISE(ABORT, 'a log moves once'); END`},
}

const (
	sqlRetire  = `INSERT INTO retired (id, moved_to) VALUES (1, ?1)`
	sqlMovedTo = `SELECT moved_to FROM retired`
)

// Retire marks the file for ever: its log ends at position at and goes on in
// the store named movedTo. From then on no process can append to it, also one
// that has it open now; reading goes on. A file that was retired for the same
// store is left as it is.
//
// KindConflict: the log has grown beyond at, or it went elsewhere. Nothing was
// changed then.
func (s *Store) Retire(ctx context.Context, at eventstore.Position, movedTo string) error {
	if movedTo == "" {
		return domain.EField(domain.KindInvalid, "moved_to", "names no store")
	}
	if err := ctx.Err(); err != nil {
		return domain.E(domain.KindUnavailable, "retire %s: %w", s.path, err)
	}
	if !s.state.enter(&s.work) {
		return closed()
	}
	defer s.work.Done()
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.Retired() == "" {
		if err := s.state.usable(); err != nil {
			return err
		}
		if err := s.begin(); err != nil {
			return s.settle(err)
		}
		if err := s.retire(at, movedTo); err != nil {
			return err
		}
	}
	if was := s.Retired(); was != movedTo {
		return domain.E(domain.KindConflict, "%s has moved to %s already", s.path, was)
	}
	return nil
}

// retire ends the open transaction with the mark, so that nothing is appended
// between the look at the head and the mark. It needs the gate.
func (s *Store) retire(at eventstore.Position, to string) error {
	w := s.writer
	defer w.rollback() // of what was not committed
	was, err := movedTo(w.c)
	if err == nil && was != "" { // another process was faster
		s.moved(was)
		return nil
	}
	if err == nil {
		err = w.findLast()
	}
	if err == nil && w.last != at {
		return domain.E(domain.KindConflict, "%s has grown to position %s since %s was copied", s.path, w.last, at)
	}
	if err == nil {
		err = w.retire(to)
	}
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		return s.settle(err)
	}
	s.moved(to)
	return nil
}

// retire marks the file within the open transaction.
func (w *writer) retire(to string) error {
	for _, o := range retirement {
		if err := w.c.exec(o.sql); err != nil {
			return err
		}
	}
	q, _, err := w.c.compile(sqlRetire)
	if err != nil {
		return err
	}
	defer q.finalize()
	if err := q.reserve(len(to)); err != nil {
		return err
	}
	q.text(1, to)
	if err := q.run(); err != nil {
		return err
	}
	return w.c.exec(pragmaVersion(schemaVersion | retiredFlag))
}

// Retired is where the log has moved to, "" while it is here.
func (s *Store) Retired() string {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return s.state.retired
}

// moved notes that the log is elsewhere.
func (s *Store) moved(to string) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.retired = to
}

// refusedByMove is the error of an append that met the mark of another process.
func (s *Store) refusedByMove() error {
	if s.lookForMove(s.writer.c); s.Retired() == "" {
		return domain.E(domain.KindUnavailable, "nothing was written: the log has moved")
	}
	return s.state.usable()
}

// lookForMove takes notice of the mark of another process.
func (s *Store) lookForMove(c *conn) {
	to, err := movedTo(c)
	if err != nil || to == "" || s.Retired() != "" {
		return // what could not be read is read at the next commit or append
	}
	s.moved(to)
	s.log.Error("event store has moved and takes no appends here any more: start this process with the new store", slog.String("moved_to", to))
}

// movedTo reads the mark of a file, "" when there is none.
func movedTo(c *conn) (string, error) {
	version, err := c.number("PRAGMA user_version")
	if err != nil || version&retiredFlag == 0 {
		return "", err
	}
	return c.word(sqlMovedTo)
}
