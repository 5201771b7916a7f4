package sandbox

import (
	"slices"
	"strings"

	"counterfoil/sandbox/stage"
)

// merchant is one account. Sandbox.mu guards all that changes.
type merchant struct {
	MerchantConfig
	keys   merchantKeys
	habits habits

	list      []*order            // by trade number, purged ones taken out
	byOut     map[string][]*order // oldest first, purged ones taken out
	planted   map[Class]int
	unpaid    map[Class]int // planted without a payment
	next      [][]Fault     // for the next payments, one entry each
	lane      *stage.Lane   // its callbacks
	failed    int           // orders given up in a row
	suspended bool
}

func newMerchant(c MerchantConfig, keys merchantKeys, lane *stage.Lane) *merchant {
	return &merchant{
		MerchantConfig: c, keys: keys, habits: styles[c.Style], lane: lane,
		byOut: map[string][]*order{}, planted: make(map[Class]int), unpaid: make(map[Class]int),
	}
}

// add puts o in the books.
func (m *merchant) add(o *order) {
	at, _ := slices.BinarySearchFunc(m.list, o.tradeNo, compareTradeNo)
	m.list = slices.Insert(m.list, at, o)
	m.byOut[o.outTradeNo] = append(m.byOut[o.outTradeNo], o)
}

// drop deletes o from what the gateway knows; the truth about it stays.
func (m *merchant) drop(o *order) {
	o.purged = true
	if at, found := slices.BinarySearchFunc(m.list, o.tradeNo, compareTradeNo); found {
		m.list = slices.Delete(m.list, at, at+1)
	}
	rest := slices.DeleteFunc(m.byOut[o.outTradeNo], func(x *order) bool { return x == o })
	if len(rest) == 0 {
		delete(m.byOut, o.outTradeNo)
		return
	}
	m.byOut[o.outTradeNo] = rest
}

func compareTradeNo(o *order, tradeNo string) int { return strings.Compare(o.tradeNo, tradeNo) }

// find is the order a query means: trade_no wins, and of several orders under
// one order number the oldest row comes up, as an unordered SELECT does.
func (m *merchant) find(tradeNo, outTradeNo string) *order {
	if tradeNo != "" {
		if at, found := slices.BinarySearchFunc(m.list, tradeNo, compareTradeNo); found {
			return m.list[at]
		}
		return nil
	}
	if same := m.byOut[outTradeNo]; len(same) > 0 {
		return same[0]
	}
	return nil
}

// latest is the newest order under an order number, or nil.
func (m *merchant) latest(outTradeNo string) *order {
	same := m.byOut[outTradeNo]
	if len(same) == 0 {
		return nil
	}
	return slices.MaxFunc(same, func(a, b *order) int { return a.addTime.Compare(b.addTime) })
}

// count remembers a planted fault.
func (m *merchant) count(f Fault) {
	if f.Class == None {
		return
	}
	m.planted[f.Class]++
	if f.Unpaid {
		m.unpaid[f.Class]++
	}
}
