package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/providers"
)

// TestAccount is the wallet of test payments: booked like any other, and no
// customer's.
const TestAccount domain.AccountID = "_test"

// Shop is the API as a merchant's program uses it.
type Shop interface {
	// Place places an order for TestAccount.
	Place(ctx context.Context, o Order) (Placed, error)
	// Events are a payment's facts in order.
	Events(ctx context.Context, ch domain.ChannelID, orderNo string) ([]Event, error)
	// Calls are the callbacks that named an order, oldest first, with what was
	// answered.
	Calls(ctx context.Context, ch domain.ChannelID, orderNo string) ([]Call, error)
	// Balance is a wallet's balance as of a position.
	Balance(ctx context.Context, a domain.AccountID, c domain.Currency, at eventstore.Position) (domain.Money, error)
}

// Order is a test payment to be placed.
type Order struct {
	Channel   domain.ChannelID
	OrderNo   string
	Account   domain.AccountID
	Amount    domain.Money
	Subject   string
	Method    string // provider's pay method; empty lets the payer choose
	ReturnURL string
}

// Placed is what placing gave.
type Placed struct {
	CallbackURL string // as the API derives it
	Form        providers.Form
}

// Event is a fact with its place.
type Event struct {
	Position eventstore.Position
	At       time.Time // recorded
	Fact     domain.Fact
}

// Call is one callback that came, and the answer.
type Call struct {
	At      time.Time
	Took    time.Duration
	Remote  string
	Outcome domain.Outcome
	Reason  domain.Reason
	Reply   domain.Reply
}

// endWithin bounds the last questions of a walk.
const endWithin = 10 * time.Second

// Stage is one step of a payment's way.
type Stage struct {
	Finding
	After time.Duration `json:"-"` // since it was placed
	Took  string        `json:"after,omitempty"`
}

// Walk is one payment through every stage.
type Walk struct {
	Shop    Shop
	Channel Channel
	Order   Order
	Wait    time.Duration // for the payer
	Grace   time.Duration // for a callback after the money was credited without one
	Poll    time.Duration // between two looks at our side; default 300 ms
	AskPoll time.Duration // between two questions to the gateway; default 5 s
	Clock   func() time.Time
	// Pay is called once the order is placed: it shows the payer where to pay,
	// or pays.
	Pay func(ctx context.Context, p Placed) error
	// Tell is told each stage as it is reached.
	Tell func(Stage)
}

// NewOrderNo makes an order number for a test payment.
func NewOrderNo(now time.Time) string {
	return ProbePrefix + "-" + now.UTC().Format("20060102150405") + "-" + rand.Text()[:6]
}

// walk is a Walk under way.
type walk struct {
	Walk
	began   time.Time
	paid    bool          // at the gateway
	called  bool          // a callback came that was kept
	refused bool          // one came that was not
	kept    bool          // a notice of the payment is in the log
	parked  domain.Reason // why the money was not credited
	credit  *domain.PaymentCredited
	creditP eventstore.Position // where it stands
	creditT time.Time
	askNext time.Time
	asked   string // what the gateway said last
	differs string // the stage after the credit that failed
}

// Run walks. The last stage told is the verdict, which is also returned; the
// error says why the walk could not even begin.
func (w Walk) Run(ctx context.Context) (Stage, error) {
	if w.Poll == 0 {
		w.Poll = 300 * time.Millisecond
	}
	if w.AskPoll == 0 {
		w.AskPoll = 5 * time.Second
	}
	u := &walk{Walk: w, began: w.Clock()}
	if err := u.place(ctx); err != nil {
		return Stage{}, err
	}
	if err := u.follow(ctx); err != nil {
		return Stage{}, err
	}
	if u.credit != nil {
		// Also for whoever breaks off while a callback is waited for.
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
		u.balance(ending)
		u.again(ending)
		cancel()
	}
	v := u.verdict(ctx)
	u.Tell(v)
	return v, nil
}

func (u *walk) tell(f Finding, at time.Time) {
	if u.credit != nil && f.Result == Fail {
		u.differs = f.Check
	}
	after := max(at.Sub(u.began), 0)
	u.Tell(Stage{Finding: f, After: after, Took: after.Round(time.Millisecond).String()})
}

// place places the order and hands it to the payer.
func (u *walk) place(ctx context.Context) error {
	p, err := u.Shop.Place(ctx, u.Order)
	if err != nil {
		return fmt.Errorf("place the test payment: %w", err)
	}
	f := about("placed", u.Order.OrderNo)
	if p.CallbackURL != u.Channel.CallbackURL {
		f = f.warn(fmt.Sprintf("the api gives out %s as callback address, the configuration says %s", p.CallbackURL, u.Channel.CallbackURL),
			"restart the api: it runs with an older configuration", "api 使用的是旧配置：请重启")
	} else {
		f = f.ok(fmt.Sprintf("%s for %s, callback address %s", u.Order.Amount, u.Order.Account, p.CallbackURL))
	}
	u.tell(f, u.Clock())
	return u.Pay(ctx, p)
}

// follow looks at both sides until the payment is through or time is up. A
// context that ends is no error: the verdict tells how far it came.
func (u *walk) follow(ctx context.Context) error {
	deadline := u.began.Add(u.Wait)
	tick := time.NewTicker(u.Poll)
	defer tick.Stop()
	for {
		if err := u.look(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		now := u.Clock()
		if u.done(now) || now.After(deadline) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// done reports whether nothing more is to be expected.
func (u *walk) done(now time.Time) bool {
	if u.parked != "" {
		return true
	}
	return u.credit != nil && (u.called || now.Sub(u.creditT) > u.Grace)
}

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
		u.asked = "the query fails: " + err.Error()
	case !answer.Found:
		u.asked = "it does not know the order: nobody opened the pay page"
	default:
		u.asked = "it says " + string(answer.Notice.Status)
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
