package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/still"
)

// Settings of every connection. Writers do not wait inside SQLite: its busy
// handler backs off up to 100 ms at a time, and whoever polls more often
// starves the others.
const (
	commonPragmas = "&_pragma=mmap_size(0)&_pragma=temp_store(memory)&_pragma=secure_delete(on)" +
		"&_pragma=cache_size(-8192)&_pragma=wal_autocheckpoint(2000)&_pragma=journal_size_limit(67108864)"
	fullPragmas   = "&_pragma=busy_timeout(0)&_pragma=synchronous(full)" + commonPragmas
	normalPragmas = "&_pragma=busy_timeout(0)&_pragma=synchronous(normal)" + commonPragmas
	readPragmas   = "&_pragma=busy_timeout(5000)&_pragma=query_only(1)" + commonPragmas
)

// open is a pool of at most n connections to the file. They are opened when
// first used and then kept.
func open(path, pragmas string, n int) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "path of operations store: %w", err)
	}
	// mode=rw: only Create makes the file.
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: "mode=rw" + pragmas}
	return openURI(u.String(), n)
}

// openStill is open for a file that cannot be written, and nobody does.
func openStill(path string, n int) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "path of operations store: %w", err)
	}
	return openURI(still.URI(abs)+readPragmas, n)
}

func openURI(uri string, n int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", uri)
	if err != nil {
		return nil, classify("open", err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// tx is the transaction under way on a writer. Its methods prepare each
// statement once. Nothing here waits for more than the disk, so no context
// goes in: a cancelled one would make the driver interrupt a shared commit.
type tx struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

// background is the context of statements inside a transaction.
func background() context.Context { return context.Background() }

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.prepared[query]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", query, err)
	}
	t.prepared[query] = s
	return s, nil
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	s, err := t.stmt(query) //nolint:sqlclosecheck // kept in t and closed with it
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(background(), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row reads one row into dest; sql.ErrNoRows if there is none.
func (t *tx) row(query string, args []any, dest ...any) error {
	s, err := t.stmt(query) //nolint:sqlclosecheck // kept in t and closed with it
	if err != nil {
		return err
	}
	return s.QueryRowContext(background(), args...).Scan(dest...)
}

// collect reads all rows of a query by scan.
func collect[T any](ctx context.Context, q queryer, scan func(*sql.Rows) (T, error), query string, args ...any) (all []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// queryer is a pool or one connection of it.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// micros is t as it is stored, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is the time that micros stored.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// prepareFile checks SQLite itself, sets WAL mode, which the file remembers,
// and brings the schema to the newest version. Others may be doing the same.
func prepareFile(ctx context.Context, db *sql.DB, path string) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return classify("open", err)
	}
	defer conn.Close()
	var version, mode string
	if err := conn.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return classify("ask for the version of SQLite", err)
	}
	if err := refuseOld(version); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, `PRAGMA busy_timeout = 5000`); err != nil {
		return classify("set up", err)
	}
	if err := conn.QueryRowContext(ctx, `PRAGMA journal_mode = wal`).Scan(&mode); err != nil {
		return classify("set WAL mode", err)
	}
	if mode != "wal" {
		return domain.E(domain.KindUnavailable, "operations store %s cannot use a WAL on this file system (journal mode %s)", path, mode)
	}
	if err := migrateLocked(ctx, conn, path); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `PRAGMA busy_timeout = 0`)
	return classify("set up", err)
}

// migrateLocked is migrate while nobody else writes.
func migrateLocked(ctx context.Context, conn *sql.Conn, path string) error {
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return classify("lock for a change of schema", err)
	}
	if err := migrate(ctx, conn, path); err != nil {
		_, _ = conn.ExecContext(background(), `ROLLBACK`)
		return err
	}
	_, err := conn.ExecContext(ctx, `COMMIT`)
	return classify("commit schema", err)
}
