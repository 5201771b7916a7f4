package sqlite_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
	"counterfoil/eventstore/storetest"
)

// medium is a folder, and how it becomes one that nobody can write: root needs a
// file system that is read-only for that.
func medium(t *testing.T) (dir string, seal func()) {
	t.Helper()
	dir = t.TempDir()
	if os.Geteuid() != 0 {
		t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
		return dir, func() { chmodAll(t, dir) }
	}
	run := func(args ...string) error {
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Logf("%v: %s", args, bytes.TrimSpace(out))
		}
		return err
	}
	if run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", dir) != nil {
		t.Skip("SKIPPED: this root may not mount a file system")
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil { //nolint:noctx // the test's context is over
			t.Errorf("%v: %s", err, out)
		}
	})
	return dir, func() {
		if err := run("mount", "-o", "remount,ro", dir); err != nil {
			t.Fatal(err)
		}
	}
}

func chmodAll(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Chmod(f, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
}

// TestStillFiles: who only reads opens a store on a medium that cannot be
// written, reads all of it and looks through its pages; who writes is refused.
func TestStillFiles(t *testing.T) {
	dir, seal := medium(t)
	at := filepath.Join(dir, "events #1?.db") // what a URI must not take for its own
	if err := sqlite.Create(at, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	w, err := sqlite.Open(t.Context(), at, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, "a", eventstore.NoStream, "1", "2", "3")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	seal()
	if _, err := sqlite.Open(t.Context(), at, sqlite.Options{}); domain.KindOf(err) != domain.KindDenied {
		t.Errorf("to write: %v", err)
	}
	s, err := sqlite.Open(t.Context(), at, sqlite.Options{OnlyReads: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.CheckLog(t, s)
	if events, err := s.ReadStream(t.Context(), "a", eventstore.ReadOptions{}); err != nil || len(events) != 3 || !s.Still() {
		t.Errorf("%d events, %v", len(events), err)
	}
	if found, err := s.Inspect(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("inspected: %q, %v", found, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = s.Append(ctx, "a", 2, []eventstore.Event{{ID: domain.ID{1}, Type: "x.y.v1", Data: []byte("{}"), Meta: []byte("{}")}})
	wantKind(t, "append", err, domain.KindDenied)
}

// TestStillFilesAreWhole: what stands beside a file on such a medium would be
// read over, so the file is refused and told to be copied with the rest.
func TestStillFilesAreWhole(t *testing.T) {
	live := create(t, sqlite.Options{})
	mustWrite(t, live, "a", eventstore.NoStream, "1", "2", "3")
	dir, seal := medium(t)
	names := map[string][]string{"whole": {"", "-wal"}, "alone": {""}, "empty": {""}, "journal": {""}, "index": {"", "-shm"}}
	for name, ends := range names {
		for _, end := range ends {
			duplicate(t, path(t, live)+end, filepath.Join(dir, name+".db"+end))
		}
	}
	for name, content := range map[string]string{"empty.db-wal": "", "journal.db-journal": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seal()
	for name, refused := range map[string]string{"whole": "whole.db-wal", "journal": "journal.db-journal", "index": "index.db-shm", "alone": "", "empty": ""} {
		s, err := sqlite.Open(t.Context(), filepath.Join(dir, name+".db"), sqlite.Options{OnlyReads: true})
		if err == nil {
			_ = s.Close()
		}
		switch {
		case refused == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case refused != "" && (domain.KindOf(err) != domain.KindDenied || !strings.Contains(err.Error(), refused) || !strings.Contains(err.Error(), "-shm to where")):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStillIsOnlyForWhatCannotBeWritten: a store that can be written is opened as
// ever, whoever asks: others may be at it.
func TestStillIsOnlyForWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	mustWrite(t, s, "a", eventstore.NoStream, "1")
	r, err := sqlite.Open(t.Context(), path(t, s), sqlite.Options{OnlyReads: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustWrite(t, s, "b", eventstore.NoStream, "2")
	if events, err := r.ReadStream(t.Context(), "b", eventstore.ReadOptions{}); err != nil || len(events) != 1 || r.Still() {
		t.Errorf("%d events, still: %t, %v", len(events), r.Still(), err)
	}
}
