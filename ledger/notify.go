package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"counterfoil/domain"
)

// Notify takes a verified notice with its evidence into the books and says
// what it came to. reply is the answer intended for each outcome, nil for
// queries. When it returns without an error the notice is kept and may be
// answered with success (R1, R8); on any error the answer is failure.
func (l *Ledger) Notify(
	ctx context.Context, n domain.Notice, e domain.Evidence, reply func(domain.Outcome) domain.Reply,
) (Result, error) {
	w, err := l.noticeWork(ctx, n, e, reply)
	if err != nil {
		return Result{}, err
	}
	return l.change(ctx, w)
}

// NotifyOnce is Notify for a delivery that may be in the books already: a
// refused one that is verified again. kept reports whether it was appended now.
func (l *Ledger) NotifyOnce(
	ctx context.Context, n domain.Notice, e domain.Evidence, reply func(domain.Outcome) domain.Reply,
) (r Result, kept bool, err error) {
	w, err := l.noticeWork(ctx, n, e, reply)
	if err != nil {
		return Result{}, false, err
	}
	decide := w.decide
	w.counted = false
	w.decide = func(ctx context.Context, f folded, c domain.Context) (domain.Verdict, []byte, error) {
		earlier, found, err := l.delivered(ctx, c.Stream, n)
		if err != nil || found {
			return domain.Verdict{Outcome: earlier.Outcome, Reason: earlier.Reason}, nil, err
		}
		return decide(ctx, f, c)
	}
	r, err = l.change(ctx, w)
	return r, err == nil && len(r.Verdict.Facts) > 0, err
}

// delivered is what was decided on a delivery that is in the books.
func (l *Ledger) delivered(ctx context.Context, s domain.Stream, n domain.Notice) (d domain.Decision, found bool, err error) {
	view, err := l.read(ctx, s, false)
	if domain.KindOf(err) == domain.KindNotFound && err != nil {
		return d, false, nil
	}
	if err != nil {
		return d, false, err
	}
	for _, e := range view.Events {
		if f, ok := e.Fact.(domain.PaymentNotified); ok && f.Delivery == n.Delivery && f.Index == n.Index {
			return f.Decision, true, nil
		}
	}
	return d, false, nil
}

func (l *Ledger) noticeWork(
	ctx context.Context, n domain.Notice, e domain.Evidence, reply func(domain.Outcome) domain.Reply,
) (work, error) {
	plain, err := e.Encode()
	if err != nil {
		return work{}, fmt.Errorf("encode evidence of %s: %w", n.Delivery, err)
	}
	sum := sha256.Sum256(plain)
	ref := domain.EvidenceRef{
		SHA256: hex.EncodeToString(sum[:]), Size: len(plain), Grade: e.Grade, Scheme: e.Scheme, Key: e.Key,
	}
	n, stream := l.match(ctx, n)
	return work{
		channel: n.Channel, stream: stream, by: byNotice(n), counted: n.Source == domain.SourceCallback,
		decide: func(_ context.Context, f folded, c domain.Context) (domain.Verdict, []byte, error) {
			if stream == domain.UnmatchedStream(n.Channel) {
				return domain.Unmatched(c, n, ref, reply), plain, nil
			}
			return f.payment.Notify(c, n, ref, reply, f.repeats), plain, nil
		},
	}, nil
}

// matchWithin bounds the look for the payment of a notice without an order: the
// provider waits for an answer, and not knowing it costs no money.
const matchWithin = 500 * time.Millisecond

// match names the order of a notice that names none, where its payment is
// known, and the stream it belongs into. Money that the provider's answer knows
// under its own number alone is a payment without an order; everything else
// waits unmatched until the provider's answer tells its order.
func (l *Ledger) match(ctx context.Context, n domain.Notice) (domain.Notice, domain.Stream) {
	if n.OrderNo != "" || (n.TradeNo == "" && n.About == domain.AboutPayment) {
		return n, domain.PaymentStreamRaw(n.Channel, n.OrderNo)
	}
	if n.TradeNo != "" && l.cfg.Orders != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), matchWithin)
		defer cancel()
		if orderNo, err := l.cfg.Orders.OrderOf(ctx, n.Channel, n.TradeNo); err == nil {
			if n.OrderNo = orderNo; orderNo == "" {
				return n, domain.TradeStream(n.Channel, domain.TradeNo(n.TradeNo))
			}
			return n, domain.PaymentStreamRaw(n.Channel, orderNo)
		}
	}
	if n.Source == domain.SourceQuery && n.About == domain.AboutPayment {
		return n, domain.TradeStream(n.Channel, domain.TradeNo(n.TradeNo))
	}
	return n, domain.UnmatchedStream(n.Channel)
}

func byNotice(n domain.Notice) By {
	if n.Source == domain.SourceQuery {
		return By{Actor: "reconciler", Cause: n.Run}
	}
	return By{Actor: "channel:" + string(n.Channel), Cause: n.Delivery.String()}
}
