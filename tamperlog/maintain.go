package tamperlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"counterfoil/domain"
)

// Rebuild drops everything that can be made from the log again: tiles, index
// and ids. The next sealing reads the log from its first event and signs only
// if it comes to the root that is signed already. It is for a log that moved to
// another store, where every position is another, and for lost files. A daemon
// that seals must be stopped: KindConflict.
func Rebuild(dir string) error {
	s := NewSealer(nil, Config{Dir: dir})
	ctx, cancel := context.WithTimeout(context.Background(), 2*lockPause)
	defer cancel()
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	if unlock == nil {
		return domain.E(domain.KindConflict, "the tree is in use: stop the reconciler first")
	}
	defer unlock()
	names := []string{indexName, idsName, stoppedName}
	for level := range maxLevels {
		names = append(names, tileName+strconv.Itoa(level))
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	if err := errors.Join(errs...); err != nil {
		return domain.E(domain.KindUnavailable, "%w", err)
	}
	return syncFolder(dir)
}

// Export writes checkpoint and tiles as the files of a static C2SP tlog-tiles
// site into out. Full tiles that are there already are left alone, so a second
// export only adds.
func (f *Folder) Export(out string) (Signed, error) {
	head, err := f.Checkpoint()
	if err != nil {
		return head, err
	}
	for level := 0; head.Size>>(TileHeight*level) > 0; level++ {
		hashes := head.Size >> (TileHeight * level)
		for n := uint64(0); n*tileWidth < hashes; n++ {
			if err := f.exportTile(out, Tile{level, n, int(min(tileWidth, hashes-n*tileWidth))}, head.Size); err != nil {
				return head, err
			}
		}
	}
	return head, writeFile(filepath.Join(out, checkpointName), head.Note) // last: what it covers is there
}

func (f *Folder) exportTile(out string, t Tile, size uint64) error {
	path := filepath.Join(out, filepath.FromSlash(t.Path()))
	if info, err := os.Stat(path); err == nil && info.Size() == int64(t.Width)*32 {
		return nil
	}
	data, err := f.Tile(t, size)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a web server reads it
		return domain.E(domain.KindUnavailable, "make %s: %w", filepath.Dir(path), err)
	}
	return writeFile(path, data)
}
