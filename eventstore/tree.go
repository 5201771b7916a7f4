package eventstore

import (
	"crypto/sha256"
	"math/bits"
)

// Tree is the RFC 6962 Merkle tree head over leaves as they come, in memory of
// one hash for each bit of their number. The zero Tree has no leaves. Equal
// logs have equal roots, in whatever store they stand.
type Tree struct {
	size  uint64
	roots [][32]byte // of the complete subtrees, largest first
}

// Add puts a leaf hash behind the last one; see LeafHash.
func (t *Tree) Add(leaf [32]byte) {
	t.size++
	t.roots = append(t.roots, leaf)
	for range bits.TrailingZeros64(t.size) {
		n := len(t.roots)
		t.roots[n-2] = inner(t.roots[n-2], t.roots[n-1])
		t.roots = t.roots[:n-1]
	}
}

// Size is how many leaves there are.
func (t *Tree) Size() uint64 { return t.size }

// Root is the tree head; of no leaves it is the hash of nothing.
func (t *Tree) Root() [32]byte {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	sum := t.roots[len(t.roots)-1]
	for i := len(t.roots) - 2; i >= 0; i-- {
		sum = inner(t.roots[i], sum)
	}
	return sum
}

// inner is the hash of a node over its two children.
func inner(left, right [32]byte) [32]byte {
	var buf [65]byte
	buf[0] = 1
	copy(buf[1:], left[:])
	copy(buf[33:], right[:])
	return sha256.Sum256(buf[:])
}
