package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"

	"counterfoil/tamperlog"
)

// tree is the RFC 6962 Merkle tree head over leaves as they come, in memory of
// one hash for each bit of their number.
type tree struct {
	size  uint64
	roots [][32]byte // of the complete subtrees, largest first
	// made is told of each complete subtree that is an entry of a hash tile: of a
	// level from 1 on, the n-th there; nil for nobody.
	made func(level int, n uint64, root [32]byte)
}

func (t *tree) add(leaf [32]byte) {
	t.size++
	t.roots = append(t.roots, leaf)
	for level := 1; level <= bits.TrailingZeros64(t.size); level++ {
		n := len(t.roots)
		t.roots[n-2] = node(t.roots[n-2], t.roots[n-1])
		t.roots = t.roots[:n-1]
		if t.made != nil && level%tamperlog.TileHeight == 0 {
			t.made(level/tamperlog.TileHeight, t.size>>level-1, t.roots[n-2])
		}
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
