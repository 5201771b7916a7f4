package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// BookBill books what a bill says was charged and exchanged, as far as it is
// not booked yet; see domain.Book. The same bill booked again books nothing, a
// changed one the difference.
func (l *Ledger) BookBill(ctx context.Context, ch domain.ChannelID, bill domain.BookedBill, by By) (domain.Booked, error) {
	var book domain.Book
	facts, _, err := l.side(ctx, sideWork{
		channel: ch, stream: domain.BookStream(ch, bill.Day), by: by,
		reset: func() { book = domain.Book{} },
		apply: func(f domain.Fact) error { return book.Apply(f) },
		decide: func(c domain.Context) ([]domain.Fact, error) {
			return book.Bill(c, bill)
		},
	})
	return domain.Booked{Facts: facts}, err
}

// BookMovements books the lines of a bill that move money without being about
// one payment: payouts and failed payouts each in the payout's stream, once a
// stage, and what nobody can name in the book of the day, once a line. Lines
// that are booked with another amount move nothing and are told.
func (l *Ledger) BookMovements(
	ctx context.Context, ch domain.ChannelID, day domain.Day, ms []domain.Movement, by By,
) (domain.Booked, error) {
	others := slices.DeleteFunc(slices.Clone(ms), func(m domain.Movement) bool { return m.Kind != domain.LineOther })
	out, err := l.bookOthers(ctx, ch, day, others, by)
	if err != nil {
		return out, err
	}
	for _, m := range ms {
		if m.Kind == domain.LineOther {
			continue
		}
		differs := false
		facts, _, err := l.payout(ctx, ch, m.Payout(), by, func(p *domain.Payout, c domain.Context) (f domain.Fact, err error) {
			f, differs, err = p.Line(c, day, m)
			return f, err
		})
		if err != nil {
			return out, err
		}
		if out.Facts = append(out.Facts, facts...); differs {
			out.Differing = append(out.Differing, m)
		}
	}
	return out, nil
}

func (l *Ledger) bookOthers(
	ctx context.Context, ch domain.ChannelID, day domain.Day, ms []domain.Movement, by By,
) (out domain.Booked, err error) {
	if len(ms) == 0 {
		return out, nil
	}
	var book domain.Book
	out.Facts, _, err = l.side(ctx, sideWork{
		channel: ch, stream: domain.BookStream(ch, day), by: by,
		reset: func() { book = domain.Book{} },
		apply: func(f domain.Fact) error { return book.Apply(f) },
		decide: func(c domain.Context) (facts []domain.Fact, err error) {
			facts, out.Differing, err = book.Movements(c, day, ms)
			return facts, err
		},
	})
	return out, err
}

// ArrivePayout books a payout that stands on the bank account, by the word of a
// person; see domain.Payout.Arrive. at is 0 when it was said before.
func (l *Ledger) ArrivePayout(
	ctx context.Context, ch domain.ChannelID, payoutID string, a domain.Arrival, by By,
) (p domain.Payout, at eventstore.Position, err error) {
	facts, at, err := l.payout(ctx, ch, payoutID, by, func(have *domain.Payout, c domain.Context) (domain.Fact, error) {
		f, err := have.Arrive(c, a)
		p = *have
		return f, err
	})
	for _, f := range facts {
		if err := p.Apply(f); err != nil {
			return p, at, err
		}
	}
	return p, at, err
}

func (l *Ledger) payout(
	ctx context.Context, ch domain.ChannelID, payoutID string, by By,
	decide func(*domain.Payout, domain.Context) (domain.Fact, error),
) ([]domain.Fact, eventstore.Position, error) {
	var p domain.Payout
	return l.side(ctx, sideWork{
		channel: ch, stream: domain.PayoutStream(ch, payoutID), by: by,
		reset: func() { p = domain.Payout{} },
		apply: func(f domain.Fact) error { return p.Apply(f) },
		decide: func(c domain.Context) ([]domain.Fact, error) {
			f, err := decide(&p, c)
			if f == nil {
				return nil, err
			}
			return []domain.Fact{f}, err
		},
	})
}

// sideWork is one change to a stream beside the payments: its fold begins with
// reset, takes each stored fact by apply, and decide says what follows. They
// may be called several times.
type sideWork struct {
	channel domain.ChannelID // empty: of none, and dated in Config.Zone
	stream  domain.Stream
	by      By
	reset   func()
	apply   func(domain.Fact) error
	decide  func(domain.Context) ([]domain.Fact, error)
}

// side decides on a stream's fold and appends what follows; at is where the last
// of it stands, 0 for nothing. Between processes the expected revision decides,
// as with payments.
func (l *Ledger) side(ctx context.Context, w sideWork) (facts []domain.Fact, at eventstore.Position, err error) {
	set := channel{zone: l.cfg.Zone}
	if w.channel != "" {
		if set, err = l.channel(w.channel); err != nil {
			return nil, 0, err
		}
	}
	done, err := l.turns.take(ctx, w.stream)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	for range maxConflicts {
		facts, at, err = l.sideOnce(ctx, set, w)
		if domain.KindOf(err) != domain.KindConflict || !errors.Is(err, errStore) {
			return facts, at, err
		}
	}
	return nil, 0, domain.E(domain.KindUnavailable, "%s: %d conflicts in a row", w.stream, maxConflicts)
}

// sideOnce is one try.
func (l *Ledger) sideOnce(ctx context.Context, set channel, w sideWork) (facts []domain.Fact, at eventstore.Position, err error) {
	w.reset()
	expected, err := l.foldSide(ctx, w.stream, w.apply)
	if err != nil {
		return nil, 0, err
	}
	c, err := l.context(ctx, set, w.stream)
	if err != nil {
		return nil, 0, err
	}
	if facts, err = w.decide(c); err != nil || len(facts) == 0 {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Timeout)
	defer cancel()
	if at, err = l.appendSide(ctx, c, expected, w.by, facts); err != nil {
		return nil, 0, err
	}
	return facts, at, nil
}

// foldSide reads a stream from its beginning.
func (l *Ledger) foldSide(ctx context.Context, s domain.Stream, apply func(domain.Fact) error) (eventstore.Expected, error) {
	expected := eventstore.NoStream
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return expected, fmt.Errorf("read %s: %w", s, err)
	}
	for _, r := range events {
		e, err := Decode(r)
		if err != nil {
			return expected, err
		}
		if err := apply(e.Fact); err != nil {
			return expected, fmt.Errorf("event %d of %s: %w", r.Revision, s, err)
		}
		expected = eventstore.Expected(r.Revision)
	}
	return expected, nil
}

// appendSide writes facts in parts that a store takes at once, and returns
// where the last one stands. What is lost between two parts is decided again by
// whoever calls next.
func (l *Ledger) appendSide(
	ctx context.Context, c domain.Context, expected eventstore.Expected, by By, facts []domain.Fact,
) (last eventstore.Position, err error) {
	for part := range slices.Chunk(facts, perAppend) {
		events, err := l.events(c.Stream, c.Now, by, part)
		if err != nil {
			return 0, err
		}
		at, err := l.store.Append(ctx, c.Stream, expected, events)
		if err != nil {
			return 0, fmt.Errorf("%w to %s after %d: %w", errStore, c.Stream, expected, err)
		}
		if err := l.ours(ctx, c.Stream, expected, events); err != nil {
			return 0, err
		}
		expected, last = eventstore.Expected(at.Revision), at.Position
	}
	return last, nil
}
