package tamperlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"counterfoil/domain"
)

// The files of a tree, see the package comment.
const (
	checkpointName = "checkpoint"
	publicName     = "key"
	indexName      = "index"
	tileName       = "tile-"
	idsName        = "ids"
	stoppedName    = "stopped"
	lockName       = "lock"
)

// writeFile writes a file whole or not at all, and durably.
func writeFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return domain.E(domain.KindUnavailable, "write %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return domain.E(domain.KindUnavailable, "write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return syncFolder(dir)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return domain.E(domain.KindUnavailable, "open %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return domain.E(domain.KindUnavailable, "sync %s: %w", dir, err)
	}
	return nil
}

func fileError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return domain.E(domain.KindNotFound, "%w", err)
	}
	return domain.E(domain.KindUnavailable, "%w", err)
}
