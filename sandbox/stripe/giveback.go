package stripe

import (
	"context"
	"strconv"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Refund gives money back and tells it twice, as Stripe does: by the refund and
// by the charge with all its refunds added up. One that fails succeeds first,
// and is taken back an hour later.
func (f *Face) Refund(in stage.RefundOrder) (stage.Refund, error) {
	fault, _, err := f.Classes().Sort([]stage.Fault{in.Fault})
	if err != nil {
		return stage.Refund{}, err
	}
	f.mu.Lock()
	o, err := f.order(in.ID)
	if err != nil {
		f.mu.Unlock()
		return stage.Refund{}, err
	}
	no := in.No
	if no == "" {
		no = "R" + o.no + "-" + strconv.Itoa(len(o.refunds)+1)
	}
	for _, r := range o.a.refunds {
		if r.no == no {
			defer f.mu.Unlock()
			return r.again(o, in.Amount)
		}
	}
	give, err := o.giveable(in.Amount)
	if err != nil {
		f.mu.Unlock()
		return stage.Refund{}, err
	}
	r, tell := f.giveBack(o, no, give, fault)
	view := r.view()
	f.mu.Unlock()
	tell()
	if in.Fails {
		f.stage.After(refundTurns, func(context.Context) { f.refundFails(r) })
	}
	return view, nil
}

// again is a refund that was asked for before.
func (r *refund) again(o *order, amount domain.Money) (stage.Refund, error) {
	if r.o != o || (!amount.IsZero() && r.amount.money() != amount) {
		return stage.Refund{}, domain.EField(domain.KindConflict, "out_refund_no", "the refund %s is there already, and another one", r.no)
	}
	return r.view(), nil
}

// giveable checks an amount to give back; zero is all that is left. The caller
// holds Face.mu.
func (o *order) giveable(amount domain.Money) (sum, error) {
	left := sum{o.paid.count - o.back() - o.away(), o.paid.code}
	give := left
	if !amount.IsZero() {
		var err error
		if give, err = sumOf(amount); err != nil {
			return sum{}, domain.EField(domain.KindInvalid, "amount", "%w", err)
		}
	}
	switch {
	case o.state != succeeded:
		return sum{}, domain.E(domain.KindConflict, "order %s was not paid", o.no)
	case give.code != left.code || give.count <= 0 || give.count > left.count:
		return sum{}, domain.EField(domain.KindInvalid, "amount", "%s cannot be given back: %s is left", give.money(), left.money())
	}
	return give, nil
}

// away is what disputes hold.
func (o *order) away() int64 {
	var n int64
	for _, d := range o.disputes {
		if d.state != "won" {
			n += d.amount.count
		}
	}
	return n
}

// giveBack books a refund; the caller, who holds f.mu, tells it afterwards.
func (f *Face) giveBack(o *order, no string, give sum, fault stage.Fault) (*refund, func()) {
	r := &refund{o: o, id: o.a.newID("re", no), no: no, amount: give, state: succeeded, at: f.stage.Books()}
	o.refunds = append(o.refunds, r)
	o.a.refunds = append(o.a.refunds, r)
	f.bookOf(o, txn{kind: "refund", category: "refund", amount: sum{-give.count, give.code}, source: r}, free)
	single := f.event(o.subject(kindRefund), "refund.created", r.object())
	total := f.event(o.subject(kindRefund), "charge.refunded", o.chargeObject(nil))
	if f.stage.Chance(Name, r.id, "first").IntN(2) == 0 {
		single, total = total, single
	}
	return r, func() {
		f.deliver(single, fault)
		f.deliver(total, fault)
	}
}

func (f *Face) refundFails(r *refund) {
	f.mu.Lock()
	r.state = failed
	f.bookOf(r.o, txn{kind: "refund_failure", category: "refund_failure", amount: r.amount, source: r}, free)
	e := f.event(r.o.subject(kindRefund), "refund.failed", r.object())
	f.mu.Unlock()
	f.deliver(e, stage.Fault{})
}

// Dispute takes money of a payment away, with a fee, until it is decided.
func (f *Face) Dispute(id string, amount domain.Money) (stage.Dispute, error) {
	f.mu.Lock()
	o, err := f.order(id)
	if err != nil {
		f.mu.Unlock()
		return stage.Dispute{}, err
	}
	take, err := o.giveable(amount)
	if err != nil {
		f.mu.Unlock()
		return stage.Dispute{}, err
	}
	d := &dispute{o: o, id: o.a.newID("du", o.no), amount: take, state: "needs_response", at: f.stage.Books()}
	o.disputes = append(o.disputes, d)
	o.a.disputes = append(o.a.disputes, d)
	taken := txn{kind: "adjustment", category: "dispute", amount: sum{-take.count, take.code}, source: d}
	d.txns = []*txn{f.bookOf(o, taken, func(int64) int64 { return feeIn(o.settled()) })}
	created := f.event(o.subject(kindDispute), "charge.dispute.created", d.object(nil))
	moved := f.event(o.subject(kindDispute), "charge.dispute.funds_withdrawn", d.object(nil))
	view := d.view()
	f.mu.Unlock()
	f.deliver(created, stage.Fault{})
	f.deliver(moved, stage.Fault{})
	return view, nil
}

// feeIn is the fee of a dispute in a currency.
func feeIn(code string) int64 {
	c := sum{0, code}.money().Currency()
	fee := int64(disputeFee)
	for range c.Places() {
		fee *= 10
	}
	s, err := sumOf(domain.NewMoney(fee, c))
	if err != nil {
		panic("stripe: a whole number of units has no form: " + err.Error())
	}
	return s.count
}

// Decide ends a dispute. One that is won brings the money back, not the fee.
func (f *Face) Decide(disputeID string, won bool) (stage.Dispute, error) {
	f.mu.Lock()
	d := f.dispute(disputeID)
	if d == nil || d.state == "won" || d.state == "lost" {
		f.mu.Unlock()
		return stage.Dispute{}, undecidable(disputeID, d)
	}
	d.state = "lost"
	if won {
		d.state = "won"
	}
	closed := f.event(d.o.subject(kindDispute), "charge.dispute.closed", d.object(nil))
	events := []*event{closed}
	if won {
		back := f.bookOf(d.o, txn{kind: "adjustment", category: "dispute_reversal", amount: d.amount, source: d}, free)
		d.txns = append([]*txn{back}, d.txns...)
		events = append(events, f.event(d.o.subject(kindDispute), "charge.dispute.funds_reinstated", d.object(nil)))
	}
	view := d.view()
	f.mu.Unlock()
	for _, e := range events {
		f.deliver(e, stage.Fault{})
	}
	return view, nil
}

func (f *Face) dispute(id string) *dispute {
	for _, a := range f.list {
		for _, d := range a.disputes {
			if d.id == id {
				return d
			}
		}
	}
	return nil
}

func undecidable(id string, d *dispute) error {
	if d == nil {
		return domain.EField(domain.KindNotFound, "dispute_id", "there is no dispute %.40q", id)
	}
	return domain.E(domain.KindConflict, "the dispute %s is %s", id, d.state)
}
