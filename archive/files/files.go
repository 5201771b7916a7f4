// Package files keeps an archive in a directory: one gzip file per content,
// named by the SHA-256 of the bytes inside, two levels deep:
//
//	<dir>/ab/abcdef….gz
//	<dir>/incoming/…      unfinished; removed when the archive is opened
//
// A file is written beside its place, synced, and then renamed into it, so a
// power cut leaves it whole or not at all. Reading hashes every byte again.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"counterfoil/archive"
	"counterfoil/domain"
)

// Config shapes an Archive.
type Config struct {
	// MaxSize is the most bytes of one file before compression; 0 means 8 GiB.
	// A bill of ten million rows has about 3 GiB.
	MaxSize int64
	// Clock tells how old unfinished files are; required.
	Clock func() time.Time
}

const (
	defaultMaxSize = 8 << 30
	incoming       = "incoming"
	// abandonedAfter is how long an unfinished file may be another process's
	// work; older ones are what a crash left behind.
	abandonedAfter = 24 * time.Hour
)

// Archive keeps files below one directory. It is safe for concurrent use, by
// several processes too.
type Archive struct {
	dir string
	cfg Config
}

// Open is the archive in dir, which is made when it is not there.
func Open(dir string, cfg Config) (*Archive, error) {
	if cfg.Clock == nil {
		return nil, domain.EField(domain.KindInvalid, "clock", "an archive needs a clock")
	}
	if cfg.MaxSize == 0 {
		cfg.MaxSize = defaultMaxSize
	}
	if cfg.MaxSize < 0 {
		return nil, domain.EField(domain.KindInvalid, "max_size", "%d: above 0", cfg.MaxSize)
	}
	a := &Archive{dir: dir, cfg: cfg}
	if err := os.MkdirAll(filepath.Join(dir, incoming), 0o700); err != nil {
		return nil, domain.E(domain.KindUnavailable, "make the archive %s: %w", dir, err)
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	return a, a.clean()
}

// clean removes what crashes left unfinished.
func (a *Archive) clean() error {
	dir := filepath.Join(a.dir, incoming)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return domain.E(domain.KindUnavailable, "list unfinished files: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || a.cfg.Clock().Sub(info.ModTime()) < abandonedAfter {
			continue // gone meanwhile, or somebody's work
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return domain.E(domain.KindUnavailable, "remove an unfinished file: %w", err)
		}
	}
	return nil
}

// path is where a file lies.
func (a *Archive) path(id archive.ID) string {
	name := id.String()
	return filepath.Join(a.dir, name[:2], name+".gz")
}

// Has implements archive.Archive.
func (a *Archive) Has(_ context.Context, id archive.ID) (bool, error) {
	_, err := os.Stat(a.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, domain.E(domain.KindUnavailable, "look for %s in the archive: %w", id, err)
	}
	return true, nil
}

// Open implements archive.Archive.
func (a *Archive) Open(ctx context.Context, id archive.ID) (io.ReadCloser, error) {
	f, err := os.Open(a.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, domain.E(domain.KindNotFound, "the archive has no file %s", id)
	}
	if err != nil {
		return nil, domain.E(domain.KindUnavailable, "open %s in the archive: %w", id, err)
	}
	return newReader(ctx, f, id, a.cfg.MaxSize), nil
}

// syncDir makes a directory's names durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) // the archive's own directory
	if err != nil {
		return domain.E(domain.KindUnavailable, "sync directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return domain.E(domain.KindUnknown, "sync directory %s: %w", dir, err)
	}
	return nil
}

// whole reads a kept file to its end and tells whether its bytes are intact.
func (a *Archive) whole(ctx context.Context, id archive.ID) error {
	r, err := a.Open(ctx, id)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("read %s again: %w", id, err)
	}
	return nil
}
