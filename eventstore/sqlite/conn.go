package sqlite

import (
	"context"
	"fmt"
	"strings"
	"unsafe"

	"modernc.org/libc"
	_ "modernc.org/sqlite" // its init repairs the library on machines with large pages
	sqlite3 "modernc.org/sqlite/lib"
)

// This file and stmt.go speak to SQLite's own C API, as the pure-Go driver
// does underneath database/sql. That interface costs a callback twice the
// processor time, for every row a value boxed and every column named again,
// and it hides the result codes on which this package decides whether an
// append is surely not written.

// Result codes that this package tells apart; the others count as trouble of
// an unknown kind.
const (
	codeBusy     = 5
	codeReadOnly = 8
	codeIOErr    = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
	codeRow      = 100
	codeDone     = 101
	codeIOWrite  = codeIOErr | 3<<8
	codeIOFsync  = codeIOErr | 4<<8
	codeIODirSyn = codeIOErr | 5<<8
	codeTrigger  = 19 | 7<<8 // one of ours said no
)

// sqlError is a result code of SQLite and its text.
type sqlError struct {
	code int32 // extended
	text string
}

func (e *sqlError) Error() string { return fmt.Sprintf("%s (SQLite %d)", e.text, e.code) }

// primary is the code without its extension.
func (e *sqlError) primary() int32 { return e.code & 0xff }

// conn is one connection. One goroutine uses it at a time.
type conn struct {
	tls  *libc.TLS
	h    uintptr
	cell uintptr // room for one pointer that SQLite returns
	all  []*stmt
}

const (
	openReadWrite = sqlite3.SQLITE_OPEN_READWRITE
	openStill     = sqlite3.SQLITE_OPEN_READONLY | sqlite3.SQLITE_OPEN_URI
	openCreate    = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE
	// openAlways: no locks around a connection that no two goroutines use,
	// and result codes with their extension.
	openAlways = sqlite3.SQLITE_OPEN_NOMUTEX | sqlite3.SQLITE_OPEN_EXRESCODE
)

// dial opens a file and runs the pragmas.
func dial(path string, flags int32, pragmas ...string) (*conn, error) {
	c := &conn{tls: libc.NewTLS()}
	if c.cell = libc.Xmalloc(c.tls, 16); c.cell == 0 {
		return nil, &sqlError{code: sqlite3.SQLITE_NOMEM, text: "out of memory"}
	}
	name, err := libc.CString(path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	defer libc.Xfree(c.tls, name)
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, c.cell, flags|openAlways, 0)
	c.h = *(*uintptr)(pointer(c.cell))
	if rc != 0 {
		err := c.fail(rc)
		c.close()
		return nil, err
	}
	c.keepPlans()
	for _, p := range pragmas {
		if err := c.exec("PRAGMA " + p); err != nil {
			c.close()
			return nil, fmt.Errorf("PRAGMA %s: %w", p, err)
		}
	}
	return c, nil
}

// keepPlans forbids SQLite to look at parameters when it plans. It would
// otherwise compile a statement with a range in it anew each time it runs.
func (c *conn) keepPlans() {
	args := libc.Xmalloc(c.tls, 16)
	if args == 0 {
		return // slower, not wrong
	}
	defer libc.Xfree(c.tls, args)
	sqlite3.Xsqlite3_db_config(c.tls, c.h, sqlite3.SQLITE_DBCONFIG_ENABLE_QPSG, libc.VaList(args, int32(1), uintptr(0)))
}

// close ends the connection with its statements. SQLite checkpoints when it is
// the last one on the file; an error there leaves the log to the next opening.
func (c *conn) close() {
	for _, s := range c.all {
		s.finalize()
	}
	c.all = nil
	if c.h != 0 {
		sqlite3.Xsqlite3_close_v2(c.tls, c.h)
		c.h = 0
	}
	libc.Xfree(c.tls, c.cell)
	c.tls.Close()
}

// fail is rc as an error with SQLite's words.
func (c *conn) fail(rc int32) error {
	text := libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))
	if c.h != 0 && sqlite3.Xsqlite3_extended_errcode(c.tls, c.h) == rc {
		text = libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.h))
	}
	return &sqlError{code: rc, text: text}
}

// prepare makes a statement that lives as long as the connection.
func (c *conn) prepare(sql string) (*stmt, error) {
	s, _, err := c.compile(sql)
	if err != nil {
		return nil, err
	}
	c.all = append(c.all, s)
	return s, nil
}

// compile is the first statement of sql and what stands behind it.
func (c *conn) compile(sql string) (*stmt, string, error) {
	text, err := libc.CString(sql)
	if err != nil {
		return nil, "", fmt.Errorf("statement %q: %w", sql, err)
	}
	defer libc.Xfree(c.tls, text)
	rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.h, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, c.cell, c.cell+8)
	if rc != 0 {
		return nil, "", fmt.Errorf("prepare %q: %w", sql, c.fail(rc))
	}
	tail := *(*uintptr)(pointer(c.cell + 8))
	return &stmt{c: c, h: *(*uintptr)(pointer(c.cell))}, libc.GoString(tail), nil
}

// exec runs statements that return nothing of interest.
func (c *conn) exec(sql string) error {
	for rest := sql; strings.TrimSpace(rest) != ""; {
		s, tail, err := c.compile(rest)
		if err != nil {
			return err
		}
		err = s.run()
		s.finalize()
		if err != nil {
			return err
		}
		rest = tail
	}
	return nil
}

// number is the integer in the first column of the first row of a query, 0
// without a row.
func (c *conn) number(sql string) (int64, error) {
	var n int64
	err := c.query(sql, func(s *stmt) { n = s.int64(0) })
	return n, err
}

// word is the text in the first column of the first row of a query.
func (c *conn) word(sql string) (string, error) {
	var v string
	err := c.query(sql, func(s *stmt) { v = string(s.bytes(0)) })
	return v, err
}

// query calls row for each row of a query that is asked once.
func (c *conn) query(sql string, row func(*stmt)) error {
	s, _, err := c.compile(sql)
	if err != nil {
		return err
	}
	defer s.finalize()
	for {
		more, err := s.step()
		if err != nil || !more {
			return err
		}
		row(s)
	}
}

// interruptedBy makes what the connection does fail when ctx ends. release
// comes before the connection is closed.
func (c *conn) interruptedBy(ctx context.Context) (release func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		sqlite3.Xsqlite3_interrupt(c.tls, c.h)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// inTransaction tells whether one is open; SQLite itself rolls back after
// some errors.
func (c *conn) inTransaction() bool { return sqlite3.Xsqlite3_get_autocommit(c.tls, c.h) == 0 }

// checkpoint moves committed pages from the log to the database. left is how
// many stay in the log, because somebody still reads it as it was before them.
func (c *conn) checkpoint(mode int32) (left int, err error) {
	if rc := sqlite3.Xsqlite3_wal_checkpoint_v2(c.tls, c.h, 0, mode, c.cell, c.cell+8); rc != 0 {
		return 0, c.fail(rc)
	}
	return int(*(*int32)(pointer(c.cell)) - *(*int32)(pointer(c.cell + 8))), nil
}

// busyTimeout is how long SQLite itself waits for a lock, in milliseconds.
func (c *conn) busyTimeout(ms int32) { sqlite3.Xsqlite3_busy_timeout(c.tls, c.h, ms) }

// libraryVersion is the version of the SQLite that is linked in.
func libraryVersion() string {
	tls := libc.NewTLS()
	defer tls.Close()
	return libc.GoString(sqlite3.Xsqlite3_libversion(tls))
}

// pointer is an address in SQLite's memory, which Go's collector does not
// know and never moves.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// view is n bytes of SQLite's memory, valid until the statement moves on.
func view(p uintptr, n int) []byte {
	if p == 0 || n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(p)), n)
}

// status is one of SQLite's counters of this connection since the last call.
func (c *conn) status(op int32) int {
	sqlite3.Xsqlite3_db_status(c.tls, c.h, op, c.cell, c.cell+8, 1)
	return int(*(*int32)(pointer(c.cell)))
}
