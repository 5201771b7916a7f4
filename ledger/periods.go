package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Basis gathers what stands when a period is to be closed, as of all that the
// log holds now. Zones are the ledger's to fill in. It is asked anew for each
// try.
type Basis func(ctx context.Context) (domain.CloseBasis, error)

// Periods reads and folds what became of the periods: it is never stale.
func (l *Ledger) Periods(ctx context.Context) (domain.Periods, error) {
	var p domain.Periods
	_, err := l.foldSide(ctx, domain.PeriodsStream, func(f domain.Fact) (err error) {
		p, err = p.Apply(f)
		return err
	})
	return p, err
}

// ProposeClose asks for the second person's yes to close a period; see
// domain.Periods.Propose. at is 0 where the same proposal stands already. sig is
// the person's own signature; who has a key of their own must sign.
func (l *Ledger) ProposeClose(
	ctx context.Context, q domain.CloseAsk, sig *domain.Signature, basis Basis, by By,
) (p domain.PeriodProposal, at eventstore.Position, err error) {
	at, err = l.closing(ctx, by, func(have domain.Periods, now func() domain.Context) (facts []domain.Fact, err error) {
		if q.Basis, err = l.basis(ctx, basis); err != nil {
			return nil, err
		}
		p, facts, err = have.Propose(now(), q) // when it takes effect counts from now, not from before the gathering
		if err != nil || len(facts) == 0 {
			return nil, err
		}
		p.Ask.Signature = sig
		return l.signedBy(ctx, p.Ask.By, sig, facts, func(at time.Time) []byte { return domain.ClosingStatement(l.id, p.Ask, at) })
	})
	return p, at, err
}

// ApproveClose closes a period for ever: the second person's yes. See
// domain.Periods.Approve. at is 0 where the same person has approved before. sig
// is as with ProposeClose.
func (l *Ledger) ApproveClose(
	ctx context.Context, period, person, reason string, sig *domain.Signature, basis Basis, by By,
) (at eventstore.Position, err error) {
	return l.closing(ctx, by, func(have domain.Periods, now func() domain.Context) ([]domain.Fact, error) {
		c := now() // the totals must be gathered after the time that allows it
		b, err := l.basis(ctx, basis)
		if err != nil {
			return nil, err
		}
		facts, err := have.Approve(c, period, person, reason, b)
		if err != nil || len(facts) == 0 {
			return nil, err
		}
		q, _ := have.Proposal(period)
		ask, leaf, err := l.ProposedClose(ctx, q.Ask.Proposal)
		if err != nil {
			return nil, err
		}
		return l.signedBy(ctx, person, sig, facts, func(at time.Time) []byte {
			return domain.ClosedStatement(l.id, leaf, ask, person, at)
		})
	})
}

// RejectClose ends a proposal; see domain.Periods.Reject. at is 0 where the
// same person has rejected before.
func (l *Ledger) RejectClose(ctx context.Context, period, person, reason string, by By) (at eventstore.Position, err error) {
	return l.closing(ctx, by, func(have domain.Periods, now func() domain.Context) ([]domain.Fact, error) {
		return have.Reject(now(), period, person, reason)
	})
}

// basis is what the caller gathers, with the zones in which anything is dated.
func (l *Ledger) basis(ctx context.Context, gather Basis) (domain.CloseBasis, error) {
	b, err := gather(ctx)
	if err != nil {
		return b, err
	}
	l.setMu.RLock()
	defer l.setMu.RUnlock()
	b.Zones = nil
	if l.cfg.Zone != nil {
		b.Zones = append(b.Zones, l.cfg.Zone.String())
	}
	for _, set := range l.channels {
		b.Zones = append(b.Zones, set.config.Zone)
	}
	slices.Sort(b.Zones)
	b.Zones = slices.Compact(b.Zones)
	return b, nil
}

// closingWork decides on the periods' fold; now makes its context, with the
// time that will stand in the envelope.
type closingWork func(have domain.Periods, now func() domain.Context) ([]domain.Fact, error)

// closing decides on the periods and appends what follows, one after the other.
func (l *Ledger) closing(ctx context.Context, by By, decide closingWork) (eventstore.Position, error) {
	done, err := l.turns.take(ctx, domain.PeriodsStream)
	if err != nil {
		return 0, err
	}
	defer done()
	for range maxConflicts {
		at, err := l.closeOnce(ctx, by, decide)
		if domain.KindOf(err) != domain.KindConflict || !errors.Is(err, errStore) {
			return at, err
		}
	}
	return 0, domain.E(domain.KindUnavailable, "%s: %d conflicts in a row", domain.PeriodsStream, maxConflicts)
}

// closeOnce is one try. The append has its own deadline: what is decided takes
// effect at a time that others must have heard of it by.
func (l *Ledger) closeOnce(ctx context.Context, by By, decide closingWork) (eventstore.Position, error) {
	var have domain.Periods
	expected, err := l.foldSide(ctx, domain.PeriodsStream, func(f domain.Fact) (err error) {
		have, err = have.Apply(f)
		return err
	})
	if err != nil {
		return 0, err
	}
	var c domain.Context
	facts, err := decide(have, func() domain.Context {
		c = domain.Context{Ledger: l.id, Stream: domain.PeriodsStream, Now: l.now()}
		return c
	})
	if err != nil || len(facts) == 0 {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Timeout)
	defer cancel()
	defer l.periods.forget()
	return l.appendSide(ctx, c, expected, by, facts)
}

// periods is what this process knows of the periods.
type periods struct {
	mu    sync.Mutex // one read at a time
	known atomic.Pointer[knownPeriods]
}

type knownPeriods struct {
	fold domain.Periods
	next uint64    // revision of the stream's next event
	at   time.Time // before it was read
}

func (p *periods) forget() { p.known.Store(nil) }

// oldestOpen is the oldest period that a fact decided at now may be dated into.
// What this process knows of the periods is at most domain.PeriodKnown old, so
// it has heard of every decision that is in effect.
func (l *Ledger) oldestOpen(ctx context.Context, now time.Time) (string, error) {
	k := l.periods.known.Load()
	if k == nil || !k.fresh(now, domain.PeriodKnown/2) {
		var err error
		if k, err = l.learnPeriods(ctx, k, now); err != nil {
			return "", err
		}
	}
	return k.fold.OldestOpen(now), nil
}

// fresh reports whether k may be believed at now; a clock that went back
// proves nothing.
func (k *knownPeriods) fresh(now time.Time, within time.Duration) bool {
	age := now.Sub(k.at)
	return age >= 0 && age <= within
}

// learnPeriods reads what was decided since k. While one caller reads, others
// go on with what is known, as long as it may be believed.
func (l *Ledger) learnPeriods(ctx context.Context, k *knownPeriods, now time.Time) (*knownPeriods, error) {
	believed := k != nil && k.fresh(now, domain.PeriodKnown)
	if !l.periods.mu.TryLock() {
		if believed {
			return k, nil
		}
		l.periods.mu.Lock()
		if k = l.periods.known.Load(); k != nil && k.fresh(now, domain.PeriodKnown) {
			l.periods.mu.Unlock()
			return k, nil
		}
	}
	defer l.periods.mu.Unlock()
	fresh, err := l.readPeriods(ctx, k, now)
	switch {
	case err == nil:
		l.periods.known.Store(fresh)
		return fresh, nil
	case believed:
		return k, nil
	}
	return nil, fmt.Errorf("which periods are open: %w", err)
}

func (l *Ledger) readPeriods(ctx context.Context, k *knownPeriods, now time.Time) (*knownPeriods, error) {
	next := knownPeriods{at: now}
	if k != nil {
		next.fold, next.next = k.fold, k.next
	}
	events, err := l.store.ReadStream(ctx, domain.PeriodsStream, eventstore.ReadOptions{From: next.next})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return nil, fmt.Errorf("read %s: %w", domain.PeriodsStream, err)
	}
	for _, r := range events {
		e, err := Decode(r)
		if err != nil {
			return nil, err
		}
		if next.fold, err = next.fold.Apply(e.Fact); err != nil {
			return nil, err
		}
		next.next = r.Revision + 1
	}
	return &next, nil
}
