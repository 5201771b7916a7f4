package tamperlog

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// head signs the tree as it stands, if it has grown. The newest head is read
// from the disk again: what this process remembers of it is not asked.
func (r *session) head(ctx context.Context) error {
	if err := r.w.flush(); err != nil {
		return err
	}
	prior, err := r.w.Checkpoint()
	if err != nil {
		return err
	}
	if r.w.size < prior.Size {
		return nil // files were lost: the log fills them up first
	}
	if err := r.agrees(prior.Checkpoint); err != nil || r.w.size == prior.Size {
		return err
	}
	if err := r.compareTail(ctx, againLeaves); err != nil {
		return err
	}
	next := Checkpoint{Origin: r.cfg.Origin, Size: r.w.size}
	if next.Root, err = r.w.Root(next.Size); err != nil {
		return err
	}
	return r.publish(next)
}

// agrees checks that the tree still begins with what was signed before.
func (r *session) agrees(prior Checkpoint) error {
	root, err := r.w.Root(prior.Size)
	if err != nil {
		return err
	}
	if root != prior.Root {
		return domain.E(domain.KindCorrupt, "the first %d events hash to %s, and %s was signed for them: the log or the tree was changed",
			prior.Size, hex.EncodeToString(root[:]), prior.Hex())
	}
	return nil
}

func (r *session) publish(next Checkpoint) error {
	msg, err := next.sign(r.private)
	if err != nil {
		return fmt.Errorf("sign the head of the tree: %w", err)
	}
	if _, err := OpenCheckpoint(msg, r.public); err != nil {
		return domain.E(domain.KindMismatch, "the private key in %s does not belong to the public key of the tree", r.cfg.KeyFile)
	}
	if err := writeFile(filepath.Join(r.cfg.Dir, checkpointName), msg); err != nil {
		return err
	}
	r.signed = next.Size
	r.note()
	return nil
}

// compareTail holds the last n saved leaves against the log.
func (r *session) compareTail(ctx context.Context, n uint64) error {
	n = min(n, r.w.saved)
	return r.compare(ctx, r.w.saved-n, n)
}

// compareRound holds the next few leaves against the log; in turn all of them.
func (r *session) compareRound(ctx context.Context) error {
	if r.turn >= r.w.saved {
		r.turn = 0
	}
	n := min(roundLeaves, r.w.saved-r.turn)
	if err := r.compare(ctx, r.turn, n); err != nil {
		return err
	}
	r.turn += n
	return nil
}

// compare reads n events from the log again and holds them against the leaves
// from first on.
func (r *session) compare(ctx context.Context, first, n uint64) error {
	if n == 0 {
		return nil
	}
	want, err := r.w.leaves(first, int(n))
	if err != nil {
		return err
	}
	var after eventstore.Position
	if first > 0 {
		before, err := r.w.leaves(first-1, 1)
		if err != nil {
			return err
		}
		after = before[0].Position
	}
	for b, err := range r.log.Follow(ctx, after, eventstore.FollowOptions{Batch: int(n), Hashes: true}) {
		if err != nil {
			return logError(err)
		}
		for i := range b.Events {
			if err := want[0].match(&b.Events[i], leafIn(b, i)); err != nil {
				return err
			}
			if want = want[1:]; len(want) == 0 {
				return nil
			}
		}
		if b.CaughtUp {
			return domain.E(domain.KindCorrupt, "the log ends before event %d, which was sealed at position %s: its end was cut off",
				want[0].Index, want[0].Position)
		}
	}
	if ctx.Err() != nil {
		return domain.E(domain.KindUnavailable, "read the log again: %w", context.Cause(ctx))
	}
	return domain.E(domain.KindUnavailable, "the log can no longer be followed")
}

// match says how the event that stands where l was sealed differs from it.
func (l Leaf) match(e *eventstore.Recorded, got [32]byte) error {
	switch {
	case e.Position < l.Position:
		return domain.E(domain.KindCorrupt, "an event was inserted at position %s, before event %d at position %s", e.Position, l.Index, l.Position)
	case e.Position > l.Position:
		return domain.E(domain.KindCorrupt, "event %d, sealed at position %s, is missing: position %s comes next", l.Index, l.Position, e.Position)
	case got != l.Hash:
		return domain.E(domain.KindCorrupt, "event %d at position %s was changed: its leaf is %s, and %s was sealed",
			l.Index, l.Position, hex.EncodeToString(got[:]), hex.EncodeToString(l.Hash[:]))
	}
	return nil
}
