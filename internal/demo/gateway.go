package demo

import (
	"context"
	"math/rand/v2"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

// drawGatewayFate makes up what becomes of a payment at the Epay gateway, which
// tells nobody of refunds: only a question shows them. V2 answers with the sum,
// V1 only that something went back, so that one of its refunds is for people to
// book. Where every callback is confirmed first, the question would come after
// the refund and credit nothing, so nothing is refunded there.
func drawGatewayFate(rnd *rand.Rand, t till) fate {
	at := rnd.IntN(25)
	switch {
	case t.confirm == "always" || at > 2:
		return stays
	case !t.refunds:
		return fully
	}
	return []fate{partly, fully, twice}[at]
}

// unfit are faults after which a refund cannot be told from what else happened
// under the order's number.
func unfit(o sandbox.Order) bool {
	for _, f := range o.Faults {
		switch f.Class {
		case sandbox.OtherAmount, sandbox.SecondTrade, sandbox.Reused, sandbox.Ambiguous, sandbox.Purged:
			return true
		default:
		}
	}
	return o.Origin != sandbox.None || o.Status != 1
}

// payAtGateway lets the payer pay at the Epay gateway, and the operator give
// money back.
func (p *shop) payAtGateway(ctx context.Context, o order) error {
	paid, err := p.box.PayByNumber(o.till.merchant, o.orderNo)
	if err != nil || o.fate == stays || unfit(paid) {
		return err
	}
	if !o.till.refunds && (len(paid.Faults) > 0 || !p.delivered(ctx, paid.TradeNo)) {
		return nil // refunded before it was credited, it never would be
	}
	whole := o.amount.Minor()
	for _, part := range parts(o.fate) {
		amount := domain.NewMoney(max(1, whole*part/100), o.amount.Currency())
		if err := p.box.Refund(paid.TradeNo, amount); err != nil {
			return err
		}
	}
	return nil
}

// parts are the refunds of a fate at the gateway, in hundredths of the payment.
func parts(f fate) []int64 {
	switch f {
	case partly:
		return []int64{40}
	case twice:
		return []int64{30, 20}
	default:
		return []int64{100}
	}
}

// delivered waits a moment for the payment's callback to be taken.
func (p *shop) delivered(ctx context.Context, tradeNo string) bool {
	for range 40 {
		if o, err := p.box.Order(tradeNo); err != nil || o.Accepted {
			return err == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false
}

// payOut sends half of WeChat Pay's balance to the bank, and lets a movement
// happen that nobody has a word for: rows of the fund flow.
func (p *shop) payOut() error {
	f, err := p.box.Face(wechatpay.Name)
	if err != nil {
		return err
	}
	bank, ok := f.(stage.Banker)
	if !ok {
		return nil
	}
	for _, b := range f.Books() {
		half := domain.NewMoney(b.Balance[0].Minor()/2, b.Balance[0].Currency())
		if !half.IsPositive() {
			continue
		}
		if _, err := bank.Payout(stage.PayoutOrder{Merchant: b.Merchant, Amount: half}); err != nil {
			return err
		}
		if _, err := bank.Move(stage.MoveOrder{Merchant: b.Merchant, Amount: domain.NewMoney(-1, half.Currency())}); err != nil {
			return err
		}
	}
	return nil
}
