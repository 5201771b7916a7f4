package wechatpay

import (
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// The states of an order (order query of v3).
const (
	notPaid  = "NOTPAY"
	paidFor  = "SUCCESS"
	givenIn  = "REFUND" // into refund: something was given back
	closedIt = "CLOSED"
)

// order is one order. Face.mu guards it.
type order struct {
	m         *merchant
	id        string // transaction_id; told to the merchant once it is paid
	no        string
	subject   string
	attach    string
	kind      string // NATIVE, JSAPI, APP, MWEB
	notifyURL string
	returnURL string
	appID     string
	total     int64 // fen that the order asks for
	paid      int64 // fen that the payer gave, his coupon among them; 0 until then
	coupon    int64 // of them, what the merchant does not get
	second    bool  // paid in a second session, under a number that was paid before
	state     string
	openedAt  time.Time
	paidAt    time.Time
	refunds   []*refund
	accepted  bool
	attempts  int
	trouble   string
	faults    []stage.Fault
}

// refund is money given back. Face.mu guards it.
type refund struct {
	o         *order
	id        string
	no        string
	fen       int64
	coupon    int64  // of them, what goes back to a coupon
	status    string // PROCESSING, SUCCESS, CLOSED
	notifyURL string
	at        time.Time // accepted
	doneAt    time.Time // arrived; zero when it did not
}

func (o *order) wasPaid() bool { return o.paid > 0 }

// settled is what of a payment reaches the merchant.
func (o *order) settled() int64 { return o.paid - o.coupon }

// settled is what of a refund leaves the merchant.
func (r *refund) settled() int64 { return r.fen - r.coupon }

// couponOf is the part of a refund that goes back to the order's coupon; the
// last refund takes what earlier ones left.
func (o *order) couponOf(give int64) int64 {
	if give < o.left() {
		return o.coupon * give / o.paid
	}
	left := o.coupon
	for _, r := range o.refunds {
		if r.status != closedIt {
			left -= r.coupon
		}
	}
	return left
}

// left is what can still be refunded.
func (o *order) left() int64 {
	left := o.paid
	for _, r := range o.refunds {
		if r.status != closedIt {
			left -= r.fen
		}
	}
	return left
}

func (o *order) fits(f stage.OrderFilter) bool {
	return (f.Merchant == "" || f.Merchant == o.m.id()) && (f.OrderNo == "" || f.OrderNo == o.no)
}

func (o *order) view() stage.Order {
	v := stage.Order{
		Face: Name, Merchant: o.m.id(), ID: o.id, OrderNo: o.no, Subject: o.subject, Placed: fen(o.total), State: o.state,
		Payable: o.state == notPaid, WasPaid: o.wasPaid(), NotifyURL: o.notifyURL, ReturnURL: o.returnURL, OpenedAt: o.openedAt,
		PaidAt: o.paidAt, Accepted: o.accepted, Attempts: o.attempts, Trouble: o.trouble, Faults: o.faults,
		Refunds: o.refundViews(),
	}
	if o.wasPaid() {
		v.Paid, v.Refunded = fen(o.paid), fen(o.paid-o.left())
	}
	return v
}

func (o *order) refundViews() []stage.Refund {
	var all []stage.Refund
	for _, r := range o.refunds {
		all = append(all, r.view())
	}
	return all
}

func (r *refund) view() stage.Refund {
	return stage.Refund{ID: r.id, No: r.no, Amount: fen(r.fen), Failed: r.status == closedIt, At: r.at}
}

func (o *order) truth() stage.Payment {
	return stage.Payment{
		TradeNo: o.id, OrderNo: o.no, Amount: fen(o.paid), Placed: fen(o.total), PaidAt: o.paidAt, Accepted: o.accepted,
		Due: o.paid == o.total && !o.second, Refunds: o.refundViews(),
	}
}

// number makes a number of 28 digits as WeChat's are: a prefix, the day and a
// count. The caller holds f.mu.
func (f *Face) number(prefix string) string {
	f.serial++
	return fmt.Sprintf("%s%s%010d", prefix, f.stage.Books().Format("20060102"), f.serial)
}

// add makes an order. The same number with the same content is the same order,
// as at WeChat; with another content it is KindConflict.
func (f *Face) add(m *merchant, o order) (*order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if same := m.byNo[o.no]; same != nil {
		if same.total != o.total || same.notifyURL != o.notifyURL || same.state != notPaid {
			return nil, domain.EField(domain.KindConflict, "out_trade_no", "the order %s is there already, as %s", o.no, same.state)
		}
		return same, nil
	}
	made := &o
	made.m, made.state, made.openedAt = m, notPaid, f.stage.Books()
	made.id = f.number("4200001234")
	if made.appID == "" {
		made.appID = m.AppID
	}
	m.byNo[o.no] = made
	m.list = append(m.list, made)
	f.orders[made.id] = made
	f.all = append(f.all, made)
	return made, nil
}

func (f *Face) order(id string) (*order, error) {
	if o := f.orders[id]; o != nil {
		return o, nil
	}
	return nil, domain.EField(domain.KindNotFound, "trade_no", "there is no order %.40q", id)
}
