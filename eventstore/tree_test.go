package eventstore_test

import (
	"crypto/sha256"
	"testing"

	"counterfoil/eventstore"
)

// The tree is that of RFC 6962, section 2.1: built here from its definition.
func TestTreeIsThatOfTheRFC(t *testing.T) {
	t.Parallel()
	var tree eventstore.Tree
	var leaves [][32]byte
	for n := range 70 {
		if got, want := tree.Root(), treeHash(leaves); got != want || tree.Size() != uint64(n) {
			t.Fatalf("%d leaves: %x, want %x", n, got, want)
		}
		leaf := sha256.Sum256([]byte{0, byte(n)})
		leaves = append(leaves, leaf)
		tree.Add(leaf)
	}
}

// treeHash is the definition: split at the largest power of two below n.
func treeHash(leaves [][32]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	left, right := treeHash(leaves[:k]), treeHash(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}
