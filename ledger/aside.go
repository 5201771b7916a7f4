package ledger

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Aside is what persons said about a difference of a channel's book day, with
// the leaf hash of the first word's event, which the second one signs; zero
// while no word waits.
func (l *Ledger) Aside(ctx context.Context, ch domain.ChannelID, day domain.Day, difference domain.ID) (domain.Aside, [32]byte, error) {
	a, leaf, _, err := l.aside(ctx, domain.ReconciliationStream(ch, string(day)), difference)
	return a, leaf, err
}

func (l *Ledger) aside(ctx context.Context, s domain.Stream, difference domain.ID) (a domain.Aside, leaf [32]byte, expected eventstore.Expected, err error) {
	expected = eventstore.NoStream
	events, err := l.readAll(ctx, s)
	for _, e := range events {
		expected = eventstore.Expected(e.Revision)
		if id, ok := domain.DifferenceOf(e.Fact); !ok || id != difference {
			continue
		}
		a, leaf = a.Apply(e.Fact, e.Meta.RecordedAt), [32]byte{}
		if a.Ask != nil {
			leaf = LeafOf(e)
		}
	}
	return a, leaf, expected, err
}

// SetAside is a person's word that a difference of a channel's book day needs
// nothing more; d tells it as the list shows it. See domain.Aside.Say. sig is the
// person's own signature; who has a key of their own must sign. It returns what
// persons have said by then.
func (l *Ledger) SetAside(
	ctx context.Context, ch domain.ChannelID, day domain.Day, d domain.ReconciliationDiffered, person, reason string,
	sig *domain.Signature, by By,
) (a domain.Aside, err error) {
	s := domain.ReconciliationStream(ch, string(day))
	done, err := l.turns.take(ctx, s)
	if err != nil {
		return a, err
	}
	defer done()
	err = l.agree(ctx, s, by, func() ([]domain.Fact, eventstore.Expected, error) {
		have, leaf, expected, err := l.aside(ctx, s, d.Discrepancy)
		if err != nil {
			return nil, expected, err
		}
		f, err := have.Say(l.id, s, d, person, reason)
		if err != nil {
			return nil, expected, err
		}
		facts, err := l.signedBy(ctx, person, sig, []domain.Fact{f}, func(at time.Time) []byte {
			return domain.WordStatement(l.id, s, leaf, f, at)
		})
		return facts, expected, err
	})
	if err != nil {
		return a, err
	}
	a, _, _, err = l.aside(ctx, s, d.Discrepancy)
	return a, err
}
