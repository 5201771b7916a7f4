package tamperlog

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"counterfoil/domain"
)

// A tree that is made again has the root that was signed, or is not signed.
func TestRebuild(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.write(300)
	must(t, s.sealer().CatchUp(t.Context(), time.Second))
	before := s.sound()
	must(t, Rebuild(s.dir))
	must(t, s.sealer().CatchUp(t.Context(), time.Second))
	if after := s.sound(); after.Checkpoint != before.Checkpoint {
		t.Errorf("%+v, before %+v", after, before)
	}
	s.write(3)
	must(t, s.sealer().CatchUp(t.Context(), time.Second))
	must(t, Rebuild(s.dir))
	s.log.tell(lies["a changed event"].lie)
	if err := s.sealer().CatchUp(t.Context(), time.Second); domain.KindOf(err) != domain.KindCorrupt {
		t.Errorf("another history: %v", err)
	}
}

// Whoever serves the tree meanwhile goes on with the new files.
func TestReadersSurviveARebuild(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.write(300)
	must(t, s.sealer().CatchUp(t.Context(), time.Second))
	f := OpenFolder(s.dir)
	defer func() { must(t, f.Close()) }()
	for range 2 {
		head, err := f.Checkpoint()
		must(t, err)
		for _, n := range []uint64{0, head.Size - 1} {
			if _, err := f.Inclusion(head.Checkpoint, n, head.Size); err != nil {
				t.Errorf("leaf %d of %d: %v", n, head.Size, err)
			}
		}
		must(t, Rebuild(s.dir))
		s.write(300)
		must(t, s.sealer().CatchUp(t.Context(), time.Second))
	}
}

// A log that is shorter than what was signed is not waited for.
func TestRebuildOfAShorterLog(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.write(300)
	must(t, s.sealer().CatchUp(t.Context(), time.Second))
	must(t, Rebuild(s.dir))
	s.log.tell(lies["a cut-off end"].lie)
	if err := s.sealer().CatchUp(t.Context(), time.Second); domain.KindOf(err) != domain.KindCorrupt {
		t.Error(err)
	}
}

func TestRebuildNeedsTheLock(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	unlock, err := s.sealer().lock(context.Background())
	must(t, err)
	defer unlock()
	if err := Rebuild(s.dir); domain.KindOf(err) != domain.KindConflict {
		t.Error(err)
	}
}

// An export holds what is served, under the paths it is served at.
func TestExport(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	out := filepath.Join(t.TempDir(), "site")
	for range 2 {
		s.write(300)
		must(t, s.sealer().CatchUp(t.Context(), time.Second))
		f := OpenFolder(s.dir)
		must(t, os.MkdirAll(out, 0o700))
		head, err := f.Export(out)
		must(t, err)
		for _, tile := range []Tile{{0, 0, 256}, {0, head.Size / 256, int(head.Size % 256)}, {1, 0, int(head.Size / 256)}} {
			want, err := f.Tile(tile, head.Size)
			must(t, err)
			got, err := os.ReadFile(filepath.Join(out, tile.Path()))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v", tile.Path(), err)
			}
		}
		note, err := os.ReadFile(filepath.Join(out, "checkpoint"))
		if err != nil || !bytes.Equal(note, head.Note) {
			t.Error(err)
		}
		must(t, f.Close())
	}
}

// A child process that is just being started has every file of its parent for
// a moment: it must not keep the lock.
func TestTheLockIsGivenBackWhoeverHasTheFile(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	unlock, err := s.sealer().lock(t.Context())
	must(t, err)
	for _, fd := range openedAs(t, filepath.Join(s.dir, lockName)) {
		child, err := syscall.Dup(fd)
		must(t, err)
		defer func() { must(t, syscall.Close(child)) }()
	}
	unlock()
	must(t, Rebuild(s.dir))
}

// openedAs are this process's descriptors of a file.
func openedAs(t *testing.T, path string) (fds []int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not show open files")
	}
	for _, e := range all {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && to == path {
			fd, err := strconv.Atoi(e.Name())
			must(t, err)
			fds = append(fds, fd)
		}
	}
	if len(fds) == 0 {
		t.Fatalf("%s is not open", path)
	}
	return fds
}
