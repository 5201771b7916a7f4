package alipay

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"counterfoil/domain"
	wire "counterfoil/providers/alipay"
	"counterfoil/sandbox/stage"
)

// The states of a trade, in the words of trade_status.
const (
	waiting  = "WAIT_BUYER_PAY"
	paidFor  = "TRADE_SUCCESS"
	finished = "TRADE_FINISHED"
	closedIt = "TRADE_CLOSED"
)

// order is one order. Face.mu guards it.
type order struct {
	m         *merchant
	id        string // trade_no
	no        string
	subject   string
	passback  string
	notifyURL string
	returnURL string
	total     int64 // fen that the order asks for
	paid      int64 // fen that the order was paid with; 0 until then
	coupon    int64 // of these, what the merchant gave himself
	state     string
	bait      bool // an attacker's own, which no merchant placed
	scanned   bool // the payer has opened the cashier: before that the trade does not exist
	openedAt  time.Time
	paidAt    time.Time
	closedAt  time.Time
	refunds   []*refund
	accepted  bool
	attempts  int
	trouble   string
	faults    []stage.Fault
}

// refund is money given back. Face.mu guards it.
type refund struct {
	no    string
	fen   int64
	given int64 // of these, what the merchant had given himself
	at    time.Time
}

func (o *order) wasPaid() bool { return o.paid > 0 }

// received is what reached the merchant, before fees.
func (o *order) received() int64 { return o.paid - o.coupon }

// refunded is what was given back, to the last.
func (o *order) refunded() int64 {
	var sum int64
	for _, r := range o.refunds {
		sum += r.fen
	}
	return sum
}

func (o *order) refund(no string) *refund {
	for _, r := range o.refunds {
		if r.no == no {
			return r
		}
	}
	return nil
}

func (o *order) fits(f stage.OrderFilter) bool {
	return (f.Merchant == "" || f.Merchant == o.m.AppID) && (f.OrderNo == "" || f.OrderNo == o.no)
}

func (o *order) view() stage.Order {
	v := stage.Order{
		Face: Name, Merchant: o.m.AppID, ID: o.id, OrderNo: o.no, Subject: o.subject, Placed: fen(o.total), State: o.state,
		Payable: o.state == waiting, WasPaid: o.wasPaid(), NotifyURL: o.notifyURL, ReturnURL: o.backURL(), OpenedAt: o.openedAt,
		PaidAt: o.paidAt, Accepted: o.accepted, Attempts: o.attempts, Trouble: o.trouble, Faults: o.faults, Refunds: o.refundViews(),
	}
	if o.wasPaid() {
		v.Paid, v.Refunded = fen(o.paid), fen(o.refunded())
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

// view is the refund as others see it. Alipay has no number of its own.
func (r *refund) view() stage.Refund {
	return stage.Refund{ID: r.no, No: r.no, Amount: fen(r.fen), At: r.at}
}

func (o *order) truth() stage.Payment {
	return stage.Payment{
		TradeNo: o.id, OrderNo: o.no, Amount: fen(o.paid), Placed: fen(o.total), PaidAt: o.paidAt, Accepted: o.accepted,
		Due: o.paid == o.total && !o.bait, Refunds: o.refundViews(),
	}
}

// backURL is where the payer's browser goes: once paid with the fields of the
// trade, signed with the same key as notices are. They prove no payment, which
// is for the merchant to know.
func (o *order) backURL() string {
	if o.returnURL == "" || !o.wasPaid() {
		return o.returnURL
	}
	fields := o.returned()
	sign, err := wire.Sign(wire.NoticeText(fields), o.m.signers[len(o.m.signers)-1])
	if err != nil {
		return o.returnURL
	}
	join := "?"
	if strings.Contains(o.returnURL, "?") {
		join = "&"
	}
	return o.returnURL + join + wire.Encode(fields.With("sign_type", wire.SignRSA2).With("sign", sign))
}

// returned are the fields that the browser brings back.
func (o *order) returned() wire.Params {
	return wire.Params{
		{Name: "app_id", Value: o.m.AppID},
		{Name: "auth_app_id", Value: o.m.AppID},
		{Name: "charset", Value: "utf-8"},
		{Name: "method", Value: "alipay.trade.page.pay.return"},
		{Name: "out_trade_no", Value: o.no},
		{Name: "seller_id", Value: o.m.SellerID},
		{Name: "timestamp", Value: clock(o.paidAt)},
		{Name: "total_amount", Value: fen(o.paid).Amount()},
		{Name: "trade_no", Value: o.id},
		{Name: "version", Value: "1.0"},
	}
}

// clock is a time as Alipay writes it.
func clock(t time.Time) string { return t.In(stage.China).Format(time.DateTime) }

// check is what the create call refuses.
func (o order) check() error {
	wrong := func(field, why string) error { return domain.EField(domain.KindInvalid, field, "%s", why) }
	u, err := url.Parse(o.notifyURL)
	switch {
	case o.no == "" || len(o.no) > 64 || strings.Trim(o.no, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "":
		return wrong("out_trade_no", "out_trade_no is not 1 to 64 letters, digits and underscores")
	case o.total <= 0 || o.total > 100_000_000_00:
		return wrong("amount", "total_amount is not 0.01 to 100,000,000.00 yuan")
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return wrong("notify_url", "notify_url is no web address")
	case strings.ContainsFunc(o.subject, unicode.IsControl):
		return wrong("name", "subject has a control character in it")
	case len(o.passback) > 512 || len(o.subject) > 1024:
		return wrong("attach", "passback_params or subject is too long")
	}
	return nil
}

// number makes a trade number of 28 digits: the day, Alipay's middle and a
// count. The caller holds f.mu.
func (f *Face) number() string {
	f.serial++
	return fmt.Sprintf("%s2200147303%010d", f.stage.Books().Format("20060102"), f.serial)
}

// add makes an order. The same number with the same content is the same order;
// with another content, or when it was paid, it is KindConflict.
func (f *Face) add(m *merchant, o order) (*order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if same := m.byNo[o.no]; same != nil {
		if same.total != o.total || same.state != waiting {
			return nil, domain.EField(domain.KindConflict, "out_trade_no", "the order %s is there already, as %s", o.no, same.state)
		}
		return same, nil
	}
	return f.made(m, o), nil
}

// made takes an order in. The caller holds f.mu.
func (f *Face) made(m *merchant, o order) *order {
	made := &o
	made.m, made.state, made.openedAt, made.id = m, waiting, f.stage.Books(), f.number()
	m.byNo[o.no] = made
	m.list = append(m.list, made)
	f.orders[made.id] = made
	f.all = append(f.all, made)
	return made
}

func (f *Face) order(id string) (*order, error) {
	if o := f.orders[id]; o != nil {
		return o, nil
	}
	return nil, domain.EField(domain.KindNotFound, "trade_no", "there is no trade %.40q", id)
}

func (f *Face) see(o *order) stage.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	return o.view()
}
