package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// naive is the Merkle tree head as RFC 6962, section 2.1 writes it down.
func naive(leaves [][32]byte) [32]byte {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		left, right := naive(leaves[:k]), naive(leaves[k:])
		return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
	}
}

func TestTreeIsThatOfTheRFC(t *testing.T) {
	t.Parallel()
	var tr tree
	var leaves [][32]byte
	for n := range 130 {
		if want := naive(leaves); tr.root() != hex.EncodeToString(want[:]) {
			t.Fatalf("root of %d leaves is %s, want %x", n, tr.root(), want)
		}
		leaf := sha256.Sum256([]byte{0, byte(n)})
		tr.add(leaf)
		leaves = append(leaves, leaf)
	}
}
