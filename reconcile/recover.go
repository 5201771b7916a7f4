package reconcile

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// recoverEvery is how often a provider that can tell is asked which of its
// callbacks did not arrive.
const recoverEvery = 5 * time.Minute

// recover takes in what providers could not deliver: the way back after an
// outage for those that know no order numbers. One process asks at a time; what
// was told before changes nothing when it is told again.
func (s *Sweeper) recover(ctx context.Context, t *tally) error {
	for id, ch := range s.Channels {
		r, able := ch.(providers.Recoverer)
		if !able || t.mute(id) {
			continue
		}
		_, err := s.Ops.Acquire(ctx, "recover:"+string(id), t.run.ID, s.Clock(), s.pace.of(recoverEvery))
		if err != nil && domain.KindOf(err) == domain.KindConflict {
			continue // asked a moment ago
		}
		if err != nil {
			return err
		}
		if err := s.recoverFrom(ctx, t, id, r); err != nil {
			return err
		}
	}
	return nil
}

// recoverFrom walks what one provider could not deliver, from where this process
// got to. A list that breaks off leaves the run incomplete and is walked again.
func (s *Sweeper) recoverFrom(ctx context.Context, t *tally, id domain.ChannelID, r providers.Recoverer) error {
	if err := s.limit(id).Wait(ctx); err != nil {
		return domain.E(domain.KindUnavailable, "sweep stopped: %w", err)
	}
	var failed error
	for a, err := range r.Missed(ctx, s.missed(id), s.Clock()) {
		if failed = err; err != nil {
			s.Logger.LogAttrs(ctx, slog.LevelInfo, "undelivered callbacks cannot be read", slog.String("channel", string(id)),
				slog.String("error", err.Error()))
			continue
		}
		if err := s.takeIn(ctx, t, a); err != nil {
			return err
		}
		s.setMissed(id, a.Cursor)
	}
	if ctx.Err() != nil {
		return domain.E(domain.KindUnavailable, "sweep stopped: %w", ctx.Err())
	}
	t.heard(id, failed == nil)
	return nil
}

// takeIn books what one undelivered message tells.
func (s *Sweeper) takeIn(ctx context.Context, t *tally, a providers.Answer) error {
	delivery, err := domain.NewRandom(rand.Reader)
	if err != nil {
		return err
	}
	for _, n := range append([]domain.Notice{a.Notice}, a.Also...) {
		n.Delivery, n.Run = delivery, t.run.ID
		before, err := s.known(ctx, n)
		if err != nil {
			return err
		}
		res, err := s.Ledger.Notify(ctx, n, a.Evidence, nil)
		if err != nil {
			return err
		}
		t.count(before, n, res.Verdict)
	}
	return nil
}

// known is the payment of a notice as it is before it.
func (s *Sweeper) known(ctx context.Context, n domain.Notice) (domain.Payment, error) {
	if n.OrderNo == "" {
		return domain.Payment{}, nil
	}
	v, err := s.Ledger.Payment(ctx, n.Channel, n.OrderNo)
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		return domain.Payment{}, nil
	}
	return v.Payment, err
}

// missed is where this process got to in what a channel's provider could not
// deliver; empty at its start, which only costs time.
func (s *Sweeper) missed(id domain.ChannelID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[id]
}

func (s *Sweeper) setMissed(id domain.ChannelID, cursor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursors[id] = cursor
}
