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

// tradeText is a day's trade bill, nil where nothing happened.
func (f *Face) tradeText(m *merchant, day domain.Day, kind string) []byte {
	rows := f.rows(m, day)
	if len(rows) == 0 || (kind != "ALL" && kind != "") {
		return nil
	}
	var w writer
	w.WriteString(bom)
	w.heading("交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注")
	var paid, back, fees int64
	for _, r := range rows {
		values := []string{
			r.at.In(stage.China).Format(time.DateTime), r.o.appID, m.MchID, "0", "", r.o.id, r.o.no, r.o.openID(), r.o.kind,
		}
		tail := []string{strings.ReplaceAll(r.o.subject, "\n", " "), r.o.attach}
		if r.r == nil {
			paid, fees = paid+r.o.paid, fees+fee(r.o.paid)
			values = append(values, "SUCCESS", "OTHERS", "CNY", yuan(r.o.paid), "0.00", "0", "0", "0.00", "0.00", "", "")
			w.row(append(append(values, tail...), fifth(fee(r.o.paid)), "0.60%", yuan(r.o.paid), "0.00", "")...)
			continue
		}
		back, fees = back+r.r.fen, fees-fee(r.r.fen)
		values = append(values, "REFUND", "OTHERS", "CNY", "0.00", "0.00", r.r.id, r.r.no, yuan(r.r.fen), "0.00", "ORIGINAL", r.r.inBill())
		w.row(append(append(values, tail...), fifth(-fee(r.r.fen)), "0.60%", "0.00", yuan(r.r.fen), "")...)
	}
	w.heading("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额")
	w.row(whole(int64(len(rows))), yuan(paid), yuan(back), "0.00", fifth(fees), yuan(paid), yuan(back))
	return []byte(w.String())
}

// inBill is a refund's state in a bill.
func (r *refund) inBill() string {
	if r.status == closedIt {
		return "FAIL"
	}
	return "SUCCESS"
}

// fundText is a day's movements on the balance, nil where nothing moved. Fees
// are taken in whole fen.
func (f *Face) fundText(m *merchant, day domain.Day) []byte {
	var w writer
	w.WriteString(bom)
	w.heading("记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号")
	var in, out, balance, ins, outs int64
	move := func(r row, no, voucher, name string, fen int64) {
		if fen == 0 {
			return
		}
		word, size := "收入", fen
		if fen > 0 {
			in, ins = in+fen, ins+1
		} else {
			word, size = "支出", -fen
			out, outs = out+size, outs+1
		}
		balance += fen
		w.row(r.at.In(stage.China).Format(time.DateTime), no, "1000"+digestHex(no, name)[:24], name, name, word, yuan(size), yuan(balance), "system", "", voucher)
	}
	for _, r := range f.rows(m, day) {
		switch {
		case r.r == nil:
			move(r, r.o.id, r.o.no, "交易", r.o.paid)
			move(r, r.o.id, r.o.no, "扣除交易手续费", -wholeFee(r.o.paid))
		case r.r.status != closedIt:
			move(r, r.r.id, r.r.no, "退款", -r.r.fen)
			move(r, r.r.id, r.r.no, "退还交易手续费", wholeFee(r.r.fen))
		}
	}
	if ins+outs == 0 {
		return nil
	}
	w.heading("资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额")
	w.row(whole(ins+outs)+".0", whole(ins)+".0", yuan(in), whole(outs)+".0", yuan(out))
	return []byte(w.String())
}

// wholeFee is a fee in fen, halves up.
func wholeFee(fen int64) int64 { return (fee(fen) + 500) / 1000 }
