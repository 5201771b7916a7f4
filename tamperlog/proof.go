package tamperlog

import (
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"counterfoil/domain"
)

// Proof is a path of hashes, as RFC 6962 orders it.
type Proof [][32]byte

// authentic reads hashes of the tree under c. Each comes from tiles that hash
// to c's root, so that a damaged file gives an error and never a wrong proof.
func (f *Folder) authentic(c Checkpoint) tlog.HashReader {
	return tlog.TileHashReader(c.tree(), tiles{f, c.Size})
}

// tiles implements tlog.TileReader.
type tiles struct {
	folder *Folder
	size   uint64
}

func (t tiles) Height() int                     { return TileHeight }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(ts []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(ts))
	for i, want := range ts {
		data, err := t.folder.Tile(Tile{Level: want.L, N: uint64(want.N), Width: want.W}, t.size)
		if err != nil {
			return nil, err
		}
		out[i] = data
	}
	return out, nil
}

// stored reads hashes as they lie on the disk, believing them.
func (f *Folder) stored() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			t := tlog.TileForIndex(TileHeight, index)
			buf := make([]byte, t.W*tlog.HashSize)
			if err := f.readAt(tileName+strconv.Itoa(t.L), buf, t.N*tileBytes); err != nil {
				return nil, err
			}
			h, err := tlog.HashFromTile(t, buf, index)
			if err != nil {
				return nil, domain.E(domain.KindInternal, "%w", err)
			}
			out[i] = h
		}
		return out, nil
	})
}

// Root is the root over the first size leaves as they lie on the disk.
func (f *Folder) Root(size uint64) ([32]byte, error) {
	if size == 0 {
		return emptyRoot, nil
	}
	return tlog.TreeHash(int64(size), f.stored())
}

// Inclusion proves that leaf n is in the tree of the first size leaves, up to
// the signed head c.
func (f *Folder) Inclusion(c Checkpoint, n, size uint64) (Proof, error) {
	if size > c.Size {
		return nil, domain.EField(domain.KindNotFound, "size", "the signed tree has %d leaves, not %d", c.Size, size)
	}
	if n >= size {
		return nil, domain.EField(domain.KindNotFound, "index", "there is no leaf %d in a tree of %d", n, size)
	}
	if size == c.Size {
		return f.newestInclusion(c, n)
	}
	p, err := tlog.ProveRecord(int64(size), int64(n), f.authentic(c))
	return proofOf(p), treeError(err)
}

// newestInclusion proves under the head itself. The proof shows whether the
// hashes it was made of are right, so they need not be authenticated one by
// one, which would be several times the work.
func (f *Folder) newestInclusion(c Checkpoint, n uint64) (Proof, error) {
	p, err := tlog.ProveRecord(int64(c.Size), int64(n), f.stored())
	if err != nil {
		return nil, treeError(err)
	}
	leaf, err := f.Leaf(n, c.Size)
	if err != nil {
		return nil, err
	}
	proof := proofOf(p)
	if err := CheckInclusion(c, n, leaf.Hash, proof); err != nil {
		return nil, domain.E(domain.KindCorrupt, "the tree's files do not hash to the signed root: %w", err)
	}
	return proof, nil
}

// Consistency proves that the first from leaves are the beginning of the first
// to leaves, up to the signed head c.
func (f *Folder) Consistency(c Checkpoint, from, to uint64) (Proof, error) {
	switch {
	case to > c.Size:
		return nil, domain.EField(domain.KindNotFound, "to", "the signed tree has %d leaves, not %d", c.Size, to)
	case from == 0 || from > to:
		return nil, domain.EField(domain.KindInvalid, "from", "must be 1 to %d", to)
	}
	p, err := tlog.ProveTree(int64(to), int64(from), f.authentic(c))
	return proofOf(p), treeError(err)
}

// RootAt is the root over the first size leaves, proven by the signed head c.
func (f *Folder) RootAt(c Checkpoint, size uint64) ([32]byte, error) {
	switch {
	case size > c.Size:
		return [32]byte{}, domain.EField(domain.KindNotFound, "size", "the signed tree has %d leaves, not %d", c.Size, size)
	case size == 0:
		return emptyRoot, nil
	case size == c.Size:
		return c.Root, nil
	}
	h, err := tlog.TreeHash(int64(size), f.authentic(c))
	return h, treeError(err)
}

func proofOf(hashes []tlog.Hash) Proof {
	out := make(Proof, len(hashes))
	for i, h := range hashes {
		out[i] = h
	}
	return out
}

func treeError(err error) error {
	if err == nil || domain.KindOf(err) != domain.KindInternal {
		return err
	}
	return domain.E(domain.KindCorrupt, "the tree's files do not hash to the signed root: %w", err)
}

// CheckInclusion checks a proof that leaf, the hash of event n, is under c.
// KindForged when it does not hold.
func CheckInclusion(c Checkpoint, n uint64, leaf [32]byte, p Proof) error {
	if n >= c.Size {
		return domain.E(domain.KindForged, "leaf %d is not in a tree of %d leaves", n, c.Size)
	}
	if err := tlog.CheckRecord(p.hashes(), int64(c.Size), c.Root, int64(n), leaf); err != nil {
		return domain.E(domain.KindForged, "the inclusion proof of leaf %d does not lead to the root of the checkpoint", n)
	}
	return nil
}

// CheckConsistency checks a proof that the tree under older is the beginning of
// the tree under newer. KindForged when it does not hold.
func CheckConsistency(newer, older Checkpoint, p Proof) error {
	if older.Size == 0 && len(p) == 0 || older.Size == newer.Size && older.Root == newer.Root && len(p) == 0 {
		return nil
	}
	if older.Size == 0 || older.Size > newer.Size ||
		tlog.CheckTree(p.tree(), int64(newer.Size), newer.Root, int64(older.Size), older.Root) != nil {
		return domain.E(domain.KindForged, "a tree of %d leaves is not shown to be the beginning of one of %d: the log was forked or rewritten",
			older.Size, newer.Size)
	}
	return nil
}

// hashes is p as tlog takes it.
func (p Proof) hashes() tlog.RecordProof {
	out := make(tlog.RecordProof, len(p))
	for i, h := range p {
		out[i] = h
	}
	return out
}

func (p Proof) tree() tlog.TreeProof { return tlog.TreeProof(p.hashes()) }

// PathRoot is the root that a path leads to from leaf n of size leaves. It is
// for proofs without a root of their own: the caller must check a signature
// over it.
func PathRoot(n, size uint64, leaf [32]byte, p Proof) ([32]byte, error) {
	if n >= size || size > maxSize {
		return [32]byte{}, domain.E(domain.KindForged, "leaf %d is not in a tree of %d leaves", n, size)
	}
	// RFC 9162, 2.1.3.2.
	fn, sn, r := n, size-1, tlog.Hash(leaf)
	for _, h := range p {
		if sn == 0 {
			return [32]byte{}, domain.E(domain.KindForged, "the path of leaf %d is too long", n)
		}
		if fn&1 == 1 || fn == sn {
			r = tlog.NodeHash(h, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = tlog.NodeHash(r, h)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 {
		return [32]byte{}, domain.E(domain.KindForged, "the path of leaf %d is too short", n)
	}
	return r, nil
}
