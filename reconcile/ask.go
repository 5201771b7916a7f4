package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
)

// queryWithin bounds one question.
const queryWithin = 10 * time.Second

// What a question came to when the provider named no status.
const (
	saidNothing = "no answer"     // no answer to be had: asked again, never a difference
	saidUnknown = "unknown there" // the provider does not know the order now
	saidOther   = "not this one"  // the number asked about is another order's, or no number of the provider's
)

// maxSilence is how many questions in a row a provider may leave unanswered
// before a run leaves it alone: a dead gateway must not hold up the others.
const maxSilence = 5

// tally counts into a run from many goroutines.
type tally struct {
	mu     sync.Mutex
	run    *operations.Run
	silent map[domain.ChannelID]int // unanswered in a row
	failed error                    // the first question that our own books could not take
	fed    time.Time                // when the schedule was last fed; the run's own goroutine's
}

func newTally(run *operations.Run) *tally {
	return &tally{run: run, silent: map[domain.ChannelID]int{}, fed: run.StartedAt}
}

func (t *tally) add(f func(r *operations.Run)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.run)
}

// heard notes whether a channel answered.
func (t *tally) heard(ch domain.ChannelID, answered bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if answered {
		t.silent[ch] = 0
		return
	}
	t.silent[ch]++
	t.run.Unanswered++
}

// mute reports whether the channel is left alone for the rest of the run.
func (t *tally) mute(ch domain.ChannelID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.silent[ch] >= maxSilence
}

func (t *tally) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = err
	}
}

// askAll asks the claimed questions, a bounded number at once. What concerns
// one payment only ends that question; a store that is away ends them all.
func (s *Sweeper) askAll(ctx context.Context, t *tally, asks []operations.Ask) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.cfg.Queries)
	for _, a := range asks {
		g.Go(func() error {
			err := s.ask(gctx, t, a)
			if err == nil || ends(err) {
				return err
			}
			t.fail(err)
			s.tellBad(ctx, a.Channel, a.OrderNo, err)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return s.feedAgain(ctx, t)
}

// feedEvery is how old the schedule may get within a run.
const feedEvery = time.Second

// feedAgain brings into the schedule what came while a long run was asking:
// money that was held meanwhile must not wait for the run's end.
func (s *Sweeper) feedAgain(ctx context.Context, t *tally) error {
	now := s.Clock()
	if now.Sub(t.fed) < feedEvery {
		return nil
	}
	t.fed = now
	return s.feed(ctx)
}

// ends reports errors that every further question would meet.
func ends(err error) bool {
	k := domain.KindOf(err)
	return k == domain.KindUnavailable || k == domain.KindUnknown
}

// ask settles one question: look at the payment as it is now, ask the provider
// if that is still needed, take the answer into the books, schedule the next.
// Its error is about our own stores; the provider's silence is no error.
func (s *Sweeper) ask(ctx context.Context, t *tally, a operations.Ask) error {
	if _, ours := s.Channels[a.Channel]; !ours {
		return s.later(ctx, a, leftAlone)
	}
	if a.Why == whyUnmatched {
		return s.askUnmatched(ctx, t, a)
	}
	v, err := s.Ledger.PaymentOf(ctx, a.Channel, a.OrderNo, a.TradeNo)
	if err != nil {
		return err
	}
	if !needed(a, v.Payment) {
		a.Done = true
		return s.Ops.PutAsks(ctx, []operations.Ask{a})
	}
	if t.mute(a.Channel) {
		return s.later(ctx, a, afterSilence)
	}
	said, after, err := s.question(ctx, t, a, v.Payment)
	if err != nil {
		return err
	}
	now := s.Clock()
	a.LastSaid = said
	a.LastAt = domain.Instant(now)
	a = s.pace.next(a, after, now)
	a.Done = a.Done || !needed(a, after)
	return s.Ops.PutAsks(ctx, []operations.Ask{a})
}

// later puts a question off that cannot be asked now.
func (s *Sweeper) later(ctx context.Context, a operations.Ask, wait time.Duration) error {
	a.NextAt = s.Clock().Add(s.pace.of(wait))
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
	case whyRefund:
		return slices.ContainsFunc(p.WaitingRefunds(), func(r domain.Refund) bool { return r.TradeNo == a.TradeNo })
	case whyDispute:
		return slices.ContainsFunc(p.WaitingDisputes(), func(d domain.Dispute) bool { return d.TradeNo == a.TradeNo })
	}
	return !p.IsSettled()
}

// question asks the provider and books the answers. It returns what was said
// last in a word and the payment afterwards.
func (s *Sweeper) question(
	ctx context.Context, t *tally, a operations.Ask, p domain.Payment,
) (said string, after domain.Payment, err error) {
	began := s.Clock()
	for _, q := range questions(a, p) {
		answer, none, err := s.answer(ctx, t, a.Channel, q)
		if err != nil {
			return "", p, err
		}
		if answer == nil {
			return none, p, nil
		}
		if said = saidUnknown; answer.Found {
			said = string(answer.Notice.Status)
			if p, _, err = s.book(ctx, t, p, q, *answer); err != nil {
				return "", p, err
			}
		}
	}
	p, err = s.expire(ctx, t, a, p, began)
	return said, p, err
}

// maxQuestions bounds what one turn asks about the refunds of one trade.
const maxQuestions = 16

// questions are what the provider is to be asked: usually about the order or
// trade itself, and by its number about each refund that it must tell of.
func questions(a operations.Ask, p domain.Payment) []providers.Question {
	plain := providers.Question{OrderNo: a.OrderNo, TradeNo: a.TradeNo}
	if a.Why != whyRefund {
		return []providers.Question{plain}
	}
	var qs []providers.Question
	for _, r := range p.WaitingRefunds() {
		q := plain
		if r.State != domain.RefundPending { // of those it is the payment that is missing
			q.RefundID, q.RefundNo = r.RefundID, r.RefundNo
		}
		if r.TradeNo == a.TradeNo && !slices.Contains(qs, q) && len(qs) < maxQuestions {
			qs = append(qs, q)
		}
	}
	return qs
}

// answer is the provider's answer, nil when there is none to be had, and then
// what that came to in a word; Found tells whether it knows what it was asked
// about. The error is not the provider's.
func (s *Sweeper) answer(
	ctx context.Context, t *tally, ch domain.ChannelID, q providers.Question,
) (answer *providers.Answer, none string, err error) {
	got, err := s.query(ctx, t, ch, q)
	if err != nil && ctx.Err() != nil {
		return nil, "", domain.E(domain.KindUnavailable, "sweep stopped: %w", ctx.Err())
	}
	silent := err != nil && !refused(err)
	t.heard(ch, !silent)
	switch {
	case silent:
		s.metrics.unanswered.WithLabelValues(string(ch)).Inc()
		s.Logger.LogAttrs(ctx, slog.LevelInfo, "provider did not answer", noAnswer(ch, q, err)...)
		return nil, saidNothing, nil
	case err != nil:
		s.Logger.LogAttrs(ctx, slog.LevelInfo, "question without an answer", noAnswer(ch, q, err)...)
		return nil, saidOther, nil
	case !got.Found:
		t.add(func(r *operations.Run) { r.Unknown++ })
	}
	return &got, "", nil
}

// refused reports that nobody was silent: the number asked about belongs to
// another order, or is none of the provider's at all. People may have entered
// it, and the provider will never say anything else.
func refused(err error) bool {
	return errors.Is(err, providers.ErrOther) || domain.KindOf(err) == domain.KindInvalid
}

// noAnswer is what is logged of a question without an answer.
func noAnswer(ch domain.ChannelID, q providers.Question, err error) []slog.Attr {
	return []slog.Attr{
		slog.String("channel", string(ch)), slog.String("order_no", q.OrderNo), slog.String("trade_no", q.TradeNo),
		slog.String("error", err.Error()),
	}
}

// book takes an answer into the books: first what it tells of refunds and
// disputes, so that they stand in the append of the credit and nobody is told
// of money that was gone already, then the payment. What names no order needs
// its payment first. unmatched reports notices whose payment is not known yet.
func (s *Sweeper) book(
	ctx context.Context, t *tally, p domain.Payment, q providers.Question, a providers.Answer,
) (after domain.Payment, unmatched bool, err error) {
	first := nameOrder(a.Notice, q, p)
	notices := make([]domain.Notice, 0, len(a.Also)+1)
	for _, n := range a.Also {
		if n = nameOrder(n, q, p); n.OrderNo == "" && n.TradeNo == first.TradeNo {
			n.OrderNo = first.OrderNo
		}
		notices = append(notices, n)
	}
	at := len(notices)
	if slices.ContainsFunc(notices, func(n domain.Notice) bool { return n.OrderNo == "" }) {
		at = 0
	}
	for _, n := range slices.Insert(notices, at, first) {
		res, err := s.Ledger.Notify(ctx, n, a.Evidence, nil)
		if err != nil {
			return p, unmatched, err
		}
		t.count(p, n, res.Verdict)
		if res.Stream == domain.UnmatchedStream(n.Channel) {
			unmatched = true
			continue
		}
		p = res.Payment
	}
	return p, unmatched, nil
}

// nameOrder names the order that was asked about, where the answer names none
// and a callback has told that its trade belongs to it.
func nameOrder(n domain.Notice, q providers.Question, p domain.Payment) domain.Notice {
	if _, told := p.Trade(n.TradeNo); n.OrderNo == "" && told {
		n.OrderNo = q.OrderNo
	}
	return n
}

// askUnmatched asks which order a trade belongs to, and is done when all that
// the answer tells stands with its payment.
func (s *Sweeper) askUnmatched(ctx context.Context, t *tally, a operations.Ask) error {
	if t.mute(a.Channel) {
		return s.later(ctx, a, afterSilence)
	}
	answer, none, err := s.answer(ctx, t, a.Channel, providers.Question{TradeNo: a.TradeNo})
	if err != nil {
		return err
	}
	switch {
	case answer == nil:
		a.LastSaid = none
	case !answer.Found:
		a.LastSaid = saidUnknown
	default:
		a.LastSaid = string(answer.Notice.Status)
		_, unmatched, err := s.book(ctx, t, domain.Payment{}, providers.Question{TradeNo: a.TradeNo}, *answer)
		if err != nil {
			return err
		}
		a.Done = !unmatched
	}
	now := s.Clock()
	a.LastAt = domain.Instant(now)
	return s.Ops.PutAsks(ctx, []operations.Ask{s.pace.next(a, domain.Payment{}, now)})
}

func (s *Sweeper) query(
	ctx context.Context, t *tally, ch domain.ChannelID, q providers.Question,
) (providers.Answer, error) {
	if err := s.limit(ch).Wait(ctx); err != nil {
		return providers.Answer{}, err
	}
	id, err := domain.NewRandom(rand.Reader)
	if err != nil {
		return providers.Answer{}, err
	}
	t.add(func(r *operations.Run) { r.Asked++; q.Run = r.ID })
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	q.Delivery, q.At = id, s.Clock()
	return s.Channels[ch].Query(ctx, q)
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
				if f.Kind == domain.MissingCredit {
					healed = true
				} else {
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

// expire closes a payment whose time was over before the provider was asked:
// it had its say.
func (s *Sweeper) expire(
	ctx context.Context, t *tally, a operations.Ask, p domain.Payment, asked time.Time,
) (domain.Payment, error) {
	if a.Why != whyUnsettled || p.State() != domain.StatePlaced || !asked.After(p.Placed.ExpiresAt) {
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
