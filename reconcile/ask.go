package reconcile

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
)

// queryWithin bounds one question.
const queryWithin = 15 * time.Second

// tally counts into a run from many goroutines.
type tally struct {
	mu  sync.Mutex
	run *operations.Run
}

func (t *tally) add(f func(r *operations.Run)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.run)
}

// askAll asks the claimed questions, a bounded number at once.
func (s *Sweeper) askAll(ctx context.Context, run *operations.Run, asks []operations.Ask) error {
	t := &tally{run: run}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.cfg.Queries)
	for _, a := range asks {
		g.Go(func() error { return s.ask(gctx, t, a) })
	}
	return g.Wait()
}

// ask settles one question: look at the payment as it is now, ask the provider
// if that is still needed, take the answer into the books, schedule the next.
// Its error is about our own stores; the provider's silence is no error.
func (s *Sweeper) ask(ctx context.Context, t *tally, a operations.Ask) error {
	v, err := s.Ledger.Payment(ctx, a.Channel, a.OrderNo)
	if err != nil {
		return err
	}
	if !needed(a, v.Payment) {
		a.Done = true
		return s.Ops.PutAsks(ctx, []operations.Ask{a})
	}
	after := v.Payment
	a.LastSaid, after, err = s.question(ctx, t, a, v.Payment)
	if err != nil {
		return err
	}
	now := s.Clock()
	a.Attempts++
	a.LastAt = domain.Instant(now)
	a = s.pace.next(a, after, now)
	a.Done = a.Done || !needed(a, after)
	return s.Ops.PutAsks(ctx, []operations.Ask{a})
}

// needed reports whether the question still matters.
func needed(a operations.Ask, p domain.Payment) bool {
	switch a.Why {
	case whyHeld:
		tr, ok := p.Trade(a.TradeNo)
		return ok && tr.State.Waits()
	case whyCredited:
		return p.IsSettled()
	}
	return !p.IsSettled()
}

// question asks the provider and books the answer. It returns what was said in
// a word and the payment afterwards.
func (s *Sweeper) question(
	ctx context.Context, t *tally, a operations.Ask, p domain.Payment,
) (said string, after domain.Payment, err error) {
	answer, err := s.query(ctx, t, a)
	if err != nil {
		if ctx.Err() != nil {
			return "", p, domain.E(domain.KindUnavailable, "sweep stopped: %w", ctx.Err())
		}
		t.add(func(r *operations.Run) { r.Unanswered++ })
		s.metrics.unanswered.WithLabelValues(string(a.Channel)).Inc()
		s.Logger.LogAttrs(ctx, slog.LevelInfo, "provider did not answer", slog.String("channel", string(a.Channel)),
			slog.String("order_no", a.OrderNo), slog.String("trade_no", a.TradeNo), slog.String("error", err.Error()))
		return "no answer", p, nil
	}
	if answer.Found {
		res, err := s.Ledger.Notify(ctx, answer.Notice, answer.Evidence, nil)
		if err != nil {
			return "", p, err
		}
		t.count(p, answer.Notice, res.Verdict)
		p, said = res.Payment, string(answer.Notice.Status)
	} else {
		t.add(func(r *operations.Run) { r.Unknown++ })
		said = "unknown there"
	}
	p, err = s.expire(ctx, t, a, p)
	return said, p, err
}

func (s *Sweeper) query(ctx context.Context, t *tally, a operations.Ask) (providers.Answer, error) {
	if err := s.limit(a.Channel).Wait(ctx); err != nil {
		return providers.Answer{}, err
	}
	id, err := domain.NewRandom(rand.Reader)
	if err != nil {
		return providers.Answer{}, err
	}
	var run string
	t.add(func(r *operations.Run) { r.Asked++; run = r.ID })
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	return s.Channels[a.Channel].Query(ctx, providers.Question{
		OrderNo: a.OrderNo, TradeNo: a.TradeNo, Delivery: id, Run: run, At: s.Clock(),
	})
}

// count books an answer into the run.
func (t *tally) count(before domain.Payment, n domain.Notice, v domain.Verdict) {
	t.add(func(r *operations.Run) {
		if n.Status == domain.StatusPaid {
			r.Paid++
		}
		healed := false
		for _, f := range v.Facts {
			switch f := f.(type) {
			case domain.DiscrepancyFound:
				if healed = f.Kind == domain.MissingCredit; !healed {
					r.Differing++
				}
			case domain.PaymentClosed:
				r.Closed++
			default:
			}
		}
		switch {
		case v.Outcome != domain.OutcomeCredited:
		case healed:
			r.Healed++
		case before.State() == domain.StateHeld || before.State() == domain.StateParked:
			r.Confirmed++
		}
	})
}

// expire closes a payment whose time is over, once the provider had its say.
func (s *Sweeper) expire(ctx context.Context, t *tally, a operations.Ask, p domain.Payment) (domain.Payment, error) {
	if a.Why != whyUnsettled || p.State() != domain.StatePlaced || !s.Clock().After(p.Placed.ExpiresAt) {
		return p, nil
	}
	res, err := s.Ledger.Expire(ctx, a.Channel, a.OrderNo, ledger.By{Actor: "reconciler", Cause: t.run.ID})
	if err != nil {
		return p, err
	}
	if len(res.Verdict.Facts) > 0 {
		t.add(func(r *operations.Run) { r.Closed++ })
	}
	return res.Payment, nil
}
