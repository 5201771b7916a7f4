package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"counterfoil/domain"
)

// TestTinyDisk is TestFullDisk with the true error of a file system of 1 MB.
// Making one takes rights that not everybody has.
func TestTinyDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { noError(t, syscall.Unmount(dir, 0)) })
	path := filepath.Join(dir, "operations.db")
	noError(t, Create(path))
	s := openFile(t, path)
	filler := filepath.Join(dir, "filler")
	noError(t, fillUp(filler))
	for i := 0; ; i++ {
		if _, err := s.EnsureDataKey(t.Context(), nth(i)); err != nil {
			wantKind(t, err, domain.KindUnavailable, "full")
			break
		}
	}
	wantKind(t, s.Ready(t.Context()), domain.KindUnavailable, "full")
	noError(t, os.Remove(filler))
	noError(t, s.Ready(t.Context()))
	_, err := s.EnsureDataKey(t.Context(), nth(1_000_000))
	noError(t, err)
	noError(t, s.Close())
}

// fillUp writes a file until nothing more fits.
func fillUp(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}
