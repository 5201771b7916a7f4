package month

import (
	"maps"
	"slices"

	"counterfoil/domain"
	"counterfoil/sandbox/alipay"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/stripe"
	"counterfoil/sandbox/wechatpay"
)

// sums are minor units by currency.
type sums map[domain.Currency]int64

func (s sums) add(m domain.Money) { s[m.Currency()] += m.Minor() }

// truth is what really happened at one till: from the sandbox's own books, not
// from any bill or message.
type truth struct {
	came, fees, disputeFees, away, moved, paidOut sums
	changed                                       sums // stands between the currencies: into exchanges less out of them

	stands sums // at the provider, as it says itself
}

func (w *world) truth() map[domain.ChannelID]*truth {
	out := map[domain.ChannelID]*truth{}
	for _, b := range w.box.Truth() {
		for _, t := range w.tills {
			if t.face.Name() == b.Face && t.merchant == b.Merchant {
				out[t.id] = newTruth(t, b, w.plan.coupons)
			}
		}
	}
	return out
}

// coupon is what a payer's coupon takes off what the merchant gets.
const coupon = 10

func newTruth(t *till, b stage.MerchantBooks, coupons map[string]bool) *truth {
	u := &truth{came: sums{}, fees: sums{}, disputeFees: sums{}, away: sums{}, moved: sums{}, paidOut: sums{}, changed: sums{}, stands: sums{}}
	for _, p := range b.Payments {
		u.payment(t, p)
		if coupons[p.OrderNo] {
			u.fees.add(fee(t, p.Amount).Neg())
			u.fees.add(fee(t, domain.NewMoney(p.Amount.Minor()-coupon, p.Amount.Currency())))
		}
	}
	for _, m := range b.Moves {
		u.moved.add(m.Amount)
	}
	for _, x := range b.Exchanges {
		u.exchange(t, x)
	}
	for _, p := range b.Payouts {
		if !p.Failed {
			u.paidOut.add(p.Amount)
		}
	}
	for _, m := range b.Balance {
		u.stands.add(m)
	}
	if b.Balance == nil { // a gateway keeps no balance: all that came and did not go
		u.stands = u.came
	}
	return u
}

// payment adds what became of one payment; came is what is left of it.
func (u *truth) payment(t *till, p stage.Payment) {
	u.came.add(p.Amount)
	u.fees.add(fee(t, p.Amount))
	for _, r := range p.Refunds {
		if r.Failed {
			continue
		}
		u.came.add(r.Amount.Neg())
		if t.face.Name() != stripe.Name { // keeps its fee
			u.fees.add(fee(t, r.Amount).Neg())
		}
	}
	for _, d := range p.Disputes {
		u.disputeFees.add(d.Fee)
		switch d.State {
		case stage.DisputeOpen:
			u.away.add(d.Amount)
		case stage.DisputeLost:
			u.came.add(d.Amount.Neg())
		case stage.DisputeWon:
		}
	}
}

// exchange adds money that was changed. Of what came in, fees are taken after the
// change, and changing costs 2 % of it.
func (u *truth) exchange(t *till, x stage.Exchange) {
	u.changed.add(x.From)
	u.changed.add(x.To.Neg())
	if !x.From.IsNegative() {
		u.fees.add(fee(t, x.From).Neg())
		u.fees.add(fee(t, x.To))
		u.fees.add(domain.NewMoney(x.To.Minor()*2/100, x.To.Currency()))
	}
}

// fee is what a provider takes of a payment, by its price list.
func fee(t *till, m domain.Money) domain.Money {
	minor := int64(0)
	switch t.face.Name() {
	case wechatpay.Name, alipay.Name: // 0.6 %, to the fen, halves up
		minor = (m.Minor()*6 + 500) / 1000
	case stripe.Name: // 2.9 % and 30 of the small unit
		minor = min(m.Minor(), m.Minor()*29/1000+30)
	}
	return domain.NewMoney(minor, m.Currency())
}

func (u *truth) currencies() []domain.Currency { return slices.Sorted(maps.Keys(u.came)) }
