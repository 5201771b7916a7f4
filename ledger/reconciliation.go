package ledger

import (
	"context"
	"fmt"
	"slices"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// perAppend is how many facts of a comparison go into one append: below
// what a store takes at once.
const perAppend = 50

// Reconciled appends what a comparison with a bill concluded, or what a
// correction or later facts did to a difference it found, to the stream of the
// channel's book day. It takes facts of that stream only (KindInternal), no
// person's word (see SetAside), and moves no money. Facts that stand there
// already are left out, so the same call made again is harmless; a long list is
// appended in parts.
func (l *Ledger) Reconciled(ctx context.Context, ch domain.ChannelID, day domain.Day, facts []domain.Fact, by By) error {
	for _, f := range facts {
		switch f := f.(type) {
		case domain.ReconciliationCompared:
			continue
		case domain.ReconciliationDiffered:
			if f.Proposal.IsZero() {
				continue
			}
		default:
		}
		return domain.E(domain.KindInternal, "a %s of this kind is no conclusion of a comparison", f.FactType())
	}
	s := domain.ReconciliationStream(ch, string(day))
	done, err := l.turns.take(ctx, s)
	if err != nil {
		return err
	}
	defer done()
	for range maxConflicts {
		err := l.reconciled(ctx, s, facts, by)
		if err == nil || domain.KindOf(err) != domain.KindConflict {
			return err
		}
	}
	return domain.E(domain.KindUnavailable, "%s: %d conflicts in a row", s, maxConflicts)
}

// reconciled is one try: read what stands there, append what does not.
func (l *Ledger) reconciled(ctx context.Context, s domain.Stream, facts []domain.Fact, by By) error {
	expected, there := eventstore.NoStream, map[domain.ID]bool{}
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return fmt.Errorf("read %s: %w", s, err)
	}
	for _, e := range events {
		expected, there[e.ID] = eventstore.Expected(e.Revision), true
	}
	all, err := l.events(s, l.now(), by, facts)
	if err != nil {
		return err
	}
	var fresh []eventstore.Event
	for _, e := range all {
		if !there[e.ID] {
			there[e.ID], fresh = true, append(fresh, e)
		}
	}
	for part := range slices.Chunk(fresh, perAppend) {
		at, err := l.store.Append(ctx, s, expected, part)
		if err != nil {
			return fmt.Errorf("append to %s after %d: %w", s, expected, err)
		}
		expected = eventstore.Expected(at.Revision)
	}
	return nil
}
