package sqlite

import (
	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// stmt is a prepared statement. Bind its parameters, step through its rows or
// run it, then reset it; columns and parameters count as in SQLite, from 0 and
// from 1.
type stmt struct {
	c    *conn
	h    uintptr
	room uintptr // holds bound bytes while the statement runs
	size int
	used int
}

// reserve makes room for n bytes of parameters. It comes before the first
// bind: what is bound must not move.
func (s *stmt) reserve(n int) error {
	s.used = 0
	if n <= s.size {
		return nil
	}
	n = max(n, 2*s.size, 1024)
	libc.Xfree(s.c.tls, s.room)
	if s.room = libc.Xmalloc(s.c.tls, types.Size_t(n)); s.room == 0 {
		s.size = 0
		return &sqlError{code: sqlite3.SQLITE_NOMEM, text: "out of memory"}
	}
	s.size = n
	return nil
}

// put copies a parameter's bytes to where SQLite may read them.
func put[T ~string | ~[]byte](s *stmt, v T) uintptr {
	if s.used+len(v) > s.size {
		panic("sqlite: a parameter was bound without its reserve") // or it would be stored cut
	}
	p := s.room + uintptr(s.used)
	s.used += copy(view(s.room, s.size)[s.used:], v)
	return p
}

// text binds a string.
func (s *stmt) text(i int32, v string) {
	sqlite3.Xsqlite3_bind_text(s.c.tls, s.h, i, put(s, v), int32(len(v)), 0)
}

// blob binds bytes, and NULL for none.
func (s *stmt) blob(i int32, v []byte) {
	if len(v) == 0 {
		sqlite3.Xsqlite3_bind_null(s.c.tls, s.h, i)
		return
	}
	sqlite3.Xsqlite3_bind_blob(s.c.tls, s.h, i, put(s, v), int32(len(v)), 0)
}

// number binds an integer.
func (s *stmt) number(i int32, v int64) { sqlite3.Xsqlite3_bind_int64(s.c.tls, s.h, i, v) }

// step is true at a row and false at the end.
func (s *stmt) step() (bool, error) {
	switch rc := sqlite3.Xsqlite3_step(s.c.tls, s.h); rc {
	case codeRow:
		return true, nil
	case codeDone:
		return false, nil
	default:
		return false, s.c.fail(rc)
	}
}

// run steps to the end and resets.
func (s *stmt) run() error {
	defer s.reset()
	for {
		more, err := s.step()
		if err != nil || !more {
			return err
		}
	}
}

// reset makes the statement ready for its next use; what it reports is the
// error that step gave already.
func (s *stmt) reset() { sqlite3.Xsqlite3_reset(s.c.tls, s.h) }

func (s *stmt) finalize() {
	sqlite3.Xsqlite3_finalize(s.c.tls, s.h)
	libc.Xfree(s.c.tls, s.room)
	s.h, s.room, s.size = 0, 0, 0
}

func (s *stmt) int64(i int32) int64 { return sqlite3.Xsqlite3_column_int64(s.c.tls, s.h, i) }

// null tells whether a column is NULL.
func (s *stmt) null(i int32) bool {
	return sqlite3.Xsqlite3_column_type(s.c.tls, s.h, i) == sqlite3.SQLITE_NULL
}

// bytes are a column's, valid until the next step or reset.
func (s *stmt) bytes(i int32) []byte {
	p := sqlite3.Xsqlite3_column_blob(s.c.tls, s.h, i)
	return view(p, int(sqlite3.Xsqlite3_column_bytes(s.c.tls, s.h, i)))
}
