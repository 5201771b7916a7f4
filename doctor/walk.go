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
const TestAccount = domain.TestAccount

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
