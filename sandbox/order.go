package sandbox

import (
	"fmt"
	"math/rand/v2"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Status of an order, as the protocol counts.
const (
	statusUnpaid   = 0
	statusPaid     = 1
	statusRefunded = 2 // also partly
	statusFrozen   = 3
)

// order is one row of the gateway's order table, with what a sandbox has to
// remember beside it. Sandbox.mu guards it.
type order struct {
	tradeNo    string
	outTradeNo string
	pid        string
	version    Version // of the endpoint that opened it
	method     string  // pay method, "type" on the wire
	name       string
	param      string
	notifyURL  string
	returnURL  string
	clientIP   string
	placed     domain.Money // what the form said
	money      domain.Money // what the books say: placed, or what was paid instead
	refunded   domain.Money
	status     int
	addTime    time.Time
	endTime    time.Time // zero until paid
	apiTradeNo string    // number at the pay method's own company; with buyer, set when paid
	buyer      string
	refunds    []*refund
	purged     bool

	origin   Class // how it came to be: None by a form, else the fault that made it
	faults   []Fault
	extra    bool        // callbacks carry an undocumented field
	purge    bool        // deleted once it has been told
	told     bool        // the merchant knows: callback accepted (V2), query answered (V1)
	accepted bool        // some callback was accepted
	attempts int         // genuine ones made
	rnd      *rand.Rand  // its own chance
	reopened orderForm   // the fields that decide whether a form opens it again
	siblings int         // orders that faults made of it
	trouble  *troubleLog // nil until something went wrong
}

// troubleLog is the last failed attempt of an order.
type troubleLog struct {
	at   time.Time
	text string
}

// orderForm is the part of a form that must be equal for it to open the same
// unpaid order again.
type orderForm struct {
	money                             domain.Money
	name, notifyURL, returnURL, param string
}

// wasPaid reports whether money came, also if it went back.
func (o *order) wasPaid() bool { return o.status != statusUnpaid }

// Order is an order as people and programs see it.
type Order struct {
	TradeNo    string  `json:"trade_no"`
	OutTradeNo string  `json:"out_trade_no"`
	PID        string  `json:"pid"`
	Version    Version `json:"version"`
	Method     string  `json:"type"`
	Name       string  `json:"name"`
	NotifyURL  string  `json:"notify_url"`
	ReturnURL  string  `json:"return_url,omitempty"`
	Placed     string  `json:"placed"` // what the form asked for, in yuan
	Money      string  `json:"money"`  // what the books say
	Refunded   string  `json:"refunded,omitempty"`
	Status     int     `json:"status"` // 0 unpaid, 1 paid, 2 refunded, 3 frozen
	Purged     bool    `json:"purged,omitempty"`
	Origin     Class   `json:"origin,omitempty"` // the fault that made the order, if one did
	Faults     []Fault `json:"faults,omitempty"` // what was planted
	Accepted   bool    `json:"accepted"`         // a genuine callback was taken for delivered
	Attempts   int     `json:"attempts"`         // genuine callbacks sent
	Trouble    string  `json:"trouble,omitempty"`
	AddTime    string  `json:"addtime"`
	EndTime    string  `json:"endtime,omitempty"`
}

// view copies o out from under the lock.
func (o *order) view() Order {
	v := Order{
		TradeNo: o.tradeNo, OutTradeNo: o.outTradeNo, PID: o.pid, Version: o.version, Method: o.method, Name: o.name,
		NotifyURL: o.notifyURL, ReturnURL: o.returnURL, Placed: o.placed.Amount(), Money: o.money.Amount(),
		Status: o.status, Purged: o.purged, Origin: o.origin, Faults: append([]Fault(nil), o.faults...),
		Accepted: o.accepted, Attempts: o.attempts, AddTime: bookTime(o.addTime),
	}
	if !o.refunded.IsZero() {
		v.Refunded = o.refunded.Amount()
	}
	if !o.endTime.IsZero() {
		v.EndTime = bookTime(o.endTime)
	}
	if o.trouble != nil {
		v.Trouble = o.trouble.text
	}
	return v
}

// bookTime is an instant as the servers write it: China time without a zone.
func bookTime(t time.Time) string { return t.In(stage.China).Format(time.DateTime) }

// newTradeNo is 19 digits: the second in China and five of chance. Two orders
// of one second that draw the same five draw again.
func newTradeNo(at time.Time, rnd *rand.Rand, taken func(string) bool) string {
	stamp := at.In(stage.China).Format("20060102150405")
	for range 100 {
		if no := fmt.Sprintf("%s%05d", stamp, rnd.IntN(100_000)); !taken(no) {
			return no
		}
	}
	for n := range 100_000 {
		if no := fmt.Sprintf("%s%05d", stamp, n); !taken(no) {
			return no
		}
	}
	// A hundred thousand orders in one second: borrow from the next.
	return newTradeNo(at.Add(time.Second), rnd, taken)
}

// markPaid books money at an instant.
func (o *order) markPaid(money domain.Money, at time.Time) {
	o.status = statusPaid
	o.money = money
	o.endTime = at.Truncate(time.Second)
	o.apiTradeNo = fmt.Sprintf("40%s%011d", at.In(stage.China).Format("060102"), o.rnd.Int64N(100_000_000_000))
	o.buyer = fmt.Sprintf("2088%012d", o.rnd.Int64N(1_000_000_000_000))
}
