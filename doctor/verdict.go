package doctor

import (
	"context"
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// balance compares the wallet before and after the credit, as of its position:
// other test payments at the same time do not matter.
func (u *walk) balance(ctx context.Context) {
	f := about("balance rose")
	before, err := u.Shop.Balance(ctx, u.Order.Account, u.Order.Amount.Currency(), u.creditP-1)
	var after, want domain.Money
	if err == nil {
		after, err = u.Shop.Balance(ctx, u.Order.Account, u.Order.Amount.Currency(), u.creditP)
	}
	if err == nil {
		want, err = before.Add(u.Order.Amount)
	}
	switch {
	case err != nil:
		f = f.fail(err.Error(), "the money is credited, but the projection does not show it: start the daemons, else `counterfoil projections rebuild`", "已入账但余额未更新：检查投影")
	case after != want:
		f = f.fail(fmt.Sprintf("from %s to %s, %s expected", before, after, want), "run `counterfoil verify`", "余额不符：请运行 counterfoil verify")
	default:
		f = f.ok(fmt.Sprintf("from %s to %s", before, after))
	}
	u.tell(f, u.Clock())
}

// again asks the gateway once more: both sides must say the same.
func (u *walk) again(ctx context.Context) {
	f := about("asked again")
	answer, err := u.Channel.Port.Query(ctx, providers.Question{OrderNo: u.Order.OrderNo, TradeNo: u.credit.TradeNo, At: u.Clock()})
	n := answer.Notice
	switch {
	case err != nil:
		f = f.warn(err.Error(), "see the gateway query above: without it lost callbacks cannot be found", "查单失败：丢失的回调无法自动补单")
	case !answer.Found || n.Status != domain.StatusPaid || n.Amount != u.credit.Amount:
		f = f.fail(fmt.Sprintf("the gateway says %s %s, we credited %s", n.Status, n.Amount, u.credit.Amount), "ask the gateway's operator", "网关与账本不一致")
	default:
		f = f.ok(fmt.Sprintf("the gateway says the same: %s %s", n.Status, n.Amount))
	}
	u.tell(f, u.Clock())
}

// verdict says in words how far the payment came and what that means.
func (u *walk) verdict(ctx context.Context) Stage {
	f := about("verdict")
	now := u.Clock()
	lost := "the gateway did not reach " + u.Channel.CallbackURL + ", or was not told to: see its merchant page for the notification's state, and the callback address check"
	switch {
	case u.credit != nil && u.called && u.differs != "":
		f = f.fail("paid, called back and credited, but one stage failed: "+u.differs, "see there", "已入账，但有一步异常：见上")
	case u.credit != nil && u.called:
		f = f.ok("the whole way works: paid, called back, kept, credited, shown")
	case u.credit != nil && u.refused:
		f = f.fail("credited by asking the gateway; its callback came and was refused", "see \"callback came\"", "回调到达但被拒：见上")
	case u.credit != nil && ctx.Err() != nil:
		f = f.fail("credited by asking the gateway; broken off before a callback came", "give it more time, or: "+lost, "已中断：查单已入账，尚未收到回调")
	case u.credit != nil:
		f = f.fail(fmt.Sprintf("credited by asking the gateway: no callback came within %s", u.Grace), lost, "未收到回调，靠查单入账：检查回调地址与平台通知状态")
	case u.parked != "":
		f = f.fail("the money came, but may not be credited: "+string(u.parked), "look at the payment: another amount or currency than placed, or a second payment", "款项已到但不能入账，请核对")
	case u.kept:
		f = f.fail("the callback was kept, but the money is not credited: it waits for the gateway's confirmation; "+u.asked, "see the gateway query check, and that the reconciler runs", "已收到回调，等待查单确认：检查查单与 reconciler")
	case u.refused:
		f = f.fail("a callback came and was refused; nothing is credited", "see \"callback came\"", "回调到达但被拒：见上")
	case u.paid:
		f = f.fail("paid, but neither callback nor sweep has brought it here yet", lost+"; and start the reconciler, which finds it", "已支付但未到账：检查回调地址并启动 reconciler")
	case ctx.Err() != nil:
		f = f.fail("broken off before anybody paid; "+u.asked, "nothing is lost: should it be paid still, `counterfoil payments show "+string(u.Order.Channel)+" "+u.Order.OrderNo+"` tells", "已中断：尚未支付")
	default:
		f = f.fail(fmt.Sprintf("nobody paid within %s; %s", u.Wait, u.asked), "try again and pay, or give more time with --wait", "等待超时：尚未支付")
	}
	return Stage{Finding: f, After: now.Sub(u.began), Took: now.Sub(u.began).Round(time.Millisecond).String()}
}
