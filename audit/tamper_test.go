package audit_test

import (
	"database/sql"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// row is a stored event as a hand with SQL finds it.
type row struct {
	position                 int64
	stream                   string
	revision                 uint64
	id                       []byte
	typ                      string
	data, meta, hash, sealed []byte
}

// raw opens a file behind the program's back.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// triggersOf are the triggers of a file, by name.
func triggersOf(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	rows, err := db.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
	must(t, err)
	defer rows.Close()
	triggers := map[string]string{}
	for rows.Next() {
		var name, text string
		must(t, rows.Scan(&name, &text))
		triggers[name] = text
	}
	must(t, rows.Err())
	return triggers
}

// unguarded takes the triggers away for f, and brings them back: who tampers
// with care leaves the schema as it was.
func unguarded(t *testing.T, db *sql.DB, f func()) {
	t.Helper()
	triggers := triggersOf(t, db)
	if len(triggers) == 0 {
		t.Fatal("the log has no triggers")
	}
	for name := range triggers {
		exec(t, db, "DROP TRIGGER "+name)
	}
	f()
	for _, text := range triggers {
		exec(t, db, text)
	}
}

// find is the n-th event of a type, from 0.
func find(t *testing.T, db *sql.DB, typ, stream string) row {
	t.Helper()
	var r row
	must(t, db.QueryRow(`SELECT position, stream, revision, id, type, data, meta, sealed_hash FROM events
		WHERE type = ? AND stream = ? ORDER BY position LIMIT 1`, typ, stream).
		Scan(&r.position, &r.stream, &r.revision, &r.id, &r.typ, &r.data, &r.meta, &r.hash))
	_ = db.QueryRow("SELECT sealed FROM evidence WHERE position = ?", r.position).Scan(&r.sealed)
	return r
}

// rewrite stores r over the event at its place, with a leaf hash that fits.
func rewrite(t *testing.T, db *sql.DB, r row) {
	t.Helper()
	e := eventstore.Event{ID: domain.ID(r.id), Type: r.typ, Data: r.data, Meta: r.meta, Sealed: r.sealed}
	leaf := eventstore.LeafHash(domain.Stream(r.stream), r.revision, e)
	unguarded(t, db, func() {
		exec(t, db, `UPDATE events SET stream = ?, revision = ?, id = ?, type = ?, data = ?, meta = ?, sealed_hash = ?, leaf = ?
			WHERE position = ?`, r.stream, r.revision, r.id, r.typ, r.data, r.meta, r.hash, leaf[:], r.position)
		if r.sealed != nil {
			exec(t, db, "UPDATE evidence SET sealed = ? WHERE position = ?", r.sealed, r.position)
		}
	})
}

// replaced is text with old, which must be there, replaced.
func replaced(t *testing.T, text []byte, old, with string) []byte {
	t.Helper()
	if !strings.Contains(string(text), old) {
		t.Fatalf("%q is not in %s", old, text)
	}
	return []byte(strings.ReplaceAll(string(text), old, with))
}
