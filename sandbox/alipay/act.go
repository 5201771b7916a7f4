package alipay

import (
	"context"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Open makes an order as a payer's browser does that arrives with a signed
// form. The trade does not exist for queries until the payer does something.
func (f *Face) Open(in stage.OpenOrder) (stage.Order, error) {
	m, err := f.merchant(in.Merchant)
	if err != nil {
		return stage.Order{}, err
	}
	if in.NotifyURL == "" {
		in.NotifyURL = m.NotifyURL
	}
	if in.Amount.Currency() != domain.CNY {
		return stage.Order{}, domain.EField(domain.KindInvalid, "amount", "%s is not an amount of CNY", in.Amount)
	}
	o := order{
		no: in.OrderNo, subject: in.Subject, passback: in.Attach, notifyURL: in.NotifyURL, returnURL: in.ReturnURL,
		total: in.Amount.Minor(),
	}
	if err := o.check(); err != nil {
		return stage.Order{}, err
	}
	made, err := f.add(m, o)
	if err != nil {
		return stage.Order{}, err
	}
	return f.see(made), nil
}

// Pay lets the payer pay an order.
func (f *Face) Pay(id string, faults ...stage.Fault) (stage.Order, error) {
	onCallbacks, onAnswers, err := f.Classes().Sort(faults)
	if err != nil {
		return stage.Order{}, err
	}
	o, err := f.take(id, onCallbacks, faults)
	if err != nil {
		return stage.Order{}, err
	}
	for _, fault := range onAnswers {
		f.troubles.Plant(o.m.AppID, o.id, fault)
	}
	if onCallbacks.Class != Scanned {
		f.announce(o, onCallbacks)
	}
	return f.see(o), nil
}

// take books the payment; a fault that only spoofs, or a payer who only looks,
// books nothing.
func (f *Face) take(id string, fault stage.Fault, faults []stage.Fault) (*order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, err := f.order(id)
	if err != nil {
		return nil, err
	}
	if o.state != waiting {
		return nil, domain.E(domain.KindConflict, "order %s cannot be paid: it is %s", o.no, o.state)
	}
	paid := o.total
	if fault.Class == stage.OtherAmount {
		other, err := domain.ParseMoney(fault.Money, domain.CNY)
		if err != nil || !other.IsPositive() {
			return nil, domain.EField(domain.KindInvalid, "money", "%q is no amount to pay", fault.Money)
		}
		paid = other.Minor()
	}
	o.plant(faults)
	o.scanned = o.scanned || !fault.Unpaid
	if fault.Unpaid || fault.Class == Scanned {
		return o, nil
	}
	o.paid, o.state, o.paidAt = paid, paidFor, f.stage.Books()
	switch fault.Class {
	case OddSubject:
		o.subject = "测试商品+1 & more 100%"
	case FinishedOnce:
		o.state = finished
	case Coupon:
		given, err := domain.ParseMoney(fault.Money, domain.CNY)
		if err != nil {
			return nil, domain.EField(domain.KindInvalid, "money", "%w", err)
		}
		o.coupon = min(given.Minor(), paid-1)
	default:
	}
	f.enterPayment(o)
	return o, nil
}

// plant remembers faults. The caller holds Face.mu.
func (o *order) plant(faults []stage.Fault) {
	for _, fault := range faults {
		if fault.Class != stage.None {
			o.m.planted[fault.Class]++
			o.faults = append(o.faults, fault)
		}
	}
}

// Fire lets a fault happen to an order now.
func (f *Face) Fire(id string, fault stage.Fault) (stage.Order, error) {
	f.mu.Lock()
	o, err := f.order(id)
	f.mu.Unlock()
	if err != nil {
		return stage.Order{}, err
	}
	if f.see(o).Payable {
		return f.Pay(id, fault)
	}
	onCallbacks, onAnswers, err := f.Classes().Sort([]stage.Fault{fault})
	if err != nil {
		return stage.Order{}, err
	}
	switch onCallbacks.Class {
	case Scanned, FinishedOnce, OddSubject, Coupon, RefundFirst, stage.OtherAmount, stage.Lost:
		return stage.Order{}, domain.E(domain.KindConflict, "%s cannot happen to an order that was paid or closed", fault.Class)
	default:
	}
	f.mu.Lock()
	o.plant([]stage.Fault{fault})
	f.mu.Unlock()
	for _, fault := range onAnswers {
		f.troubles.Plant(o.m.AppID, o.id, fault)
	}
	if len(onAnswers) == 0 {
		f.announce(o, onCallbacks)
	}
	return f.see(o), nil
}

// Refund gives money back and tells it. A refund always arrives: what a bank
// refuses goes to the payer's balance at Alipay.
func (f *Face) Refund(in stage.RefundOrder) (stage.Refund, error) {
	onCallbacks, _, err := f.Classes().Sort([]stage.Fault{in.Fault})
	if err != nil {
		return stage.Refund{}, err
	}
	if in.Fails {
		return stage.Refund{}, domain.EField(domain.KindInvalid, "fails", "no refund of Alipay's comes back to the merchant")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o, err := f.order(in.ID)
	if err != nil {
		return stage.Refund{}, err
	}
	r, fresh, err := f.giveBack(o, in.No, in.Amount)
	if err != nil {
		return stage.Refund{}, err
	}
	if fresh {
		f.tell(o, o.refundMessage(), onCallbacks)
	}
	return r.view(), nil
}

// giveBack books a refund, once for each number of the merchant's. The caller
// holds f.mu.
func (f *Face) giveBack(o *order, no string, amount domain.Money) (r *refund, fresh bool, err error) {
	if no == "" {
		no = "R" + o.no + strconv.Itoa(len(o.refunds)+1)
	}
	if r = o.refund(no); r != nil {
		if !amount.IsZero() && r.fen != amount.Minor() {
			return nil, false, domain.EField(domain.KindConflict, "out_request_no", "the refund %s is there already, and another one", no)
		}
		return r, false, nil
	}
	left := o.paid - o.refunded()
	give := amount.Minor()
	if amount.IsZero() {
		give = left
	}
	switch {
	case !o.wasPaid() || o.state == finished:
		return nil, false, domain.E(domain.KindConflict, "order %s cannot be refunded: it is %s", o.no, o.state)
	case give <= 0 || give > left:
		return nil, false, domain.EField(domain.KindInvalid, "amount", "%s cannot be given back: %s is left", fen(give), fen(left))
	case !amount.IsZero() && amount.Currency() != domain.CNY:
		return nil, false, domain.EField(domain.KindInvalid, "amount", "%s is not an amount of CNY", amount)
	}
	before := o.refunded()
	r = &refund{no: no, fen: give, at: f.stage.Books()}
	r.given = o.coupon*(before+give)/o.paid - o.coupon*before/o.paid
	o.refunds = append(o.refunds, r)
	f.enterRefund(o, r)
	if give == left {
		o.state, o.closedAt = closedIt, r.at
	}
	return r, true, nil
}

// announce tells the merchant of a payment in the manner of a fault.
func (f *Face) announce(o *order, fault stage.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch fault.Class {
	case stage.Forged, stage.OtherPID, stage.WrongStatus, ReturnReplay, Ambiguous:
		genuine := o.wasPaid() && !fault.Unpaid
		msgs := f.spoofs(o, fault)
		f.stage.After(0, func(ctx context.Context) {
			for _, msg := range msgs {
				f.send(ctx, o, msg, stage.Shot{Kind: msg.kind, Try: 1})
			}
			if genuine {
				f.tellNow(o, stage.Fault{})
			}
		})
		return
	case RefundFirst:
		f.refundFirst(o, fault)
		return
	case Finished:
		f.stage.After(time.Duration(fault.Delay), func(context.Context) { f.finish(o) })
	default:
	}
	f.tell(o, o.message(), fault)
}

func (f *Face) tellNow(o *order, fault stage.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(o, o.message(), fault)
}

// finish ends the time in which a trade can be refunded.
func (f *Face) finish(o *order) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.state == paidFor {
		o.state = finished
		f.tell(o, o.message(), stage.Fault{})
	}
}

// refundFirst gives half back and tells that at once; the payment's own notice
// comes later. The caller holds f.mu.
func (f *Face) refundFirst(o *order, fault stage.Fault) {
	payment := o.message()
	half := fen(max(1, o.paid/2))
	if _, _, err := f.giveBack(o, "", half); err == nil {
		f.tell(o, o.refundMessage(), stage.Fault{})
	}
	f.tell(o, payment, stage.Fault{Class: stage.Late, Delay: fault.Delay})
}

// shut closes an order that nobody paid. The caller holds f.mu.
func (f *Face) shut(o *order) {
	o.state, o.closedAt = closedIt, f.stage.Books()
	f.tell(o, o.message(), stage.Fault{})
}
