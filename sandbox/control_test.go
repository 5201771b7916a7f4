package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers/epay"
	"counterfoil/sandbox/stage"
)

// call makes a control request and decodes the answer.
func call[T any](t *testing.T, s *Sandbox, method, target, body string, want int) T {
	t.Helper()
	status, answer := ask(t, s, method, target, body)
	if status != want {
		t.Errorf("%s %s %s: %d %s, want %d", method, target, body, status, answer, want)
	}
	var got T
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatalf("%s %s: %v in %s", method, target, err, answer)
	}
	return got
}

func TestControlWalksAPayment(t *testing.T) {
	t.Parallel()
	h := &shop{}
	s := newBox(t, Config{BaseURL: "http://gw.example", Transport: wire{h}, Now: time.Now})
	c := call[Credentials](t, s, "POST", "/sandbox/merchants", `{"pid":"1001","key":"`+testKey+`","style":"credit"}`, 200)
	if c.Key != testKey || c.BaseURL != "http://gw.example" || c.Style != Credit {
		t.Errorf("credentials %+v", c)
	}
	o := call[Order](t, s, "POST", "/sandbox/orders",
		`{"pid":"1001","out_trade_no":"A1","money":"7.30","notify_url":"http://shop.example/n"}`, 200)
	call[any](t, s, "POST", "/sandbox/next", `{"pid":"1001","faults":[{"class":"repeated","copies":1,"delay":"1s"}]}`, 200)
	call[stage.ClockState](t, s, "POST", "/sandbox/clock", `{"speed":1000}`, 200)
	if paid := call[Order](t, s, "POST", "/sandbox/orders/"+o.TradeNo+"/pay", "", 200); paid.Status != 1 || len(paid.Faults) != 1 {
		t.Errorf("paid %+v", paid)
	}
	settle(t, s)
	attempts := call[[]stage.Attempt](t, s, "GET", "/sandbox/attempts?out_trade_no=A1", "", 200)
	if len(attempts) != 2 || attempts[0].Kind != "repeated" || !attempts[1].Accepted || !strings.Contains(attempts[1].URL, "&money=7.30&") {
		t.Errorf("attempts %+v", attempts)
	}
	call[Order](t, s, "POST", "/sandbox/orders/"+o.TradeNo+"/faults", `{"class":"query_missing","copies":1}`, 200)
	if m := decode(t, second(ask(t, s, "GET", keyed+"&act=order&out_trade_no=A1", ""))); m["code"] != json.Number("-1") {
		t.Errorf("query after the fault: %v", m)
	}
	call[Order](t, s, "POST", "/sandbox/orders/"+o.TradeNo+"/resend", "", 200)
	settle(t, s)
	if got := call[Order](t, s, "POST", "/sandbox/orders/"+o.TradeNo+"/refund", "", 200); got.Refunded != "7.30" || got.Status != 2 {
		t.Errorf("refunded %+v", got)
	}
	b := call[Books](t, s, "GET", "/sandbox/books", "", 200)
	if len(b.Merchants) != 1 || len(b.Merchants[0].Paid) != 1 || b.Merchants[0].Totals[0].Refunded.Amount() != "7.30" ||
		b.Merchants[0].Planted[Repeated] != 1 {
		t.Errorf("books %+v", b)
	}
	if n := len(h.all()); n != 3 {
		t.Errorf("the shop saw %d", n)
	}
}

func TestControlPaysWithExactlyTheGivenFaults(t *testing.T) {
	t.Parallel()
	h := &shop{}
	s := newBox(t, Config{
		Transport: wire{h}, Merchants: []MerchantConfig{v1Merchant(Rainbow)},
		Rates: []Rate{{Fault: Fault{Class: Lost}, Share: 1}},
	})
	for no, c := range map[string]struct {
		body string
		want int
	}{"A1": {"", 0}, "A2": {`{"faults":[]}`, 1}, "A3": {`{"faults":[{"class":"double"}]}`, 2}} {
		before := len(h.all())
		o := opened(t, s, "1001", no, "7.30")
		call[Order](t, s, "POST", "/sandbox/orders/"+o.TradeNo+"/pay", c.body, 200)
		settle(t, s)
		if n := len(h.all()) - before; n != c.want {
			t.Errorf("%s %s: %d callbacks, want %d", no, c.body, n, c.want)
		}
	}
	rates := call[[]Rate](t, s, "PUT", "/sandbox/rates", `[{"class":"late","delay":"10m","share":0.5,"pid":"1001"}]`, 200)
	if len(rates) != 1 || rates[0].Delay != Duration(10*time.Minute) || s.Rates()[0].Class != Late {
		t.Errorf("rates %+v", rates)
	}
}

func TestControlSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	o := opened(t, s, "1001", "A1", "7.30")
	for _, c := range []struct {
		method, target, body string
		status               int
		kind, field          string
	}{
		{"POST", "/sandbox/merchants", `{"pid":"1001"}`, 409, "conflict", "pid"},
		{"POST", "/sandbox/merchants", `{"pid":"a&b"}`, 400, "invalid", "pid"},
		{"POST", "/sandbox/merchants", `{"pid":"a b"}`, 400, "invalid", "pid"},
		{"POST", "/sandbox/merchants", `{"pid":"5","style":"x"}`, 400, "invalid", "style"},
		{"POST", "/sandbox/merchants", `{"pid":"5","nonsense":1}`, 400, "invalid", ""},
		{"POST", "/sandbox/merchants", `{"pid":"5"} {}`, 400, "invalid", ""},
		{"POST", "/sandbox/merchants", `{"pid":"5","platform_key":"x"}`, 400, "invalid", "platform_key"},
		{"POST", "/sandbox/orders/none/pay", ``, 404, "not_found", "trade_no"},
		{"POST", "/sandbox/orders/" + o.TradeNo + "/faults", `{"class":"x"}`, 400, "invalid", "class"},
		{"POST", "/sandbox/orders/" + o.TradeNo + "/faults", `{"class":"late","delay":"x"}`, 400, "invalid", ""},
		{"POST", "/sandbox/orders/" + o.TradeNo + "/faults", `{"class":"query_forged"}`, 400, "invalid", ""},
		{"POST", "/sandbox/orders/" + o.TradeNo + "/freeze", ``, 409, "conflict", ""},
		{"POST", "/sandbox/clock", `{"speed":-1}`, 400, "invalid", "speed"},
		{"POST", "/sandbox/clock", `{"advance":"-1h"}`, 400, "invalid", "advance"},
		{"POST", "/sandbox/next", `{"pid":"7"}`, 404, "not_found", "pid"},
		{"POST", "/sandbox/outage", `{"class":"lost"}`, 400, "invalid", "class"},
		{"PUT", "/sandbox/rates", `[{"class":"lost","share":2}]`, 400, "invalid", "share"},
	} {
		got := call[map[string]failure](t, s, c.method, c.target, c.body, c.status)["error"]
		if got.Kind != c.kind || got.Field != c.field || got.Message == "" {
			t.Errorf("%s %s: %+v", c.target, c.body, got)
		}
	}
}

func TestForeignPagesCannotControl(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{})
	r := httptest.NewRequest("POST", "/sandbox/merchants", strings.NewReader(`{"pid":"1"}`))
	r.Header.Set("Origin", "https://evil.example")
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != http.StatusForbidden || len(s.Credentials()) != 0 {
		t.Errorf("a foreign page gets %d", w.Code)
	}
}

// The start page works by plain forms: each button posts and leads back.
func TestStartPageButtons(t *testing.T) {
	t.Parallel()
	h := &shop{}
	s := newBox(t, Config{Transport: wire{h}, Merchants: []MerchantConfig{v1Merchant(Credit)}})
	press := func(body string) string {
		t.Helper()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/sandbox/do", strings.NewReader(body)))
		if w.Code != http.StatusSeeOther {
			t.Fatalf("%s: %d", body, w.Code)
		}
		settle(t, s)
		_, page := ask(t, s, "GET", w.Header().Get("Location"), "")
		return page
	}
	page := press("do=open&pid=1001&out_trade_no=A1&money=7.30&name=%3Cb%3Ex&notify_url=http%3A%2F%2Fshop.example%2Fn&back=1001")
	o, err := s.OrderByNumber("1001", "A1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{o.TradeNo, "未付 unpaid", "支付 Pay", "&lt;b&gt;x", `name="viewport"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<b>x") || strings.Contains(page, testKey) {
		t.Error("the page shows a name as HTML, or the key")
	}
	id := "&trade_no=" + o.TradeNo
	for _, c := range []struct{ body, want string }{
		{"do=fire&class=forged&unpaid=1" + id, "forged/empty_key"},
		{"do=pay" + id, "已付 paid"},
		{"do=pay" + id, "is paid"},
		{"do=resend" + id, "已通知 delivered"},
		{"do=next&class=lost&pid=1001", "next 1001: ok"},
		{"do=outage&class=query_5xx&pid=1001", "outage 1001: ok"},
		{"do=advance&by=264h", "advance 264h: ok"},
		{"do=refund" + id, "已退 refunded"},
		{"do=purge" + id, "已删 purged"},
		{"do=nonsense", "no such button"},
	} {
		if page := press(c.body); !strings.Contains(page, c.want) {
			t.Errorf("%s: the page lacks %q", c.body, c.want)
		}
	}
	if _, css := ask(t, s, "GET", "/sandbox/style.css", ""); !strings.Contains(css, "max-width: 760px") {
		t.Error("no style sheet")
	}
}

func TestFrozenOrders(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{Transport: wire{&shop{}}, Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	o := pay(t, s, opened(t, s, "1001", "A1", "7.30").TradeNo)
	if err := s.Freeze(o.TradeNo); err != nil {
		t.Fatal(err)
	}
	if m := decode(t, second(ask(t, s, "GET", keyed+"&act=order&out_trade_no=A1", ""))); m["status"] != json.Number("3") {
		t.Errorf("frozen: %v", m)
	}
	if n := len(s.Books().Merchants[0].Paid); n != 1 {
		t.Error("frozen money left the books")
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for field, c := range map[string]Config{
		"now":                 {},
		"speed":               {Now: time.Now, Speed: -1},
		"workers":             {Now: time.Now, Workers: -1},
		"keep_attempts":       {Now: time.Now, KeepAttempts: -1},
		"max_orders":          {Now: time.Now, MaxOrders: -1},
		"base_url":            {Now: time.Now, BaseURL: "gw.example"},
		"share":               {Now: time.Now, Rates: []Rate{{Fault: Fault{Class: Lost}, Share: 2}}},
		"pid":                 {Now: time.Now, Merchants: []MerchantConfig{{}}},
		"version":             {Now: time.Now, Merchants: []MerchantConfig{{PID: "1", Version: "v3"}}},
		"merchant_public_key": {Now: time.Now, Merchants: []MerchantConfig{{PID: "1", MerchantKey: "a", MerchantPublicKey: "b"}}},
	} {
		if _, err := New(c); domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != field {
			t.Errorf("wrong %s: %v", field, err)
		}
	}
}

// Keys that are made fit the receiver's parsers and each other.
func TestGeneratedCredentials(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{Seed: 5, Merchants: []MerchantConfig{{PID: "1"}, {PID: "2", Version: V2}}})
	twin := newBox(t, Config{Seed: 5, Merchants: []MerchantConfig{{PID: "1"}}})
	c := s.Credentials()
	if len(c[0].Key) != 32 || c[0].MerchantKey != "" || twin.Credentials()[0].Key != c[0].Key || c[1].Key == c[0].Key {
		t.Errorf("credentials %+v", c)
	}
	key, err := epay.ParsePrivateKey(c[1].MerchantKey)
	if err != nil {
		t.Fatal(err)
	}
	if bareKey(&key.PublicKey) != bareKey(s.merchants["2"].keys.merchant) {
		t.Error("the merchant's key and the half known here differ")
	}
	if _, err := epay.ParsePublicKey(c[1].PlatformPublicKey); err != nil {
		t.Errorf("platform key: %v", err)
	}
}

func TestFullSandboxRefusesOrders(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{MaxOrders: 1, Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	opened(t, s, "1001", "A1", "7.30")
	if _, err := s.Open(OpenOrder{PID: "1001", OutTradeNo: "A2", Money: "1", NotifyURL: "http://shop.example"}); err == nil {
		t.Error("a second order was taken")
	}
	opened(t, s, "1001", "A1", "7.30")
}
