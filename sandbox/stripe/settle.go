package stripe

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// completeUnpaid is a payer who was told how to pay.
func (f *Face) completeUnpaid(o *order) {
	f.mu.Lock()
	o.state, o.charge, o.paidAt = processing, o.a.newID("py", o.no), f.stage.Books()
	events := []*event{f.event(o.subject(""), "payment_intent.processing", o.intent(nil))}
	if o.session != "" {
		events = append(events, f.event(o.subject(""), "checkout.session.completed", o.sessionObject(nil)))
	}
	f.mu.Unlock()
	for _, e := range events {
		f.deliver(e, stage.Fault{})
	}
}

// payAgain is a payer with two windows: another session under the same number.
func (f *Face) payAgain(o *order) {
	f.mu.Lock()
	twin := f.add(o.a, order{
		reference: o.reference, no: o.no, goods: o.goods, metadata: o.metadata, intentMD: o.intentMD, notifyURL: o.notifyURL,
		returnURL: o.returnURL, placed: o.placed, settles: o.settles, second: o,
	}, o.session != "")
	f.mu.Unlock()
	f.settle(twin, stage.Fault{}, "checkout.session.completed")
}

// settle books the money and tells it: by the session, where there is one, and
// by the intent, in an order that chance decides.
func (f *Face) settle(o *order, fault stage.Fault, sessionEvent string) {
	f.mu.Lock()
	paid := o.placed
	if o.pays.count > 0 {
		paid = o.pays
	}
	if o.charge == "" {
		o.charge, o.paidAt = o.a.newID("ch", o.no), f.stage.Books()
	}
	o.paid, o.state = paid, succeeded
	if o.settles == "" {
		o.settles = o.a.settlesIn(paid.code, fault.Class == Exchanged)
	}
	kind := "charge"
	if strings.HasPrefix(o.charge, "py_") {
		kind = "payment"
	}
	f.bookOf(o, txn{kind: kind, category: "charge", amount: paid, source: o}, cardFee)
	f.roll(o.a)
	events := []*event{f.event(o.subject(""), "payment_intent.succeeded", o.intent(nil))}
	if o.session != "" {
		events = append(events, f.event(o.subject(""), sessionEvent, o.sessionObject(nil)))
	}
	if len(events) == 2 && f.stage.Chance(Name, o.id, "first").IntN(2) == 0 {
		events[0], events[1] = events[1], events[0]
	}
	for _, e := range events {
		f.dress(e, fault)
	}
	var thin *event
	if fault.Class == Thin {
		thin = f.thin(o)
	}
	f.mu.Unlock()
	for i, e := range events {
		if i > 0 && fault.Class == stage.Rotated {
			fault = stage.Fault{} // the secret is rolled once
		}
		f.tell(e, fault)
	}
	if thin != nil {
		f.deliver(thin, stage.Fault{})
	}
}

// dress changes an event as a fault wants it. The caller holds f.mu.
func (f *Face) dress(e *event, fault stage.Fault) {
	switch fault.Class {
	case stage.ExtraField:
		e.fields["undocumented"] = "1"
		e.body = e.render()
	case TwoSigns:
		e.signs = func(body string, now time.Time, _ int) string {
			return join(signX(body, now), f.header(e.a, body, now))
		}
	case FutureTime:
		e.signs = func(body string, now time.Time, try int) string {
			if try == 1 {
				now = now.Add(24 * time.Hour)
			}
			return f.header(e.a, body, now)
		}
	default:
	}
}

// tell delivers an event of a payment in the manner of a fault.
func (f *Face) tell(e *event, fault stage.Fault) {
	if e.url == "" {
		return
	}
	series := f.series(e)
	if fault.Class == stage.Rotated {
		series.Send = func(ctx context.Context, shot stage.Shot) bool {
			if shot.Try > 1 {
				return f.send(ctx, e, shot)
			}
			shot.Manner = stage.HangingUp
			f.send(ctx, e, shot)
			if err := f.Rotate(e.a.ID); err != nil {
				f.stage.Log().WarnContext(ctx, "secret not rolled", slog.String("account", e.a.ID), slog.String("error", err.Error()))
			}
			return false
		}
	}
	e.a.lane.Deliver(series, fault)
}

// Fire lets a fault happen to an order now.
func (f *Face) Fire(id string, fault stage.Fault) (stage.Order, error) {
	f.mu.Lock()
	o, err := f.order(id)
	payable := err == nil && o.payable()
	f.mu.Unlock()
	if err != nil {
		return stage.Order{}, err
	}
	if payable {
		return f.Pay(id, fault)
	}
	on, onAnswers, err := f.Classes().Sort([]stage.Fault{fault})
	if err != nil {
		return stage.Order{}, err
	}
	switch on.Class {
	case Delayed, NoMetadata, Exchanged, stage.OtherAmount, stage.SecondTrade:
		return stage.Order{}, domain.E(domain.KindConflict, "%s cannot happen to an order that was paid", fault.Class)
	default:
	}
	f.mu.Lock()
	o.a.planted[fault.Class]++
	o.faults = append(o.faults, fault)
	f.mu.Unlock()
	for _, answer := range onAnswers {
		f.troubles.Plant(o.a.ID, o.id, answer)
	}
	if len(onAnswers) == 0 {
		f.again(o, on)
	}
	return f.see(o), nil
}

// again tells what was told of an order, in the manner of a fault: the same
// event, with its id, as Stripe resends it.
func (f *Face) again(o *order, fault stage.Fault) {
	if f.Classes()[fault.Class].Spoof {
		f.spoof(o, fault)
		return
	}
	var last *event
	var thin *event
	f.mu.Lock()
	for _, e := range o.a.events {
		if e.o == o && e.kind == "" {
			last = e
		}
	}
	if fault.Class == Thin {
		thin = f.thin(o)
	}
	if last != nil {
		resent := *last
		last = &resent
		f.dress(last, fault)
	}
	f.mu.Unlock()
	switch {
	case thin != nil:
		f.deliver(thin, stage.Fault{})
	case last != nil:
		f.tell(last, fault)
	}
}
