package domain

import (
	"slices"
	"time"
)

// AllocateWithin is how long after parked money came an order may still be
// placed to receive it by rule.
const AllocateWithin = 15 * time.Minute

// Order is a payment to be placed.
type Order struct {
	Channel   ChannelID
	OrderNo   OrderNo
	Account   AccountID
	Amount    Money
	Method    string
	ExpiresAt time.Time // zero: ExpireAfter from now, and a repeated placing does not compare it

	ExpireAfter time.Duration // time to pay when ExpiresAt is zero
}

// Place opens the payment. Placing the same order again yields no facts;
// placing it with any other field is KindConflict, and so is another account or
// amount than that of the credit which an order has had before it was placed.
// Parked money that came within AllocateWithin before and equals the order is
// allocated by rule, less what was refunded of it.
func (p Payment) Place(c Context, o Order) ([]Fact, error) {
	if p.IsPlaced() {
		return nil, p.samePlacing(o)
	}
	if o.ExpiresAt.IsZero() {
		o.ExpiresAt = c.Now.Add(o.ExpireAfter)
	}
	if err := o.check(c); err != nil {
		return nil, err
	}
	if err := p.sameCredit(o); err != nil {
		return nil, err
	}
	placed := PaymentPlaced{
		Channel: o.Channel, OrderNo: o.OrderNo, Account: o.Account, Amount: o.Amount, Method: o.Method,
		PlacedAt: Instant(c.Now), ExpiresAt: Instant(o.ExpiresAt), Config: c.Revision,
	}
	facts := []Fact{placed}
	for _, t := range p.Trades {
		if !p.settled && t.State == TradeParked && !t.returned && !t.gone() && t.Reason == ReasonUnknownOrder && t.Amount == o.Amount &&
			p.Apply(placed).placedInTime(t) {
			return append(facts, allocation(c, placed, t)), nil
		}
	}
	return facts, nil
}

func (o Order) check(c Context) error {
	switch {
	case !c.Channel.Takes(o.Amount.Currency()):
		return EField(KindMismatch, "currency", "channel %s takes %s, not %s",
			o.Channel, c.Channel.Currency, o.Amount.Currency())
	case !o.Amount.IsPositive():
		return EField(KindInvalid, "amount", "%s is not positive", o.Amount)
	case !o.ExpiresAt.After(c.Now):
		return EField(KindInvalid, "expires_at", "%s is not in the future", o.ExpiresAt.Format(time.RFC3339))
	case !inCalendar(o.ExpiresAt):
		return EField(KindInvalid, "expires_at", "%s is beyond the year 9999", o.ExpiresAt.Format(time.RFC3339))
	}
	return nil
}

func (p Payment) samePlacing(o Order) error {
	was := p.Placed
	differs := func(field string, now, before any) error {
		return EField(KindConflict, field, "order %s was placed with %v, not %v", o.OrderNo, before, now)
	}
	switch {
	case o.Account != was.Account:
		// Whose it is stays untold: who places may be limited to accounts of its own.
		return EField(KindConflict, "account", "order %s was placed for another account", o.OrderNo)
	case o.Amount != was.Amount:
		return differs("amount", o.Amount, was.Amount)
	case o.Method != was.Method:
		return differs("method", o.Method, was.Method)
	case !o.ExpiresAt.IsZero() && !Instant(o.ExpiresAt).Equal(was.ExpiresAt):
		return differs("expires_at", o.ExpiresAt.Format(time.RFC3339), was.ExpiresAt.Format(time.RFC3339))
	}
	return nil
}

// sameCredit: an order that was credited before it was placed, because its
// notice or people said to whom, can only be placed as what it was credited for,
// unless people took that back.
func (p Payment) sameCredit(o Order) error {
	t, credited := p.Trade(p.Settled)
	switch {
	case !credited || !p.lives():
		return nil
	case o.Account != t.Account:
		return EField(KindConflict, "account", "order %s was credited to another account", o.OrderNo)
	case o.Amount != t.Amount:
		return EField(KindConflict, "amount", "order %s was credited with %s, not %s", o.OrderNo, t.Amount, o.Amount)
	}
	return nil
}

// Takes reports whether the channel takes money of a currency.
func (f ChannelConfigured) Takes(c Currency) bool {
	return c == f.Currency || slices.Contains(f.Currencies, c)
}

func allocation(c Context, placed PaymentPlaced, t Trade) PaymentAllocated {
	d := c.dates(Notice{ReceivedAt: c.Now})
	return PaymentAllocated{
		TradeNo: t.TradeNo, Account: placed.Account, Amount: t.left(), ByRule: true,
		Reason: "the order was placed right after its money came", Dates: d,
		Postings: allocatePostings(placed.Account, t.left()), Rules: RulesVersion,
	}
}

// Expire closes a payment whose time is over and which nobody paid. The caller
// has asked the provider first; late money still credits afterwards. Held
// money came in time and never expires.
func (p Payment) Expire(c Context) []Fact {
	if !p.IsPlaced() || p.settled || p.Closed != "" || !c.Now.After(p.Placed.ExpiresAt) || p.State() == StateHeld {
		return nil
	}
	return []Fact{PaymentClosed{Cause: ClosedExpired}}
}

// Cancel closes a payment for the merchant: money that comes now is parked.
// Cancelling twice yields no facts; settled or held money is KindConflict.
func (p Payment) Cancel(reason string) ([]Fact, error) {
	switch {
	case !p.IsPlaced():
		return nil, E(KindNotFound, "no such order")
	case p.Closed == ClosedMerchant:
		return nil, nil
	case p.settled:
		return nil, E(KindConflict, "the order is paid")
	case p.State() == StateHeld:
		return nil, E(KindConflict, "money for the order waits for confirmation")
	}
	return []Fact{PaymentClosed{Cause: ClosedMerchant, Reason: reason}}, nil
}
