package wechatpay

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// feeRate is what WeChat keeps of a payment, in ten-thousandths: 0.60 %.
const feeRate = 60

// fee is WeChat's share in hundred-thousandths of a yuan, the fifth place of a
// bill.
func fee(fen int64) int64 { return fen * feeRate / 10 }

// yuan writes fen with two places, and hundred-thousandths with five.
func yuan(fen int64) string { return decimal(fen, 100, "%02d") }

func fifth(n int64) string { return decimal(n, 100_000, "%05d") }

func decimal(n, unit int64, places string) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d."+places, sign, n/unit, n%unit)
}

// row is a payment or a refund of a day.
type row struct {
	at time.Time
	o  *order
	r  *refund // nil for the payment
}

// rows are what happened on a day, in its order: a payment on the day it was
// paid, a refund on the day it was accepted.
func (f *Face) rows(m *merchant, day domain.Day) []row {
	f.mu.Lock()
	var all []row
	for _, o := range m.list {
		if o.wasPaid() && domain.DayOf(o.paidAt, stage.China) == day {
			all = append(all, row{at: o.paidAt, o: o})
		}
		for _, r := range o.refunds {
			if domain.DayOf(r.at, stage.China) == day {
				all = append(all, row{at: r.at, o: o, r: r})
			}
		}
	}
	f.mu.Unlock()
	slices.SortStableFunc(all, func(a, b row) int { return a.at.Compare(b.at) })
	if f.billFault(m) == stage.BillChanged && len(all) > 0 {
		all = all[:len(all)-1] // it is in the bill when it is downloaded again
	}
	return all
}

// writer makes the text of a bill: every value with a back quote before it.
type writer struct{ strings.Builder }

func (w *writer) heading(names string) { w.WriteString(names + "\r\n") }

func (w *writer) row(values ...string) {
	w.WriteString("`" + strings.Join(values, ",`") + "\r\n")
}

const bom = "\xef\xbb\xbf"

// bill is what happened on a day, ready to be written.
type bill interface {
	len() int
	// text is the bill with totals over its first n rows.
	text(n int) []byte
}

// tradeBill are the payments and refunds of a day.
type tradeBill struct {
	m    *merchant
	rows []row
}

// trades is a day's trade bill, nil where nothing happened.
func (f *Face) trades(m *merchant, day domain.Day, kind string) bill {
	rows := f.rows(m, day)
	if len(rows) == 0 || (kind != "ALL" && kind != "") {
		return nil
	}
	return tradeBill{m, rows}
}

func (b tradeBill) len() int { return len(b.rows) }

func (b tradeBill) text(n int) []byte {
	var w writer
	w.WriteString(bom)
	w.heading("交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注")
	var settled, paid, out, asked, fees int64
	for i, r := range b.rows {
		w.row(r.trade(b.m)...)
		if i >= n {
			continue
		}
		fees += r.fee()
		if r.r == nil {
			settled, paid = settled+r.o.settled(), paid+r.o.paid
		} else {
			out, asked = out+r.r.settled(), asked+r.r.fen
		}
	}
	w.heading("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额")
	w.row(whole(int64(n)), yuan(settled), yuan(out), "0.00", fifth(fees), yuan(paid), yuan(asked))
	return []byte(w.String())
}

// fee is WeChat's share, below zero where it is given back.
func (r row) fee() int64 {
	if r.r == nil {
		return fee(r.o.settled())
	}
	return -fee(r.r.settled())
}

// trade is a row of the trade bill.
func (r row) trade(m *merchant) []string {
	sub := "0"
	if m.SubMchID != "" {
		sub = m.SubMchID
	}
	values := []string{
		r.at.In(stage.China).Format(time.DateTime), r.o.appID, m.MchID, sub, "", r.o.id, r.o.no, r.o.openID(), r.o.kind,
	}
	paid, asked := r.o.paid, int64(0)
	if r.r == nil {
		values = append(values, "SUCCESS", "OTHERS", "CNY", yuan(r.o.settled()), yuan(r.o.coupon), "0", "0", "0.00", "0.00", "", "")
	} else {
		paid, asked = 0, r.r.fen
		values = append(values, "REFUND", "OTHERS", "CNY", "0.00", "0.00", r.r.id, r.r.no, yuan(r.r.settled()), "0.00", "ORIGINAL", r.r.inBill())
	}
	return append(values, strings.ReplaceAll(r.o.subject, "\n", " "), r.o.attach, fifth(r.fee()), "0.60%", yuan(paid), yuan(asked), "")
}

// inBill is a refund's state in a bill.
func (r *refund) inBill() string {
	if r.status == closedIt {
		return "FAIL"
	}
	return "SUCCESS"
}
