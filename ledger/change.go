package ledger

import (
	"context"
	"errors"
	"fmt"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// By says who changes the books and on what occasion; it goes into the
// envelope.
type By struct {
	Actor string // "channel:<id>", "key:<id>", "reconciler", "person:<id>", "system"
	Cause string // delivery, request or run
	Trace string
}

// Result is what a change came to. Position is 0 when nothing was appended.
type Result struct {
	Verdict  domain.Verdict
	Payment  domain.Payment
	Revision uint64
	Position eventstore.Position
}

// decide is one attempt: which facts follow from a fold. plain is what to seal
// with the first fact; nil for nothing.
type decide func(f *folded, c domain.Context) (v domain.Verdict, plain []byte, err error)

// change runs decide on the stream's fold and appends what follows. It runs
// under its own deadline: a caller that hangs up does not cancel it.
func (l *Ledger) change(ctx context.Context, ch domain.ChannelID, s domain.Stream, by By, d decide) (Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Timeout)
	defer cancel()
	set, err := l.channel(ch)
	if err != nil {
		return Result{}, err
	}
	done, err := l.turns.take(ctx, s)
	if err != nil {
		return Result{}, err
	}
	defer done()
	for range maxConflicts {
		r, err := l.attempt(ctx, set, s, by, d)
		if domain.KindOf(err) != domain.KindConflict || !errors.Is(err, errStore) {
			return r, err
		}
		l.cache.drop(s)
	}
	return Result{}, domain.E(domain.KindUnavailable, "%s: %d conflicts in a row", s, maxConflicts)
}

// errStore marks errors of the store's append, so that its conflicts are told
// from those that domain decides.
var errStore = errors.New("append")

func (l *Ledger) attempt(ctx context.Context, set channel, s domain.Stream, by By, d decide) (Result, error) {
	fold, err := l.load(ctx, s)
	if err != nil {
		return Result{}, err
	}
	c := domain.Context{
		Ledger: l.id, Stream: s, Now: l.now(), Channel: set.config, Revision: set.revision, Zone: set.zone,
	}
	v, plain, err := d(&fold, c)
	if err != nil {
		return Result{}, err
	}
	at := eventstore.Appended{Revision: uint64(max(fold.expected, 0))}
	if len(v.Facts) > 0 {
		if at, err = l.append(ctx, c, fold, by, v.Facts, plain); err != nil {
			l.cache.drop(s)
			return Result{}, err
		}
		for _, f := range v.Facts {
			fold.payment = fold.payment.Apply(f)
		}
		fold.expected, fold.repeats = eventstore.Expected(at.Revision), 0
	}
	l.cache.put(s, fold)
	return Result{Verdict: v, Payment: fold.payment, Revision: at.Revision, Position: at.Position}, nil
}

// load is the stream's fold, from memory or from the store.
func (l *Ledger) load(ctx context.Context, s domain.Stream) (folded, error) {
	if f, ok := l.cache.get(s); ok {
		return f, nil
	}
	view, err := l.read(ctx, s, false)
	if domain.KindOf(err) == domain.KindNotFound && err != nil {
		return folded{expected: eventstore.NoStream}, nil
	}
	if err != nil {
		return folded{}, err
	}
	return folded{payment: view.Payment, expected: eventstore.Expected(view.Revision())}, nil
}

// append writes facts, the first with plain sealed beside it.
func (l *Ledger) append(
	ctx context.Context, c domain.Context, fold folded, by By, facts []domain.Fact, plain []byte,
) (eventstore.Appended, error) {
	meta := domain.Meta{RecordedAt: c.Now, Actor: by.Actor, Cause: by.Cause, Trace: by.Trace, Software: l.cfg.Software}
	events := make([]eventstore.Event, len(facts))
	for i, f := range facts {
		e, err := event(l.id, c.Stream, f, meta)
		if err != nil {
			return eventstore.Appended{}, err
		}
		events[i] = e
	}
	if plain != nil {
		if err := l.seal(ctx, c.Stream, fold.expected == eventstore.NoStream, &events[0], plain); err != nil {
			return eventstore.Appended{}, err
		}
	}
	at, err := l.store.Append(ctx, c.Stream, fold.expected, events)
	if err != nil {
		return at, fmt.Errorf("%w to %s after %d: %w", errStore, c.Stream, fold.expected, err)
	}
	return at, nil
}

// seal fills e.Sealed. A stream's key is made with its first event.
func (l *Ledger) seal(ctx context.Context, s domain.Stream, first bool, e *eventstore.Event, plain []byte) error {
	key, err := l.key(ctx, s, first)
	if err != nil {
		return fmt.Errorf("data key of %s: %w", s, err)
	}
	e.Sealed, err = seal(key, place{l.id, e.ID, s}, plain)
	return err
}

func (l *Ledger) key(ctx context.Context, s domain.Stream, first bool) (domain.DataKey, error) {
	if first {
		return l.keys.EnsureDataKey(ctx, s)
	}
	key, err := l.keys.DataKey(ctx, s)
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		return l.keys.EnsureDataKey(ctx, s)
	}
	return key, err
}
