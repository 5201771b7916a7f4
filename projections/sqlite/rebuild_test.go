package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// TestRebuildUnderLoad: while a runner folds and readers read, a rebuild takes
// the place of the file; nobody goes back behind a position already seen, and
// the runner goes on in the new file.
func TestRebuildUnderLoad(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 200, 20)
	at := path(t)
	working, reading := openDB(t, at), openDB(t, at)
	running(t, l, working)
	head, _ := l.Head(context.Background())
	waitFor(t, reading, head)
	old, err := current(at)
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var seen eventstore.Position
		for {
			select {
			case <-stop:
				return
			default:
			}
			_, p, err := reading.Balances(context.Background(), "user:1", projections.AsOf{})
			if err != nil || p < seen {
				t.Errorf("read at %d after %d: %v", p, seen, err)
				return
			}
			seen = p
		}
	}()
	for range 3 {
		l.payments(t, 20, 20)
		told, err := Rebuild(context.Background(), l, at, RebuildConfig{Page: 64})
		if err != nil || !told.Compared || told.Before != told.After {
			t.Fatalf("rebuild: %+v, %v", told, err)
		}
	}
	l.payments(t, 20, 20)
	head, _ = l.Head(context.Background())
	waitFor(t, working, head)
	waitFor(t, reading, head)
	close(stop)
	<-done
	until(t, "readers follow the link", func() bool {
		now, _ := current(at)
		return working.files.Load().file == now && reading.files.Load().file == now && now != old
	})
	modelOf(t, l.all(t)).check(t, reading)
	if _, err := os.Stat(old); err == nil {
		t.Error("the old file is still there")
	}
}

// TestRebuildFindsWrongRows: rows that differ from the log are told, with both
// digests, and replaced only when accepted.
func TestRebuildFindsWrongRows(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 20, 3)
	at := path(t)
	d := openDB(t, at)
	fold(t, l, d, 100)
	file, _ := current(at)
	c, err := open(file, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.exec("UPDATE entries SET after = after + 1 WHERE ledger = 3"); err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	told, err := Rebuild(context.Background(), l, at, RebuildConfig{})
	if domain.KindOf(err) != domain.KindCorrupt || !told.Compared || told.Before.SHA256 == told.After.SHA256 {
		t.Fatalf("wrong rows: %+v, %v", told, err)
	}
	if now, _ := current(at); now != file {
		t.Fatalf("switched to %s in spite of the difference", now)
	}
	told, err = Rebuild(context.Background(), l, at, RebuildConfig{Accept: true})
	if err != nil || told.File == "" {
		t.Fatalf("accepted: %+v, %v", told, err)
	}
	right := openDB(t, at)
	modelOf(t, l.all(t)).check(t, right)
}

// TestRebuildWithoutComparison: rows that are missing, damaged, empty or of
// another log are replaced, and the report says why nothing was compared.
func TestRebuildWithoutComparison(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why   string
		spoil func(t *testing.T, at string)
	}{
		"missing": {"no rows before", func(*testing.T, string) {}},
		"damaged": {"cannot be", func(t *testing.T, at string) {
			if err := os.WriteFile(at, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"empty": {"are empty", func(t *testing.T, at string) { openDB(t, at) }},
		"ahead": {"not of this log", func(t *testing.T, at string) {
			longer := newLog()
			longer.payments(t, 40, 3)
			fold(t, longer, openDB(t, at), 100)
		}},
		"older": {"older version", func(t *testing.T, at string) { stamp(t, at, 0) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog()
			l.payments(t, 20, 3)
			at := path(t)
			c.spoil(t, at)
			told, err := Rebuild(context.Background(), l, at, RebuildConfig{})
			if err != nil || told.Compared || !strings.Contains(told.Why, c.why) {
				t.Fatalf("%+v, %v", told, err)
			}
			d := openDB(t, at)
			modelOf(t, l.all(t)).check(t, d)
		})
	}
}

// stamp makes a file of another version at a path.
func stamp(t *testing.T, at string, version int) {
	t.Helper()
	file, err := ensure(at)
	if err != nil {
		t.Fatal(err)
	}
	c, err := open(file, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.exec("PRAGMA user_version = " + strconv.Itoa(version)); err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
}

// TestRebuildsDoNotMix: a second rebuild is told that one is under way.
func TestRebuildsDoNotMix(t *testing.T) {
	t.Parallel()
	at := path(t)
	l, err := openLock(at + ".rebuild")
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if ok, err := l.try(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := Rebuild(context.Background(), newLog(), at, RebuildConfig{}); domain.KindOf(err) != domain.KindConflict {
		t.Fatalf("got %v", err)
	}
}

// TestRebuildCanBeStopped: a cancelled rebuild leaves everything as it was.
func TestRebuildCanBeStopped(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 50, 3)
	at := path(t)
	d := openDB(t, at)
	fold(t, l, d, 100)
	before, _ := filepath.Glob(filepath.Join(filepath.Dir(at), "*.db"))
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Rebuild(ctx, l, at, RebuildConfig{Page: 10, Progress: func(projections.Progress) { cancel() }})
	if err == nil {
		t.Fatal("a cancelled rebuild succeeded")
	}
	after, _ := filepath.Glob(filepath.Join(filepath.Dir(at), "*.db"))
	if len(before) != len(after) {
		t.Fatalf("files before %v, after %v", before, after)
	}
	modelOf(t, l.all(t)).check(t, d)
}

// TestOpenVersions: an older file is replaced by an empty one, a newer one is
// left alone.
func TestOpenVersions(t *testing.T) {
	t.Parallel()
	older, newer := path(t), path(t)
	stamp(t, older, 0)
	was, _ := current(older)
	d := openDB(t, older)
	if now := d.files.Load().file; now == was {
		t.Error("the older file is still in use")
	}
	stamp(t, newer, schemaVersion+1)
	if _, err := Open(newer, Config{}); domain.KindOf(err) != domain.KindMismatch {
		t.Errorf("a newer file: %v", err)
	}
}

// TestOpenAtOnce: processes that start together on an empty folder agree on
// one file.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	at := path(t)
	files := make(chan string, 8)
	for range cap(files) {
		go func() {
			file, err := ensure(at)
			if err != nil {
				t.Error(err)
			}
			files <- file
		}()
	}
	first := <-files
	for range cap(files) - 1 {
		if f := <-files; f != first {
			t.Errorf("%s and %s", first, f)
		}
	}
}
