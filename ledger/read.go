package ledger

import (
	"context"
	"fmt"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Entry is a stored event with what it says.
type Entry struct {
	eventstore.Recorded
	Fact domain.Fact
	Meta domain.Meta
}

// View is a payment with its history.
type View struct {
	Stream  domain.Stream
	Payment domain.Payment
	Events  []Entry
}

// Revision is the revision of the last event.
func (v View) Revision() uint64 { return uint64(len(v.Events)) - 1 }

// Until is the payment as the log stood at a position. KindNotFound when
// nothing was known of it yet.
func (v View) Until(p eventstore.Position) (View, error) {
	out := View{Stream: v.Stream}
	for _, e := range v.Events {
		if e.Position > p {
			break
		}
		out.Events, out.Payment = append(out.Events, e), out.Payment.Apply(e.Fact)
	}
	if len(out.Events) == 0 {
		return View{}, domain.E(domain.KindNotFound, "at position %s nothing was known of %s", p, v.Stream)
	}
	return out, nil
}

// Payment reads and folds a payment's stream: it is never stale. A payment
// nobody placed or noticed is KindNotFound.
func (l *Ledger) Payment(ctx context.Context, ch domain.ChannelID, orderNo string) (View, error) {
	return l.read(ctx, domain.PaymentStreamRaw(ch, orderNo), true)
}

// PaymentOf is Payment for what may be known by the provider's number alone:
// without an order number, the money under the trade number.
func (l *Ledger) PaymentOf(ctx context.Context, ch domain.ChannelID, orderNo, tradeNo string) (View, error) {
	if orderNo == "" && tradeNo != "" {
		return l.read(ctx, domain.TradeStream(ch, domain.TradeNo(tradeNo)), true)
	}
	return l.Payment(ctx, ch, orderNo)
}

// Unmatched are the notices of a channel whose payment nobody knew when they
// came, in their order, from one on; none where there are no more.
func (l *Ledger) Unmatched(ctx context.Context, ch domain.ChannelID, from uint64, limit int) ([]domain.PaymentNotified, error) {
	s := domain.UnmatchedStream(ch)
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{From: from, Limit: limit})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return nil, fmt.Errorf("read %s: %w", s, err)
	}
	out := make([]domain.PaymentNotified, 0, len(events))
	for _, r := range events {
		e, err := Decode(r)
		if err != nil {
			return nil, err
		}
		f, ok := e.Fact.(domain.PaymentNotified)
		if !ok {
			return nil, domain.E(domain.KindCorrupt, "%s holds a %s", s, e.Type)
		}
		out = append(out, f)
	}
	return out, nil
}

func (l *Ledger) read(ctx context.Context, s domain.Stream, sealed bool) (View, error) {
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{Sealed: sealed})
	if err != nil {
		return View{}, fmt.Errorf("read %s: %w", s, err)
	}
	v := View{Stream: s, Events: make([]Entry, len(events))}
	for i, r := range events {
		if r.Revision != uint64(i) {
			return View{}, domain.E(domain.KindCorrupt, "%s has revision %d where %d belongs", s, r.Revision, i)
		}
		e, err := Decode(r)
		if err != nil {
			return View{}, err
		}
		v.Events[i] = e
		v.Payment = v.Payment.Apply(e.Fact)
	}
	return v, nil
}

// Decode reads a stored event.
func Decode(r eventstore.Recorded) (Entry, error) {
	f, err := domain.DecodeFact(r.Type, r.Data)
	if err != nil {
		return Entry{}, fmt.Errorf("event %d of %s at %s: %w", r.Revision, r.Stream, r.Position, err)
	}
	m, err := domain.DecodeMeta(r.Meta)
	if err != nil {
		return Entry{}, fmt.Errorf("meta of event %d of %s at %s: %w", r.Revision, r.Stream, r.Position, err)
	}
	return Entry{Recorded: r, Fact: f, Meta: m}, nil
}

// Unseal opens the sealed part of an event that was read with it. A destroyed
// key is KindNotFound, and so is a part that was erased and whose key came back
// from a backup: what was erased is shown to nobody.
func (l *Ledger) Unseal(ctx context.Context, r eventstore.Recorded) ([]byte, error) {
	erased, generation, err := l.Erased(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case erased:
		return nil, errErased(r)
	}
	return l.unsealWith(ctx, r, generation)
}

// Open is Unseal for who knows a stream's erasures: it opens whatever there is a
// key for, without a look at them.
func (l *Ledger) Open(ctx context.Context, r eventstore.Recorded) ([]byte, error) {
	plain, err := l.unsealWith(ctx, r, 0)
	if k := domain.KindOf(err); err == nil || k != domain.KindNotFound && k != domain.KindCorrupt {
		return plain, err
	}
	erased, generation, lookErr := l.Erased(ctx, r)
	switch {
	case lookErr != nil:
		return nil, lookErr
	case erased:
		return nil, errErased(r)
	case generation > 0:
		return l.unsealWith(ctx, r, generation)
	}
	return nil, err
}

func errErased(r eventstore.Recorded) error {
	return domain.E(domain.KindNotFound, "the sealed part of revision %d of %s was erased", r.Revision, r.Stream)
}

// unsealWith opens the sealed part of an event with one of its stream's keys.
func (l *Ledger) unsealWith(ctx context.Context, r eventstore.Recorded, generation int) ([]byte, error) {
	key, err := l.keys.DataKey(ctx, domain.KeyStream(r.Stream, generation))
	if err != nil {
		return nil, fmt.Errorf("data key of %s: %w", r.Stream, err)
	}
	return unseal(key, place{l.id, r.ID, r.Stream}, r.Sealed)
}

// Evidence opens the evidence of a payment.notified.
func (l *Ledger) Evidence(ctx context.Context, r eventstore.Recorded) (domain.Evidence, error) {
	plain, err := l.Unseal(ctx, r)
	if err != nil {
		return domain.Evidence{}, err
	}
	return domain.DecodeEvidence(plain)
}
