package sandbox

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// noMoney is zero yuan.
var noMoney = domain.NewMoney(0, domain.CNY)

// refund is money that went back.
type refund struct {
	no    string // the gateway's number
	outNo string // the merchant's number, V2 only
	order *order
	money domain.Money
	at    time.Time // of the books
}

func minus(a, b domain.Money) domain.Money {
	return domain.NewMoney(a.Minor()-b.Minor(), domain.CNY)
}

// Refund gives money back by the operator's hand. No callback tells the
// merchant: only a query shows it. A zero amount means all that is left.
func (s *Sandbox) Refund(tradeNo string, money domain.Money) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, m, err := s.order(tradeNo)
	if err != nil {
		return err
	}
	if money.IsZero() {
		money = minus(o.money, o.refunded)
	}
	if _, refused := s.giveBack(m, o, money, ""); refused != nil {
		return domain.E(domain.KindConflict, "refund of order %s: %w", tradeNo, refused)
	}
	return nil
}

// giveBack books a refund.
func (s *Sandbox) giveBack(m *merchant, o *order, money domain.Money, outNo string) (*refund, *refusal) {
	left := minus(o.money, o.refunded)
	switch {
	case o.status != statusPaid && o.status != statusRefunded:
		return nil, no(-1, "该订单状态不支持退款 (this order cannot be refunded)")
	case !money.IsPositive() || money.Minor() > left.Minor():
		return nil, no(-1, "退款金额不正确 (more than is left, or nothing)")
	case !m.habits.partialRefund && money != o.money:
		return nil, no(-1, "只支持全额退款 (full refunds only)")
	}
	taken := func(no string) bool {
		for _, r := range o.refunds {
			if r.no == no {
				return true
			}
		}
		return false
	}
	r := &refund{no: newTradeNo(s.stage.Books(), o.rnd, taken), outNo: outNo, order: o, money: money, at: s.stage.Books().Truncate(time.Second)}
	o.refunds = append(o.refunds, r)
	o.refunded = plus(o.refunded, money)
	o.status = statusRefunded
	return r, nil
}

// askedRefund finds the order and the amount that a refund request names.
func askedRefund(m *merchant, f fields) (*order, domain.Money, *refusal) {
	if m.NoRefunds {
		return nil, noMoney, no(-1, "未开启API退款 (refunds by API are switched off)")
	}
	if f["trade_no"] == "" && f["out_trade_no"] == "" {
		return nil, noMoney, no(-4, "订单号不能为空 (no order number)")
	}
	o := m.find(f["trade_no"], f["out_trade_no"])
	if o == nil {
		return nil, noMoney, m.notFound()
	}
	if !amountGrammar.MatchString(f["money"]) {
		return nil, noMoney, no(-1, "金额不合法 (money is not a plain amount)")
	}
	money, err := domain.ParseMoney(f["money"], domain.CNY)
	if err != nil {
		return nil, noMoney, no(-1, "金额不合法 (money is not a plain amount)")
	}
	return o, money, nil
}

// refundV1 gives money back on a request without a signature. There is no
// number that makes a repeat harmless: asked twice, it pays twice.
func (s *Sandbox) refundV1(w http.ResponseWriter, r *http.Request, m *merchant, f fields) {
	if r.Method != http.MethodPost {
		writeRefusal(w, no(-4, "请使用POST (POST only)"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, money, refused := askedRefund(m, f)
	if refused != nil {
		writeRefusal(w, refused)
		return
	}
	done, refused := s.giveBack(m, o, money, "")
	if refused != nil {
		writeRefusal(w, refused)
		return
	}
	writeJSON(w, http.StatusOK, append(object{{"code", m.habits.refundCode}}, done.members(m)...))
}

func (r *refund) members(m *merchant) object {
	return object{
		{"msg", "退款成功！退款金额¥" + r.money.Amount()},
		{"refund_no", r.no},
		{"out_refund_no", orNull(r.outNo)},
		{"trade_no", r.order.tradeNo},
		{"out_trade_no", r.order.outTradeNo},
		{"uid", m.number(m.PID)},
		{"money", r.money.Amount()},
		{"reducemoney", r.money.Amount()},
	}
}

// refundV2 gives money back. A merchant's refund number that is done already
// is answered again and pays nothing.
func (s *Sandbox) refundV2(w http.ResponseWriter, _ *http.Request, m *merchant, f fields) {
	done, refused := s.refundOnce(m, f)
	if refused != nil {
		writeRefusal(w, refused)
		return
	}
	s.writeSigned(w, m, Fault{}, append(object{{"code", 0}}, done.members(m)...))
}

func (s *Sandbox) refundOnce(m *merchant, f fields) (*refund, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	outNo := f["out_refund_no"]
	if outNo != "" && utf8.RuneCountInString(outNo) <= 5 {
		return nil, no(-1, "商户退款单号过短 (out_refund_no needs more than 5 characters)")
	}
	if old := m.refund("", outNo); old != nil {
		return old, nil
	}
	o, money, refused := askedRefund(m, f)
	if refused != nil {
		return nil, refused
	}
	return s.giveBack(m, o, money, outNo)
}

// refund finds a refund by either number, or nil.
func (m *merchant) refund(refundNo, outNo string) *refund {
	for _, o := range m.list {
		for _, r := range o.refunds {
			if (refundNo != "" && r.no == refundNo) || (outNo != "" && r.outNo == outNo) {
				return r
			}
		}
	}
	return nil
}

// refundQueryV2 tells whether a refund is done: here it always is.
func (s *Sandbox) refundQueryV2(w http.ResponseWriter, r *http.Request, m *merchant, f fields) {
	if strings.TrimSpace(f["refund_no"]+f["out_refund_no"]) == "" {
		writeRefusal(w, no(-4, "退款单号不能为空 (no refund number)"))
		return
	}
	s.mu.Lock()
	found := m.refund(f["refund_no"], f["out_refund_no"])
	trouble := s.takeTrouble(m, nil)
	s.mu.Unlock()
	if stage.Spoil(w, r, trouble) {
		return
	}
	if found == nil {
		writeRefusal(w, no(-1, "退款单号不存在 (no such refund)"))
		return
	}
	s.writeSigned(w, m, trouble, append(object{{"code", 0}, {"status", 1}}, found.members(m)...))
}
