package tamperlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"counterfoil/domain"
)

// lockPause is how soon a standby takes over when the working process dies.
const lockPause = 500 * time.Millisecond

// lock waits for the right to add leaves. It ends with its process, however
// that ends; unlock is nil when ctx ended first.
func (s *Sealer) lock(ctx context.Context) (unlock func(), err error) {
	path := filepath.Join(s.cfg.Dir, lockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // the operator's own path
	if err != nil {
		return nil, fileError(err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() {
				// By name: closing alone leaves it to a child that is being started, which
				// has the file, too, until it runs its own program.
				_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
				_ = f.Close()
			}, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			_ = f.Close()
			return nil, domain.E(domain.KindUnavailable, "lock %s: %w", path, err)
		}
		if pause(ctx, lockPause); ctx.Err() != nil {
			return nil, f.Close()
		}
	}
}
