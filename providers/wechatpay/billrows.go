package wechatpay

import (
	"slices"
	"strings"

	"counterfoil/domain"
)

// Columns of the trade bill (bill format page of v3). The second names are those
// that old merchants get.
const (
	colTime         = "交易时间"
	colAppID        = "公众账号ID"
	colMchID        = "商户号"
	colSubMchID     = "特约商户号"
	colTradeNo      = "微信订单号"
	colOrderNo      = "商户订单号"
	colTradeState   = "交易状态"
	colCurrency     = "货币种类"
	colSettled      = "应结订单金额"
	colSettledOld   = "总金额"
	colRefundID     = "微信退款单号"
	colRefundNo     = "商户退款单号"
	colRefundOut    = "退款金额"
	colCouponBack   = "充值券退款金额"
	colRefundState  = "退款状态"
	colAttach       = "商户数据包"
	colFee          = "手续费"
	colOrderAmount  = "订单金额"
	colRefundAsked  = "申请退款金额"
	totalRows       = "总交易单数"
	totalSettled    = "应结订单总金额"
	totalSettledOld = "总交易额"
	totalRefund     = "退款总金额"
	totalRefundOld  = "总退款金额"
	totalCouponBack = "充值券退款总金额"
	totalFee        = "手续费总金额"
	totalOrders     = "订单总金额"
	totalAsked      = "申请退款总金额"
)

// Columns of the fund flow.
const (
	colBookTime     = "记账时间"
	colBusinessNo   = "微信支付业务单号"
	colFlowNo       = "资金流水单号"
	colBusinessName = "业务名称"
	colBusinessType = "业务类型"
	colDirection    = "收支类型"
	colMoved        = "收支金额(元)"
	colBalance      = "账户结余(元)"
	colVoucher      = "业务凭证号"
	totalFlows      = "资金流水总笔数"
	totalInCount    = "收入笔数"
	totalIn         = "收入金额"
	totalOutCount   = "支出笔数"
	totalOut        = "支出金额"
)

// allTotals are the totals that are held against the rows.
var allTotals = []string{
	totalRows, totalSettled, totalSettledOld, totalRefund, totalRefundOld, totalCouponBack, totalFee, totalOrders, totalAsked,
	totalFlows, totalInCount, totalIn, totalOutCount, totalOut,
}

const oneRow fixed = 1_000_000

// count adds one to a total.
func (b *bill) count(total string) { b.sums[total] += oneRow }

// tradeLine reads a row of the trade bill; ours is false for another app's.
func (b *bill) tradeLine() (line domain.BillLine, ours bool) {
	h := &b.head
	cur, err := domain.ParseCurrency(h.text(colCurrency))
	if err != nil {
		b.wrong(colCurrency, "is no currency that is known")
		return line, false
	}
	line = domain.BillLine{
		OrderNo: h.text(colOrderNo), TradeNo: h.text(colTradeNo), ProviderStatus: h.text(colTradeState),
		FeeCurrency: cur, At: b.at(colTime), Account: b.c.account(h.text(colAttach)),
	}
	b.count(totalRows)
	settledColumn := colSettled
	if !h.has(colSettled) {
		settledColumn = colSettledOld
	}
	settled := b.number(settledColumn, totalSettled, totalSettledOld)
	out := b.number(colRefundOut, totalRefund, totalRefundOld)
	b.number(colCouponBack, totalCouponBack)
	fee := b.number(colFee, totalFee)
	_, line.Fee, _ = parseFixed(h.text(colFee))
	order, asked := b.number(colOrderAmount, totalOrders), b.number(colRefundAsked, totalAsked)
	if !h.has(colOrderAmount) {
		order, asked = settled, out
	}
	if line.ProviderStatus == wordSuccess {
		line.Kind, line.Status = domain.LinePayment, domain.StatusPaid
		line.Amount, line.Net = b.gross(colOrderAmount, order, cur), net(settled, fee, cur)
	} else {
		b.backLine(&line, asked)
		if line.Status != domain.StatusFailed {
			line.Net = net(-out, fee, cur)
		}
		order, settled = asked, out
	}
	if line.Status != domain.StatusFailed {
		line.Discount = b.discount(order-settled, cur)
	}
	return line, b.rowIsOurs()
}

// discount is the part of an order that a coupon paid which brings the merchant
// nothing, or the part of a refund that goes back to such a coupon: what was
// asked for less what is settled (bill format page of v3: 应结订单金额 is the
// order less its coupons that were not bought). Bills of old merchants have one
// amount only, and tell no discount.
func (b *bill) discount(n fixed, cur domain.Currency) domain.Money {
	if n == 0 {
		return domain.Money{}
	}
	return b.gross(colSettled, n, cur)
}

// backLine reads what a row gives back: a refund, or an order that the merchant
// revoked at the counter, whose row may name no refund.
func (b *bill) backLine(line *domain.BillLine, asked fixed) {
	h := &b.head
	line.RefundID, line.RefundNo = number(h.text(colRefundID)), number(h.text(colRefundNo))
	line.Amount = b.gross(colRefundAsked, asked, line.FeeCurrency)
	state := h.text(colRefundState)
	switch line.ProviderStatus {
	case tradeRefund:
		line.Kind, line.Status = domain.LineRefund, refundStatus(state)
		if state == "FAIL" {
			line.Status = domain.StatusFailed
		}
		line.ProviderStatus = state
	case "REVOKED":
		line.Kind, line.Status = domain.LineRefund, domain.StatusSucceeded
		if line.RefundID == "" {
			line.RefundID = "revoked:" + line.TradeNo
		}
	default:
		b.wrong(colTradeState, "is neither SUCCESS, REFUND nor REVOKED")
	}
}

// number is a number of WeChat's bills, where 0 stands for none.
func number(text string) string {
	if text == "0" {
		return ""
	}
	return text
}

// rowIsOurs holds a row's merchant against the channel's: a bill of another
// merchant cannot be read at all, a row of another app is another channel's.
func (b *bill) rowIsOurs() bool {
	h, cfg := &b.head, b.c.cfg
	if h.text(colMchID) != cfg.MchID {
		b.wrong(colMchID, "is another merchant's")
	}
	if sub := number(h.text(colSubMchID)); sub != cfg.SubMchID {
		if cfg.SubMchID != "" {
			return false // a partner's bill may have all of his merchants in it
		}
		b.wrong(colSubMchID, "is another merchant's")
	}
	return slices.Contains(cfg.AppIDs, h.text(colAppID))
}

// flowLine reads a row of the fund flow: every movement on the balance.
func (b *bill) flowLine() domain.BillLine {
	h, cur := &b.head, b.c.cfg.Currency
	line := domain.BillLine{
		ID: h.text(colFlowNo), ProviderStatus: h.text(colBusinessType), At: b.at(colBookTime),
		FeeCurrency: cur, Status: domain.StatusOther,
	}
	b.count(totalFlows)
	moved, in := fixed(0), h.text(colDirection) == "收入"
	switch {
	case in:
		b.count(totalInCount)
		moved = b.number(colMoved, totalIn)
	case h.text(colDirection) == "支出":
		b.count(totalOutCount)
		moved = b.number(colMoved, totalOut)
	default:
		b.wrong(colDirection, "is neither 收入 nor 支出")
	}
	line.Amount = b.gross(colMoved, moved, cur)
	if line.Net = line.Amount; !in {
		line.Net = line.Amount.Neg()
	}
	line.Balance = b.balance(cur)
	b.flowKind(&line, in)
	return line
}

// balance is what stands on the account after a movement; it may be below zero.
func (b *bill) balance(cur domain.Currency) domain.Money {
	text := b.head.text(colBalance)
	if text == "" {
		return domain.Money{}
	}
	m, ok := b.number(colBalance).money(cur)
	if !ok {
		b.wrong(colBalance, "is no amount of "+string(cur))
	}
	return m
}

// flowKind says what a movement is, by the name of the business and the
// direction.
func (b *bill) flowKind(line *domain.BillLine, in bool) {
	no, voucher := b.head.text(colBusinessNo), b.head.text(colVoucher)
	name := b.head.text(colBusinessType) + " " + b.head.text(colBusinessName)
	switch {
	case strings.Contains(name, "手续费"):
		line.Kind, line.TradeNo, line.OrderNo, line.Fee = domain.LineFee, no, voucher, line.Net.Neg().Decimal()
	case strings.Contains(name, "退款") && !in:
		line.Kind, line.RefundID, line.RefundNo, line.Status = domain.LineRefund, no, voucher, domain.StatusSucceeded
	case strings.Contains(name, "退款"):
		line.Kind, line.RefundID, line.RefundNo, line.Status = domain.LineRefundFailed, no, voucher, domain.StatusFailed
	case strings.Contains(name, "提现") && in:
		line.Kind, line.PayoutID = domain.LinePayoutFailed, no
	case strings.Contains(name, "提现"):
		line.Kind, line.PayoutID = domain.LinePayout, no
	case strings.Contains(name, "交易") && in:
		line.Kind, line.TradeNo, line.OrderNo, line.Status = domain.LinePayment, no, voucher, domain.StatusPaid
	default:
		line.Kind, line.TradeNo, line.Amount = domain.LineOther, no, line.Net
	}
}
