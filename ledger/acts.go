package ledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// acts is where the month's stream of people's acts stands, as far as this
// process knows.
type acts struct {
	mu       sync.Mutex
	stream   domain.Stream
	expected eventstore.Expected
	there    map[domain.ID]bool // logins among them: the others' ids are random
	key      *domain.DataKey
}

// Act records what a person did; it is durable when Act returns. A login that is
// recorded already, of the same key and day, leaves no second event. KindInvalid
// for an act that does not say what and by whom.
//
// Acts of one store are kept one after the other, in a stream for each month.
func (l *Ledger) Act(ctx context.Context, a domain.Act, by By) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Timeout)
	defer cancel()
	l.acts.mu.Lock()
	defer l.acts.mu.Unlock()
	for range maxConflicts {
		err := l.act(ctx, a, by)
		if domain.KindOf(err) != domain.KindConflict {
			return err
		}
	}
	return domain.E(domain.KindUnavailable, "acts: %d conflicts in a row", maxConflicts)
}

// act is one try: read what others appended, append behind it.
func (l *Ledger) act(ctx context.Context, a domain.Act, by By) error {
	now := l.now()
	id, err := domain.NewRandom(rand.Reader)
	if err != nil {
		return err
	}
	if a.What == domain.ActLogin {
		id = domain.LoginID(l.id, a.Key, now)
	}
	f, err := a.Fact(id)
	if err != nil {
		return err
	}
	if err := l.readActs(ctx, domain.ActsStream(now)); err != nil {
		return err
	}
	meta := domain.Meta{RecordedAt: now, Actor: by.Actor, Cause: by.Cause, Trace: by.Trace, Software: l.cfg.Software}
	e, err := event(l.id, l.acts.stream, f, meta)
	if err != nil || l.acts.there[e.ID] {
		return err
	}
	if err := l.sealRemote(ctx, &e, a.Remote); err != nil {
		return err
	}
	at, err := l.store.Append(ctx, l.acts.stream, l.acts.expected, []eventstore.Event{e})
	if err != nil {
		return fmt.Errorf("append to %s after %d: %w", l.acts.stream, l.acts.expected, err)
	}
	l.acts.expected, l.acts.there[e.ID] = eventstore.Expected(at.Revision), true
	return nil
}

// readActs learns what stands in the month's stream by now: another process may
// have recorded the same login.
func (l *Ledger) readActs(ctx context.Context, s domain.Stream) error {
	if l.acts.stream != s {
		l.acts.stream, l.acts.expected, l.acts.there, l.acts.key = s, eventstore.NoStream, map[domain.ID]bool{}, nil
	}
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{From: uint64(l.acts.expected + 1)})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return fmt.Errorf("read %s: %w", s, err)
	}
	for _, r := range events {
		l.acts.expected, l.acts.there[r.ID] = eventstore.Expected(r.Revision), true
	}
	return nil
}

// sealRemote seals the address an act came from, which is personal, beside it.
func (l *Ledger) sealRemote(ctx context.Context, e *eventstore.Event, remote string) error {
	if remote == "" {
		return nil
	}
	plain, err := domain.Origin{Remote: remote}.Encode()
	if err != nil {
		return err
	}
	if l.acts.key == nil {
		key, err := l.keys.EnsureDataKey(ctx, l.acts.stream)
		if err != nil {
			return fmt.Errorf("data key of %s: %w", l.acts.stream, err)
		}
		l.acts.key = &key
	}
	e.Sealed, err = seal(*l.acts.key, place{l.id, e.ID, l.acts.stream}, plain)
	return err
}
