package sandbox

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"counterfoil/domain"
)

// Books is the truth: what was really paid, whatever callbacks and queries
// said about it.
type Books struct {
	Merchants []MerchantBooks `json:"merchants"`
}

// MerchantBooks is one merchant's part. Money is in yuan, the protocol's only
// currency.
type MerchantBooks struct {
	PID     string        `json:"pid"`
	Version Version       `json:"version"`
	Opened  int           `json:"opened"` // orders opened by forms
	Paid    []PaidOrder   `json:"paid"`   // by time of payment, then trade number
	Totals  []BookTotal   `json:"totals"` // one per currency that was paid in
	Planted map[Class]int `json:"planted"`
	Unpaid  map[Class]int `json:"unpaid"` // those of Planted that came without a payment
}

// BookTotal adds up one currency.
type BookTotal struct {
	Received domain.Money `json:"received"`
	Refunded domain.Money `json:"refunded"`
	// What a careful receiver arrives at: each order number that was placed is
	// credited once, with its own amount; all other money is set aside.
	Credited domain.Money `json:"credited"`
	Parked   domain.Money `json:"parked"`
}

// PaidOrder is money that came.
type PaidOrder struct {
	TradeNo    string       `json:"trade_no"`
	OutTradeNo string       `json:"out_trade_no"`
	Money      domain.Money `json:"money"`
	Placed     domain.Money `json:"placed"` // what the merchant's form asked for
	Refunded   domain.Money `json:"refunded"`
	PaidAt     time.Time    `json:"paid_at"`
	Purged     bool         `json:"purged,omitempty"`
	Accepted   bool         `json:"accepted"` // a callback was taken for delivered
	Origin     Class        `json:"origin,omitempty"`
	Faults     []Class      `json:"faults,omitempty"`
	// Credit says that this money is due to the order: it has the placed amount
	// and is the first to have it. Of several that have it, another one may have
	// been credited instead, but only one.
	Credit bool `json:"credit"`
}

// Books is the truth at this moment.
func (s *Sandbox) Books() Books {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := map[string]int{}
	var b Books
	for i, pid := range s.pids {
		m := s.merchants[pid]
		at[pid] = i
		b.Merchants = append(b.Merchants, MerchantBooks{
			PID: pid, Version: m.Version, Paid: []PaidOrder{},
			Planted: maps.Clone(m.planted), Unpaid: maps.Clone(m.unpaid),
		})
	}
	for _, o := range s.truth {
		mb := &b.Merchants[at[o.pid]]
		if o.origin == None {
			mb.Opened++
		}
		if o.wasPaid() {
			mb.Paid = append(mb.Paid, o.paid())
		}
	}
	for i := range b.Merchants {
		b.Merchants[i].close()
	}
	return b
}

func (o *order) paid() PaidOrder {
	p := PaidOrder{
		TradeNo: o.tradeNo, OutTradeNo: o.outTradeNo, Money: o.money, Placed: o.placed, Refunded: o.refunded,
		PaidAt: o.endTime, Purged: o.purged, Accepted: o.accepted, Origin: o.origin,
	}
	for _, f := range o.faults {
		p.Faults = append(p.Faults, f.Class)
	}
	return p
}

// close sorts the payments, decides which are due to their orders and adds up.
func (b *MerchantBooks) close() {
	slices.SortFunc(b.Paid, func(x, y PaidOrder) int {
		return cmp.Or(x.PaidAt.Compare(y.PaidAt), cmp.Compare(x.TradeNo, y.TradeNo))
	})
	zero := domain.NewMoney(0, domain.CNY)
	total := BookTotal{zero, zero, zero, zero}
	settled := map[string]bool{}
	for i := range b.Paid {
		p := &b.Paid[i]
		p.Credit = p.Origin != Ambiguous && p.Money == p.Placed && !settled[p.OutTradeNo]
		if p.Credit {
			settled[p.OutTradeNo] = true
			total.Credited = plus(total.Credited, p.Money)
		} else {
			total.Parked = plus(total.Parked, p.Money)
		}
		total.Received = plus(total.Received, p.Money)
		total.Refunded = plus(total.Refunded, p.Refunded)
	}
	if len(b.Paid) > 0 {
		b.Totals = []BookTotal{total}
	}
}

// plus adds amounts of one currency. A sandbox cannot hold so many orders that
// it overflows: a million of at most 10^12 fen.
func plus(a, b domain.Money) domain.Money {
	return domain.NewMoney(a.Minor()+b.Minor(), domain.CNY)
}

// Orders lists the orders, the newest first: of one merchant or, with an empty
// pid, of all; under one number of the merchant's or all; at most limit, 0 for
// all.
func (s *Sandbox) Orders(pid, outTradeNo string, limit int) []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []Order{}
	for _, o := range slices.Backward(s.truth) {
		if (pid != "" && pid != o.pid) || (outTradeNo != "" && outTradeNo != o.outTradeNo) {
			continue
		}
		found = append(found, o.view())
		if len(found) == limit {
			break
		}
	}
	return found
}

// Order is one order by the gateway's number, also a purged one.
func (s *Sandbox) Order(tradeNo string) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, _, err := s.order(tradeNo)
	if err != nil {
		return Order{}, err
	}
	return o.view(), nil
}

// OrderByNumber is the newest order under the merchant's own number.
func (s *Sandbox) OrderByNumber(pid, outTradeNo string) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.merchant(pid)
	if err != nil {
		return Order{}, err
	}
	o := m.latest(outTradeNo)
	if o == nil {
		return Order{}, domain.EField(domain.KindNotFound, "out_trade_no", "merchant %s has no order %.40q", pid, outTradeNo)
	}
	return o.view(), nil
}
