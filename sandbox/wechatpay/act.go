package wechatpay

import (
	"strconv"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Open makes an order as the create call does.
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
		no: in.OrderNo, subject: in.Subject, attach: in.Attach, kind: "NATIVE", notifyURL: in.NotifyURL,
		returnURL: in.ReturnURL, total: in.Amount.Minor(),
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

func (f *Face) see(o *order) stage.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	return o.view()
}

// check is what the create calls refuse.
func (o order) check() error {
	wrong := func(field, why string) error { return domain.EField(domain.KindInvalid, field, "%s", why) }
	switch {
	case len(o.no) < 6 || len(o.no) > 32 || strings.Trim(o.no, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-|*@") != "":
		return wrong("out_trade_no", "out_trade_no is not 6 to 32 digits, letters or _ - | * @")
	case o.total <= 0 || o.total > 100_000_000_00:
		return wrong("amount", "amount is not 0.01 to 100,000,000.00 yuan")
	case !strings.HasPrefix(o.notifyURL, "http") || strings.ContainsAny(o.notifyURL, "?# "):
		return wrong("notify_url", "notify_url is no address without a query")
	case len(o.attach) > 128 || len(o.subject) > 512:
		return wrong("attach", "attach or description is too long")
	}
	return nil
}

// Pay lets the payer pay an order.
func (f *Face) Pay(id string, faults ...stage.Fault) (stage.Order, error) {
	onCallbacks, onAnswers, err := f.Classes().Sort(faults)
	if err != nil {
		return stage.Order{}, err
	}
	if onCallbacks.Class == RefundXML {
		return stage.Order{}, domain.EField(domain.KindInvalid, "faults", "%s is about a refund", RefundXML)
	}
	o, err := f.take(id, onCallbacks, faults)
	if err != nil {
		return stage.Order{}, err
	}
	for _, fault := range onAnswers {
		f.troubles.Plant(o.m.id(), o.id, fault)
	}
	f.announce(o, onCallbacks)
	return f.see(o), nil
}

// take books the payment; a fault that only spoofs books nothing.
func (f *Face) take(id string, fault stage.Fault, faults []stage.Fault) (*order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, err := f.order(id)
	if err != nil {
		return nil, err
	}
	if o.state != notPaid {
		return nil, domain.E(domain.KindConflict, "order %s cannot be paid: it is %s", o.no, o.state)
	}
	var money domain.Money
	if fault.Class == stage.OtherAmount || fault.Class == Coupon {
		if money, err = domain.ParseMoney(fault.Money, domain.CNY); err != nil || !money.IsPositive() {
			return nil, domain.EField(domain.KindInvalid, "money", "%q is no amount to pay", fault.Money)
		}
	}
	o.faults = append(o.faults, faults...)
	for _, fault := range faults {
		o.m.planted[fault.Class]++
	}
	if fault.Unpaid {
		return o, nil
	}
	o.paid, o.state, o.paidAt = o.total, paidFor, f.stage.Books()
	switch fault.Class {
	case stage.OtherAmount:
		o.paid = money.Minor()
	case Coupon:
		o.coupon = min(money.Minor(), o.paid/2)
	default:
	}
	return o, nil
}

// payAgain lets a payer pay an order number a second time, in a session that he
// had left open: other money, under a transaction_id of its own.
func (f *Face) payAgain(first *order) {
	f.mu.Lock()
	again := *first
	again.id, again.paidAt, again.second = f.number("4200001234"), f.stage.Books(), true
	again.state, again.paid, again.coupon = paidFor, first.total, 0
	again.refunds, again.faults, again.accepted, again.attempts, again.trouble = nil, nil, false, 0, ""
	o := &again
	o.m.list = append(o.m.list, o)
	f.orders[o.id] = o
	f.all = append(f.all, o)
	f.mu.Unlock()
	f.announce(o, stage.Fault{})
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
	case RefundFirst, RefundXML, Coupon, stage.OtherAmount:
		return stage.Order{}, domain.E(domain.KindConflict, "%s cannot happen to an order that was paid", fault.Class)
	default:
	}
	f.mu.Lock()
	o.m.planted[fault.Class]++
	o.faults = append(o.faults, fault)
	f.mu.Unlock()
	for _, fault := range onAnswers {
		f.troubles.Plant(o.m.id(), o.id, fault)
	}
	if len(onAnswers) == 0 {
		f.announce(o, onCallbacks)
	}
	return f.see(o), nil
}

// Refund gives money back and tells it.
func (f *Face) Refund(in stage.RefundOrder) (stage.Refund, error) {
	onCallbacks, _, err := f.Classes().Sort([]stage.Fault{in.Fault})
	if err != nil {
		return stage.Refund{}, err
	}
	f.mu.Lock()
	o, err := f.order(in.ID)
	if err != nil {
		f.mu.Unlock()
		return stage.Refund{}, err
	}
	r, fresh, err := f.giveBack(o, in.No, in.Amount, "", in.Fails)
	f.mu.Unlock()
	if err != nil {
		return stage.Refund{}, err
	}
	if fresh {
		f.announceRefund(r, onCallbacks)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return r.view(), nil
}

// giveBack books a refund, once for each number of the merchant's. The caller
// holds f.mu.
func (f *Face) giveBack(o *order, no string, amount domain.Money, notifyURL string, fails bool) (r *refund, fresh bool, err error) {
	if no == "" {
		no = "R" + o.no + strconv.Itoa(len(o.refunds)+1)
	}
	if r = o.m.refunds[no]; r != nil {
		if r.o != o || (!amount.IsZero() && r.fen != amount.Minor()) {
			return nil, false, domain.EField(domain.KindConflict, "out_refund_no", "the refund %s is there already, and another one", no)
		}
		return r, false, nil
	}
	give := amount.Minor()
	if amount.IsZero() {
		give = o.left()
	}
	switch {
	case !o.wasPaid():
		return nil, false, domain.E(domain.KindConflict, "order %s was not paid", o.no)
	case give <= 0 || give > o.left():
		return nil, false, domain.EField(domain.KindInvalid, "amount", "%s cannot be given back: %s is left", fen(give), fen(o.left()))
	case !amount.IsZero() && amount.Currency() != domain.CNY:
		return nil, false, domain.EField(domain.KindInvalid, "amount", "%s is not an amount of CNY", amount)
	}
	now := f.stage.Books()
	r = &refund{
		o: o, id: f.number("50300001234"), no: no, fen: give, coupon: o.couponOf(give), status: paidFor, at: now, doneAt: now, notifyURL: notifyURL,
	}
	if r.notifyURL == "" {
		r.notifyURL = o.notifyURL
	}
	if fails {
		r.status, r.doneAt = closedIt, time.Time{}
	} else {
		o.state = givenIn
	}
	o.refunds = append(o.refunds, r)
	o.m.refunds[no] = r
	return r, true, nil
}
