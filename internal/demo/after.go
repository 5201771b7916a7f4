package demo

import (
	"fmt"
	"math/rand/v2"

	"counterfoil/domain"
	"counterfoil/sandbox"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

// fate is what becomes of a payment afterwards.
type fate string

// The fates. Most payments just stay.
const (
	stays    fate = ""
	partly   fate = "refunded in part"
	fully    fate = "refunded in full"
	twice    fate = "refunded in two parts"
	early    fate = "refunded before its payment was told"
	bounces  fate = "refunded, and the refund failed"
	disputed fate = "disputed"
	won      fate = "disputed and won"
	lost     fate = "disputed and lost"
)

// finished is Alipay's word for a payment of which nothing can be refunded.
const finished = "TRADE_FINISHED"

// drawFate makes up what becomes of a payment at a provider.
func drawFate(rnd *rand.Rand, f stage.Face) fate {
	fates := []fate{partly, fully, twice, early, bounces}
	if _, ok := f.(stage.Disputer); ok {
		fates = append(fates, disputed, won, lost)
	}
	at := rnd.IntN(len(fates) * 5)
	if at >= len(fates) {
		return stays
	}
	return fates[at]
}

// drawTelling makes up how a refund is told: mostly well, else more than once,
// with its answer lost or, at WeChat Pay, as XML because a person made it.
func drawTelling(rnd *rand.Rand, f stage.Face) sandbox.Class {
	ways := []sandbox.Class{sandbox.None, sandbox.None, sandbox.None, sandbox.Repeated, sandbox.ReplyLost, sandbox.Concurrent}
	if _, known := f.Classes()[wechatpay.RefundXML]; known {
		ways = append(ways, wechatpay.RefundXML, wechatpay.RefundXML)
	}
	return ways[rnd.IntN(len(ways))]
}

// pay lets the payer pay an order at a provider other than the gateway, and
// then lets its fate come.
func (p *shop) pay(o order) error {
	f, err := p.box.Face(o.till.face)
	if err != nil {
		return err
	}
	found := f.Orders(stage.OrderFilter{Merchant: o.till.merchant, OrderNo: o.orderNo, Limit: 1})
	if len(found) == 0 {
		return domain.E(domain.KindInternal, "%s has no order %s", o.till.face, o.orderNo)
	}
	paid, err := p.payWith(f, found[0].ID, o)
	if err != nil || !paid.WasPaid || paid.State == finished {
		return err // perhaps somebody only pretended that it was paid
	}
	return p.befall(f, paid, o)
}

func (p *shop) payWith(f stage.Face, id string, o order) (stage.Order, error) {
	if o.fate == early {
		return f.Pay(id, sandbox.Fault{Class: sandbox.Late})
	}
	return p.box.PayAt(f.Name(), id)
}

// befall refunds or disputes what was paid.
func (p *shop) befall(f stage.Face, paid stage.Order, o order) error {
	refund := func(part int64, fails bool) error {
		amount := domain.NewMoney(paid.Paid.Minor()*part/100, paid.Paid.Currency())
		if part == 100 {
			amount = domain.Money{} // all that is left
		}
		_, err := f.Refund(stage.RefundOrder{
			ID: paid.ID, Amount: amount, No: fmt.Sprintf("R%d_%s", part, o.orderNo), Fails: fails, Fault: sandbox.Fault{Class: o.told},
		})
		return err
	}
	if paid.Paid.Minor() < 100 && (o.fate == partly || o.fate == twice || o.fate == bounces) {
		o.fate = fully // too little to have parts
	}
	switch o.fate {
	case partly:
		return refund(40, false)
	case fully, early:
		return refund(100, false)
	case twice:
		if err := refund(30, false); err != nil {
			return err
		}
		return refund(100, false)
	case bounces:
		err := refund(50, true)
		if domain.FieldOf(err) == "fails" { // here refunds always arrive
			return refund(50, false)
		}
		return err
	case disputed, won, lost:
		return dispute(f, paid, o.fate)
	case stays:
	}
	return nil
}

func dispute(f stage.Face, paid stage.Order, what fate) error {
	d, ok := f.(stage.Disputer)
	if !ok {
		return nil
	}
	opened, err := d.Dispute(paid.ID, domain.Money{})
	if err != nil || what == disputed {
		return err
	}
	_, err = d.Decide(opened.ID, what == won)
	return err
}
