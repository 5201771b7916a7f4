package tamperlog

import (
	"os"
	"strconv"
	"testing"
)

// size is how many leaves benchmarks build: COUNTERFOIL_TREE_LEAVES, else
// 300,000.
func size(b *testing.B) int {
	b.Helper()
	n, err := strconv.Atoi(os.Getenv("COUNTERFOIL_TREE_LEAVES"))
	if err != nil {
		n = 300_000
	}
	return n
}

// tall is a tree of n leaves; no log is behind it.
func tall(b *testing.B, n int) (*writer, Checkpoint) {
	b.Helper()
	base := b.TempDir()
	must(b, Create(base+"/tree", base+"/tree.key", "log"))
	w, err := openWriter(base + "/tree")
	must(b, err)
	b.Cleanup(func() { _ = w.Close() })
	for i := range n {
		e := recorded(i)
		w.add(&e, leafOf(e))
		if w.unsaved() > maxUnsaved {
			must(b, w.flush())
		}
	}
	must(b, w.flush())
	root, err := w.Root(uint64(n))
	must(b, err)
	return w, Checkpoint{Origin: "log", Size: uint64(n), Root: root}
}

// BenchmarkInclusion finds an event by its id or position and proves it, each
// hash authenticated against the root.
func BenchmarkInclusion(b *testing.B) {
	n := size(b)
	w, c := tall(b, n)
	for _, by := range []string{"id", "position"} {
		b.Run(by, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				e := recorded((i * 7919) % n)
				find := func() (Leaf, error) { return w.ByPosition(e.Position, c.Size) }
				if by == "id" {
					find = func() (Leaf, error) { return w.ByID(e.ID, c.Size) }
				}
				l, err := find()
				must(b, err)
				_, err = w.Inclusion(c, l.Index, c.Size)
				must(b, err)
			}
			b.ReportMetric(float64(n), "leaves")
		})
	}
}

// BenchmarkAdd is the work of the tree for one event, without reading the log.
func BenchmarkAdd(b *testing.B) {
	w, _ := tall(b, 1)
	e := recorded(1)
	for b.Loop() {
		w.add(&e, leafOf(e))
		if w.unsaved() > maxUnsaved {
			must(b, w.flush())
		}
	}
}
