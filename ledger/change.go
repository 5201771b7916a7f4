package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

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
	Stream   domain.Stream // where it belongs
	Verdict  domain.Verdict
	Payment  domain.Payment
	Revision uint64
	Position eventstore.Position
}

// work is one change to a payment. decide says which facts follow from a fold,
// and what to seal with the first of them, nil for nothing; it may be asked
// several times. counted work that yields no facts is an equal delivery.
type work struct {
	channel domain.ChannelID
	stream  domain.Stream
	by      By
	counted bool
	decide  func(ctx context.Context, f folded, c domain.Context) (v domain.Verdict, plain []byte, err error)
}

// change decides on the stream's fold and appends what follows. It runs under
// its own deadline: a caller that hangs up does not cancel it.
func (l *Ledger) change(ctx context.Context, w work) (Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Timeout)
	defer cancel()
	set, err := l.channel(w.channel)
	if err != nil {
		return Result{}, err
	}
	done, err := l.turns.take(ctx, w.stream)
	if err != nil {
		return Result{}, err
	}
	defer done()
	for lost := range maxConflicts {
		r, err := l.attempt(ctx, set, w, lost > 0)
		if domain.KindOf(err) != domain.KindConflict || !errors.Is(err, errStore) {
			return r, err
		}
	}
	return Result{}, domain.E(domain.KindUnavailable, "%s: %d conflicts in a row", w.stream, maxConflicts)
}

// errStore marks errors of the store's append, so that its conflicts are told
// from those that domain decides.
var errStore = errors.New("append")

// attempt is one try: fold, decide, append. behind says that the fold is known
// to be an old one.
func (l *Ledger) attempt(ctx context.Context, set channel, w work, behind bool) (Result, error) {
	fold, cached, err := l.load(ctx, w.stream)
	if err == nil && cached && behind {
		fold, _, err = l.refresh(ctx, w.stream, fold)
	}
	if err != nil {
		return Result{}, err
	}
	c, err := l.context(ctx, set, w.stream)
	if err != nil {
		return Result{}, err
	}
	v, plain, err := w.decide(ctx, fold, c)
	if cached && !behind && doubtful(v, err) {
		fresh, moved, rerr := l.refresh(ctx, w.stream, fold)
		if rerr != nil {
			return Result{}, rerr
		}
		if moved {
			fold = fresh
			v, plain, err = w.decide(ctx, fold, c)
		}
	}
	if err != nil {
		return Result{}, err
	}
	return l.settle(ctx, c, w, fold, v, plain)
}

// context is what a decision on a stream rests on now.
func (l *Ledger) context(ctx context.Context, set channel, s domain.Stream) (domain.Context, error) {
	now := l.now()
	oldest, err := l.oldestOpen(ctx, now)
	return domain.Context{
		Ledger: l.id, Stream: s, Now: now, Channel: set.config, Revision: set.revision, Zone: set.zone, OldestOpen: oldest,
	}, err
}

// doubtful reports a decision that appends nothing, so that no revision check
// proves its fold to be the newest. What was decided stays decided, so a repeat
// needs no proof: repeats are answered from memory.
func doubtful(v domain.Verdict, err error) bool {
	return err != nil || (len(v.Facts) == 0 && v.Outcome != domain.OutcomeRepeated)
}

// settle appends a decision's facts and remembers the fold behind them.
func (l *Ledger) settle(
	ctx context.Context, c domain.Context, w work, fold folded, v domain.Verdict, plain []byte,
) (Result, error) {
	at := eventstore.Appended{Revision: uint64(max(fold.expected, 0))}
	switch {
	case len(v.Facts) > 0:
		var err error
		if at, err = l.append(ctx, c, &fold, w.by, v.Facts, plain); err != nil {
			l.forget(w.stream, err)
			return Result{}, err
		}
		for _, f := range v.Facts {
			fold.apply(f)
		}
		fold.expected, fold.repeats = eventstore.Expected(at.Revision), 0
	case w.counted:
		fold.repeats++
	}
	if fold.expected != eventstore.NoStream {
		l.cache.put(w.stream, fold)
	}
	return Result{Stream: w.stream, Verdict: v, Payment: fold.payment, Revision: at.Revision, Position: at.Position}, nil
}

// forget drops a fold whose append failed. Where surely nothing was written the
// fold stays, at most an old one: it holds the count of repeats.
func (l *Ledger) forget(s domain.Stream, err error) {
	if k := domain.KindOf(err); k != domain.KindConflict && k != domain.KindUnavailable {
		l.cache.drop(s)
	}
}

// load is the stream's fold, from memory or from the store.
func (l *Ledger) load(ctx context.Context, s domain.Stream) (f folded, cached bool, err error) {
	if f, ok := l.cache.get(s); ok {
		return f, true, nil
	}
	view, err := l.read(ctx, s, false)
	if domain.KindOf(err) == domain.KindNotFound && err != nil {
		return folded{expected: eventstore.NoStream}, false, nil
	}
	if err != nil {
		return folded{}, false, err
	}
	return folded{payment: view.Payment, expected: eventstore.Expected(view.Revision())}, false, nil
}

// refresh folds what was appended behind f, by other processes, and reports
// whether there was anything.
func (l *Ledger) refresh(ctx context.Context, s domain.Stream, f folded) (fresh folded, moved bool, err error) {
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{From: uint64(f.expected + 1)})
	if err != nil {
		return f, false, fmt.Errorf("read %s: %w", s, err)
	}
	for _, r := range events {
		e, err := Decode(r)
		if err != nil {
			return f, false, err
		}
		f.expected++
		if r.Revision != uint64(f.expected) {
			return f, false, domain.E(domain.KindCorrupt, "%s has revision %d where %d belongs", s, r.Revision, f.expected)
		}
		f.apply(e.Fact)
	}
	return f, len(events) > 0, nil
}

// events are facts as they are stored, recorded at a time.
func (l *Ledger) events(s domain.Stream, at time.Time, by By, facts []domain.Fact) (_ []eventstore.Event, err error) {
	meta := domain.Meta{RecordedAt: at, Actor: by.Actor, Cause: by.Cause, Trace: by.Trace, Software: l.cfg.Software}
	events := make([]eventstore.Event, len(facts))
	for i, f := range facts {
		if events[i], err = event(l.id, s, f, meta); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// append writes facts, the first with plain sealed beside it.
func (l *Ledger) append(
	ctx context.Context, c domain.Context, fold *folded, by By, facts []domain.Fact, plain []byte,
) (eventstore.Appended, error) {
	events, err := l.events(c.Stream, c.Now, by, facts)
	if err != nil {
		return eventstore.Appended{}, err
	}
	if plain != nil {
		if err := l.seal(ctx, c.Stream, fold, &events[0], plain); err != nil {
			return eventstore.Appended{}, err
		}
	}
	at, err := l.store.Append(ctx, c.Stream, fold.expected, events)
	if err != nil {
		return at, fmt.Errorf("%w to %s after %d: %w", errStore, c.Stream, fold.expected, err)
	}
	if _, delivered := facts[0].(domain.PaymentNotified); !delivered {
		err = l.ours(ctx, c.Stream, fold.expected, events)
	}
	return at, err
}

// ours makes sure that it is these events that stand behind expected. The store
// takes an append with the ids of what stands there for the same call made
// again, and the ids of placing, closing and allocating are the same whoever
// does it: another process may have been faster with another amount. A
// delivery's id is its own, so appends that begin with one need no look.
func (l *Ledger) ours(ctx context.Context, s domain.Stream, expected eventstore.Expected, events []eventstore.Event) error {
	stored, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{From: uint64(expected + 1), Limit: len(events)})
	if err != nil {
		return domain.E(domain.KindUnknown, "read back %s: %w", s, err)
	}
	same := len(stored) == len(events)
	for i := 0; same && i < len(events); i++ {
		same = bytes.Equal(stored[i].Data, events[i].Data) && bytes.Equal(stored[i].Meta, events[i].Meta)
	}
	if !same {
		return fmt.Errorf("%w to %s after %d: %w", errStore, s, expected,
			domain.E(domain.KindConflict, "another process wrote events of the same ids"))
	}
	return nil
}

// seal fills e.Sealed. A stream's key is made with its first event, and kept
// with the fold: most payments are called back by the process that placed them.
func (l *Ledger) seal(ctx context.Context, s domain.Stream, fold *folded, e *eventstore.Event, plain []byte) error {
	if fold.key == nil {
		name := domain.KeyStream(s, fold.payment.Erasures)
		key, err := l.key(ctx, name, fold.expected == eventstore.NoStream)
		if err != nil {
			return fmt.Errorf("data key of %s: %w", s, err)
		}
		fold.key = &key
	}
	sealed, err := seal(*fold.key, place{l.id, e.ID, s}, plain)
	e.Sealed = sealed
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
