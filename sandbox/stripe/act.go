package stripe

import (
	"context"
	"maps"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// refundTurns is how long after it succeeded a refund that fails is told to
// have failed.
const refundTurns = time.Hour

// Open makes an order by a checkout session. Its number stands in the session
// and in the intent's metadata; Attach is the account it is for.
func (f *Face) Open(in stage.OpenOrder) (stage.Order, error) {
	a, err := f.account(in.Merchant)
	if err != nil {
		return stage.Order{}, err
	}
	if in.OrderNo == "" || len(in.OrderNo) > 200 {
		return stage.Order{}, domain.EField(domain.KindInvalid, "out_trade_no", "out_trade_no has not 1 to 200 characters")
	}
	metadata := map[string]string{orderKey: in.OrderNo}
	if in.Attach != "" {
		metadata[accountKey] = in.Attach
	}
	if in.NotifyURL == "" {
		in.NotifyURL = a.NotifyURL
	}
	s, err := sumOf(in.Amount)
	if err != nil || s.count <= 0 {
		return stage.Order{}, domain.EField(domain.KindInvalid, "amount", "%s is not an amount that Stripe takes: %w", in.Amount, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.add(a, order{
		reference: in.OrderNo, no: in.OrderNo, goods: in.Subject, metadata: metadata, intentMD: maps.Clone(metadata),
		notifyURL: in.NotifyURL, returnURL: in.ReturnURL, placed: s,
	}, true)
	return o.view(), nil
}

// add takes an order in. The caller holds f.mu.
func (f *Face) add(a *account, o order, session bool) *order {
	made := &o
	made.a, made.state, made.openedAt = a, unpaid, f.stage.Books()
	made.paid.code = o.placed.code
	made.id = a.newID("pi", o.no)
	if session {
		made.session = a.newID("cs_test", o.no)
	}
	f.orders[made.id] = made
	f.all = append(f.all, made)
	a.orders = append(a.orders, made)
	for key, value := range made.intentMD {
		t := tagOf(key, value)
		a.tagged[t] = append(a.tagged[t], made)
	}
	return made
}

// Pay lets the payer pay an order.
func (f *Face) Pay(id string, faults ...stage.Fault) (stage.Order, error) {
	fault, onAnswers, err := f.Classes().Sort(faults)
	if err != nil {
		return stage.Order{}, err
	}
	f.mu.Lock()
	o, err := f.order(id)
	if err == nil && !o.payable() {
		err = domain.E(domain.KindConflict, "order %s cannot be paid: it is %s", o.no, o.state)
	}
	if err == nil {
		err = f.prepare(o, fault)
	}
	if err != nil {
		f.mu.Unlock()
		return stage.Order{}, err
	}
	o.faults = append(o.faults, faults...)
	for _, planted := range faults {
		o.a.planted[planted.Class]++
	}
	f.mu.Unlock()
	for _, answer := range onAnswers {
		f.troubles.Plant(o.a.ID, o.id, answer)
	}
	f.pay(o, fault)
	return f.see(o), nil
}

func (f *Face) see(o *order) stage.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	return o.view()
}

// prepare does to an order what a fault changes before it is paid. The caller
// holds f.mu.
func (f *Face) prepare(o *order, fault stage.Fault) error {
	switch fault.Class {
	case OldRelease:
		o.release = oldOne
	case KeyOrder:
		o.keyOrder = true
	case NoMetadata:
		if o.session != "" {
			o.intentMD = map[string]string{}
		}
	case stage.OtherAmount:
		m, err := domain.ParseMoney(fault.Money, o.placed.money().Currency())
		if err != nil || !m.IsPositive() {
			return domain.EField(domain.KindInvalid, "money", "%q is no amount to pay", fault.Money)
		}
		if o.pays, err = sumOf(m); err != nil {
			return domain.EField(domain.KindInvalid, "money", "%w", err)
		}
	default:
	}
	return nil
}

// pay lets the money come, now or later, and tells it.
func (f *Face) pay(o *order, fault stage.Fault) {
	switch {
	case f.Classes()[fault.Class].Spoof:
		f.spoof(o, fault)
		if fault.Unpaid {
			return
		}
		fault = stage.Fault{}
	case fault.Class == Delayed:
		f.completeUnpaid(o)
		f.stage.After(time.Duration(fault.Delay), func(context.Context) { f.settle(o, stage.Fault{}, "checkout.session.async_payment_succeeded") })
		return
	case fault.Class == stage.SecondTrade:
		f.stage.After(time.Duration(fault.Delay), func(context.Context) { f.payAgain(o) })
	}
	f.settle(o, fault, "checkout.session.completed")
}
