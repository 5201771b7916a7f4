package alipay

import (
	"counterfoil/domain"
)

// asked is the trade that a question is about, nil for none: by trade_no first.
func (f *Face) asked(q request) *order {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id := q.text("trade_no"); id != "" {
		if o := f.orders[id]; o != nil && o.m == q.m {
			return o
		}
		return nil
	}
	return q.m.byNo[q.text("out_trade_no")]
}

// notExist is the answer about a trade that is not there, or whose payer has
// not opened the cashier.
func notExist(orderNo string) answer {
	return no("40004", "ACQ.TRADE_NOT_EXIST", "交易不存在", member{"out_trade_no", orderNo}, member{"buyer_pay_amount", "0.00"},
		member{"invoice_amount", "0.00"}, member{"point_amount", "0.00"}, member{"receipt_amount", "0.00"})
}

// query is alipay.trade.query.
func (f *Face) query(q request, o *order) answer {
	if o == nil || !o.scanned {
		return notExist(q.text("out_trade_no"))
	}
	total, sent := fen(o.total).Amount(), ""
	if o.wasPaid() {
		total, sent = fen(o.paid).Amount(), clock(o.paidAt)
	}
	paid := yuan(o.received())
	return ok(
		member{"buyer_logon_id", "159****5620"}, member{"buyer_pay_amount", paid}, member{"buyer_user_id", buyer},
		member{"invoice_amount", paid}, member{"out_trade_no", o.no}, member{"point_amount", "0.00"}, member{"receipt_amount", paid},
		member{"send_pay_date", sent}, member{"total_amount", total}, member{"trade_no", o.id}, member{"trade_status", o.state},
	)
}

// refund is alipay.trade.refund: once for each out_request_no.
func (f *Face) refund(q request, o *order) answer {
	if o == nil || !o.scanned {
		return notExist(q.text("out_trade_no"))
	}
	amount, err := domain.ParseMoney(q.text("refund_amount"), domain.CNY)
	if err != nil {
		return no("40002", "isv.invalid-parameter", "refund_amount")
	}
	number := q.text("out_request_no")
	if number == "" {
		number = o.no // a refund in full needs no number
	}
	r, fresh, err := f.giveBack(o, number, amount)
	switch {
	case domain.FieldOf(err) == "out_request_no":
		return no("40004", "ACQ.DISCORDANT_REPEAT_REQUEST", "请求信息不一致")
	case domain.KindOf(err) == domain.KindConflict && err != nil:
		return no("40004", "ACQ.TRADE_NOT_ALLOW_REFUND", "当前交易不允许退款")
	case err != nil:
		return no("40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限")
	}
	change := "N"
	if fresh {
		change = "Y"
		f.tell(o, o.refundMessage(), noFault)
	}
	return ok(
		member{"buyer_logon_id", "159****5620"}, member{"fund_change", change}, member{"gmt_refund_pay", clock(r.at)},
		member{"out_trade_no", o.no}, member{"refund_fee", fen(o.refunded()).Amount()}, member{"send_back_fee", fen(r.fen).Amount()},
		member{"trade_no", o.id},
	)
}

// refundQuery is alipay.trade.fastpay.refund.query. Of a refund that is not
// there it says yes, and nothing more.
func (f *Face) refundQuery(q request, o *order) answer {
	if o == nil || !o.scanned {
		return notExist(q.text("out_trade_no"))
	}
	r := o.refund(q.text("out_request_no"))
	if r == nil {
		return ok()
	}
	return ok(
		member{"gmt_refund_pay", clock(r.at)}, member{"out_request_no", r.no}, member{"out_trade_no", o.no},
		member{"refund_amount", fen(r.fen).Amount()}, member{"refund_status", "REFUND_SUCCESS"},
		member{"total_amount", fen(o.paid).Amount()}, member{"trade_no", o.id},
	)
}

// closeTrade is alipay.trade.close: of a trade that waits for its payer.
func (f *Face) closeTrade(q request, o *order) answer {
	switch {
	case o == nil || !o.scanned:
		return notExist(q.text("out_trade_no"))
	case o.state != waiting:
		return no("40004", "ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
	}
	f.shut(o)
	return ok(member{"out_trade_no", o.no}, member{"trade_no", o.id})
}
