package ledger

import (
	"context"
	"fmt"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Drawn is what became of a draw. Position is where its newest event stands.
type Drawn struct {
	domain.Draw
	Position eventstore.Position
}

// Draw books what an application says an account has spent; see
// domain.Draw.Report. existed reports that the same was said before. A draw has
// a stream of its own, so what one costs does not depend on how many there are.
func (l *Ledger) Draw(ctx context.Context, q domain.DrawAsk, by By) (d Drawn, existed bool, err error) {
	return l.draw(ctx, q.Number, by, func(d *domain.Draw, c domain.Context) (domain.Fact, error) { return d.Report(c, q) })
}

// ReverseDraw takes a draw back, whole and once; see domain.Draw.Reverse.
func (l *Ledger) ReverseDraw(
	ctx context.Context, account domain.AccountID, no domain.DrawNo, reason string, by By,
) (d Drawn, existed bool, err error) {
	return l.draw(ctx, no, by, func(d *domain.Draw, c domain.Context) (domain.Fact, error) { return d.Reverse(c, account, reason) })
}

func (l *Ledger) draw(
	ctx context.Context, no domain.DrawNo, by By, decide func(*domain.Draw, domain.Context) (domain.Fact, error),
) (d Drawn, existed bool, err error) {
	if l.cfg.Zone == nil {
		return Drawn{}, false, domain.E(domain.KindUnavailable, "no zone is set in which the days of draws are cut")
	}
	s := domain.DrawStream(no)
	facts, at, err := l.side(ctx, sideWork{
		stream: s, by: by,
		reset: func() { d.Draw = domain.Draw{} },
		apply: func(f domain.Fact) error { return d.Apply(f) },
		decide: func(c domain.Context) ([]domain.Fact, error) {
			f, err := decide(&d.Draw, c)
			if f == nil || err != nil {
				return nil, err
			}
			return []domain.Fact{f}, nil
		},
	})
	if err != nil {
		return Drawn{}, false, err
	}
	if len(facts) == 0 {
		d.Position, err = l.lastOf(ctx, s)
		return d, true, err
	}
	d.Position = at
	return d, false, d.Apply(facts[0])
}

// lastOf is where a stream's last event stands.
func (l *Ledger) lastOf(ctx context.Context, s domain.Stream) (eventstore.Position, error) {
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{})
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", s, err)
	}
	return events[len(events)-1].Position, nil
}
