package stripe

import (
	"counterfoil/domain"
)

// Words of Stripe's that decide about money.
const (
	wordPaid      = "paid"
	wordUnpaid    = "unpaid"
	wordExpired   = "expired"
	wordSucceeded = "succeeded"
	wordCanceled  = "canceled"
	wordFailed    = "failed"
	wordPending   = "pending"
)

// session reads a checkout session. It is paid when payment_status says so:
// completed alone may mean that the buyer was told how to pay. One without a
// payment intent sold a subscription; its money has no number here.
func (c *Channel) session(o object, e event) ([]domain.Notice, error) {
	n, err := c.payment(o, "amount_total")
	if err != nil {
		return nil, err
	}
	if no := o.text("client_reference_id"); no != "" {
		n.OrderNo = no
	}
	n.TradeNo = o.ref("payment_intent")
	n.ProviderStatus = o.text("payment_status")
	n.OccurredAt = e.at
	switch {
	case n.ProviderStatus == wordPaid:
		n.Status = domain.StatusPaid
	case o.text("status") == wordExpired:
		n.Status, n.ProviderStatus = domain.StatusClosed, wordExpired
	case n.ProviderStatus != wordUnpaid:
		n.Status = domain.StatusOther // nothing to pay, or a word of tomorrow
	case e.kind == eventSessionFailed:
		n.Status = domain.StatusFailed
	default:
		n.Status = domain.StatusWaiting
	}
	return settled(n, e)
}

// intent reads a payment intent: amount_received is what came in.
func (c *Channel) intent(o object, e event) ([]domain.Notice, error) {
	word, amount := o.text("status"), "amount"
	if word == wordSucceeded {
		amount = "amount_received"
	}
	n, err := c.payment(o, amount)
	if err != nil {
		return nil, err
	}
	n.TradeNo, n.ProviderStatus, n.OccurredAt = o.text("id"), word, e.at
	switch word {
	case wordSucceeded:
		n.Status = domain.StatusPaid
	case wordCanceled:
		n.Status = domain.StatusClosed
	case "requires_payment_method", "requires_confirmation", "requires_action", "processing", "requires_capture":
		n.Status = domain.StatusWaiting
		if e.kind == eventIntentFailed {
			n.Status = domain.StatusFailed
		}
	default:
		n.Status = domain.StatusOther
	}
	return settled(n, e)
}

// charge reads a charge, which is money once it is captured: before that the
// bank only promised.
func (c *Channel) charge(o object, e event) ([]domain.Notice, error) {
	word := o.text("status")
	captured, _ := o.flag("captured")
	amount := "amount"
	if word == wordSucceeded && captured {
		amount = "amount_captured"
	}
	n, err := c.payment(o, amount)
	if err != nil {
		return nil, err
	}
	n.TradeNo, n.ProviderStatus, n.OccurredAt = chargeTrade(o), word, o.at("created")
	switch {
	case word == wordSucceeded && captured:
		n.Status = domain.StatusPaid
	case e.kind == "charge.expired":
		n.Status, n.ProviderStatus = domain.StatusClosed, wordExpired
	case word == wordSucceeded || word == wordPending:
		n.Status = domain.StatusWaiting
	case word == wordFailed:
		n.Status = domain.StatusFailed
	default:
		n.Status = domain.StatusOther
	}
	return settled(n, e)
}

// chargeTrade is the trade number of a charge: its payment intent's id, or its
// own where it was made without one.
func chargeTrade(o object) string {
	if id := o.ref("payment_intent"); id != "" {
		return id
	}
	return o.text("id")
}

// payment is what the objects of a payment have in common. A session without a
// total (it only saved a card) has no amount and no currency.
func (c *Channel) payment(o object, amount string) (domain.Notice, error) {
	n := domain.Notice{OrderNo: c.orderNo(o), Account: c.account(o)}
	if v := o.value(amount); v == "" || v.IsNull() {
		return n, nil
	}
	m, err := o.amount(amount)
	if err != nil {
		return domain.Notice{}, err
	}
	n.Amount = m
	return n, nil
}

// orderNo is the order number in an object's metadata.
func (c *Channel) orderNo(o object) string { return o.sub("metadata").text(c.cfg.OrderKey) }

// account is whose payment it is, by the channel's rule; empty for what is no
// account.
func (c *Channel) account(o object) domain.AccountID {
	if c.accountKey == "" {
		return ""
	}
	id, err := domain.ParseAccountID(o.sub("metadata").text(c.accountKey))
	if err != nil {
		return ""
	}
	return id
}

// settled checks a payment that was read. Paid but nothing is no message of
// Stripe's. Money that lacks a number is real, but a message alone must not
// book it: the same money comes again under its number, or the query names it.
func settled(n domain.Notice, e event) ([]domain.Notice, error) {
	if n.Status != domain.StatusPaid {
		return []domain.Notice{n}, nil
	}
	if !n.Amount.IsPositive() {
		return nil, domain.E(domain.KindInvalid, "paid, but nothing")
	}
	if n.TradeNo == "" {
		n.Doubts = append(n.Doubts, domain.DoubtNoTradeNo)
	}
	if n.OrderNo == "" && !e.isAnswer() {
		n.Doubts = append(n.Doubts, domain.DoubtNoOrderNo)
	}
	return []domain.Notice{n}, nil
}

// isAnswer reports whether there was no event: an object was asked for.
func (e event) isAnswer() bool { return e.id == "" }
