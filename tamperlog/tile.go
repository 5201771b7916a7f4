package tamperlog

import (
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"counterfoil/domain"
)

// The shape of a tile (C2SP tlog-tiles): eight levels of the tree, so 256
// hashes wide.
const (
	TileHeight = 8 // levels of the tree between two levels of tiles
	tileWidth  = 1 << TileHeight
	tileBytes  = tileWidth * tlog.HashSize
	maxLevels  = 7 // 256^7 leaves are more than a position can count
)

// Tile names hashes Width of tile N at a level. Width is 256 for a full tile,
// which never changes.
type Tile struct {
	Level int
	N     uint64
	Width int
}

// Path is where C2SP tlog-tiles serves t, e.g. "tile/0/x001/234.p/17".
func (t Tile) Path() string {
	return "tile/" + strings.TrimPrefix(tlog.Tile{H: TileHeight, L: t.Level, N: int64(t.N), W: t.Width}.Path(), "tile/8/")
}

// ParseTile reads what Path writes, KindInvalid for anything else. Entry
// bundles ("tile/entries/…") are refused like any other path: entries hold
// accounts and amounts, so they are not public.
func ParseTile(path string) (Tile, error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	if !ok || err != nil || t.H != TileHeight || t.L < 0 || t.L >= maxLevels || t.N > 1<<48 {
		return Tile{}, domain.EField(domain.KindInvalid, "tile", "this is no path of a hash tile: tile/<level>/<number>[.p/<width>]")
	}
	return Tile{Level: t.L, N: uint64(t.N), Width: t.W}, nil
}

// fold is the hash of the complete subtree over hashes, whose number is a power
// of two.
func fold(hashes []byte) tlog.Hash {
	level := make([]tlog.Hash, 0, tileWidth)
	for ; len(hashes) > 0; hashes = hashes[tlog.HashSize:] {
		level = append(level, tlog.Hash(hashes[:tlog.HashSize]))
	}
	for len(level) > 1 {
		for i := range len(level) / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		level = level[:len(level)/2]
	}
	return level[0]
}
