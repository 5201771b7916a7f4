package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/providers"
	"counterfoil/sandbox"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

// shop is the merchant's site: it places orders through the API, sends the
// payer's browser to the gateway, and the payer pays.
type shop struct {
	*scene
	client *http.Client
	mu     sync.Mutex
	orders map[string]order // by channel/order_no
	killed time.Duration    // how long the API was down
}

// order is what the shop knows.
type order struct {
	till      till
	orderNo   string
	account   string
	amount    domain.Money
	abandoned bool // the payer never pays
	fate      fate
	told      sandbox.Class // how its refunds are told
}

func newShop(s *scene) *shop {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	t.MaxIdleConnsPerHost = 64
	return &shop{scene: s, client: &http.Client{Transport: t, Timeout: 10 * time.Second}, orders: map[string]order{}}
}

// open sells: every payment is placed, handed to the gateway and paid; half
// way through, the API is killed and started again.
func (p *shop) open(ctx context.Context) error {
	step, done := p.o.Progress("payments", p.o.Payments)
	defer done()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(24)
	var sold atomic.Int64
	crash := make(chan struct{})
	g.Go(func() error { return p.crash(gctx, crash) })
	for i := range p.o.Payments {
		o := p.draw(i)
		switch i {
		case p.o.Payments / 2:
			close(crash)
		case p.o.Payments * 3 / 4:
			if err := p.payOut(); err != nil {
				return err
			}
		case p.o.Payments / 3:
			if err := p.rotate(); err != nil {
				return err
			}
		}
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			defer func() { sold.Add(1); step() }()
			return p.sell(gctx, o)
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("after %d payments: %w", sold.Load(), err)
	}
	return nil
}

// draw makes up an order; the same seed makes the same ones.
func (p *shop) draw(i int) order {
	t := p.tills[p.rand.IntN(len(p.tills))]
	o := order{
		till: t, amount: domain.NewMoney(int64(100+p.rand.IntN(50_000)), t.currency),
		orderNo:   fmt.Sprintf("DEMO%06d_%04x", i, p.rand.IntN(1<<16)),
		account:   fmt.Sprintf("user:%d", p.rand.IntN(max(2, p.o.Payments/20))),
		abandoned: p.rand.IntN(33) == 0,
	}
	switch f, err := p.box.Face(t.face); {
	case err != nil:
	case t.face == sandbox.Name:
		o.fate = drawGatewayFate(p.rand, t)
		if i > p.o.Payments*3/5 {
			o.fate = stays // we ask an hour after the credit, which is six seconds here
		}
	default:
		o.fate, o.told = drawFate(p.rand, f), drawTelling(p.rand, f)
	}
	return o
}

// rotate lets WeChat Pay change its platform certificate: we have to fetch the
// new one by ourselves.
func (p *shop) rotate() error {
	f, err := p.box.Face(wechatpay.Name)
	if err != nil {
		return err
	}
	for _, c := range f.Channels() {
		if err := f.(stage.Rotator).Rotate(c.Merchant); err != nil { //nolint:forcetypeassert // the compiler saw it in package wechatpay
			return err
		}
	}
	return nil
}

// crash kills the API with -9 and starts it again a little later.
func (p *shop) crash(ctx context.Context, when <-chan struct{}) error {
	select {
	case <-when:
	case <-ctx.Done():
		return ctx.Err()
	}
	at := time.Now()
	p.procs.kill("api")
	select {
	case <-time.After(700 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := p.procs.start(ctx, "api", "api"); err != nil {
		return err
	}
	err := p.awaitAPI(ctx)
	p.killed = time.Since(at)
	return err
}

func (p *shop) sell(ctx context.Context, o order) error {
	p.mu.Lock()
	p.orders[o.till.channel+"/"+o.orderNo] = o
	p.mu.Unlock()
	placed, err := p.place(ctx, o)
	if err != nil {
		return err
	}
	if err := p.checkout(ctx, o, placed); err != nil {
		return err
	}
	if o.abandoned {
		return nil
	}
	if o.till.face == sandbox.Name {
		err = p.payAtGateway(ctx, o)
	} else {
		err = p.pay(o)
	}
	if err != nil {
		return fmt.Errorf("pay %s at %s: %w", o.orderNo, o.till.face, err)
	}
	return nil
}

// checkout makes the order known at the provider: by the payer's browser, which
// hands the signed form in, or by the site's own call, in which it passes on
// the address that callbacks go to.
func (p *shop) checkout(ctx context.Context, o order, placed httpapi.Placed) error {
	if o.till.face == sandbox.Name {
		return p.submit(ctx, placed)
	}
	f, err := p.box.Face(o.till.face)
	if err != nil {
		return err
	}
	_, err = f.Open(stage.OpenOrder{
		Merchant: o.till.merchant, OrderNo: o.orderNo, Amount: o.amount, Subject: "Top-up " + o.amount.String(),
		NotifyURL: providers.NotifyURL(p.api, domain.ChannelID(o.till.channel)), ReturnURL: "https://shop.example/done",
	})
	if err != nil {
		return fmt.Errorf("open %s at %s: %w", o.orderNo, o.till.face, err)
	}
	return nil
}

// methods are the pay methods that orders name at each provider.
var methods = map[string]string{sandbox.Name: "alipay", "alipay": "page"}

// place places an order, again and again while the API is away: the
// Idempotency-Key makes that harmless.
func (p *shop) place(ctx context.Context, o order) (httpapi.Placed, error) {
	body, err := json.Marshal(httpapi.Order{
		Channel: o.till.channel, OrderNo: o.orderNo, Account: o.account, Amount: o.amount.Amount(),
		Currency: string(o.amount.Currency()), Method: methods[o.till.face], Subject: "Top-up " + o.amount.String(),
		ReturnURL: "https://shop.example/done",
	})
	if err != nil {
		return httpapi.Placed{}, fmt.Errorf("encode order: %w", err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		placed, again, err := p.post(ctx, o, body)
		if !again || ctx.Err() != nil || time.Now().After(deadline) {
			return placed, err
		}
		time.Sleep(50*time.Millisecond + time.Duration(rand.Int64N(int64(100*time.Millisecond))))
	}
}

func (p *shop) post(ctx context.Context, o order, body []byte) (placed httpapi.Placed, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api+"/v1/payments", bytes.NewReader(body))
	if err != nil {
		return placed, false, fmt.Errorf("place %s: %w", o.orderNo, err)
	}
	req.Header.Set("Authorization", "Bearer "+p.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", o.orderNo)
	res, err := p.client.Do(req)
	if err != nil {
		return placed, true, domain.E(domain.KindUnavailable, "place %s: %w", o.orderNo, err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return placed, true, domain.E(domain.KindUnavailable, "place %s: %w", o.orderNo, err)
	}
	if res.StatusCode/100 != 2 {
		again = res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusConflict
		return placed, again, domain.E(domain.KindInternal, "place %s: %s: %s", o.orderNo, res.Status, answer)
	}
	if err := json.Unmarshal(answer, &placed); err != nil {
		return placed, false, fmt.Errorf("read answer for %s: %w", o.orderNo, err)
	}
	return placed, false, nil
}

// submit hands the signed form to the gateway as the payer's browser does.
func (p *shop) submit(ctx context.Context, placed httpapi.Placed) error {
	fields := url.Values{}
	for k, v := range placed.Form.Fields {
		fields.Set(k, v)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, placed.Form.Action, bytes.NewBufferString(fields.Encode()))
	if err != nil {
		return fmt.Errorf("open the pay page: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("open the pay page: %w", err)
	}
	page, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if cerr := res.Body.Close(); err != nil || cerr != nil {
		return domain.E(domain.KindUnavailable, "open the pay page: %w", errors.Join(err, cerr))
	}
	if !bytes.Contains(page, []byte(placed.Payment.OrderNo)) {
		return domain.E(domain.KindMismatch, "the gateway refused order %s: %.300s", placed.Payment.OrderNo, page)
	}
	return nil
}
