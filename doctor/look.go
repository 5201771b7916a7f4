package doctor

import (
	"context"
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// look reads our side, and the gateway's while it matters.
func (u *walk) look(ctx context.Context) error {
	events, err := u.Shop.Events(ctx, u.Order.Channel, u.Order.OrderNo)
	if err != nil {
		return err
	}
	calls, err := u.Shop.Calls(ctx, u.Order.Channel, u.Order.OrderNo)
	if err != nil {
		return err
	}
	if !u.paid {
		u.payment(ctx, events)
	}
	u.calls(calls)
	for _, e := range events {
		u.event(e)
	}
	return nil
}

// payment finds out whether the gateway has the money: it says so in a notice,
// or when it is asked.
func (u *walk) payment(ctx context.Context, events []Event) {
	f := about("paid at the gateway")
	for _, e := range events {
		if n, ok := e.Fact.(domain.PaymentNotified); ok && n.Status == domain.StatusPaid {
			u.paid = true
			u.tell(f.ok(fmt.Sprintf("%s under trade %s, told by %s", n.Amount, n.TradeNo, n.Source)), n.ReceivedAt)
			return
		}
	}
	now := u.Clock()
	if now.Before(u.askNext) {
		return
	}
	u.askNext = now.Add(u.AskPoll)
	answer, err := u.Channel.Port.Query(ctx, providers.Question{OrderNo: u.Order.OrderNo, At: now})
	switch {
	case err != nil:
		u.asked = "asking the gateway fails: " + err.Error()
	case !answer.Found:
		u.asked = "the gateway does not know the order: nobody opened the pay page"
	default:
		u.asked = "the gateway says " + string(answer.Notice.Status)
		if answer.Notice.Status == domain.StatusPaid {
			u.paid = true
			u.tell(f.ok(fmt.Sprintf("%s under trade %s, told by the query", answer.Notice.Amount, answer.Notice.TradeNo)), u.Clock())
		}
	}
}

// calls tells of callbacks that came, the first refused and the first kept one.
func (u *walk) calls(calls []Call) {
	for _, c := range calls {
		f := about("callback came")
		switch {
		case c.Outcome.Success() && !u.called:
			u.called = true
			u.tell(f.ok(fmt.Sprintf("from %s, %s, answered %d %s in %s", c.Remote, c.Outcome, c.Reply.Status, c.Reply.Body,
				c.Took.Round(time.Microsecond))), c.At)
		case c.Reason == domain.ReasonProbe: // the provider tries us; the right one follows
		case !c.Outcome.Success() && !u.refused:
			u.refused = true
			do, zh := "see the api's log for this order", "请查看 api 日志"
			if c.Reason == domain.ReasonWrongSignature {
				do, zh = "the key here is not the gateway's: mend it, then run `counterfoil callbacks recheck`", "验签失败：核对密钥后运行 callbacks recheck"
			}
			u.tell(f.fail(fmt.Sprintf("from %s, but %s: %s, answered %d %s", c.Remote, c.Outcome, c.Reason, c.Reply.Status, c.Reply.Body), do, zh), c.At)
		}
	}
}

// event tells of the first notice kept and of the credit.
func (u *walk) event(e Event) {
	switch v := e.Fact.(type) {
	case domain.PaymentNotified:
		if !u.kept && v.Status == domain.StatusPaid {
			u.kept = true
			u.tell(about("kept").ok(fmt.Sprintf("as event %s, evidence grade %s, decided: %s %s", e.Position, v.Evidence.Grade,
				v.Decision.Outcome, v.Decision.Reason)), e.At)
		}
	case domain.PaymentParked:
		if u.parked == "" {
			u.parked = v.Reason
			u.tell(about("parked").fail(fmt.Sprintf("%s: %s", v.Amount, v.Reason), "look at the payment", "款项已暂存，请核对"), e.At)
		}
	case domain.PaymentCredited:
		if u.credit == nil {
			u.credit, u.creditP, u.creditT = &v, e.Position, u.Clock()
			u.tell(about("credited").ok(fmt.Sprintf("%s to %s as event %s, by %s", v.Amount, v.Account, e.Position, v.Source)), e.At)
		}
	default:
	}
}
