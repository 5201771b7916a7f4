package wechatpay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/sandbox"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

// box is a world whose face stands in a sandbox, with its control interface and
// pages.
type box struct {
	*world
	root string
}

func newBox(t *testing.T) *box {
	t.Helper()
	server, routes := serverOf(t)
	s, err := sandbox.New(sandbox.Config{Now: time.Now, Seed: 7, Speed: 2000, BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	b := &box{world: &world{t: t, stage: s.Stage()}, root: server.URL}
	b.openShop(server.URL)
	if err := s.Mount(b.face); err != nil {
		t.Fatal(err)
	}
	*routes = s
	s.Start()
	t.Cleanup(s.Stop)
	return b
}

// command acts by JSON; out may be nil.
func (b *box) command(target string, in, out any) {
	b.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	answer := b.post("/sandbox/faces/wechatpay/"+target, "application/json", string(body))
	if out == nil {
		out = new(any)
	}
	if err := json.Unmarshal([]byte(answer), out); err != nil || strings.Contains(answer, `"error"`) {
		b.t.Fatalf("%s %s: %s", target, body, answer)
	}
}

// press presses a button of the page.
func (b *box) press(fields ...string) {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	page := b.post("/sandbox/wechatpay/do", "application/x-www-form-urlencoded", form.Encode())
	if !strings.Contains(page, form.Get("do")) || !strings.Contains(page, ": ok") {
		b.t.Fatalf("%v: %.2000s", form, page)
	}
}

func (b *box) post(target, media, body string) string {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.root+target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", media)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(answer)
}

// byAPI and byPage open an order, set a fault for the next payment and pay.
func (b *box) byAPI(merchant, no string, class stage.Class) stage.Order {
	b.t.Helper()
	var o stage.Order
	b.command("orders", stage.OpenOrder{Merchant: merchant, OrderNo: no, Amount: yuan(730), Attach: "user:7"}, &o)
	b.command("next", map[string]any{"pid": merchant, "faults": []stage.Fault{{Class: class}}}, nil)
	b.command("orders/"+o.ID+"/pay", struct{}{}, nil)
	return o
}

func (b *box) byPage(merchant, no string, class stage.Class) stage.Order {
	b.t.Helper()
	b.press("do", "open", "pid", merchant, "out_trade_no", no, "amount", "7.30", "currency", "CNY", "attach", "user:7")
	found := b.face.Orders(stage.OrderFilter{Merchant: merchant, OrderNo: no})
	if len(found) != 1 {
		b.t.Fatalf("%d orders", len(found))
	}
	b.press("do", "next", "pid", merchant, "class", string(class))
	b.press("do", "pay", "id", found[0].ID)
	return found[0]
}

// Every fault of callbacks that WeChat Pay has beyond those of all providers can
// be set by the control interface and by the page, and comes to what it should.
func TestFaultsOfCallbacksByControl(t *testing.T) {
	t.Parallel()
	for class, want := range map[stage.Class]struct{ paid, refunds, refusals int }{
		stage.Twice:           {paid: 2},
		stage.Probe:           {paid: 1, refusals: 1},
		stage.Rotated:         {paid: 1, refusals: 1},
		stage.SecondTrade:     {paid: 2},
		stage.OtherAmount:     {paid: 1},
		stage.OtherPID:        {paid: 1, refusals: 1},
		wechatpay.Coupon:      {paid: 1},
		wechatpay.RefundFirst: {paid: 1, refunds: 1},
	} {
		for how, pay := range map[string]func(*box, string, string, stage.Class) stage.Order{"API": (*box).byAPI, "page": (*box).byPage} {
			t.Run(fmt.Sprint(class, " by ", how), func(t *testing.T) {
				t.Parallel()
				b := newBox(t)
				o := pay(b, v3Merchant, "order-0001", class)
				b.settle()
				notices, refusals := b.shop.seen()
				paid, refunds := 0, 0
				for _, n := range notices {
					if n.About == domain.AboutRefund {
						refunds++
					} else {
						paid++
					}
				}
				// A certificate that changes is told at least once before it is known.
				enough := paid == want.paid || (class == stage.Rotated && paid > 0)
				if !enough || refunds != want.refunds || (want.refusals == 0) != (len(refusals) == 0) {
					t.Errorf("paid %d, refunds %d, refused %v; want %+v", paid, refunds, refusals, want)
				}
				if seen := b.face.Orders(stage.OrderFilter{ID: o.ID})[0]; !seen.Accepted || len(seen.Faults) != 1 || seen.Faults[0].Class != class {
					t.Errorf("%+v", seen)
				}
			})
		}
	}
}

// A second delivery comes one second of waiting time after the first.
func TestDoubleDeliveryIsASecondApart(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if err := b.stage.SetSpeed(10); err != nil {
		t.Fatal(err)
	}
	b.byAPI(v3Merchant, "order-0001", stage.Twice)
	b.settle()
	all := b.stage.Attempts(stage.AttemptFilter{})
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	first, second := all[1], all[0]
	apart := second.At.Sub(first.At) - time.Duration(first.Took)
	if first.Kind != "callback" || second.Kind != string(stage.Twice) || apart < 90*time.Millisecond {
		t.Errorf("%s at tenfold speed: %+v", apart, all)
	}
}

// Every fault of bills can be set by both, ends, and is seen by the adapter.
func TestFaultsOfBillsByControl(t *testing.T) {
	t.Parallel()
	want := map[stage.Class]domain.Kind{
		stage.BillLate: domain.KindNotFound, stage.BillCut: domain.KindUnavailable, wechatpay.BillHash: domain.KindUnavailable,
		stage.BillGrows: domain.KindUnavailable, stage.BillChanged: 0, // good, and a row short
	}
	b := newBox(t)
	ch := b.shop.channels[v3Merchant]
	day := domain.DayOf(b.stage.Books(), stage.China)
	b.byAPI(v3Merchant, "order-0001", stage.None)
	b.byPage(v3Merchant, "order-0002", stage.None)
	b.settle()
	b.press("do", "advance", "by", "48h")
	for class, kind := range want {
		for how, plant := range map[string]func(){
			"API":  func() { b.command("outage", map[string]any{"pid": v3Merchant, "class": class, "length": "1m"}, nil) },
			"page": func() { b.press("do", "outage", "pid", v3Merchant, "class", string(class)) },
		} {
			plant()
			for _, of := range ch.Bills() {
				_, all, err := lines(t, ch, of, day)
				short := map[providers.BillKind]int{providers.BillTrade: 1, providers.BillFunds: 3}[of]
				good := err == nil && kind == 0 && len(all) == short
				if !good && (err == nil || domain.KindOf(err) != kind) {
					t.Errorf("%s by %s: %s: %+v, %v", class, how, of, all, err)
				}
			}
			b.command("outage", map[string]any{"pid": v3Merchant, "class": class, "length": "0s"}, nil)
			if _, all, err := lines(t, ch, providers.BillTrade, day); err != nil || len(all) != 2 {
				t.Errorf("%s by %s is over: %+v, %v", class, how, all, err)
			}
		}
	}
	for class, needs := range b.face.Classes() {
		if _, tried := want[class]; needs.Bill && !tried {
			t.Errorf("%s is not tried", class)
		}
	}
}

// A key is changed, and money is paid out, by both.
func TestKeysAndPayoutsByControl(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	day := domain.DayOf(b.stage.Books(), stage.China)
	b.byAPI(v3Merchant, "order-0001", stage.None)
	b.settle()
	b.command("rotate", map[string]string{"pid": v3Merchant}, nil)
	b.press("do", "rotate", "pid", v3Merchant)
	b.byAPI(v3Merchant, "order-0002", stage.None)
	b.settle()
	if keys := b.shop.channels[v3Merchant].Config().PublicKeys; len(keys) != 4 {
		t.Errorf("%d keys are known after two changes", len(keys))
	}
	b.command("payouts", stage.PayoutOrder{Merchant: v3Merchant, Amount: yuan(100)}, nil)
	b.press("do", "payout_fails", "pid", v3Merchant, "amount", "2.00", "currency", "CNY")
	b.command("moves", stage.MoveOrder{Merchant: v3Merchant, Amount: yuan(-1), Word: "某调整"}, nil)
	b.press("do", "move_in", "pid", v3Merchant, "amount", "0.05", "currency", "CNY", "word", "")
	b.press("do", "advance", "by", "72h")
	var kinds []string
	for _, at := range []domain.Day{day, day.Add(1)} {
		_, all, err := lines(t, b.shop.channels[v3Merchant], providers.BillFunds, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range all {
			if line.Kind != domain.LinePayment && line.Kind != domain.LineFee {
				kinds = append(kinds, fmt.Sprint(line.Kind, " ", line.ProviderStatus, " ", line.Net))
			}
		}
	}
	want := []string{
		"payout 提现 -1.00 CNY", "payout 提现 -2.00 CNY", "other 某调整 -0.01 CNY", "other 异常调账 0.05 CNY", "payout_failed 提现 2.00 CNY",
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("%q, want %q", kinds, want)
	}
}
