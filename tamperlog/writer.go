package tamperlog

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// writer adds leaves to a folder. What it adds is collected in memory and
// written by flush, so that a busy log costs a handful of syncs every few
// seconds. It never changes a byte below the last signed size.
type writer struct {
	*Folder
	size  uint64   // leaves, those in memory among them
	saved uint64   // leaves on the disk, durably
	open  [][]byte // the incomplete tile of each level
	fresh [][]byte // hashes of each level that are not written
	index []byte   // entries that are not written
}

// openWriter opens the tree at its signed size. Leaves behind it were never
// promised to anyone and may be torn: they are dropped and read from the log
// again. A file that is shorter than it must be is cut to what the others
// have; the log fills it up, and must give the signed root.
func openWriter(dir string) (*writer, error) {
	w := &writer{Folder: OpenFolder(dir)}
	head, err := w.Checkpoint()
	if err == nil {
		err = w.adopt(head.Size)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// adopt finds how many leaves, up to size, every file holds.
func (w *writer) adopt(size uint64) error {
	n, err := w.count(indexName, entryBytes)
	if err != nil {
		return err
	}
	size = min(size, n)
	for level := 0; level < maxLevels && size>>(TileHeight*level) > 0; level++ {
		n, err := w.count(tileName+strconv.Itoa(level), tlog.HashSize)
		if err != nil {
			return err
		}
		if n < size>>(TileHeight*level) {
			size = n << (TileHeight * level)
		}
	}
	w.size, w.saved = size, size
	w.open, w.fresh = make([][]byte, maxLevels), make([][]byte, maxLevels)
	for level := range maxLevels {
		if n := size >> (TileHeight * level); n%tileWidth > 0 {
			t := Tile{Level: level, N: n / tileWidth, Width: int(n % tileWidth)}
			if w.open[level], err = w.Tile(t, size); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) count(name string, each int64) (uint64, error) {
	info, err := os.Stat(filepath.Join(w.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fileError(err)
	}
	return uint64(info.Size() / each), nil
}

// add appends the leaf of e.
func (w *writer) add(e *eventstore.Recorded, leaf [32]byte) {
	w.push(0, leaf)
	w.index = binary.BigEndian.AppendUint64(w.index, uint64(e.Position))
	w.index = append(w.index, e.ID[:]...)
	w.size++
}

// push adds a hash to a level; a tile that it completes is one hash above.
func (w *writer) push(level int, h tlog.Hash) {
	w.fresh[level] = append(w.fresh[level], h[:]...)
	w.open[level] = append(w.open[level], h[:]...)
	if len(w.open[level]) == tileBytes {
		above := fold(w.open[level])
		w.open[level] = w.open[level][:0]
		w.push(level+1, above)
	}
}

// leafIn is the leaf hash of the i-th event of a batch, by its bytes: the
// store's own where it reckoned them as it read.
func leafIn(b eventstore.Batch, i int) [32]byte {
	if b.Leaves != nil {
		return b.Leaves[i]
	}
	return leafOf(b.Events[i])
}

// leafOf is the leaf hash of an event, by its bytes.
func leafOf(e eventstore.Recorded) [32]byte {
	return eventstore.LeafHashSealed(e.Stream, e.Revision, e.Event, e.SealedHash)
}

// has tells whether the event at a position has a leaf, on the disk or not yet.
func (w *writer) has(p eventstore.Position) (bool, error) {
	n := len(w.index) / entryBytes
	i := sort.Search(n, func(i int) bool { return positionIn(w.index[i*entryBytes:]) >= p })
	if i < n && positionIn(w.index[i*entryBytes:]) == p {
		return true, nil
	}
	if i > 0 {
		return false, nil // between two that wait for the disk
	}
	_, err := w.ByPosition(p, w.saved)
	if domain.KindOf(err) == domain.KindNotFound {
		return false, nil
	}
	return err == nil, err
}

// positionIn is the position in an entry of the index.
func positionIn(entry []byte) eventstore.Position {
	return eventstore.Position(binary.BigEndian.Uint64(entry))
}

// unsaved is how many leaves are in memory only.
func (w *writer) unsaved() uint64 { return w.size - w.saved }

// flush makes all leaves durable. Everything is written before anything is
// synced: the first sync then takes the file system's journal with it for all,
// and callbacks next to it wait for one, not for one a file.
func (w *writer) flush() error {
	if w.unsaved() == 0 {
		return nil
	}
	if err := w.writeFresh(); err != nil {
		return err
	}
	before := w.saved
	w.saved, w.index = w.size, w.index[:0]
	for level := range w.fresh {
		w.fresh[level] = w.fresh[level][:0]
	}
	return w.writeIDs(before)
}

// writeFresh writes and syncs what is collected.
func (w *writer) writeFresh() (err error) {
	var files []*os.File
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			err = domain.E(domain.KindUnavailable, "write the tree: %w", err)
		}
	}()
	write := func(name string, data []byte, at uint64) error {
		f, err := os.OpenFile(filepath.Join(w.dir, name), os.O_CREATE|os.O_WRONLY, 0o600) // the operator's own path
		if err != nil {
			return err
		}
		files = append(files, f)
		if _, err := f.WriteAt(data, int64(at)); err != nil {
			return err
		}
		return f.Truncate(int64(at) + int64(len(data))) // what lay behind was never signed
	}
	for level, hashes := range w.fresh {
		if len(hashes) == 0 {
			continue
		}
		if err := write(tileName+strconv.Itoa(level), hashes, w.saved>>(TileHeight*level)*tlog.HashSize); err != nil {
			return err
		}
	}
	if err := write(indexName, w.index, w.saved*entryBytes); err != nil {
		return err
	}
	for _, f := range files {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return syncFolder(w.dir)
}

// writeIDs makes the files of ids that became complete since before. Those of
// the tier below are not needed any more.
func (w *writer) writeIDs(before uint64) error {
	for tier := range tiers {
		each := span{tier: tier}.count()
		for n := before / each; n < w.saved/each; n++ {
			if err := w.writeSpan(span{tier, n}); err != nil {
				return err
			}
			for i := n * segmentTier; tier > 0 && i < (n+1)*segmentTier; i++ {
				_ = os.Remove(filepath.Join(w.dir, span{tier - 1, i}.name())) // waste, at worst
			}
		}
	}
	return nil
}

func (w *writer) writeSpan(s span) error {
	leaves, err := w.leaves(s.n*s.count(), int(s.count()))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(w.dir, idsName), 0o700); err != nil {
		return domain.E(domain.KindUnavailable, "make %s: %w", idsName, err)
	}
	return writeFile(filepath.Join(w.dir, s.name()), s.content(leaves))
}
