package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
)

// Personal is what a placing tells of people: sealed, never in event JSON.
type Personal struct {
	Subject   string `json:"subject,omitempty"`    // goods name the payer sees
	ClientIP  string `json:"client_ip,omitempty"`  //
	ReturnURL string `json:"return_url,omitempty"` //
}

// Place opens a payment. Placing the same order again changes nothing and
// reports existed; with any other field it is KindConflict, which names the
// field. The expiry that stands in for none and the address of whoever places
// are no part of the order.
func (l *Ledger) Place(ctx context.Context, o domain.Order, p Personal, by By) (r Result, existed bool, err error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return r, false, fmt.Errorf("encode personal fields of %s: %w", o.OrderNo, err)
	}
	s := domain.PaymentStream(o.Channel, o.OrderNo)
	r, err = l.change(ctx, work{
		channel: o.Channel, stream: s, by: by,
		decide: func(_ context.Context, f folded, c domain.Context) (domain.Verdict, []byte, error) {
			facts, err := f.payment.Place(c, o)
			return domain.Verdict{Facts: facts}, plain, err
		},
	})
	if err != nil {
		return r, false, err
	}
	if existed = len(r.Verdict.Facts) == 0; existed {
		err = l.samePersonal(ctx, s, p)
	}
	return r, existed, err
}

// samePersonal compares a repeated placing with what was sealed at the first.
func (l *Ledger) samePersonal(ctx context.Context, s domain.Stream, p Personal) error {
	view, err := l.read(ctx, s, true)
	if err != nil {
		return err
	}
	for _, e := range view.Events {
		if e.Type != domain.TypePaymentPlaced || len(e.Sealed) == 0 {
			continue
		}
		plain, err := l.Unseal(ctx, e.Recorded)
		if k := domain.KindOf(err); err != nil && (k == domain.KindNotFound || k == domain.KindCorrupt) {
			return nil // erased, or its key was lost and another made since: nothing left to compare
		}
		if err != nil {
			return err
		}
		var was Personal
		if err := strictjson.UnmarshalKnown(plain, &was); err != nil {
			return domain.E(domain.KindCorrupt, "personal fields of %s: %w", s, err)
		}
		if was.Subject != p.Subject {
			return domain.EField(domain.KindConflict, "subject", "the order was placed with another subject")
		}
		if was.ReturnURL != p.ReturnURL {
			return domain.EField(domain.KindConflict, "return_url", "the order was placed with another return address")
		}
	}
	return nil
}

// Expire closes a payment whose time is over; see domain.Payment.Expire.
func (l *Ledger) Expire(ctx context.Context, ch domain.ChannelID, orderNo string, by By) (Result, error) {
	return l.change(ctx, work{
		channel: ch, stream: domain.PaymentStreamRaw(ch, orderNo), by: by,
		decide: func(_ context.Context, f folded, c domain.Context) (domain.Verdict, []byte, error) {
			return domain.Verdict{Facts: f.payment.Expire(c)}, nil, nil
		},
	})
}

// Cancel closes a payment for the merchant; see domain.Payment.Cancel.
func (l *Ledger) Cancel(ctx context.Context, ch domain.ChannelID, no domain.OrderNo, reason string, by By) (Result, error) {
	return l.change(ctx, work{
		channel: ch, stream: domain.PaymentStream(ch, no), by: by,
		decide: func(_ context.Context, f folded, _ domain.Context) (domain.Verdict, []byte, error) {
			facts, err := f.payment.Cancel(reason)
			return domain.Verdict{Facts: facts}, nil, err
		},
	})
}
