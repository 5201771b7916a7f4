package tamperlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"path/filepath"
	"slices"
	"sort"

	"counterfoil/domain"
)

// Event ids in order, in files of 65,536 leaves, sixteen of which become one
// of a million: one file for all of them would touch a cold page with every
// event. A record is the first eight bytes of an id and its leaf's place in the
// segment.
const (
	segmentLeaves = 1 << 16
	segmentTier   = 16 // segments that become one of the next tier
	tiers         = 2
	idBytes       = 8 + 4
)

// span is one file of ids: leaves n·count to (n+1)·count.
type span struct {
	tier int
	n    uint64
}

func (s span) count() uint64 {
	if s.tier == 0 {
		return segmentLeaves
	}
	return segmentLeaves * segmentTier
}

func (s span) name() string { return filepath.Join(idsName, fmt.Sprintf("%d-%06d", s.tier, s.n)) }

// spans are the files that hold the ids of the first size leaves, newest first,
// and how many leaves they cover.
func spans(size uint64) ([]span, uint64) {
	var out []span
	small, large := size/segmentLeaves, size/segmentLeaves/segmentTier
	for n := small; n > large*segmentTier; n-- {
		out = append(out, span{0, n - 1})
	}
	for n := large; n > 0; n-- {
		out = append(out, span{1, n - 1})
	}
	return out, small * segmentLeaves
}

// content is that of the file for its leaves.
func (s span) content(leaves []Leaf) []byte {
	type record struct{ prefix, at uint64 }
	records := make([]record, len(leaves))
	for i, l := range leaves {
		records[i] = record{binary.BigEndian.Uint64(l.ID[:8]), l.Index - s.n*s.count()}
	}
	slices.SortFunc(records, func(a, b record) int {
		if a.prefix != b.prefix {
			return compare(a.prefix, b.prefix)
		}
		return compare(a.at, b.at)
	})
	out := make([]byte, 0, len(records)*idBytes)
	for _, r := range records {
		out = binary.BigEndian.AppendUint64(out, r.prefix)
		out = binary.BigEndian.AppendUint32(out, uint32(r.at))
	}
	return out
}

func compare(a, b uint64) int {
	if a < b {
		return -1
	}
	return 1
}

// ByID finds the leaf of the event with an id, among the first size, newest
// first. KindNotFound where there is none, or it is not sealed yet.
func (f *Folder) ByID(id domain.ID, size uint64) (Leaf, error) {
	files, covered := spans(size)
	if l, ok, err := f.scan(id, covered, size); ok || err != nil {
		return l, err
	}
	var buf []byte
	for _, s := range files {
		if l, ok, err := f.inSpan(id, s, &buf); ok || err != nil {
			return l, err
		}
	}
	return Leaf{}, domain.EField(domain.KindNotFound, "event", "no sealed event has the id %s; the signed tree has %d leaves", id, size)
}

// scan looks at the index itself, from the end: for leaves of a segment that is
// not complete, or whose file is not there.
func (f *Folder) scan(id domain.ID, from, to uint64) (Leaf, bool, error) {
	const page = 4096
	first := binary.BigEndian.Uint64(id[:8]) // most differ in it, and one comparison of words is cheap
	room := make([]byte, min(page, to-min(from, to))*entryBytes)
	for to > from {
		n := min(page, to-from)
		buf := room[:n*entryBytes]
		if err := f.readAt(indexName, buf, int64(to-n)*entryBytes); err != nil {
			return Leaf{}, false, err
		}
		for i := n; i > 0; i-- {
			e := buf[(i-1)*entryBytes : i*entryBytes]
			if binary.BigEndian.Uint64(e[8:]) == first && bytes.Equal(e[8:], id[:]) {
				l, err := f.leaves(to-n+i-1, 1)
				if err != nil {
					return Leaf{}, false, err
				}
				return l[0], true, nil
			}
		}
		to -= n
	}
	return Leaf{}, false, nil
}

// inSpan looks where a record must stand: ids are spread evenly, so that is
// near where its value says. buf is working memory.
func (f *Folder) inSpan(id domain.ID, s span, buf *[]byte) (Leaf, bool, error) {
	count, want := s.count(), binary.BigEndian.Uint64(id[:8])
	guess, _ := bits.Mul64(want, count)
	window := uint64(2 * math.Sqrt(float64(count))) // four standard deviations
	lo, hi := guess-min(guess, window), min(count, guess+window)
	for {
		*buf = slices.Grow((*buf)[:0], int(hi-lo)*idBytes)[:(hi-lo)*idBytes]
		switch err := f.readAt(s.name(), *buf, int64(lo)*idBytes); {
		case domain.KindOf(err) == domain.KindNotFound: // not made yet, or lost: the index has all
			return f.scan(id, s.n*count, (s.n+1)*count)
		case err != nil:
			return Leaf{}, false, err
		}
		switch {
		case prefix(*buf, 0) >= want && lo > 0:
			lo -= min(lo, window)
		case prefix(*buf, int(hi-lo)-1) <= want && hi < count:
			hi = min(count, hi+window)
		default:
			return f.among(*buf, want, id, s)
		}
	}
}

// prefix is that of the i-th record.
func prefix(buf []byte, i int) uint64 { return binary.BigEndian.Uint64(buf[i*idBytes:]) }

// among looks through records that hold every one with the prefix.
func (f *Folder) among(buf []byte, want uint64, id domain.ID, s span) (Leaf, bool, error) {
	n := len(buf) / idBytes
	i := sort.Search(n, func(i int) bool { return prefix(buf, i) >= want })
	for ; i < n && prefix(buf, i) == want; i++ {
		at := uint64(binary.BigEndian.Uint32(buf[i*idBytes+8:]))
		if at >= s.count() {
			return Leaf{}, false, domain.E(domain.KindCorrupt, "%s is damaged: remove the folder %s, it is made again", s.name(), idsName)
		}
		l, err := f.leaves(s.n*s.count()+at, 1)
		if err != nil {
			return Leaf{}, false, err
		}
		if l[0].ID == id {
			return l[0], true, nil
		}
	}
	return Leaf{}, false, nil
}
