package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"counterfoil/domain"
)

// wantKind fails unless err has that kind and says the words.
func wantKind(t *testing.T, err error, kind domain.Kind, words string) {
	t.Helper()
	if err == nil || domain.KindOf(err) != kind || !strings.Contains(err.Error(), words) {
		t.Fatalf("error %v (%s), want %s with %q", err, domain.KindOf(err), kind, words)
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCreateMakesPrivateFiles(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	s := openFile(t, path)
	noError(t, s.PutCursor(t.Context(), "c", 1))
	for name, want := range map[string]os.FileMode{
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, filepath.Dir(path): 0o700,
	} {
		info, err := os.Stat(name)
		noError(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %s, want %s", filepath.Base(name), got, want)
		}
	}
	noError(t, s.Close())
	if _, err := os.Stat(path + "-wal"); !os.IsNotExist(err) {
		t.Errorf("the last one to close leaves the WAL: %v", err)
	}
}

func TestCreateLeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	noError(t, os.WriteFile(path, []byte("mine"), 0o600))
	wantKind(t, Create(path), domain.KindConflict, "exists already")
	if kept, err := os.ReadFile(path); err != nil || string(kept) != "mine" {
		t.Errorf("the file is now %q, %v", kept, err)
	}
}

func TestOddPaths(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?mode=memory#c%20d&e", "öperations.db")
	noError(t, Create(path))
	s := openFile(t, path)
	noError(t, s.PutCursor(t.Context(), "c", 1))
	noError(t, s.Close())
	if info, err := os.Stat(path); err != nil || info.Size() < 4096 {
		t.Errorf("the store is elsewhere: %v, %v", info, err)
	}
}

// sqliteFile makes a database that is not ours.
func sqliteFile(t *testing.T, statements string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.db")
	db, err := sql.Open("sqlite", path)
	noError(t, err)
	_, err = db.Exec(statements)
	noError(t, err)
	noError(t, db.Close())
	return path
}

func textFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text")
	noError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	ours := fmt.Sprintf("PRAGMA application_id = %d; CREATE TABLE t (x);", applicationID)
	cases := []struct {
		name, path string
		kind       domain.Kind
		words      string
	}{
		{"missing", filepath.Join(t.TempDir(), "none.db"), domain.KindNotFound, "make one with init"},
		{"empty", textFile(t, ""), domain.KindCorrupt, "interrupted"},
		{"text", textFile(t, strings.Repeat("not a database ", 50)), domain.KindCorrupt, "is not a SQLite file"},
		{"foreign", sqliteFile(t, "CREATE TABLE t (x)"), domain.KindMismatch, "another application"},
		{"newer", sqliteFile(t, ours+"PRAGMA user_version = 99"), domain.KindMismatch, fmt.Sprintf("schema 99, this program knows up to %d", len(steps))},
	}
	for _, c := range cases {
		before, _ := os.ReadFile(c.path)
		_, err := Open(t.Context(), c.path, testOptions(t))
		wantKind(t, err, c.kind, c.words)
		if after, _ := os.ReadFile(c.path); c.name != "newer" && !bytes.Equal(before, after) {
			t.Errorf("%s: the refused file was changed", c.name)
		}
	}
}

func TestOpenRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for field, spoil := range map[string]func(*Options){
		"Clock":         func(o *Options) { o.Clock = nil },
		"KeepCallbacks": func(o *Options) { o.KeepCallbacks = -1 },
		"MaxCallbacks":  func(o *Options) { o.MaxCallbacks = -1 },
	} {
		o := testOptions(t)
		spoil(&o)
		_, err := Open(t.Context(), newFile(t), o)
		wantKind(t, err, domain.KindInvalid, field)
	}
}

func TestOpenWarnsOfOpenFile(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	noError(t, os.Chmod(path, 0o640))
	var log bytes.Buffer
	o := testOptions(t)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s, err := Open(t.Context(), path, o)
	noError(t, err)
	noError(t, s.Close())
	if !strings.Contains(log.String(), "open to other users") {
		t.Errorf("no warning in %q", log.String())
	}
}

func TestOldSQLiteIsRefused(t *testing.T) {
	t.Parallel()
	for version, fine := range map[string]bool{
		"3.51.3": true, "3.51.10": true, "3.52.0": true, "4.0.0": true, "3.51.2": false, "3.7.17": false, "2.99.99": false, "x": false,
	} {
		if err := refuseOld(version); (err == nil) != fine {
			t.Errorf("SQLite %s: %v", version, err)
		}
	}
}

// TestSynchronous reads back the settings that durability hangs on.
func TestSynchronous(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	defer s.Close()
	for name, c := range map[string]struct {
		committer *committer
		want      int
	}{"keys": {s.durable, 2}, "the rest": {s.normal, 1}} {
		var synchronous, mmap int
		var mode string
		pragma := func(name string, into any) {
			noError(t, c.committer.tx.conn.QueryRowContext(context.Background(), "PRAGMA "+name).Scan(into))
		}
		pragma("synchronous", &synchronous)
		pragma("journal_mode", &mode)
		pragma("mmap_size", &mmap)
		if synchronous != c.want || mode != "wal" || mmap != 0 {
			t.Errorf("%s: synchronous %d, journal %s, mmap %d", name, synchronous, mode, mmap)
		}
	}
}

func TestDamagedRowsAreCorrupt(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	defer s.Close()
	_, err := s.EnsureDataKey(t.Context(), "payment-a:1")
	noError(t, err)
	noError(t, s.normal.do(t.Context(), func(tx *tx) error {
		_, err := tx.exec(`UPDATE data_keys SET key = x'00'`)
		return err
	}))
	_, err = s.DataKey(t.Context(), "payment-a:1")
	wantKind(t, err, domain.KindCorrupt, "has 1 bytes")
	_, err = s.EnsureDataKey(t.Context(), "payment-a:1")
	wantKind(t, err, domain.KindCorrupt, "has 1 bytes")
}
