package ledger

import (
	"context"
	"fmt"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// BookFees books what a bill says was charged, as far as it is not booked yet,
// and returns what was booked now: the zero Money for nothing.
func (l *Ledger) BookFees(ctx context.Context, ch domain.ChannelID, bill domain.FeeBill, by By) (domain.Money, error) {
	set, err := l.channel(ch)
	if err != nil {
		return domain.Money{}, err
	}
	s := domain.BookStream(ch, bill.Day)
	done, err := l.turns.take(ctx, s)
	if err != nil {
		return domain.Money{}, err
	}
	defer done()
	for range maxConflicts {
		m, err := l.bookFees(ctx, set, s, bill, by)
		if err == nil || domain.KindOf(err) != domain.KindConflict {
			return m, err
		}
	}
	return domain.Money{}, domain.E(domain.KindUnavailable, "%s: %d conflicts in a row", s, maxConflicts)
}

// bookFees is one try.
func (l *Ledger) bookFees(ctx context.Context, set channel, s domain.Stream, bill domain.FeeBill, by By) (domain.Money, error) {
	var book domain.FeeBook
	expected := eventstore.NoStream
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return domain.Money{}, fmt.Errorf("read %s: %w", s, err)
	}
	for _, r := range events {
		e, err := Decode(r)
		if err != nil {
			return domain.Money{}, err
		}
		f, ok := e.Fact.(domain.FeesBooked)
		if !ok {
			return domain.Money{}, domain.E(domain.KindCorrupt, "%s holds a %s", s, e.Type)
		}
		book, expected = book.Apply(f), eventstore.Expected(r.Revision)
	}
	now := l.now()
	c := domain.Context{Ledger: l.id, Stream: s, Now: now, Channel: set.config, Revision: set.revision, Zone: set.zone}
	f, due, err := book.Book(c, bill)
	if err != nil || !due {
		return domain.Money{}, err
	}
	e, err := event(l.id, s, f, domain.Meta{RecordedAt: now, Actor: by.Actor, Cause: by.Cause, Trace: by.Trace, Software: l.cfg.Software})
	if err != nil {
		return domain.Money{}, err
	}
	if _, err := l.store.Append(ctx, s, expected, []eventstore.Event{e}); err != nil {
		return domain.Money{}, fmt.Errorf("append to %s after %d: %w", s, expected, err)
	}
	return f.Amount, nil
}
