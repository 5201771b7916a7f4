package doctor

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/providers"
)

// counter is an installation as a shop sees it, told what to show.
type counter struct {
	mu      sync.Mutex
	events  []Event
	calls   []Call
	url     string
	short   int64 // missing in the balance after the credit
	balance error
	refuses error
}

func (c *counter) Place(_ context.Context, o Order) (Placed, error) {
	if c.refuses != nil {
		return Placed{}, c.refuses
	}
	c.add(domain.PaymentPlaced{Channel: o.Channel, OrderNo: domain.OrderNo(o.OrderNo), Account: o.Account, Amount: o.Amount})
	return Placed{CallbackURL: c.url, Form: providers.Form{URL: "https://gw.example.com/submit.php?x=1"}}, nil
}

func (c *counter) add(facts ...domain.Fact) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range facts {
		c.events = append(c.events, Event{Position: eventstore.Position(10 + len(c.events)), At: time.Now(), Fact: f})
	}
}

func (c *counter) call(o domain.Outcome, why domain.Reason, reply domain.Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, Call{At: time.Now(), Remote: "203.0.113.9", Outcome: o, Reason: why, Reply: reply})
}

func (c *counter) Events(context.Context, domain.ChannelID, string) ([]Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Event{}, c.events...), nil
}

func (c *counter) Calls(context.Context, domain.ChannelID, string) ([]Call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Call{}, c.calls...), nil
}

func (c *counter) Balance(_ context.Context, _ domain.AccountID, cur domain.Currency, at eventstore.Position) (domain.Money, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := int64(500)
	for _, e := range c.events {
		if v, ok := e.Fact.(domain.PaymentCredited); ok && e.Position <= at {
			sum += v.Amount.Minor() - c.short
		}
	}
	return domain.NewMoney(sum, cur), c.balance
}

// gatewayPort is a channel whose gateway says what it is told.
type gatewayPort struct {
	providers.Channel
	mu  sync.Mutex
	say domain.Status // "" for an order it does not know
	err error
}

func (g *gatewayPort) Query(_ context.Context, q providers.Question) (providers.Answer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return providers.Answer{Found: g.say != "", Notice: domain.Notice{
		OrderNo: q.OrderNo, TradeNo: "T1", Amount: cent, Status: g.say,
	}}, g.err
}

func (g *gatewayPort) says(s domain.Status, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.say, g.err = s, err
}

var (
	cent     = domain.NewMoney(1, domain.CNY)
	accepted = domain.Reply{Status: 200, Body: "success"}
	rejected = domain.Reply{Status: 400, Body: "fail"}
)

func paidBy(s domain.Source, o domain.Outcome) domain.PaymentNotified {
	return domain.PaymentNotified{
		Source: s, TradeNo: "T1", Amount: cent, Status: domain.StatusPaid, ReceivedAt: time.Now(), Decision: domain.Decision{Outcome: o},
	}
}

func credit(s domain.Source) domain.PaymentCredited {
	return domain.PaymentCredited{TradeNo: "T1", Account: TestAccount, Amount: cent, Source: s}
}

// TestWalk plays what can become of a payment. Each case says what happens
// once the payer was shown where to pay, which stages are told, and the
// verdict.
func TestWalk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(c *counter, g *gatewayPort, stop func())
		stages  string // "!" behind one that failed, "?" behind a warning
		verdict string
	}{
		"all well": {func(c *counter, g *gatewayPort, _ func()) {
			g.says(domain.StatusPaid, nil)
			c.add(paidBy(domain.SourceCallback, domain.OutcomeCredited), credit(domain.SourceCallback))
			c.call(domain.OutcomeCredited, "", accepted)
		}, "placed, paid at the gateway, callback came, kept, credited, balance rose, asked again, verdict", "the whole way works"},
		"held, then confirmed": {func(c *counter, g *gatewayPort, _ func()) {
			g.says(domain.StatusPaid, nil)
			c.add(paidBy(domain.SourceCallback, domain.OutcomeHeld))
			c.call(domain.OutcomeHeld, domain.ReasonConfirmByQuery, accepted)
			c.add(paidBy(domain.SourceQuery, domain.OutcomeCredited), credit(domain.SourceQuery))
		}, "placed, paid at the gateway, callback came, kept, credited, balance rose, asked again, verdict", "the whole way works"},
		"healed": {func(c *counter, g *gatewayPort, _ func()) {
			g.says(domain.StatusPaid, nil)
			c.add(paidBy(domain.SourceQuery, domain.OutcomeCredited), credit(domain.SourceQuery))
		}, "placed, paid at the gateway, kept, credited, balance rose, asked again, verdict!", "no callback came within 30ms"},
		"refused, then healed": {func(c *counter, g *gatewayPort, _ func()) {
			g.says(domain.StatusPaid, nil)
			c.call(domain.OutcomeRefused, domain.ReasonWrongSignature, rejected)
			c.call(domain.OutcomeRefused, domain.ReasonWrongSignature, rejected)
			c.add(paidBy(domain.SourceQuery, domain.OutcomeCredited), credit(domain.SourceQuery))
		}, "placed, paid at the gateway, callback came!, kept, credited, balance rose, asked again, verdict!", "its callback came and was refused"},
		"refused": {func(c *counter, g *gatewayPort, _ func()) {
			g.says(domain.StatusPaid, nil)
			c.call(domain.OutcomeRefused, domain.ReasonWrongSignature, rejected)
		}, "placed, paid at the gateway, callback came!, verdict!", "came and was refused; nothing is credited"},
		"held for ever": {func(c *counter, g *gatewayPort, _ func()) {
			g.says("", domain.E(domain.KindUnavailable, "gateway gw answered with a web page"))
			c.add(paidBy(domain.SourceCallback, domain.OutcomeHeld))
			c.call(domain.OutcomeHeld, domain.ReasonConfirmByQuery, accepted)
		}, "placed, paid at the gateway, callback came, kept, verdict!", "waits for the gateway's confirmation"},
		"parked": {func(c *counter, g *gatewayPort, _ func()) {
			g.says(domain.StatusPaid, nil)
			c.add(paidBy(domain.SourceCallback, domain.OutcomeParked), domain.PaymentParked{Amount: cent, Reason: domain.ReasonOtherAmount})
			c.call(domain.OutcomeParked, domain.ReasonOtherAmount, accepted)
		}, "placed, paid at the gateway, callback came, kept, parked!, verdict!", "may not be credited: other_amount"},
		"paid, and silence": {func(_ *counter, g *gatewayPort, _ func()) {
			g.says(domain.StatusPaid, nil)
		}, "placed, paid at the gateway, verdict!", "neither callback nor sweep"},
		"nobody opens the page": {func(*counter, *gatewayPort, func()) {}, "placed, verdict!", "nobody opened the pay page"},
		"nobody pays": {func(_ *counter, g *gatewayPort, _ func()) {
			g.says(domain.StatusWaiting, nil)
		}, "placed, verdict!", "nobody paid within 100ms; the gateway says waiting"},
		"broken off": {func(_ *counter, g *gatewayPort, stop func()) {
			g.says(domain.StatusWaiting, nil)
			stop()
		}, "placed, verdict!", "broken off before anybody paid"},
		"broken off after the credit": {func(c *counter, g *gatewayPort, stop func()) {
			g.says(domain.StatusPaid, nil)
			c.add(paidBy(domain.SourceQuery, domain.OutcomeCredited), credit(domain.SourceQuery))
			stop()
		}, "placed, paid at the gateway, kept, credited, balance rose, asked again, verdict!", "broken off before a callback came"},
		"balance wrong": {func(c *counter, g *gatewayPort, _ func()) {
			c.short = 1
			g.says(domain.StatusPaid, nil)
			c.add(paidBy(domain.SourceCallback, domain.OutcomeCredited), credit(domain.SourceCallback))
			c.call(domain.OutcomeCredited, "", accepted)
		}, "placed, paid at the gateway, callback came, kept, credited, balance rose!, asked again, verdict!", "balance"},
		"gateway denies": {func(c *counter, g *gatewayPort, _ func()) {
			g.says(domain.StatusRefunded, nil)
			c.add(paidBy(domain.SourceCallback, domain.OutcomeCredited), credit(domain.SourceCallback))
			c.call(domain.OutcomeCredited, "", accepted)
		}, "placed, paid at the gateway, callback came, kept, credited, balance rose, asked again!, verdict!", "asked again"},
		"no query": {func(c *counter, g *gatewayPort, _ func()) {
			g.says("", errors.New("no query here"))
			c.add(paidBy(domain.SourceCallback, domain.OutcomeCredited), credit(domain.SourceCallback))
			c.call(domain.OutcomeCredited, "", accepted)
		}, "placed, paid at the gateway, callback came, kept, credited, balance rose, asked again?, verdict", "the whole way works"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop, port := &counter{url: "http://p/callbacks/epay-a"}, &gatewayPort{}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			w, stages := walking(shop, port)
			w.Pay = func(context.Context, Placed) error { c.happens(shop, port, stop); return nil }
			got, err := w.Run(ctx)
			must(t, err)
			if s := strings.Join(*stages, ", "); s != c.stages {
				t.Errorf("stages %s\n  want %s", s, c.stages)
			}
			if !strings.Contains(got.Seen+got.Do, c.verdict) || (got.Result == Fail) != strings.HasSuffix(c.stages, "!") {
				t.Errorf("verdict %s: %s -> %s, want %q", got.Result, got.Seen, got.Do, c.verdict)
			}
		})
	}
}

func walking(shop Shop, port providers.Channel) (w Walk, stages *[]string) {
	stages = &[]string{}
	return Walk{
		Shop: shop, Channel: Channel{ID: "epay-a", Port: port, CallbackURL: "http://p/callbacks/epay-a"},
		Order: Order{Channel: "epay-a", OrderNo: NewOrderNo(time.Now()), Account: TestAccount, Amount: cent},
		Wait:  100 * time.Millisecond, Grace: 30 * time.Millisecond, Poll: time.Millisecond, AskPoll: time.Millisecond, Clock: time.Now,
		Tell: func(s Stage) {
			*stages = append(*stages, s.Check+map[Result]string{Fail: "!", Warn: "?"}[s.Result])
		},
	}, stages
}

// An api that runs with an older public_url gives out the old address: the
// file looks right, and still nothing arrives.
func TestWalkFindsAnOlderAPI(t *testing.T) {
	t.Parallel()
	w, stages := walking(&counter{url: "http://old/callbacks/epay-a"}, &gatewayPort{})
	w.Wait = time.Millisecond
	w.Pay = func(context.Context, Placed) error { return nil }
	_, err := w.Run(t.Context())
	must(t, err)
	if (*stages)[0] != "placed?" {
		t.Errorf("stages %v", *stages)
	}
}

func TestWalkThatCannotBegin(t *testing.T) {
	t.Parallel()
	w, stages := walking(&counter{refuses: domain.E(domain.KindDenied, "this key lacks a scope")}, &gatewayPort{})
	if _, err := w.Run(t.Context()); domain.KindOf(err) != domain.KindDenied || len(*stages) != 0 {
		t.Errorf("%v, %v", err, *stages)
	}
	w, stages = walking(&counter{url: "http://p/callbacks/epay-a"}, &gatewayPort{})
	w.Pay = func(context.Context, Placed) error { return errors.New("no browser") }
	if _, err := w.Run(t.Context()); err == nil || len(*stages) != 1 {
		t.Errorf("%v, %v", err, *stages)
	}
}

// Gateways take only some characters in an order number, and two doctors at
// once must not make the same.
func TestNewOrderNo(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	a, b := NewOrderNo(at), NewOrderNo(at)
	if a == b || !strings.HasPrefix(a, "CFDOCTOR-20261122010203-") || strings.Trim(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		t.Errorf("%s, %s", a, b)
	}
	if _, err := domain.ParseAccountID(string(TestAccount)); err != nil {
		t.Error(err)
	}
}
