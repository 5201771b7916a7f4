package tamperlog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// emptyRoot is the root of a tree without leaves.
var emptyRoot = sha256.Sum256(nil)

// entryBytes is the size of one record of the index: position, event id.
const entryBytes = 8 + 16

// Leaf is one leaf and the event it stands for.
type Leaf struct {
	Index    uint64
	Position eventstore.Position
	ID       domain.ID
	Hash     [32]byte
}

// Folder reads a tree from the disk, also while another process adds to it. It
// is safe for concurrent use. Nothing it returns is believed for being on the
// disk: proofs come from tiles that hash to the signed root.
type Folder struct {
	dir   string
	mu    sync.RWMutex
	files map[string]*os.File
}

// OpenFolder opens a tree. A folder that is not there yet is no error: each
// call then is KindNotFound until it is.
func OpenFolder(dir string) *Folder { return &Folder{dir: dir, files: map[string]*os.File{}} }

// Dir is where the tree lies.
func (f *Folder) Dir() string { return f.dir }

// Close closes the folder's files.
func (f *Folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for name, file := range f.files {
		errs = append(errs, file.Close())
		delete(f.files, name)
	}
	return errors.Join(errs...)
}

// file opens a file once.
func (f *Folder) file(name string) (*os.File, error) {
	f.mu.RLock()
	file, ok := f.files[name]
	f.mu.RUnlock()
	if ok {
		return file, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if file, ok := f.files[name]; ok {
		return file, nil
	}
	file, err := os.Open(filepath.Join(f.dir, name))
	if err != nil {
		return nil, fileError(err)
	}
	f.files[name] = file
	return file, nil
}

// readAt fills buf from a place in a file. What is not there is KindCorrupt:
// nothing that was signed for may be missing.
func (f *Folder) readAt(name string, buf []byte, off int64) error {
	err := f.tryReadAt(name, buf, off)
	if domain.KindOf(err) == domain.KindCorrupt && f.replaced(name) {
		err = f.tryReadAt(name, buf, off)
	}
	return err
}

// replaced forgets an open file that is no longer the one of its name, because
// the tree was made again. Who still reads it may finish; it closes with the
// last of them.
func (f *Folder) replaced(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.files[name]
	if !ok {
		return false
	}
	ours, err := file.Stat()
	now, err2 := os.Stat(filepath.Join(f.dir, name))
	if err != nil || err2 != nil || os.SameFile(ours, now) {
		return false
	}
	delete(f.files, name)
	return true
}

func (f *Folder) tryReadAt(name string, buf []byte, off int64) error {
	file, err := f.file(name)
	if err != nil {
		return err
	}
	n, err := file.ReadAt(buf, off)
	switch {
	case n == len(buf):
		return nil
	case errors.Is(err, io.EOF):
		return domain.E(domain.KindCorrupt, "%s ends at byte %d, where %d more are needed",
			file.Name(), off+int64(n), len(buf)-n)
	}
	return domain.E(domain.KindUnavailable, "read %s: %w", file.Name(), err)
}

// Key is the log's public key as the folder has it. An auditor brings his own.
func (f *Folder) Key() (string, error) { return ReadKey(filepath.Join(f.dir, publicName)) }

// Checkpoint is the newest signed head, checked with the folder's own key.
func (f *Folder) Checkpoint() (Signed, error) {
	msg, err := os.ReadFile(filepath.Join(f.dir, checkpointName))
	if err != nil {
		return Signed{}, fileError(err)
	}
	key, err := f.Key()
	if err != nil {
		return Signed{}, err
	}
	s, err := OpenCheckpoint(msg, key)
	if err != nil {
		return Signed{}, domain.E(domain.KindCorrupt, "%s: %w", filepath.Join(f.dir, checkpointName), err)
	}
	return s, nil
}

// Stopped says why nothing is signed any more; nil while all is well.
func (f *Folder) Stopped() error {
	text, err := os.ReadFile(filepath.Join(f.dir, stoppedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fileError(err)
	}
	return domain.E(domain.KindCorrupt, "%s", text)
}

// Tile is the bytes of a hash tile, up to what a checkpoint of size leaves
// covers: KindNotFound beyond it.
func (f *Folder) Tile(t Tile, size uint64) ([]byte, error) {
	if t.Level < 0 || t.Level >= maxLevels || t.Width < 1 || t.Width > tileWidth {
		return nil, domain.EField(domain.KindInvalid, "tile", "there is no such tile")
	}
	if t.N*tileWidth+uint64(t.Width) > size>>(TileHeight*t.Level) {
		return nil, domain.E(domain.KindNotFound, "%s lies beyond the signed tree of %d leaves", t.Path(), size)
	}
	buf := make([]byte, t.Width*tlog.HashSize)
	return buf, f.readAt(tileName+strconv.Itoa(t.Level), buf, int64(t.N)*tileBytes)
}

// Leaves reads n leaves from the first one on, as they lie on the disk.
func (f *Folder) Leaves(first uint64, n int) ([]Leaf, error) { return f.leaves(first, n) }

// leaves reads n leaf hashes from the first one on, with their entries in the index.
func (f *Folder) leaves(first uint64, n int) ([]Leaf, error) {
	hashes, entries := make([]byte, n*tlog.HashSize), make([]byte, n*entryBytes)
	if err := f.readAt(tileName+"0", hashes, int64(first)*tlog.HashSize); err != nil {
		return nil, err
	}
	if err := f.readAt(indexName, entries, int64(first)*entryBytes); err != nil {
		return nil, err
	}
	out := make([]Leaf, n)
	for i := range out {
		e := entries[i*entryBytes:]
		out[i] = Leaf{
			Index: first + uint64(i), Position: eventstore.Position(binary.BigEndian.Uint64(e)), ID: domain.ID(e[8:entryBytes]),
			Hash: [32]byte(hashes[i*tlog.HashSize:]),
		}
	}
	return out, nil
}

// Leaf is the n-th leaf, from 0, of a tree of size leaves.
func (f *Folder) Leaf(n, size uint64) (Leaf, error) {
	if n >= size {
		return Leaf{}, domain.E(domain.KindNotFound, "the signed tree has %d leaves, there is no leaf %d yet", size, n)
	}
	l, err := f.leaves(n, 1)
	if err != nil {
		return Leaf{}, err
	}
	return l[0], nil
}

// ByPosition finds the leaf of the event at a position, among the first size.
// KindNotFound where no event stands there or it is not sealed yet.
func (f *Folder) ByPosition(p eventstore.Position, size uint64) (Leaf, error) {
	var failed error
	n := sort.Search(int(size), func(i int) bool {
		var e [8]byte
		if failed == nil {
			failed = f.readAt(indexName, e[:], int64(i)*entryBytes)
		}
		return eventstore.Position(binary.BigEndian.Uint64(e[:])) >= p
	})
	if failed != nil {
		return Leaf{}, failed
	}
	l, err := f.Leaf(uint64(n), size)
	if err == nil && l.Position != p {
		err = domain.E(domain.KindNotFound, "no event stands at position %s", p)
	}
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		return Leaf{}, domain.EField(domain.KindNotFound, "position",
			"no sealed event stands at position %s; the signed tree has %d leaves", p, size)
	}
	return l, err
}
