package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"

	"golang.org/x/time/rate"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// asker asks providers about single payments that a bill raised.
type asker struct {
	BillDeps
	perSecond float64
	mu        sync.Mutex
	limits    map[domain.ChannelID]*rate.Limiter
}

func newAsker(d BillDeps, perSecond float64) *asker {
	return &asker{BillDeps: d, perSecond: perSecond, limits: map[domain.ChannelID]*rate.Limiter{}}
}

// verdict is a difference after the provider was asked. mended says how our
// books were mended by the answer, empty where they were not.
type verdict struct {
	difference domain.Difference
	mended     string
	said       domain.Notice // the provider's answer; the zero Notice for none
}

// explain asks about a difference, takes the answer into the books and says
// what is left. The bill itself never moves money: it raises the question, and
// the answer goes the way of every answer.
func (a *asker) explain(ctx context.Context, run *operations.BillRun, ch providers.Channel, d domain.Difference) (verdict, error) {
	asks := askable(d)
	if d.State != domain.DifferenceOpen || !asks && !booksMayTell(d) {
		return verdict{difference: d}, nil
	}
	before, err := a.payment(ctx, run.Channel, d.OrderNo())
	if err != nil {
		return verdict{}, because(operations.CauseOurs, err)
	}
	d = before.Explain(d)
	if d.State != domain.DifferenceOpen || !asks || run.Unanswered >= maxSilence {
		return verdict{difference: d}, nil
	}
	answer, err := a.query(ctx, run, ch, d)
	if errors.Is(err, providers.ErrOther) {
		return verdict{difference: anothers(d)}, nil
	}
	if err != nil || !answer.Found {
		if err == nil && d.Note == "" {
			d.Note = "the provider does not know the order now"
		}
		return verdict{difference: d}, err
	}
	after, facts, orderNo, err := a.take(ctx, answer)
	if err != nil {
		return verdict{}, because(operations.CauseOurs, err)
	}
	d = named(d, orderNo)
	v := verdict{difference: d, mended: mended(d, after, facts), said: answer.Notice}
	if v.mended != "" && d.Kind == domain.MissingCredit {
		run.Healed++
	}
	if v.mended == "" && d.Theirs == nil && answer.Notice.Status == domain.StatusPaid && answer.Notice.Amount == d.Ours.Amount {
		v.difference.Note = "the provider confirms it when asked; the bill lacks it"
	}
	return v, nil
}

// anothers is a difference about a payment of ours of which the provider says
// that its number is another order's: it was booked on the wrong one.
func anothers(d domain.Difference) domain.Difference {
	if d.Ours == nil || d.Ours.Kind != domain.LinePayment || d.Theirs != nil {
		return d
	}
	d.Kind, d.State = domain.DuplicateTradeNo, domain.DifferenceOpen
	d.Note = "the provider says that this number is another order's: reverse it, then credit the right order"
	return d
}

// booksMayTell reports differences that nobody is asked about and that what
// people did since may explain.
func booksMayTell(d domain.Difference) bool {
	return d.Kind == domain.DuplicateTradeNo && d.Ours != nil
}

// named has the order that the answer was booked on, where the bill names none:
// people know payments by their orders.
func named(d domain.Difference, orderNo string) domain.Difference {
	if d.OrderNo() == "" && d.Theirs != nil {
		line := *d.Theirs
		line.OrderNo = orderNo
		d.Theirs = &line
	}
	return d
}

// askable reports whether the provider's word on one payment can say more.
func askable(d domain.Difference) bool {
	if k := d.Key(); k.TradeNo == "" && k.Ref == "" && d.OrderNo() == "" {
		return false
	}
	switch d.Kind {
	case domain.OnlyTheirs, domain.OnlyOurs, domain.RefundMissing, domain.RefundUnknown, domain.AmountMismatch,
		domain.CurrencyMismatch, domain.StatusMismatch, domain.Frozen:
		return true
	default: // fees, times, doubles and movements without a name are not in its answer
		return false
	}
}

// payment is the order as our books have it; empty where they do not.
func (a *asker) payment(ctx context.Context, ch domain.ChannelID, orderNo string) (domain.Payment, error) {
	if orderNo == "" {
		return domain.Payment{}, nil
	}
	v, err := a.Ledger.Payment(ctx, ch, orderNo)
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		return domain.Payment{}, nil
	}
	return v.Payment, err
}

// booked reports whether our books have a movement as a bill lists it. One that
// names neither an order nor a payment is not looked for.
func (a *asker) booked(ctx context.Context, ch domain.ChannelID, t *domain.BillLine) (bool, error) {
	p, err := a.payment(ctx, ch, t.OrderNo)
	if err == nil && t.OrderNo == "" && t.TradeNo != "" {
		var v ledger.View
		v, err = a.Ledger.PaymentOf(ctx, ch, "", t.TradeNo)
		if err != nil && domain.KindOf(err) == domain.KindNotFound {
			return false, nil
		}
		p = v.Payment
	}
	return err == nil && p.Has(t), err
}

// query puts one question. Silence is counted and is no error: the run ends
// incomplete by it, because only an answer can say that an order is unknown. That
// the number is another order's is the error ErrOther.
func (a *asker) query(ctx context.Context, run *operations.BillRun, ch providers.Channel, d domain.Difference) (providers.Answer, error) {
	q := providers.Question{OrderNo: d.OrderNo(), TradeNo: d.Key().TradeNo, Run: run.ID, At: a.Clock()}
	if k := d.Key(); k.Kind == domain.LineRefund || k.Kind == domain.LineRefundFailed {
		q.RefundID, q.RefundNo = k.Ref, refundNo(d)
	}
	answer, err := a.ask(ctx, ch, q)
	run.Asked++
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return answer, because(operations.CauseStopped, ctx.Err())
	case errors.Is(err, providers.ErrOther):
		return answer, err
	case !refused(err): // also an answer that cannot be believed, and a provider that denies us one
		run.Unanswered++
	}
	return providers.Answer{}, nil
}

func refundNo(d domain.Difference) string {
	if d.Theirs != nil && d.Theirs.RefundNo != "" {
		return d.Theirs.RefundNo
	}
	if d.Ours != nil {
		return d.Ours.RefundNo
	}
	return ""
}

// ask puts a question within the channel's rate and the time of one question.
func (a *asker) ask(ctx context.Context, ch providers.Channel, q providers.Question) (providers.Answer, error) {
	if err := a.limit(ch.Config().Channel).Wait(ctx); err != nil {
		return providers.Answer{}, err
	}
	var err error
	if q.Delivery, err = domain.NewRandom(rand.Reader); err != nil {
		return providers.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	return ch.Query(ctx, q)
}

func (a *asker) limit(ch domain.ChannelID) *rate.Limiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.limits[ch]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(a.perSecond), max(1, int(a.perSecond)))
		a.limits[ch] = l
	}
	return l
}

// told are an answer's notices in the order in which the books take them:
// refunds and disputes before the payment, so that nobody is told of a credit of
// money that was gone already. What names no order needs its payment first.
func told(a providers.Answer) []domain.Notice {
	first := a.Notice
	also := slices.Clone(a.Also)
	nameless := false
	for i := range also {
		if also[i].OrderNo == "" && also[i].TradeNo == first.TradeNo {
			also[i].OrderNo = first.OrderNo
		}
		nameless = nameless || also[i].OrderNo == ""
	}
	if nameless {
		return append([]domain.Notice{first}, also...)
	}
	return append(also, first)
}

// take lets an answer into the books, with all that it tells beside the
// payment. It returns the payment afterwards, what was appended and the order.
func (a *asker) take(
	ctx context.Context, answer providers.Answer,
) (after domain.Payment, facts []domain.Fact, orderNo string, err error) {
	for _, n := range told(answer) {
		res, err := a.Ledger.Notify(ctx, n, answer.Evidence, nil)
		if err != nil {
			return after, nil, "", err
		}
		after, facts, orderNo = res.Payment, append(facts, res.Verdict.Facts...), projections.OrderOf(res.Stream)
	}
	return after, facts, orderNo, nil
}

// mended says how the answer mended a difference, empty where it did not.
func mended(d domain.Difference, after domain.Payment, facts []domain.Fact) string {
	k := d.Key()
	if k.Kind == domain.LinePayment && d.Ours == nil {
		t, known := after.Trade(k.TradeNo)
		switch {
		case !known || t.Amount != d.Theirs.Amount:
		case t.State == domain.TradeCredited || t.State == domain.TradeAllocated:
			return "credited on the provider's answer"
		case t.State == domain.TradeParked:
			return "parked on the provider's answer: " + string(t.Reason)
		}
		return ""
	}
	booked := slices.ContainsFunc(facts, func(f domain.Fact) bool {
		line, ok := domain.LineOf(f)
		return ok && line.Key() == k && d.Theirs != nil && line.Amount == d.Theirs.Amount
	})
	if booked {
		return "booked on the provider's answer"
	}
	return ""
}
