package stripe

import (
	"counterfoil/domain"
)

// refundNoKey is the metadata key under which a refund's own number stands
// where the merchant gives it one.
const refundNoKey = "refund_no"

// refund reads one refund. failed and canceled take it back: the money is with
// us again. A refund that succeeded is dated as the bill dates it, when it was
// made; one that failed when that was told.
func (c *Channel) refund(o object, e event) ([]domain.Notice, error) {
	amount, err := o.amount("amount")
	if err != nil {
		return nil, err
	}
	n := domain.Notice{
		About: domain.AboutRefund, RefundID: o.text("id"), RefundNo: o.sub("metadata").text(refundNoKey),
		TradeNo: partOf(o), Amount: amount, ProviderStatus: o.text("status"), OccurredAt: o.at("created"),
	}
	if n.RefundID == "" || n.TradeNo == "" {
		return nil, domain.E(domain.KindInvalid, "refund names not itself or not its payment")
	}
	switch n.ProviderStatus {
	case wordSucceeded:
		n.Status = domain.StatusSucceeded
		if !amount.IsPositive() {
			return nil, domain.E(domain.KindInvalid, "refunded, but nothing")
		}
	case wordFailed, wordCanceled:
		n.Status, n.OccurredAt = domain.StatusFailed, e.at
	case wordPending, "requires_action":
		n.Status = domain.StatusWaiting
	default:
		n.Status = domain.StatusOther
	}
	return []domain.Notice{n}, nil
}

// partOf is the trade number of what a refund or a dispute belongs to.
func partOf(o object) string {
	if id := o.ref("payment_intent"); id != "" {
		return id
	}
	return o.ref("charge")
}

// refundedTotal reads charge.refunded. It adds up what was refunded so far and
// names no refund, so that booking it beside the refunds' own events would
// refund twice: a hint, to be confirmed by the query.
func (c *Channel) refundedTotal(o object, e event) ([]domain.Notice, error) {
	amount, err := o.amount("amount_refunded")
	if err != nil {
		return nil, err
	}
	if !amount.IsPositive() {
		return nil, domain.E(domain.KindInvalid, "refunded, but nothing")
	}
	return []domain.Notice{{
		About: domain.AboutRefund, TradeNo: chargeTrade(o), OrderNo: c.orderNo(o), Amount: amount, Total: true,
		Status: domain.StatusSucceeded, ProviderStatus: "refunded", OccurredAt: e.at,
		Doubts: []domain.Doubt{domain.DoubtNoRefundID},
	}}, nil
}
