package ledger

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Openings reads and folds what a channel began with: it is never stale.
func (l *Ledger) Openings(ctx context.Context, ch domain.ChannelID) (domain.Openings, error) {
	var o domain.Openings
	_, err := l.foldSide(ctx, domain.OpeningStream(ch), func(f domain.Fact) error { return o.Apply(f) })
	return o, err
}

// ProposeOpening asks for the second person's yes to what a channel and its
// accounts had before these books; see domain.Openings.Propose. at is 0 where
// the same proposal stands already.
func (l *Ledger) ProposeOpening(
	ctx context.Context, ch domain.ChannelID, q domain.OpeningAsk, by By,
) (p domain.OpeningProposal, at eventstore.Position, err error) {
	at, err = l.opening(ctx, ch, by, func(o *domain.Openings, c domain.Context) (f domain.Fact, err error) {
		p, f, err = o.Propose(c, q)
		return f, err
	})
	return p, at, err
}

// ApproveOpening books a proposal; see domain.Openings.Approve. sig is the
// person's own signature; who has a key of their own must sign.
func (l *Ledger) ApproveOpening(
	ctx context.Context, ch domain.ChannelID, id domain.ID, person, reason string, sig *domain.Signature, by By,
) (at eventstore.Position, err error) {
	return l.opening(ctx, ch, by, func(o *domain.Openings, c domain.Context) (domain.Fact, error) {
		f, err := o.Approve(c, id, person, reason)
		if f == nil || err != nil {
			return nil, err
		}
		ask, leaf, err := l.ProposedOpening(ctx, ch, id)
		if err != nil {
			return nil, err
		}
		facts, err := l.signedBy(ctx, person, sig, []domain.Fact{f}, func(at time.Time) []byte {
			return domain.OpeningStatement(l.id, leaf, ask, person, at)
		})
		if err != nil {
			return nil, err
		}
		return facts[0], nil
	})
}

// RejectOpening ends a proposal; see domain.Openings.Reject.
func (l *Ledger) RejectOpening(
	ctx context.Context, ch domain.ChannelID, id domain.ID, person, reason string, by By,
) (at eventstore.Position, err error) {
	return l.opening(ctx, ch, by, func(o *domain.Openings, _ domain.Context) (domain.Fact, error) {
		return o.Reject(id, person, reason)
	})
}

func (l *Ledger) opening(
	ctx context.Context, ch domain.ChannelID, by By, decide func(*domain.Openings, domain.Context) (domain.Fact, error),
) (eventstore.Position, error) {
	var o domain.Openings
	_, at, err := l.side(ctx, sideWork{
		channel: ch, stream: domain.OpeningStream(ch), by: by,
		reset: func() { o = domain.Openings{} },
		apply: func(f domain.Fact) error { return o.Apply(f) },
		decide: func(c domain.Context) ([]domain.Fact, error) {
			f, err := decide(&o, c)
			if f == nil || err != nil {
				return nil, err
			}
			return []domain.Fact{f}, nil
		},
	})
	return at, err
}
