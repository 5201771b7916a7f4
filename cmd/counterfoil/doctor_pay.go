package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/doctor"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/httpapi"
	"counterfoil/internal/config"
	"counterfoil/providers"
)

// walkFlags are what the flags of doctor say about a test payment.
type walkFlags struct {
	remote
	pay, channel, method, returnURL string
	wait, grace                     time.Duration
	bySandbox, anyway               bool
}

// maxTestPayment keeps a slip of the finger cheap, in minor units of money with
// two places.
const maxTestPayment = 1000

func (w *walkFlags) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.pay, "pay", "", "walk a payment of `AMOUNT` through every stage, e.g. 0.01; at most 10.00")
	f.StringVar(&w.channel, "channel", "", "the payment's `CHANNEL`")
	f.StringVar(&w.method, "method", "", "provider's pay `METHOD`, e.g. alipay; empty lets the payer choose")
	f.StringVar(&w.returnURL, "return-url", "", "where the browser goes after paying; without it public_url")
	f.DurationVar(&w.wait, "wait", 10*time.Minute, "`TIME` to pay and to be credited in")
	f.DurationVar(&w.grace, "grace", time.Minute, "`TIME` a callback may come after the money was found by asking")
	f.BoolVar(&w.bySandbox, "pay-by-sandbox", false, "let the sandbox gateway of a test channel pay")
	f.BoolVar(&w.anyway, "anyway", false, "pay although a check failed")
	w.remote.addFlags(cmd)
}

// check refuses flags that do not fit, before anything is looked at.
func (w *walkFlags) check(cfg config.Config) error {
	if w.pay == "" {
		if w.bySandbox || w.channel != "" {
			return domain.EField(domain.KindInvalid, "--pay", "say how much, e.g. --pay 0.01")
		}
		return nil
	}
	c, ok := cfg.Channels[w.channel]
	if !ok {
		return domain.EField(domain.KindInvalid, "--channel", "%q: must be one of %v", w.channel, cfg.ChannelIDs())
	}
	m, err := domain.ParseMoney(w.pay, domain.Currency(c.Currency))
	if err != nil || !m.IsPositive() || m.Minor() > maxTestPayment {
		return domain.EField(domain.KindInvalid, "--pay", "%q: must be a small amount such as 0.01, at most 10.00", w.pay)
	}
	if w.bySandbox && !c.Test {
		return domain.EField(domain.KindInvalid, "--pay-by-sandbox", "%s is no test channel: pay its test payment yourself", w.channel)
	}
	if w.wait <= 0 || w.grace < 0 {
		return domain.EField(domain.KindInvalid, "--wait", "must be positive, and --grace not negative")
	}
	return nil
}

// walk makes the test payment and follows it.
func (p *program) walk(ctx context.Context, cfg config.Config, in doctor.Installation, w walkFlags) error {
	c, err := p.connect(w.remote)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(in.Channels, func(c doctor.Channel) bool { return string(c.ID) == w.channel })
	ch := in.Channels[at]
	if ch.Err != nil {
		return ch.Err
	}
	amount, err := domain.ParseMoney(w.pay, domain.Currency(cfg.Channels[w.channel].Currency))
	if err != nil {
		return err
	}
	if w.returnURL == "" {
		w.returnURL = cfg.PublicURL
	}
	o := doctor.Order{
		Channel: ch.ID, OrderNo: doctor.NewOrderNo(p.clock()), Account: doctor.TestAccount, Amount: amount,
		Subject: "counterfoil test payment", Method: w.method, ReturnURL: w.returnURL,
	}
	last, err := doctor.Walk{
		Shop: shop{c}, Channel: ch, Order: o, Wait: w.wait, Grace: w.grace, Clock: p.clock, Tell: p.stage,
		Pay: p.payer(cfg.Channels[w.channel], o, w),
	}.Run(ctx)
	if err != nil {
		return err
	}
	if last.Result != doctor.OK {
		return &verdict{code: exitFailure}
	}
	return nil
}

func (p *program) stage(s doctor.Stage) {
	if p.output == "json" {
		_ = p.json(s) // a broken pipe ends the program by its signal
		return
	}
	p.line(s.Finding, fmt.Sprintf("+%.1fs", s.After.Seconds()))
}

// payer shows a person where to pay, or pays at a sandbox.
func (p *program) payer(c config.Channel, o doctor.Order, w walkFlags) func(context.Context, doctor.Placed) error {
	if w.bySandbox {
		return func(ctx context.Context, placed doctor.Placed) error {
			return sandboxPayer{http: &http.Client{Timeout: 10 * time.Second}, gateway: c.Gateway, pid: c.PID}.pay(ctx, o.OrderNo, placed.Form)
		}
	}
	return func(_ context.Context, placed doctor.Placed) error {
		p.say("Pay %s here, within %s 请打开并支付：\n\n  %s\n", o.Amount, w.wait, placed.Form.URL)
		return nil
	}
}

// shop is doctor.Shop over /v1.
type shop struct{ c *client }

var _ doctor.Shop = shop{}

// Place places the order.
func (s shop) Place(ctx context.Context, o doctor.Order) (doctor.Placed, error) {
	var out httpapi.Placed
	err := s.c.call(ctx, http.MethodPost, "/v1/payments", http.Header{"Idempotency-Key": {o.OrderNo}}, httpapi.Order{
		Channel: string(o.Channel), OrderNo: o.OrderNo, Account: string(o.Account), Amount: o.Amount.Amount(),
		Currency: string(o.Amount.Currency()), Subject: o.Subject, Method: o.Method, ReturnURL: o.ReturnURL,
	}, &out)
	if err != nil {
		return doctor.Placed{}, err
	}
	if out.Form == nil {
		return doctor.Placed{}, domain.E(domain.KindMismatch, "the API gave no form to pay with")
	}
	return doctor.Placed{CallbackURL: out.Payment.CallbackURL, Form: *out.Form}, nil
}

// Events reads a payment's timeline.
func (s shop) Events(ctx context.Context, ch domain.ChannelID, orderNo string) ([]doctor.Event, error) {
	var out httpapi.Payment
	if err := s.c.call(ctx, http.MethodGet, "/v1/payments/"+url.PathEscape(string(ch))+"/"+url.PathEscape(orderNo), nil, nil, &out); err != nil {
		return nil, err
	}
	events := make([]doctor.Event, 0, len(out.Timeline))
	for _, m := range out.Timeline {
		fact, err := domain.DecodeFact(m.Type, m.Fact)
		if err != nil {
			return nil, fmt.Errorf("the API's software and this one differ: %w", err)
		}
		events = append(events, doctor.Event{Position: m.Position, At: m.At, Fact: fact})
	}
	return events, nil
}

// Calls reads the callback log.
func (s shop) Calls(ctx context.Context, ch domain.ChannelID, orderNo string) ([]doctor.Call, error) {
	var out struct {
		Callbacks []httpapi.Callback `json:"callbacks"`
	}
	if err := s.c.call(ctx, http.MethodGet, query("/v1/callbacks", "channel", string(ch), "order_no", orderNo), nil, nil, &out); err != nil {
		return nil, err
	}
	slices.Reverse(out.Callbacks)
	calls := make([]doctor.Call, 0, len(out.Callbacks))
	for _, c := range out.Callbacks {
		calls = append(calls, doctor.Call{
			At: c.ReceivedAt, Took: time.Duration(c.TookMicros) * time.Microsecond, Remote: c.Remote,
			Outcome: domain.Outcome(c.Outcome), Reason: domain.Reason(c.Reason),
			Reply: domain.Reply{Status: c.Reply.Status, Body: c.Reply.Body},
		})
	}
	return calls, nil
}

// Balance reads a wallet as of a position.
func (s shop) Balance(ctx context.Context, a domain.AccountID, c domain.Currency, at eventstore.Position) (domain.Money, error) {
	var out httpapi.Balances
	path := query("/v1/accounts/"+url.PathEscape(string(a))+"/balances", "as_of_position", at.String())
	if err := s.c.call(ctx, http.MethodGet, path, nil, nil, &out); err != nil {
		return domain.Money{}, err
	}
	for _, b := range out.Balances {
		if b.Currency == string(c) {
			return domain.ParseMoney(b.Amount, c)
		}
	}
	return domain.NewMoney(0, c), nil
}

// sandboxPayer is a payer at a sandbox gateway: opens the pay page, then pays.
type sandboxPayer struct {
	http         *http.Client
	gateway, pid string
}

func (s sandboxPayer) pay(ctx context.Context, orderNo string, form providers.Form) error {
	fields := url.Values{}
	for k, v := range form.Fields {
		fields.Set(k, v)
	}
	page, err := s.do(ctx, http.MethodPost, form.Action, "application/x-www-form-urlencoded", fields.Encode())
	if err != nil {
		return err
	}
	if !bytes.Contains(page, []byte(orderNo)) {
		return domain.E(domain.KindMismatch, "the sandbox refuses the order: %.200s", page)
	}
	root := strings.TrimRight(s.gateway, "/")
	raw, err := s.do(ctx, http.MethodGet, root+query("/sandbox/orders", "pid", s.pid, "out_trade_no", orderNo), "", "")
	if err != nil {
		return err
	}
	var orders []struct {
		TradeNo string `json:"trade_no"`
	}
	if err := json.Unmarshal(raw, &orders); err != nil || len(orders) == 0 {
		return domain.E(domain.KindMismatch, "%s is no sandbox, or lost the order: %.200s", s.gateway, raw)
	}
	_, err = s.do(ctx, http.MethodPost, root+"/sandbox/orders/"+url.PathEscape(orders[0].TradeNo)+"/pay", "application/json", "")
	return err
}

func (s sandboxPayer) do(ctx context.Context, method, address, kind, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the sandbox: %w", err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, domain.E(domain.KindUnavailable, "the sandbox does not answer: %w", cause(err))
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, domain.E(domain.KindUnavailable, "the sandbox broke off: %w", err)
	}
	if res.StatusCode >= 400 {
		return nil, domain.E(domain.KindMismatch, "the sandbox answered %s: %.200s", res.Status, raw)
	}
	return raw, nil
}
