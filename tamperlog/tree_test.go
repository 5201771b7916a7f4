package tamperlog

import (
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// grown is a folder of n leaves, signed.
func grown(t testing.TB, n int) (*writer, Checkpoint, [][32]byte) {
	t.Helper()
	base := t.TempDir()
	dir, key := filepath.Join(base, "tree"), filepath.Join(base, "tree.key")
	must(t, Create(dir, key, Origin(testLedger)))
	w, err := openWriter(dir)
	must(t, err)
	t.Cleanup(func() { _ = w.Close() })
	var leaves [][32]byte
	for i := range n {
		e := recorded(i)
		w.add(&e, leafOf(e))
		leaves = append(leaves, leafOf(e))
		if i%331 == 0 {
			must(t, w.flush())
		}
	}
	must(t, w.flush())
	root, err := w.Root(uint64(n))
	must(t, err)
	return w, Checkpoint{Origin: Origin(testLedger), Size: uint64(n), Root: root}, leaves
}

func TestTreeIsThatOfTheRFC(t *testing.T) {
	t.Parallel()
	w, c, leaves := grown(t, 1000)
	for _, n := range []int{0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 768, 999, 1000} {
		root, err := w.RootAt(c, uint64(n))
		must(t, err)
		plain, err := w.Root(uint64(n))
		must(t, err)
		if want := naive(leaves[:n]); root != want || plain != want {
			t.Errorf("root of %d leaves: %x and %x, want %x", n, root, plain, want)
		}
	}
}

func TestEveryProofHolds(t *testing.T) {
	t.Parallel()
	w, c, leaves := grown(t, 700)
	for _, size := range []uint64{1, 2, 255, 256, 257, 600, 700} {
		root, err := w.RootAt(c, size)
		must(t, err)
		at := Checkpoint{Origin: c.Origin, Size: size, Root: root}
		for n := range size {
			p, err := w.Inclusion(c, n, size)
			must(t, err)
			must(t, CheckInclusion(at, n, leaves[n], p))
			if got, err := PathRoot(n, size, leaves[n], p); err != nil || got != root {
				t.Fatalf("path of %d in %d leads to %x, %v", n, size, got, err)
			}
			if err := CheckInclusion(at, n, leaves[(n+1)%700], p); domain.KindOf(err) != domain.KindForged {
				t.Fatalf("another leaf at %d of %d: %v", n, size, err)
			}
		}
		p, err := w.Consistency(c, size, c.Size)
		must(t, err)
		must(t, CheckConsistency(c, at, p))
		forked := at
		forked.Root[7] ^= 1
		if err := CheckConsistency(c, forked, p); domain.KindOf(err) != domain.KindForged {
			t.Errorf("a fork at %d: %v", size, err)
		}
	}
}

// A proof is refused when one bit of it is another, and when it is longer or
// shorter.
func TestChangedProofsFail(t *testing.T) {
	t.Parallel()
	w, c, leaves := grown(t, 300)
	for _, n := range []uint64{0, 7, 255, 256, 299} {
		p, err := w.Inclusion(c, n, c.Size)
		must(t, err)
		for i := range p {
			q := slices.Clone(p)
			q[i][31] ^= 1
			if CheckInclusion(c, n, leaves[n], q) == nil {
				t.Errorf("leaf %d: changed hash %d passes", n, i)
			}
			if r, err := PathRoot(n, c.Size, leaves[n], q); err == nil && r == c.Root {
				t.Errorf("leaf %d: changed hash %d leads to the root", n, i)
			}
		}
		for _, q := range []Proof{p[:len(p)-1], append(slices.Clone(p), p[0])} {
			if _, err := PathRoot(n, c.Size, leaves[n], q); err == nil {
				t.Errorf("leaf %d: a path of %d hashes for %d passes", n, len(q), len(p))
			}
			if CheckInclusion(c, n, leaves[n], q) == nil {
				t.Errorf("leaf %d: a proof of %d hashes for %d passes", n, len(q), len(p))
			}
		}
	}
}

func TestTilesAreThoseOfTlog(t *testing.T) {
	t.Parallel()
	w, c, _ := grown(t, 256*3+17)
	for _, tile := range tlog.NewTiles(TileHeight, 0, int64(c.Size)) {
		want, err := tlog.ReadTileData(tile, w.stored())
		must(t, err)
		mine := Tile{Level: tile.L, N: uint64(tile.N), Width: tile.W}
		got, err := w.Tile(mine, c.Size)
		must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("%s differs", mine.Path())
		}
		back, err := ParseTile(mine.Path())
		if err != nil || back != mine {
			t.Errorf("%s reads as %+v, %v", mine.Path(), back, err)
		}
	}
	for _, beyond := range []Tile{{0, 3, 18}, {0, 4, 1}, {1, 0, 4}, {2, 0, 1}} {
		if _, err := w.Tile(beyond, c.Size); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("%+v: %v", beyond, err)
		}
	}
}

func TestTilePaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]Tile{
		"tile/0/000":           {0, 0, 256},
		"tile/1/x001/234":      {1, 1234, 256},
		"tile/2/x001/x234/067": {2, 1234067, 256},
		"tile/0/001.p/5":       {0, 1, 5},
		"tile/0/x001/234.p/17": {0, 1234, 17},
	} {
		if got, err := ParseTile(path); err != nil || got != want || got.Path() != path {
			t.Errorf("%s: %+v, %v, %s", path, got, err, got.Path())
		}
	}
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/8/0/000", "tile/-1/000", "tile/0/0", "tile/0/000.p/256", "tile/0/000.p/0",
		"tile/entries/000", "tile/data/000", "tile/9/000", "tile/0/../0/000", "tile/0/x000/001", "tile/00/000", "/tile/0/000",
	} {
		if got, err := ParseTile(path); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%q: %+v, %v", path, got, err)
		}
	}
}

func TestEventsAreFoundByPositionAndID(t *testing.T) {
	t.Parallel()
	w, c, _ := grown(t, 900)
	for n := range 900 {
		e := recorded(n)
		byPosition, err := w.ByPosition(e.Position, c.Size)
		must(t, err)
		byID, err := w.ByID(e.ID, c.Size)
		must(t, err)
		if want := (Leaf{uint64(n), e.Position, e.ID, leafOf(e)}); byPosition != want || byID != want {
			t.Fatalf("event %d: %+v and %+v", n, byPosition, byID)
		}
	}
	for _, p := range []eventstore.Position{0, 9, 11, 7000} {
		if _, err := w.ByPosition(p, c.Size); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("position %d: %v", p, err)
		}
	}
	if _, err := w.ByID(recorded(900).ID, c.Size); domain.KindOf(err) != domain.KindNotFound {
		t.Error(err)
	}
	if _, err := w.ByID(recorded(899).ID, 899); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an event that is not under the head: %v", err)
	}
}

// Complete segments are looked up by their own files, and by the index where a
// file is missing.
func TestEventsAreFoundInSegments(t *testing.T) {
	t.Parallel()
	w, c, _ := grown(t, segmentLeaves+100)
	find := func() {
		t.Helper()
		for n := 0; n < segmentLeaves+100; n += 997 {
			if l, err := w.ByID(recorded(n).ID, c.Size); err != nil || l.Index != uint64(n) {
				t.Fatalf("event %d: %+v, %v", n, l, err)
			}
		}
	}
	find()
	must(t, w.Close())
	must(t, writeFile(filepath.Join(w.dir, "moved"), nil))
	must(t, removeAll(w.dir, idsName))
	find()
}

// A folder whose tiles were changed gives no proof at all.
func TestDamagedTilesGiveNoProof(t *testing.T) {
	t.Parallel()
	w, c, _ := grown(t, 600)
	must(t, w.Close())
	flip(t, filepath.Join(w.dir, tileName+"0"), 17*32+3)
	for n := range uint64(256) {
		if _, err := w.Inclusion(c, n, c.Size); domain.KindOf(err) != domain.KindCorrupt {
			t.Fatalf("leaf %d: %v", n, err)
		}
	}
}
