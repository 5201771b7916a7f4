package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"modernc.org/sqlite"

	"counterfoil/domain"
	"counterfoil/internal/still"
)

// conn is one connection with its prepared statements. It speaks to the driver
// directly: database/sql would look at every argument by reflection and hand
// the connection through a pool, which costs more than the statements here.
// A conn is for one goroutine at a time.
type conn struct {
	raw   driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue // of multi-row statements, used again and again
}

// open opens file with pragmas such as "synchronous(NORMAL)". The file must
// exist unless create is set.
func open(file string, create bool, pragmas ...string) (*conn, error) {
	q := url.Values{"mode": {"rw"}, "_pragma": pragmas}
	if create {
		q.Set("mode", "rwc")
	}
	dsn := url.URL{Scheme: "file", Path: file, RawQuery: q.Encode()}
	return openURI(file, dsn.String())
}

// openStill opens a file that cannot be written, and nobody does.
func openStill(file string, pragmas ...string) (*conn, error) {
	return openURI(file, still.URI(file)+"&"+url.Values{"_pragma": pragmas}.Encode())
}

func openURI(file, uri string) (*conn, error) {
	raw, err := (&sqlite.Driver{}).Open(uri)
	if err != nil {
		return nil, classify(fmt.Errorf("open %s: %w", file, err))
	}
	return &conn{raw: raw, stmts: make(map[string]driver.Stmt)}, nil
}

// close closes the connection; a second call does nothing.
func (c *conn) close() error {
	if c.raw == nil {
		return nil
	}
	for _, s := range c.stmts {
		s.Close() // the connection is closed next
	}
	err := c.raw.Close()
	c.raw = nil
	return classify(err)
}

func (c *conn) prepare(sql string) (driver.Stmt, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	s, err := c.raw.Prepare(sql)
	if err != nil {
		return nil, classify(err)
	}
	c.stmts[sql] = s
	return s, nil
}

// exec runs a statement and reports how many rows it changed.
func (c *conn) exec(sql string, args ...any) (int64, error) {
	return c.execValues(sql, values(args))
}

func (c *conn) execValues(sql string, args []driver.NamedValue) (int64, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	// Statements that write are short and must not be cut in the middle of a
	// transaction, so no context reaches them.
	res, err := s.(driver.StmtExecContext).ExecContext(context.Background(), args)
	if err != nil {
		return 0, classify(err)
	}
	n, err := res.RowsAffected()
	return n, classify(err)
}

// script runs several statements without arguments.
func (c *conn) script(sql string) error {
	s, err := c.raw.Prepare(sql)
	if err != nil {
		return classify(err)
	}
	defer s.Close() // nothing hangs on it
	_, err = s.(driver.StmtExecContext).ExecContext(context.Background(), nil)
	return classify(err)
}

// query calls each for every row of the answer. Values are int64, string,
// []byte or nil. A ctx that can end costs a goroutine per call: hot paths pass
// one that cannot.
func (c *conn) query(ctx context.Context, sql string, args []any, each func(row) error) error {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, values(args))
	if err != nil {
		return classify(err)
	}
	defer rows.Close() // reading is over
	dest := make(row, len(rows.Columns()))
	for {
		err := rows.Next(dest)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return classify(err)
		}
		if err := each(dest); err != nil {
			return err
		}
	}
}

// one reads the first row of an answer; found is false without one.
func (c *conn) one(ctx context.Context, sql string, args []any, read func(row) error) (found bool, err error) {
	err = c.query(ctx, sql, args, func(r row) error {
		if found {
			return nil
		}
		found = true
		return read(r)
	})
	return found, err
}

func values(args []any) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}

// row is one row of an answer. Its methods read a column; NULL reads as zero.
type row []driver.Value

func (r row) num(i int) int64 {
	n, _ := r[i].(int64)
	return n
}

func (r row) str(i int) string {
	s, _ := r[i].(string)
	return s
}

func (r row) id(i int) domain.ID {
	var id domain.ID
	b, _ := r[i].([]byte)
	copy(id[:], b)
	return id
}

// batches are the numbers of rows one statement takes, largest first.
var batches = [...]int{64, 16, 4, 1}

// many runs a statement over n rows in as few calls as its batches allow. The
// statement is made of head, one group of cols placeholders per row, and tail;
// fill sets the values of row i. Statements begin with INSERT OR ROLLBACK: a
// failure ends the whole page anyway, and SQLite need not keep a copy of every
// page to take back one statement.
func (c *conn) many(head string, cols int, tail string, n int, fill func(i int, v []driver.NamedValue)) (changed int64, err error) {
	for done := 0; done < n; {
		size := 1
		for _, b := range batches {
			if b <= n-done {
				size = b
				break
			}
		}
		args := c.buffer(size * cols)
		for i := range size {
			fill(done+i, args[i*cols:(i+1)*cols])
		}
		k, err := c.execValues(multi(head, cols, tail, size), args)
		if err != nil {
			return changed, err
		}
		changed += k
		done += size
	}
	return changed, nil
}

// buffer is room for n arguments, numbered.
func (c *conn) buffer(n int) []driver.NamedValue {
	for i := len(c.args); i < n; i++ {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1})
	}
	return c.args[:n]
}

// shape is what a multi-row statement is made of; shapes remembers their texts,
// which are few.
type shape struct {
	head, tail string
	cols, rows int
}

var shapes sync.Map

func multi(head string, cols int, tail string, rows int) string {
	k := shape{head, tail, cols, rows}
	if s, ok := shapes.Load(k); ok {
		return s.(string) //nolint:forcetypeassert // only strings are stored
	}
	group := "(" + strings.TrimSuffix(strings.Repeat("?,", cols), ",") + ")"
	s := head + strings.TrimSuffix(strings.Repeat(group+",", rows), ",") + tail
	shapes.Store(k, s)
	return s
}

// SQLite's result codes that say what to do next.
const (
	codeBusy     = 5
	codeLocked   = 6
	codeIOErr    = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

// classify gives an error of the driver its kind. A busy, full or unreadable
// disk passes; damage does not.
func classify(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	text := "sqlite code " + strconv.Itoa(e.Code())
	switch e.Code() & 0xff {
	case codeBusy, codeLocked, codeIOErr, codeFull, codeCantOpen:
		return domain.E(domain.KindUnavailable, "%s: %w", text, err)
	case codeCorrupt, codeNotADB:
		return domain.E(domain.KindCorrupt, "the projection file is damaged (%s), rebuild it: %w", text, err)
	}
	return domain.E(domain.KindInternal, "%s: %w", text, err)
}
