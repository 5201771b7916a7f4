package stripe

import (
	"time"

	"counterfoil/domain"
	"counterfoil/providers/stripe"
	"counterfoil/sandbox/stage"
)

// The metadata keys of an order's number and of the account it is for.
const (
	orderKey   = stripe.DefaultOrderKey
	accountKey = "account"
)

// The states of an order, which are those of its payment intent.
const (
	unpaid     = "requires_payment_method"
	processing = "processing"
	succeeded  = "succeeded"
	canceled   = "canceled"
	pending    = "pending"
	failed     = "failed"
)

// sum is an amount as Stripe counts it.
type sum struct {
	count int64
	code  string
}

func sumOf(m domain.Money) (sum, error) {
	count, code, err := stripe.Count(m)
	return sum{count, code}, err
}

// money is the sum in our units. Sums are checked when they are made, so it
// cannot fail; a sandbox that is mistaken about that should stop.
func (s sum) money() domain.Money {
	m, err := stripe.Money(s.count, s.code)
	if err != nil {
		panic("stripe: a sum without a form: " + err.Error())
	}
	return m
}

// order is a payment intent and, where there is one, its checkout session.
type order struct {
	a         *account
	id        string // pi_…
	session   string // cs_…; empty where the merchant made the intent himself
	charge    string // ch_…, once it was paid
	no        string // client_reference_id, else of the metadata
	goods     string
	reference string            // client_reference_id
	metadata  map[string]string // of the session
	intentMD  map[string]string // of the intent and its charge
	notifyURL string
	returnURL string
	placed    sum
	pays      sum // what the payer will pay where it is not placed
	paid      sum
	settles   string // the code of the balance that it reaches; empty: of its own currency
	state     string // of the intent
	expired   bool   // the session was
	second    *order // the order whose number this one was paid under again
	openedAt  time.Time
	paidAt    time.Time
	refunds   []*refund
	disputes  []*dispute
	accepted  bool
	attempts  int
	trouble   string
	faults    []stage.Fault
	release   string // of the API, for its events
	keyOrder  bool
}

// refund is money given back. Face.mu guards it.
type refund struct {
	o      *order
	id     string // re_…
	no     string // the merchant's, in its metadata
	amount sum
	state  string
	at     time.Time
}

// dispute is money that a bank claims back. Face.mu guards it.
type dispute struct {
	o      *order
	id     string // du_…
	amount sum
	state  string
	txns   []*txn // the newest first, as Stripe lists them
	at     time.Time
}

func (o *order) wasPaid() bool { return o.paid.count > 0 }

// settled is the code of the balance that a payment reaches.
func (o *order) settled() string {
	if o.settles != "" {
		return o.settles
	}
	return o.paid.code
}

func (o *order) payable() bool { return o.state == unpaid && !o.expired }

// back is what was given back and did not return.
func (o *order) back() int64 {
	var n int64
	for _, r := range o.refunds {
		if r.state == succeeded || r.state == pending {
			n += r.amount.count
		}
	}
	return n
}

func (o *order) fits(f stage.OrderFilter) bool {
	return (f.ID == "" || f.ID == o.id || f.ID == o.session) && (f.Merchant == "" || f.Merchant == o.a.ID) &&
		(f.OrderNo == "" || f.OrderNo == o.no)
}

func (o *order) view() stage.Order {
	v := stage.Order{
		Face: Name, Merchant: o.a.ID, ID: o.id, OrderNo: o.no, Subject: o.goods, Placed: o.placed.money(), State: o.state,
		Payable: o.payable(), WasPaid: o.wasPaid(), NotifyURL: o.notifyURL, ReturnURL: o.returnURL, OpenedAt: o.openedAt,
		PaidAt: o.paidAt, Accepted: o.accepted, Attempts: o.attempts, Trouble: o.trouble, Faults: o.faults,
	}
	v.Refunds, v.Disputes = o.views()
	if o.wasPaid() {
		v.Paid, v.Refunded = o.paid.money(), sum{o.back(), o.paid.code}.money()
	}
	return v
}

func (o *order) views() (refunds []stage.Refund, disputes []stage.Dispute) {
	for _, r := range o.refunds {
		refunds = append(refunds, r.view())
	}
	for _, d := range o.disputes {
		disputes = append(disputes, d.view())
	}
	return refunds, disputes
}

func (r *refund) view() stage.Refund {
	return stage.Refund{ID: r.id, No: r.no, Amount: r.amount.money(), Failed: r.state == failed, At: r.at}
}

func (d *dispute) view() stage.Dispute {
	v := stage.Dispute{ID: d.id, Amount: d.amount.money(), State: stage.DisputeOpen, At: d.at}
	switch d.state {
	case "won":
		v.State = stage.DisputeWon
	case "lost":
		v.State = stage.DisputeLost
	}
	fee := sum{0, d.o.settled()}
	for _, t := range d.txns {
		fee.count += t.fee
	}
	v.Fee = fee.money()
	return v
}

func (o *order) truth() stage.Payment {
	p := stage.Payment{
		TradeNo: o.id, OrderNo: o.no, Amount: o.paid.money(), Placed: o.placed.money(), PaidAt: o.paidAt, Accepted: o.accepted,
	}
	p.Refunds, p.Disputes = o.views()
	return p
}
