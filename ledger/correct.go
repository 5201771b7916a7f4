package ledger

import (
	"context"
	"time"

	"counterfoil/domain"
)

// Spending tells what was approved today on a channel; see domain.Spent. It is
// asked anew for each try.
type Spending func(ctx context.Context) (domain.Spent, error)

// Propose asks for a correction of an order's money; see domain.Payment.Propose.
// A proposal that stands already is returned as it is, with no facts.
func (l *Ledger) Propose(
	ctx context.Context, ch domain.ChannelID, orderNo string, q domain.Correction, spent Spending, by By,
) (p domain.Proposal, r Result, err error) {
	r, err = l.correct(ctx, ch, orderNo, by, func(ctx context.Context, f folded, c domain.Context) ([]domain.Fact, error) {
		s, err := spent(ctx)
		if err != nil {
			return nil, err
		}
		var facts []domain.Fact
		p, facts, err = f.payment.Propose(c, q, s)
		return facts, err
	})
	return p, r, err
}

// Approve is the second person's yes; what follows is durable when it returns.
// See domain.Payment.Approve. It is the word of their API key: who has a key of
// their own must sign.
func (l *Ledger) Approve(
	ctx context.Context, ch domain.ChannelID, orderNo string, proposal domain.ID, person, reason string, spent Spending, by By,
) (Result, error) {
	return l.ApproveSigned(ctx, ch, orderNo, proposal, person, reason, nil, spent, by)
}

// ApproveSigned is Approve with the person's own signature; see
// domain.People.SignedBy.
func (l *Ledger) ApproveSigned(
	ctx context.Context, ch domain.ChannelID, orderNo string, proposal domain.ID, person, reason string, sig *domain.Signature,
	spent Spending, by By,
) (Result, error) {
	return l.correct(ctx, ch, orderNo, by, func(ctx context.Context, f folded, c domain.Context) ([]domain.Fact, error) {
		s, err := spent(ctx)
		if err != nil {
			return nil, err
		}
		facts, err := f.payment.Approve(c, proposal, person, reason, s)
		if err != nil || len(facts) == 0 {
			return nil, err
		}
		ask, leaf, err := l.Proposed(ctx, c.Stream, proposal)
		if err != nil {
			return nil, err
		}
		return l.signedBy(ctx, person, sig, facts, func(at time.Time) []byte {
			return domain.ApprovalStatement(l.id, c.Stream, leaf, ask, person, at)
		})
	})
}

// Reject ends a proposal; see domain.Payment.Reject.
func (l *Ledger) Reject(
	ctx context.Context, ch domain.ChannelID, orderNo string, proposal domain.ID, person, reason string, by By,
) (Result, error) {
	return l.correct(ctx, ch, orderNo, by, func(_ context.Context, f folded, _ domain.Context) ([]domain.Fact, error) {
		return f.payment.Reject(proposal, person, reason)
	})
}

func (l *Ledger) correct(
	ctx context.Context, ch domain.ChannelID, orderNo string, by By,
	decide func(context.Context, folded, domain.Context) ([]domain.Fact, error),
) (Result, error) {
	return l.change(ctx, work{
		channel: ch, stream: domain.PaymentStreamRaw(ch, orderNo), by: by,
		decide: func(ctx context.Context, f folded, c domain.Context) (domain.Verdict, []byte, error) {
			facts, err := decide(ctx, f, c)
			return domain.Verdict{Facts: facts}, nil, err
		},
	})
}
