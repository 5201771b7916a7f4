package wechatpay

import (
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
)

// tradeRefund is the state of an order that was paid and of which something was
// given back since.
const tradeRefund = "REFUND"

// tradeStatus is what a trade_state means (order query of v3 and v2), compared
// byte by byte.
func tradeStatus(word string) domain.Status {
	switch word {
	case "SUCCESS", tradeRefund:
		return domain.StatusPaid
	case "NOTPAY", "USERPAYING", "ACCEPT":
		return domain.StatusWaiting
	case "CLOSED", "REVOKED":
		return domain.StatusClosed
	case "PAYERROR":
		return domain.StatusFailed
	}
	return domain.StatusOther
}

// refundStatus is what a refund's state means in v3 and v2. ABNORMAL and CHANGE
// are no end: the payer's card is gone, and people decide where the money goes.
func refundStatus(word string) domain.Status {
	switch word {
	case "SUCCESS":
		return domain.StatusSucceeded
	case "PROCESSING":
		return domain.StatusWaiting
	case "CLOSED", "REFUNDCLOSE":
		return domain.StatusFailed
	}
	return domain.StatusOther
}

// transaction reads a v3 payment, of a callback or a query. Most members may be
// missing; an order that was never paid has no transaction_id.
func (c *Channel) transaction(m strictjson.Members) (domain.Notice, error) {
	state, _ := m.String(fieldTradeState)
	orderNo, _ := m.String(fieldOutTradeNo)
	if state == "" || orderNo == "" {
		return domain.Notice{}, domain.E(domain.KindInvalid, "the payment has no %s or no %s", fieldTradeState, fieldOutTradeNo)
	}
	attach, _ := m.String(fieldAttach)
	when, _ := m.String(fieldSuccessTime)
	n := domain.Notice{
		Channel: c.cfg.Channel, OrderNo: orderNo, Status: tradeStatus(state), ProviderStatus: state,
		OccurredAt: wechatTime(when), Account: c.account(attach),
	}
	n.TradeNo, _ = m.String(fieldTransactionID)
	var err error
	if n.Amount, err = c.amount(m, "total", n.Status == domain.StatusPaid); err != nil {
		return domain.Notice{}, err
	}
	if n.Status == domain.StatusPaid && n.TradeNo == "" {
		n.Doubts = []domain.Doubt{domain.DoubtNoTradeNo}
	}
	return n, nil
}

// andTakenBack is n, and behind the payment of an order in the state REFUND that
// something of it was given back: money came first.
func andTakenBack(n domain.Notice) []domain.Notice {
	if n.About != domain.AboutPayment || n.ProviderStatus != tradeRefund {
		return []domain.Notice{n}
	}
	back := n
	back.Status, back.Index, back.Amount, back.OccurredAt = domain.StatusRefunded, 1, domain.Money{}, time.Time{}
	return []domain.Notice{n, back}
}

// refund reads a v3 refund. Its state is refund_status in a callback and status
// in a query answer.
func (c *Channel) refund(m strictjson.Members, stateField string) (domain.Notice, error) {
	state, _ := m.String(stateField)
	orderNo, _ := m.String(fieldOutTradeNo)
	if state == "" || orderNo == "" {
		return domain.Notice{}, domain.E(domain.KindInvalid, "the refund has no %s or no %s", stateField, fieldOutTradeNo)
	}
	when, _ := m.String(fieldSuccessTime)
	n := domain.Notice{
		Channel: c.cfg.Channel, OrderNo: orderNo, About: domain.AboutRefund, Status: refundStatus(state),
		ProviderStatus: state, OccurredAt: wechatTime(when),
	}
	n.TradeNo, _ = m.String(fieldTransactionID)
	n.RefundID, _ = m.String(fieldRefundID)
	n.RefundNo, _ = m.String(fieldOutRefundNo)
	var err error
	if n.Amount, err = c.amount(m, "refund", n.Status == domain.StatusSucceeded); err != nil {
		return domain.Notice{}, err
	}
	return withRefundID(n), nil
}

// withRefundID names a refund by our number where WeChat's is missing, and
// doubts one that has neither.
func withRefundID(n domain.Notice) domain.Notice {
	if n.RefundID == "" {
		n.RefundID = n.RefundNo
	}
	if n.RefundID == "" {
		n.Doubts = append(n.Doubts, domain.DoubtNoRefundID)
	}
	return n
}

// amount reads fen from the member amount. total and refund are what the
// merchant asked for; payer_total is less with coupons and decides nothing.
// Where money moved there must be an amount above 0.
func (c *Channel) amount(m strictjson.Members, member string, moved bool) (domain.Money, error) {
	if !m.Has(fieldAmount) && !moved {
		return domain.Money{}, nil
	}
	amount, err := m.Value(fieldAmount).Object()
	if err != nil {
		return domain.Money{}, domain.E(domain.KindInvalid, "the amount is missing")
	}
	currency := string(c.cfg.Currency)
	if amount.Has("currency") {
		currency, _ = amount.String("currency")
	}
	digits := amount.Value(member)
	if !digits.IsNumber() {
		return domain.Money{}, domain.E(domain.KindInvalid, "amount.%s is no number", member)
	}
	return money(string(digits), currency, moved)
}

// money reads fen of a currency that a message names.
func money(fen, currency string, moved bool) (domain.Money, error) {
	cur, err := domain.ParseCurrency(currency)
	if err != nil {
		return domain.Money{}, err
	}
	m, err := domain.ParseMinor(fen, cur)
	if err != nil {
		return domain.Money{}, err
	}
	if moved && !m.IsPositive() {
		return domain.Money{}, domain.E(domain.KindInvalid, "money moved, but none")
	}
	return m, nil
}
