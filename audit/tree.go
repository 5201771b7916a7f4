package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
)

// tree is the RFC 6962 Merkle tree head over leaves as they come, in memory of
// one hash for each bit of their number.
type tree struct {
	size  uint64
	roots [][32]byte // of the complete subtrees, largest first
}

func (t *tree) add(leaf [32]byte) {
	t.size++
	t.roots = append(t.roots, leaf)
	for range bits.TrailingZeros64(t.size) {
		n := len(t.roots)
		t.roots[n-2] = node(t.roots[n-2], t.roots[n-1])
		t.roots = t.roots[:n-1]
	}
}

// root is the tree head in hex; of no leaves it is the hash of nothing.
func (t *tree) root() string {
	if t.size == 0 {
		sum := sha256.Sum256(nil)
		return hex.EncodeToString(sum[:])
	}
	sum := t.roots[len(t.roots)-1]
	for i := len(t.roots) - 2; i >= 0; i-- {
		sum = node(t.roots[i], sum)
	}
	return hex.EncodeToString(sum[:])
}

func node(left, right [32]byte) [32]byte {
	var buf [65]byte
	buf[0] = 1
	copy(buf[1:], left[:])
	copy(buf[33:], right[:])
	return sha256.Sum256(buf[:])
}
