package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// toy is the smallest provider there can be: one merchant, one kind of notice.
type toy struct {
	on       *stage.Stage
	lane     *stage.Lane
	troubles stage.Troubles
	mu       sync.Mutex
	orders   []stage.Order
	planted  map[Class]int
	rotated  string
}

func newToy(s *Sandbox) *toy {
	return &toy{on: s.Stage(), lane: s.Stage().Lane(), planted: map[Class]int{}}
}

func (f *toy) Name() string              { return "toy" }
func (f *toy) Troubles() *stage.Troubles { return &f.troubles }

func (f *toy) Classes() stage.Classes {
	return stage.CommonClasses().With(stage.Classes{stage.Probe: {}, stage.BillCut: {Bill: true}})
}

func (f *toy) Routes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stage.Spoil(w, r, f.troubles.Take("t1", "", f.on.Now())) {
			return
		}
		fmt.Fprintf(w, "%s of %s", r.URL.Path, r.RequestURI)
	})
}

func (f *toy) Channels() []stage.Channel {
	return []stage.Channel{{ID: "toy-t1", Merchant: "t1", Settings: []stage.Setting{{Name: "provider", Value: "toy"}}}}
}

func (f *toy) Open(in stage.OpenOrder) (stage.Order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !in.Amount.IsPositive() {
		return stage.Order{}, domain.EField(domain.KindInvalid, "amount", "is missing")
	}
	o := stage.Order{
		Face: "toy", Merchant: "t1", ID: fmt.Sprint("T", len(f.orders)), OrderNo: in.OrderNo, Subject: in.Subject,
		Placed: in.Amount, State: "NEW", Payable: true, NotifyURL: in.NotifyURL, ReturnURL: in.ReturnURL,
	}
	f.orders = append(f.orders, o)
	return o, nil
}

func (f *toy) Orders(filter stage.OrderFilter) []stage.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []stage.Order
	for _, o := range f.orders {
		if (filter.ID == "" || filter.ID == o.ID) && (filter.OrderNo == "" || filter.OrderNo == o.OrderNo) {
			found = append(found, o)
		}
	}
	return found
}

// change finds an order and changes it.
func (f *toy) change(id string, act func(*stage.Order) error) (stage.Order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.orders {
		if f.orders[i].ID == id {
			err := act(&f.orders[i])
			return f.orders[i], err
		}
	}
	return stage.Order{}, domain.E(domain.KindNotFound, "there is no order %s", id)
}

func (f *toy) Pay(id string, faults ...Fault) (stage.Order, error) {
	on, answers, err := f.Classes().Sort(faults)
	if err != nil {
		return stage.Order{}, err
	}
	return f.change(id, func(o *stage.Order) error {
		if !o.Payable {
			return domain.E(domain.KindConflict, "order %s is paid", id)
		}
		o.State, o.Payable, o.WasPaid, o.Paid, o.Faults = "PAID", false, true, o.Placed, append(answers, on)
		if on.Class != None {
			f.planted[on.Class]++
		}
		to := o.NotifyURL
		f.lane.Deliver(&stage.Series{Of: id, Retries: stage.Deliveries(), Send: func(ctx context.Context, shot stage.Shot) bool {
			return f.on.Send(ctx, stage.Delivery{
				Face: "toy", Merchant: "t1", TradeNo: id, OrderNo: o.OrderNo, Shot: shot, Method: "POST", URL: to,
				Accepts: func(a stage.Answer) bool { return a.Status == 200 },
			}).Accepted
		}}, on)
		return nil
	})
}

func (f *toy) Fire(id string, fault Fault) (stage.Order, error) { return f.Pay(id, fault) }

func (f *toy) Refund(in stage.RefundOrder) (stage.Refund, error) {
	r := stage.Refund{ID: "R", No: in.No, Amount: in.Amount, Failed: in.Fails}
	_, err := f.change(in.ID, func(o *stage.Order) error {
		if r.Amount.IsZero() {
			r.Amount = o.Paid
		}
		o.Refunds = append(o.Refunds, r)
		return nil
	})
	return r, err
}

func (f *toy) Dispute(id string, _ domain.Money) (stage.Dispute, error) {
	d := stage.Dispute{ID: "D-" + id, State: stage.DisputeOpen}
	_, err := f.change(id, func(o *stage.Order) error {
		d.Amount = o.Paid
		o.Disputes = append(o.Disputes, d)
		return nil
	})
	return d, err
}

func (f *toy) Decide(id string, won bool) (d stage.Dispute, err error) {
	_, err = f.change(strings.TrimPrefix(id, "D-"), func(o *stage.Order) error {
		o.Disputes[0].State = map[bool]stage.DisputeState{true: stage.DisputeWon, false: stage.DisputeLost}[won]
		d = o.Disputes[0]
		return nil
	})
	return d, err
}

func (f *toy) Rotate(merchant string) error {
	f.rotated = merchant
	return nil
}

func (f *toy) Books() []stage.MerchantBooks {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := stage.MerchantBooks{Face: "toy", Merchant: "t1", Opened: len(f.orders), Planted: f.planted}
	for _, o := range f.orders {
		if o.WasPaid {
			b.Payments = append(b.Payments, stage.Payment{
				TradeNo: o.ID, OrderNo: o.OrderNo, Amount: o.Paid, Placed: o.Placed, Due: true, Refunds: o.Refunds, Disputes: o.Disputes,
			})
		}
	}
	return []stage.MerchantBooks{b}
}

// withToy runs f with a gateway beside which a toy is mounted.
func withToy(t *testing.T, f func(t *testing.T, s *Sandbox, toy *toy, h *shop)) {
	t.Helper()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		face := newToy(s)
		if err := s.Mount(face); err != nil {
			t.Fatal(err)
		}
		f(t, s, face, h)
	})
}

func toyOrder(t *testing.T, face *toy, orderNo string) stage.Order {
	t.Helper()
	o, err := face.Open(stage.OpenOrder{
		OrderNo: orderNo, Amount: domain.NewMoney(730, domain.USD), Subject: "VIP会员", NotifyURL: "http://shop.example/toy",
		ReturnURL: "http://shop.example/back",
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAFaceIsMountedUnderItsName(t *testing.T) {
	t.Parallel()
	withToy(t, func(t *testing.T, s *Sandbox, face *toy, _ *shop) {
		if status, body := ask(t, s, "GET", "/toy/v1/query?a=1", ""); status != 200 || body != "/v1/query of /toy/v1/query?a=1" {
			t.Errorf("%d %s", status, body)
		}
		// What a provider itself serves below /pay/ is no order's page.
		if status, body := ask(t, s, "POST", "/toy/pay/orderquery", ""); status != 200 || body != "/pay/orderquery of /toy/pay/orderquery" {
			t.Errorf("a call of the provider's: %d %s", status, body)
		}
		if err := s.Mount(face); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("mounted twice: %v", err)
		}
		if err := s.OutageAt("toy", "t1", Fault{Class: Query5xx}, time.Minute); err != nil {
			t.Fatal(err)
		}
		if status, _ := ask(t, s, "GET", "/toy/v1/query", ""); status != 502 {
			t.Errorf("during an outage: %d", status)
		}
		if err := s.OutageAt("toy", "t2", Fault{Class: Query5xx}, time.Minute); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("an outage of nobody: %v", err)
		}
		// The gateway is where it was.
		if status, body := ask(t, s, "GET", keyed+"&act=orders", ""); status != 200 || !strings.HasPrefix(body, `{"code":1`) {
			t.Errorf("gateway: %d %s", status, body)
		}
	})
}

func TestThePayPageOfAFace(t *testing.T) {
	t.Parallel()
	withToy(t, func(t *testing.T, s *Sandbox, face *toy, h *shop) {
		id := toyOrder(t, face, "A1").ID
		if status, page := ask(t, s, "GET", "/toy/pay/"+id, ""); status != 200 || !strings.Contains(page, "7.30 USD") || !strings.Contains(page, "支付 Pay") {
			t.Errorf("%d %s", status, page)
		}
		if _, page := ask(t, s, "POST", "/toy/pay/"+id, "do=cancel"); !strings.Contains(page, "Cancelled") {
			t.Errorf("cancelled: %s", page)
		}
		if status, _ := ask(t, s, "POST", "/toy/pay/"+id, "do=pay"); status != http.StatusSeeOther {
			t.Errorf("paid: %d", status)
		}
		settle(t, s)
		if came := h.all(); len(came) != 1 || came[0].target != "/toy" {
			t.Errorf("the shop got %+v", came)
		}
		if _, page := ask(t, s, "GET", "/toy/pay/"+id, ""); !strings.Contains(page, "Order paid") || !strings.Contains(page, "http://shop.example/back") {
			t.Errorf("afterwards: %s", page)
		}
		if status, _ := ask(t, s, "GET", "/toy/pay/T9", ""); status != http.StatusNotFound {
			t.Errorf("an unknown order: %d", status)
		}
	})
}

func TestControlOfAFaceByJSON(t *testing.T) {
	t.Parallel()
	withToy(t, func(t *testing.T, s *Sandbox, face *toy, _ *shop) {
		const at = "/sandbox/faces/toy"
		for i, c := range []struct{ method, target, body, want string }{
			{"GET", "/sandbox/faces", "", `"name": "toy"`},
			{"GET", "/sandbox/channels", "", `"id": "toy-t1"`},
			{"POST", at + "/orders", `{"out_trade_no":"A1","amount":{"amount":"7.30","currency":"USD"},"notify_url":"http://shop.example/"}`, `"trade_no": "T0"`},
			{"POST", at + "/orders", `{"out_trade_no":"A2"}`, `"kind": "invalid"`},
			{"POST", at + "/next", `{"pid":"t1","faults":[{"class":"probe"}]}`, `"pid": "t1"`},
			{"POST", at + "/next", `{"pid":"t1","faults":[{"class":"minted"}]}`, `"field": "class"`},
			{"POST", at + "/orders/T0/pay", ``, `"class": "probe"`},
			{"POST", at + "/orders/T0/pay", ``, `"kind": "conflict"`},
			{"GET", at + "/orders/T0", "", `"state": "PAID"`},
			{"GET", at + "/orders?out_trade_no=A1", "", `"trade_no": "T0"`},
			{"POST", at + "/orders/T0/refunds", `{"amount":{"amount":"1.00","currency":"USD"}}`, `"amount": "1.00"`},
			{"POST", at + "/orders/T0/disputes", ``, `"state": "open"`},
			{"POST", at + "/disputes/D-T0", `{"won":true}`, `"state": "won"`},
			{"POST", at + "/rotate", `{"pid":"t1"}`, `"pid": "t1"`},
			{"POST", at + "/outage", `{"pid":"t1","class":"bill_cut","length":"1m"}`, `"class": "bill_cut"`},
			{"POST", "/sandbox/faces/epay/orders/1/disputes", ``, `"kind": "conflict"`},
			{"POST", "/sandbox/faces/none/rotate", ``, `"kind": "not_found"`},
			{"GET", "/sandbox/truth", "", `"out_trade_no": "A1"`},
			{"GET", "/sandbox/attempts?face=toy", "", `"face": "toy"`},
		} {
			if i > 6 {
				settle(t, s)
			}
			if _, body := ask(t, s, c.method, c.target, c.body); !strings.Contains(body, c.want) {
				t.Errorf("%s %s %s: %s lacks %s", c.method, c.target, c.body, body, c.want)
			}
		}
		if face.rotated != "t1" || face.troubles.Bill("t1", time.Now()).Class != stage.BillCut {
			t.Error("the face was not told")
		}
	})
}

func TestThePageOfAFace(t *testing.T) {
	t.Parallel()
	withToy(t, func(t *testing.T, s *Sandbox, _ *toy, _ *shop) {
		press := func(form, want string) {
			t.Helper()
			r := httptest.NewRequest("POST", "/sandbox/toy/do", strings.NewReader(form))
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			settle(t, s)
			_, page := ask(t, s, "GET", w.Header().Get("Location"), "")
			if w.Code != http.StatusSeeOther || !strings.Contains(page, want) {
				t.Errorf("%s: %d, the page lacks %q", form, w.Code, want)
			}
		}
		open := url.Values{
			"do": {"open"}, "pid": {"t1"}, "out_trade_no": {"A1"}, "amount": {"7.30"}, "currency": {"USD"},
			"notify_url": {"http://shop.example/toy"}, "name": {"VIP会员"},
		}
		press(open.Encode(), "7.30 USD")
		press("do=next&pid=t1&class=twice", "next t1: ok")
		press("do=pay&id=T0", "PAID")
		press("do=pay&id=T0", "is paid")
		press("do=refund&id=T0&amount=2.00&currency=USD", "退 refund 2.00 USD")
		press("do=refund_fails&id=T0&currency=USD", "失败 failed")
		press("do=refund&id=T0&amount=x&currency=USD", "amount")
		press("do=dispute&id=T0", "争议 dispute 7.30 USD · open")
		press("do=lost&id=D-T0", "lost")
		press("do=outage&pid=t1&class=query_5xx", "outage t1: ok")
		press("do=rotate&pid=t1", "rotate t1: ok")
		press("do=nonsense", "no such button")
		_, page := ask(t, s, "GET", "/sandbox/", "")
		if !strings.Contains(page, `href="/sandbox/toy/"`) {
			t.Error("the start page does not lead to the face")
		}
		if status, _ := ask(t, s, "GET", "/sandbox/none/", ""); status != http.StatusNotFound {
			t.Errorf("the page of nobody: %d", status)
		}
	})
}

// The gateway is a face like the others.
func TestTheGatewayAsAFace(t *testing.T) {
	t.Parallel()
	bubble(t, Config{BaseURL: "http://gw.example", Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		f, err := s.Face(Name)
		if err != nil {
			t.Fatal(err)
		}
		o, err := f.Open(stage.OpenOrder{OrderNo: "A1", Amount: domain.NewMoney(730, domain.CNY), NotifyURL: "http://shop.example/notify"})
		if err != nil || !o.Payable || o.Merchant != "1001" {
			t.Fatalf("%+v, %v", o, err)
		}
		if _, err := f.Open(stage.OpenOrder{OrderNo: "A2", Amount: domain.NewMoney(730, domain.USD)}); domain.FieldOf(err) != "amount" {
			t.Errorf("dollars: %v", err)
		}
		if o, err = s.PayAt(Name, o.ID); err != nil || !o.WasPaid || o.Paid.Amount() != "7.30" {
			t.Fatalf("%+v, %v", o, err)
		}
		settle(t, s)
		if len(h.all()) != 1 {
			t.Errorf("the shop got %+v", h.all())
		}
		first, err := f.Refund(stage.RefundOrder{ID: o.ID, Amount: domain.NewMoney(100, domain.CNY), No: "refund-1"})
		again, err2 := f.Refund(stage.RefundOrder{ID: o.ID, Amount: domain.NewMoney(100, domain.CNY), No: "refund-1"})
		if err != nil || err2 != nil || first != again {
			t.Errorf("refunds %+v %v, %+v %v", first, err, again, err2)
		}
		if _, err := f.Refund(stage.RefundOrder{ID: o.ID, Fails: true}); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("a refund that fails: %v", err)
		}
		truth := s.Truth()
		if len(truth) != 1 || len(truth[0].Payments) != 1 || len(truth[0].Payments[0].Refunds) != 1 || !truth[0].Payments[0].Due {
			t.Errorf("truth %+v", truth)
		}
		text, err := json.Marshal(s.Channels())
		if err != nil || !strings.Contains(string(text), `{"name":"gateway","value":"http://gw.example"}`) {
			t.Errorf("channels %s, %v", text, err)
		}
	})
}

// Rates without a face hold wherever the class is known.
func TestRatesOfFaces(t *testing.T) {
	t.Parallel()
	withToy(t, func(t *testing.T, s *Sandbox, face *toy, _ *shop) {
		if err := s.SetRates([]Rate{
			{Fault: Fault{Class: stage.Probe}, Share: 1},
			{Fault: Fault{Class: Minted}, Share: 1},
			{Fault: Fault{Class: Query5xx}, Share: 1, Face: Name},
		}); err != nil {
			t.Fatal(err)
		}
		o, err := s.PayAt("toy", toyOrder(t, face, "A1").ID)
		if err != nil || len(o.Faults) != 1 || o.Faults[0].Class != stage.Probe {
			t.Errorf("%+v, %v", o.Faults, err)
		}
		settle(t, s)
		for _, rate := range []Rate{{Fault: Fault{Class: stage.Probe}, Face: Name}, {Fault: Fault{Class: "x"}}, {Fault: Fault{Class: Lost}, Face: "none"}} {
			if err := s.SetRates([]Rate{rate}); domain.KindOf(err) != domain.KindInvalid {
				t.Errorf("%+v: %v", rate, err)
			}
		}
	})
}
