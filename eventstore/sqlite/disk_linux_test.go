package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
	"counterfoil/eventstore/storetest"
)

func TestNetworkFileSystems(t *testing.T) {
	t.Parallel()
	for magic, good := range map[uint32]bool{0xef53: true, 0x58465342: true, 0x01021994: true, 0x6969: false, 0xff534d42: false, 0x65735546: false} {
		if err := sqlite.CheckMagic("/x", magic); (err == nil) != good {
			t.Errorf("file system %#x: %v", magic, err)
		}
	}
}

// TestFullDisk fills a real file system of 3 MB.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("SKIPPED: a small file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	o := sqlite.Options{MinFree: -1}
	path := filepath.Join(dir, "events.db")
	if err := sqlite.Create(path, o); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, o)
	n, err := fillUp(t, s)
	wantKind(t, "append to a full disk", err, domain.KindUnavailable)
	wantKind(t, "ready", s.Ready(t.Context()), domain.KindUnavailable)
	storetest.CheckLog(t, s) // reading goes on
	later := open(t, path, o)
	storetest.CheckLog(t, later) // also for who comes now
	_, err = later.Append(t.Context(), "later", eventstore.NoStream, storetest.NewEvents("x"))
	wantKind(t, "append to a store opened on a full disk", err, domain.KindUnavailable)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it recovered", func() bool { return s.Ready(t.Context()) == nil && later.Ready(t.Context()) == nil })
	mustWrite(t, later, "later", eventstore.NoStream, "x")
	mustWrite(t, s, "s", eventstore.Expected(n-1), "after")
	if got := len(storetest.Log(t, s)); got != n+2 {
		t.Errorf("%d events, %d were acknowledged", got, n+2)
	}
	if err := later.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// fillUp appends until the disk is full, and is how many fitted.
func fillUp(t *testing.T, s *sqlite.Store) (int, error) {
	t.Helper()
	for n := 0; ; n++ {
		e := storetest.NewEvent(fmt.Sprint(n))
		e.Sealed = make([]byte, 20_000)
		if _, err := s.Append(t.Context(), "s", eventstore.Expected(n-1), []eventstore.Event{e}); err != nil {
			return n, err
		}
	}
}
