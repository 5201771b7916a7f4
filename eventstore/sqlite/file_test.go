package sqlite_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
	"counterfoil/eventstore/storetest"
)

// database opens a file as any other program would.
func database(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func mustExec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	foreign := filepath.Join(dir, "foreign.db")
	mustExec(t, database(t, foreign), "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
	newer := filepath.Join(dir, "newer.db")
	if err := sqlite.Create(newer, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	mustExec(t, database(t, newer), "PRAGMA user_version=2")
	for _, c := range []struct {
		path string
		kind domain.Kind
		says string
	}{
		{filepath.Join(dir, "none.db"), domain.KindNotFound, "counterfoil init"},
		{file("empty.db", ""), domain.KindNotFound, "counterfoil init"},
		{dir, domain.KindMismatch, "not a file"},
		{file("text.db", strings.Repeat("not a database\n", 100)), domain.KindMismatch, "not a Counterfoil event store"},
		{foreign, domain.KindMismatch, "application id"},
		{newer, domain.KindMismatch, "shape 2"},
	} {
		before, _ := os.ReadFile(c.path)
		s, err := sqlite.Open(t.Context(), c.path, sqlite.Options{})
		if err == nil {
			t.Errorf("%s was opened", c.path)
			s.Close()
			continue
		}
		wantKind(t, c.path, err, c.kind)
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q does not say %q", c.path, err, c.says)
		}
		if after, _ := os.ReadFile(c.path); !bytes.Equal(before, after) {
			t.Errorf("%s was changed by a refused opening", c.path)
		}
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	p := filepath.Join(t.TempDir(), "events.db")
	if err := os.WriteFile(p+".new", []byte("left by a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Create(p, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "create over a store", sqlite.Create(p, sqlite.Options{}), domain.KindConflict)
	if after, err := os.ReadFile(p); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the store changed, %v", err)
	}
	if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the store: %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(p + "?*"); err != nil || len(left) != 0 {
		t.Errorf("left beside the store: %v, %v", left, err)
	}
	wantKind(t, "create in no folder", sqlite.Create(filepath.Join(p, "x"), sqlite.Options{}), domain.KindUnavailable)
}

func TestOldLibrary(t *testing.T) {
	t.Parallel()
	for version, good := range map[string]bool{
		"3.51.3": true, "3.51.10": true, "3.52.0": true, "3.53.2": true, "4.0.0": true,
		"3.51.2": false, "3.50.9": false, "3.7.0": false, "2.9.9": false, "": false, "3": false, "3.51": false, "3.51.x": false,
	} {
		if err := sqlite.CheckVersion(version); (err == nil) != good {
			t.Errorf("SQLite %q: %v", version, err)
		}
	}
}

// TestAppendOnly: no program changes events by mistake.
func TestAppendOnly(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	mustWrite(t, s, "s", eventstore.NoStream, "a", "b")
	db := database(t, path(t, s))
	for _, statement := range []string{
		"UPDATE events SET data = 'x' WHERE position = 1",
		"UPDATE events SET position = 9 WHERE position = 2",
		"DELETE FROM events",
		"UPDATE evidence SET sealed = 'x'",
		"DELETE FROM evidence WHERE position = 1",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "never") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	storetest.CheckLog(t, s)
}

// TestChangedRows: whatever is changed behind the store's back is named with
// its position, and never served.
func TestChangedRows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, change string }{
		{"data", `UPDATE events SET data = replace(data, 'b', 'B') WHERE position = 2`},
		{"meta", `UPDATE events SET meta = meta || ' ' WHERE position = 2`},
		{"type", `UPDATE events SET type = 'test.other.v1' WHERE position = 2`},
		{"id", `UPDATE events SET id = randomblob(16) WHERE position = 2`},
		{"longer id", `UPDATE events SET id = id || x'00' WHERE position = 2`},
		{"leaf", `UPDATE events SET leaf = randomblob(32) WHERE position = 2`},
		{"hash", `UPDATE events SET sealed_hash = randomblob(32) WHERE position = 2`},
		{"no hash", `UPDATE events SET sealed_hash = NULL WHERE position = 2`},
		{"sealed", `UPDATE evidence SET sealed = sealed || 'x' WHERE position = 2`},
		{"no sealed", `DELETE FROM evidence WHERE position = 2`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := create(t, sqlite.Options{})
			mustWrite(t, s, "s", eventstore.NoStream, "a", "b", "c")
			p := path(t, s)
			tamper(t, p, c.change)
			_, err := s.ReadStream(t.Context(), "s", eventstore.ReadOptions{Sealed: true})
			wantCorrupt(t, "stream", err)
			for b, err := range s.Follow(t.Context(), 0, eventstore.FollowOptions{Sealed: true}) {
				if err == nil {
					t.Errorf("a follower was served %d events", len(b.Events))
					break
				}
				wantCorrupt(t, "follower", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = sqlite.Open(t.Context(), p, sqlite.Options{})
			wantCorrupt(t, "open", err)
		})
	}
}

func wantCorrupt(t *testing.T, what string, err error) {
	t.Helper()
	wantKind(t, what, err, domain.KindCorrupt)
	if !strings.Contains(fmt.Sprint(err), "position 2") {
		t.Errorf("%s: the error does not name the position: %v", what, err)
	}
}

// tamper changes a file in spite of its triggers, and puts them back.
func tamper(t *testing.T, path, change string) {
	t.Helper()
	db := database(t, path)
	rows, err := db.QueryContext(t.Context(), "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	triggers := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		triggers[name] = text
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for name := range triggers {
		mustExec(t, db, "DROP TRIGGER "+name)
	}
	mustExec(t, db, change)
	for _, text := range triggers {
		mustExec(t, db, text)
	}
}

// TestOpenChecks: a log whose end contradicts itself, or a file without its
// guards, is not opened.
func TestOpenChecks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, change, says string }{
		{"a dropped trigger", "DROP TRIGGER events_update", "events_update"},
		{"a foreign table", "CREATE TABLE x (a)", "tables"},
		{"a dropped index", "DROP INDEX events_stream", "events_stream"},
	} {
		s := create(t, sqlite.Options{})
		mustWrite(t, s, "s", eventstore.NoStream, "a", "b", "c")
		p := path(t, s)
		mustExec(t, database(t, p), c.change)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := sqlite.Open(t.Context(), p, sqlite.Options{})
		wantKind(t, c.name, err, domain.KindCorrupt)
		if !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestGap: an event was taken out of a stream.
func TestGap(t *testing.T) {
	t.Parallel()
	for _, gone := range []int{1, 2} {
		s := create(t, sqlite.Options{})
		mustWrite(t, s, "s", eventstore.NoStream, "a", "b", "c")
		p := path(t, s)
		tamper(t, p, fmt.Sprintf("DELETE FROM events WHERE position = %d", gone))
		_, err := s.ReadStream(t.Context(), "s", eventstore.ReadOptions{})
		wantKind(t, fmt.Sprintf("read without event %d", gone), err, domain.KindCorrupt)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = sqlite.Open(t.Context(), p, sqlite.Options{})
		wantKind(t, fmt.Sprintf("open without event %d", gone), err, domain.KindCorrupt)
	}
}

// TestOpenLongLog: only the end is checked, and streams that began before it
// are in order.
func TestOpenLongLog(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	for i := 0; i < sqlite.Tail+100; i += 50 {
		names := make([]string, 0, 50)
		for j := range 50 {
			names = append(names, fmt.Sprint(i+j))
		}
		mustWrite(t, s, "s", eventstore.Expected(i-1), names...)
	}
	s = reopen(t, s, sqlite.Options{})
	storetest.CheckLog(t, s)
}

// TestFlippedBit damages the file itself, not through SQL.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	e := storetest.NewEvent("b")
	e.Data = []byte(`{"amount":"12.34 MARK"}`)
	mustWrite(t, s, "s", eventstore.NoStream, "a")
	if _, err := s.Append(t.Context(), "s", 0, []eventstore.Event{e}); err != nil {
		t.Fatal(err)
	}
	p := path(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(content, e.Data)
	if at < 0 {
		t.Fatal("the event is not in the file")
	}
	content[at+12] ^= 0x04 // 12.34 becomes 16.34
	if err := os.WriteFile(p, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), p, sqlite.Options{})
	wantCorrupt(t, "open", err)
}

// TestDamagedUnderway: a file that turns out damaged while it is open takes no
// appends any more, until someone has looked.
func TestDamagedUnderway(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	fill := storetest.NewEvent("a")
	fill.Sealed = bytes.Repeat([]byte("x"), 100_000)
	if _, err := s.Append(t.Context(), "s", eventstore.NoStream, []eventstore.Event{fill}); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, sqlite.Options{}) // everything moves into the database
	if err := s.Exec("PRAGMA shrink_memory"); err != nil {
		t.Fatal(err)
	}
	p := path(t, s)
	f, err := os.OpenFile(p, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 10*8192), 8192); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		_, err = s.Append(t.Context(), "s", 0, storetest.NewEvents("b"))
		wantKind(t, fmt.Sprint("append ", i), err, domain.KindCorrupt)
	}
	wantKind(t, "ready", s.Ready(t.Context()), domain.KindCorrupt)
	_, err = s.ReadStream(t.Context(), "s", eventstore.ReadOptions{})
	wantKind(t, "read", err, domain.KindCorrupt)
	if s.Cause() != nil {
		t.Errorf("a damaged file counts as a failed sync: %v", s.Cause())
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	mustWrite(t, s, "s", eventstore.NoStream, "a", "b")
	i, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if i.Head != 2 || i.Bytes == 0 || i.LogBytes == 0 || i.Free == 0 || i.Shape != 1 || !strings.HasPrefix(i.SQLite, "3.") {
		t.Errorf("%+v", i)
	}
}

// What recovery finds in the log is in the database before the store answers:
// after a failed sync the log's pages may stand in memory only.
func TestOpenLandsLog(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	mustWrite(t, s, "a", eventstore.NoStream, "1", "2", "3")
	dir := t.TempDir()
	crashed := filepath.Join(dir, "crashed.db")
	for _, end := range []string{"", "-wal"} {
		duplicate(t, path(t, s)+end, crashed+end)
	}
	again, err := sqlite.Open(t.Context(), crashed, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	alone := filepath.Join(dir, "alone.db")
	duplicate(t, crashed, alone)
	without, err := sqlite.Open(t.Context(), alone, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer without.Close()
	events, err := without.ReadStream(t.Context(), "a", eventstore.ReadOptions{})
	if err != nil || len(events) != 3 {
		t.Errorf("without the log: %d events, %v", len(events), err)
	}
}

func duplicate(t testing.TB, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A folder that may only be read is told of as one, with what to do: an auditor
// has such copies.
func TestOpenWhatMayNotBeWritten(t *testing.T) {
	t.Parallel()
	const directory = 8 | 6<<8 // SQLITE_READONLY_DIRECTORY
	err := sqlite.OpenError("/mnt/copy/events.db", directory, "attempt to write a readonly database")
	if domain.KindOf(err) != domain.KindDenied || !strings.Contains(err.Error(), "copy the whole folder") {
		t.Errorf("%v", err)
	}
}
