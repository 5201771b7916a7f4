package sqlite

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"counterfoil/domain"
)

// lockPause is how long a standby waits before it asks for the lock again: how
// soon it takes over when the working process dies.
const lockPause = 250 * time.Millisecond

// fileLock is a lock that ends with its process, however that ends. Each
// opening is a holder of its own, also within one process.
type fileLock struct{ f *os.File }

func openLock(name string) (*fileLock, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) // the operator's own path
	if err != nil {
		return nil, domain.E(domain.KindUnavailable, "open the lock file: %w", err)
	}
	return &fileLock{f}, nil
}

// lock waits for the lock: syscall.LOCK_EX or LOCK_SH.
func (l *fileLock) lock(how int) error {
	for {
		err := syscall.Flock(int(l.f.Fd()), how)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return domain.E(domain.KindUnavailable, "lock %s: %w", l.f.Name(), err)
		}
		return nil
	}
}

// try takes the exclusive lock if nobody holds it.
func (l *fileLock) try() (bool, error) {
	err := syscall.Flock(int(l.f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		return false, nil
	}
	return false, domain.E(domain.KindUnavailable, "lock %s: %w", l.f.Name(), err)
}

// wait asks for the exclusive lock until it has it or ctx ends.
func (l *fileLock) wait(ctx context.Context) error {
	t := time.NewTicker(lockPause)
	defer t.Stop()
	for {
		if ok, err := l.try(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return domain.E(domain.KindUnavailable, "%s: %w", l.f.Name(), ctx.Err())
		case <-t.C:
		}
	}
}

// unlock gives the lock back and keeps the file open.
func (l *fileLock) unlock() {
	syscall.Flock(int(l.f.Fd()), syscall.LOCK_UN) //nolint:errcheck // close does it too
}

func (l *fileLock) close() {
	l.f.Close() // the lock goes with it
}
