package crash

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestFullDisk fills the disk under the real API while callbacks come in: they
// are answered with failure, readiness turns red and says what to do, the log
// stays whole. Once there is room it recovers without a restart, and the
// repeats that follow each failure are credited, once.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=128m"); err != nil {
		t.Skipf("SKIPPED: a small file system needs root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := newSite(t, setup{dir: dir})
	api, _ := s.startAPI(t)
	some := orders(plain, "D", 300)
	s.place(t, some)
	w := witness{orders: some, counts: map[string]*count{}}
	s.deliver(t, &w, some[0], "before", success)
	must(t, s.ready(t))

	ballast := s.fillUnderLoad(t, &w, some[1:250])
	eventually(t, 10*time.Second, "readiness is red", func() bool { return s.ready(t) != nil })
	eventually(t, 10*time.Second, "readiness says what to do", func() bool {
		return strings.Contains(fmt.Sprint(s.ready(t)), "make room")
	})
	for i, o := range some[250:260] {
		s.deliver(t, &w, o, fmt.Sprint("full-", i), failure)
	}
	j := newJournal()
	j.read(t, s) // what is there stays readable
	w.check(t, j)

	must(t, os.Remove(ballast))
	eventually(t, 10*time.Second, "readiness is green again", func() bool { return s.ready(t) == nil })
	for i, o := range some {
		s.deliver(t, &w, o, fmt.Sprint("after-", i), success)
	}
	j.read(t, s)
	w.check(t, j)
	s.checkBalances(t, j)
	api.stop(t)
	s.checkStore(t, j)
}

// fillUnderLoad takes the last byte of the disk while callbacks come in, and
// returns when failures are answered. Its result is the file to remove.
func (s *site) fillUnderLoad(t *testing.T, w *witness, some []order) (ballast string) {
	t.Helper()
	var senders sync.WaitGroup
	var failures, next atomic.Int64
	for range 4 {
		conn, err := dial(t.Context(), s.api, "")
		must(t, err)
		senders.Go(func() {
			defer conn.close()
			for i := int(next.Add(1) - 1); failures.Load() < 20 && i < 100_000; i = int(next.Add(1) - 1) {
				c := s.paid(t, some[i%len(some)], fmt.Sprint("filling-", i), i%2 == 0)
				w.sent(c)
				got, err := conn.send(c.wire)
				if err != nil {
					t.Errorf("no answer on a full disk: %v", err)
					return
				}
				if got == failure {
					failures.Add(1)
					continue
				}
				w.answered(c, got)
			}
		})
	}
	ballast = filepath.Join(s.dir, "ballast")
	fill(t, ballast)
	senders.Wait()
	if failures.Load() == 0 {
		t.Error("no callback failed on a full disk")
	}
	return ballast
}

// fill takes all the room there is, as fast as it goes.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for piece := int64(16 << 20); piece >= 4096; {
		at, err := f.Seek(0, 2)
		must(t, err)
		switch err := syscall.Fallocate(int(f.Fd()), 0, at, piece); {
		case err == nil:
		case errors.Is(err, syscall.ENOSPC):
			piece /= 2
		default:
			must(t, err)
		}
	}
}
