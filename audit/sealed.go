package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/tamperlog"
)

// Tree tells what was compared with the tamper-evident log.
type Tree struct {
	Compared bool   `json:"compared"`      // every event was held against the leaf that was sealed for it
	Sealed   uint64 `json:"sealed"`        // events under the newest signed head
	Unsealed int64  `json:"unsealed"`      // events behind it, which nobody has signed for yet
	Heads    []Head `json:"heads"`         // checkpoints that were checked, the auditor's first
	Why      string `json:"why,omitempty"` // why nothing was compared
}

// anchored reports whether the log was held against what was sealed, or against
// a head from outside.
func (t Tree) anchored() bool {
	return t.Compared || slices.ContainsFunc(t.Heads, func(h Head) bool { return h.OK })
}

// Head is a checkpoint held against the log.
type Head struct {
	Size  uint64 `json:"size"`
	Root  string `json:"root"`  // that was signed, hex
	Found string `json:"found"` // that the log has over so many events, hex; empty where it has fewer
	Whose string `json:"whose"`
	OK    bool   `json:"ok"`
}

// Brought is a checkpoint from outside, its signature checked.
type Brought struct {
	tamperlog.Checkpoint
	Whose string // e.g. the name of the file it came from
}

// leafPage is how many sealed leaves are read at once.
const leafPage = 4096

// maxMoved bounds how many events are told to be missing or inserted, one by
// one: a log whose every position is another has moved, or is another log.
const maxMoved = 1000

// seals holds the log against the tree as it was sealed, event by event, and
// its root against checkpoints.
type seals struct {
	folder *tamperlog.Folder // nil when there is none to compare with
	size   uint64            // leaves sealed
	next   []tamperlog.Leaf  // sealed leaves that come now
	read   uint64            // leaves read
	broken int               // events that are not where they were sealed
	heads  []Head
	roots  map[uint64]string // of the log at the sizes of heads
	tiles  map[int]upperTile // that were read last, by level
	rep    *Report
}

// upperTile is a part of the tree's files above the leaves.
type upperTile struct {
	n      uint64
	hashes []byte
	told   bool // that its level is wrong
}

// newSeals opens the tree, before the head of the log is read: what is sealed
// is in the log.
func newSeals(d Deps, rep *Report) (*seals, error) {
	s := &seals{rep: rep, roots: map[uint64]string{}, tiles: map[int]upperTile{}}
	origin := tamperlog.Origin(d.Ledger.ID())
	for _, b := range d.Brought {
		if b.Origin != origin {
			s.wrong(0, fmt.Sprintf("the checkpoint of %s is that of log %s, this is %s", b.Whose, b.Origin, origin))
			continue
		}
		s.heads = append(s.heads, Head{Size: b.Size, Root: b.Hex(), Whose: b.Whose})
	}
	if d.Tree == nil {
		rep.Tree.Why = "there is no tree"
		return s, nil
	}
	head, err := d.Tree.Checkpoint()
	switch {
	case err == nil && head.Origin != origin:
		s.wrong(0, fmt.Sprintf("the tree is that of log %s, this is %s", head.Origin, origin))
		rep.Tree.Why = "the tree is another log's"
		return s, nil
	case err == nil:
	case domain.KindOf(err) == domain.KindNotFound:
		rep.Tree.Why = "there is no tree"
		return s, nil
	case domain.KindOf(err) == domain.KindUnavailable:
		return nil, fmt.Errorf("read the tree: %w", err)
	default:
		s.wrong(0, err.Error())
		rep.Tree.Why = "the tree's own head does not verify"
		return s, nil
	}
	if err := d.Tree.Stopped(); err != nil {
		s.wrong(0, "sealing has stopped: "+err.Error())
	}
	s.folder, s.size, rep.Tree.Compared, rep.Tree.Sealed = d.Tree, head.Size, true, head.Size
	s.heads = append(s.heads, Head{Size: head.Size, Root: head.Hex(), Whose: "the installation's newest"})
	return s, nil
}

func (s *seals) wrong(at eventstore.Position, text string) {
	s.rep.add(Finding{Position: at, Check: CheckTree, Text: text})
}

// upcoming is the next sealed leaf; false behind the last.
func (s *seals) upcoming() (tamperlog.Leaf, bool, error) {
	if len(s.next) == 0 {
		n := min(leafPage, s.size-s.read)
		if s.folder == nil || n == 0 {
			return tamperlog.Leaf{}, false, nil
		}
		page, err := s.folder.Leaves(s.read, int(n))
		if err != nil {
			return tamperlog.Leaf{}, false, s.unreadable(err)
		}
		s.next, s.read = page, s.read+n
	}
	return s.next[0], true, nil
}

// unreadable ends the comparison when the tree's files are damaged.
func (s *seals) unreadable(err error) error {
	if k := domain.KindOf(err); k != domain.KindCorrupt && k != domain.KindNotFound {
		return fmt.Errorf("read the tree: %w", err)
	}
	s.wrong(0, "the tree's files are damaged: "+err.Error())
	s.folder, s.rep.Tree.Why = nil, "the tree's files are damaged"
	return nil
}

// take holds the next event against the tree. log is the tree over the events
// found, this one among them.
func (s *seals) take(e *eventstore.Recorded, leaf [32]byte, log *tree) error {
	for _, h := range s.heads {
		if h.Size == log.size {
			s.roots[h.Size] = log.root()
		}
	}
	for s.broken < maxMoved {
		want, ok, err := s.upcoming()
		if err != nil || !ok {
			return err
		}
		switch {
		case want.Position < e.Position:
			s.moved(want.Position, fmt.Sprintf("event %d (%s), sealed at this position with leaf %s, is missing or cannot be read",
				want.Index, want.ID, hex.EncodeToString(want.Hash[:])))
		case want.Position > e.Position:
			s.moved(e.Position, fmt.Sprintf("an event stands here that was never sealed (leaf %s): sealed event %d comes at position %s",
				hex.EncodeToString(leaf[:]), want.Index, want.Position))
			return nil
		default:
			s.rep.checked(CheckTree, 1)
			s.next = s.next[1:]
			if want.Hash != leaf || want.ID != e.ID {
				s.moved(e.Position, fmt.Sprintf("event %d was changed: its leaf is %s, sealed was %s",
					want.Index, hex.EncodeToString(leaf[:]), hex.EncodeToString(want.Hash[:])))
			}
			return nil
		}
		s.next = s.next[1:]
	}
	return nil
}

// node holds the tree's files above the leaves against the log: they are served
// to whoever follows the log, and proofs are made of them. Where leaves differ
// already, that is told of them.
func (s *seals) node(level int, n uint64, root [32]byte) {
	width := s.size >> (tamperlog.TileHeight * level)
	t := s.tiles[level]
	if s.folder == nil || s.broken > 0 || n >= width || t.told {
		return
	}
	const entries = 1 << tamperlog.TileHeight
	if t.hashes == nil || t.n != n/entries {
		t.n = n / entries
		data, err := s.folder.Tile(tamperlog.Tile{Level: level, N: t.n, Width: int(min(entries, width-t.n*entries))}, s.size)
		if err != nil {
			t.told = true
			s.tiles[level] = t
			s.wrong(0, fmt.Sprintf("level %d of the tree's files cannot be read: %v", level, err))
			return
		}
		t.hashes = data
	}
	at := n % entries * sha256.Size
	if found := t.hashes[at : at+sha256.Size]; !bytes.Equal(found, root[:]) {
		t.told = true
		s.wrong(0, fmt.Sprintf("level %d of the tree's files has %x for events %d to %d, which come to %x: `counterfoil tree rebuild` makes it again",
			level, found, n<<(tamperlog.TileHeight*level), (n+1)<<(tamperlog.TileHeight*level)-1, root))
	}
	s.tiles[level] = t
}

func (s *seals) moved(at eventstore.Position, text string) {
	s.broken++
	s.wrong(at, text)
}

// end tells what is missing behind the last event, and holds every checkpoint
// against the log.
func (s *seals) end(log *tree) error {
	for s.broken < maxMoved {
		want, ok, err := s.upcoming()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		s.moved(want.Position, fmt.Sprintf("event %d (%s), sealed at this position, is missing: the end of the log was cut off",
			want.Index, want.ID))
		s.next = s.next[1:]
	}
	if err := s.ownRoot(); err != nil {
		return err
	}
	s.rep.Tree.Unsealed = int64(log.size) - int64(min(s.size, log.size))
	s.roots[0] = new(tree).root()
	for i := range s.heads {
		h := &s.heads[i]
		s.rep.checked(CheckTree, 1)
		found, reached := s.roots[h.Size]
		h.Found, h.OK = found, reached && found == h.Root
		switch {
		case h.OK, s.broken > 0 && i == len(s.heads)-1 && s.size == h.Size: // its leaves were told one by one
		case !reached:
			s.wrong(0, fmt.Sprintf("the checkpoint (%s) covers %d events, and the log has %d: the last %d are missing",
				h.Whose, h.Size, log.size, h.Size-log.size))
		default:
			s.wrong(0, fmt.Sprintf("the first %d events hash to %s, and the checkpoint (%s) says %s", h.Size, found, h.Whose, h.Root))
		}
	}
	s.rep.Tree.Heads = s.heads
	if s.rep.Tree.Heads == nil {
		s.rep.Tree.Heads = []Head{}
	}
	return nil
}

// ownRoot tells, when events differ from what was sealed, whether the tree's
// files are still those that were signed: then the log was changed, and else
// the tree was.
func (s *seals) ownRoot() error {
	if s.folder == nil || s.broken == 0 {
		return nil
	}
	var sealed tree
	for n := uint64(0); n < s.size; {
		page, err := s.folder.Leaves(n, int(min(leafPage, s.size-n)))
		if err != nil {
			return s.unreadable(err)
		}
		for _, l := range page {
			sealed.add(l.Hash)
		}
		n += uint64(len(page))
	}
	if own := s.heads[len(s.heads)-1]; sealed.root() != own.Root {
		s.wrong(0, fmt.Sprintf("the tree's own leaves hash to %s, and %s was signed for them: its files were changed, too", sealed.root(), own.Root))
	}
	return nil
}
