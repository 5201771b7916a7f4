package wechatpay

import (
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// ReadBill reads a bill line by line and holds its totals against its rows. Rows
// of the merchant's other apps belong to other channels: they count in the
// totals and are passed over. The state of a refund row is that of the moment
// when it was accepted and is never updated: the refund query knows the end.
func (c *Channel) ReadBill(r io.Reader, f providers.BillFile) iter.Seq2[domain.BillLine, error] {
	return func(yield func(domain.BillLine, error) bool) {
		if f.Empty {
			return
		}
		b, err := c.openBill(r, f)
		for err == nil {
			var line domain.BillLine
			var ours, more bool
			if line, ours, more, err = b.next(); err != nil || !more {
				break
			}
			if ours && !yield(line, nil) {
				return
			}
		}
		if err != nil {
			yield(domain.BillLine{}, err)
		}
	}
}

// bill is a bill that is being read.
type bill struct {
	*billScanner
	c       *Channel
	day     domain.Day
	kind    providers.BillKind
	sums    map[string]fixed // by the name of the total
	refused error
}

func (c *Channel) openBill(r io.Reader, f providers.BillFile) (*bill, error) {
	u, err := unpack(r)
	if err != nil {
		return nil, err
	}
	s, err := newBillScanner(u)
	if err != nil {
		return nil, err
	}
	b := &bill{billScanner: s, c: c, day: f.Question.Day, kind: f.Question.Kind, sums: map[string]fixed{}}
	need := []string{colTime, colMchID, colTradeNo, colOrderNo, colTradeState, colFee}
	if b.kind == providers.BillFunds {
		need = []string{colBookTime, colBusinessNo, colFlowNo, colBusinessType, colDirection, colMoved}
	}
	for _, name := range need {
		if !s.head.has(name) {
			return nil, domain.E(domain.KindCorrupt, "bill has no column %s", name)
		}
	}
	return b, nil
}

// next is the next row; more is false behind the last one, when the totals
// agree.
func (b *bill) next() (line domain.BillLine, ours, more bool, err error) {
	more, err = b.billScanner.next()
	if err != nil {
		return line, false, false, err
	}
	if !more {
		return line, false, false, b.checkTotals()
	}
	b.refused = nil
	if b.kind == providers.BillFunds {
		line, ours = b.flowLine(), true
	} else {
		line, ours = b.tradeLine()
	}
	line.Row = b.row
	return line, ours, true, b.refused
}

// wrong notes the first thing in a row that cannot be read.
func (b *bill) wrong(column, why string) {
	if b.refused == nil {
		b.refused = domain.E(domain.KindCorrupt, "row %d, column %s: %s: %s", b.row, column, quoted(b.head.text(column)), why)
	}
}

// at reads the time of a row, which must be of the bill's day.
func (b *bill) at(column string) time.Time {
	t := b.c.localTime(time.DateTime, b.head.text(column))
	switch {
	case t.IsZero():
		b.wrong(column, "is no time")
	case domain.DayOf(t, b.c.zone) != b.day:
		b.wrong(column, "is not of the day "+string(b.day))
	}
	return t
}

// number reads a column and adds it to the totals of these names.
func (b *bill) number(column string, totals ...string) fixed {
	n, _, ok := parseFixed(b.head.text(column))
	if !ok {
		b.wrong(column, "is no amount")
	}
	for _, total := range totals {
		if b.sums[total], ok = b.sums[total].plus(n); !ok {
			b.wrong(column, "makes a total beyond counting")
		}
	}
	return n
}

// gross is an amount that is never negative.
func (b *bill) gross(column string, n fixed, cur domain.Currency) domain.Money {
	m, ok := n.money(cur)
	if !ok || m.IsNegative() {
		b.wrong(column, "is no amount of "+string(cur))
	}
	return m
}

// checkTotals compares every total that we know by name.
func (b *bill) checkTotals() error {
	known := 0
	for name := range b.totals.place {
		sum, ok := b.sums[name]
		if !ok {
			if !slices.Contains(allTotals, name) {
				continue
			}
			sum = 0 // no row
		}
		known++
		said, _, ok := parseFixed(b.totals.text(name))
		if !ok || said != sum {
			return domain.E(domain.KindCorrupt, "total %s: the bill says %s, its rows make another sum", name, quoted(b.totals.text(name)))
		}
	}
	if known < 2 {
		return domain.E(domain.KindCorrupt, "bill has no totals that are known: %s", quoted(strings.Join(b.totals.values, ",")))
	}
	return nil
}
