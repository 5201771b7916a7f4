package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"counterfoil/providers/epay"
)

// form is a V1 form of merchant 1001, signed.
func form(kv ...string) string {
	f := fields{
		"pid": "1001", "type": "alipay", "out_trade_no": "A1", "notify_url": "http://shop.example/notify",
		"return_url": "http://shop.example/back", "name": "VIP会员", "money": "7.30", "clientip": "192.0.2.1",
	}
	for i := 0; i < len(kv); i += 2 {
		f[kv[i]] = kv[i+1]
	}
	return encode(withSign(f.params(), epay.SignMD5(epay.Text(f.params()), testKey), "MD5"))
}

func TestSubmitShowsAPageToPayOn(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{Merchants: []MerchantConfig{v1Merchant(Credit)}})
	for name, c := range map[string]struct{ method, target, body string }{
		"by GET":                  {"GET", "/submit.php?" + form(), ""},
		"by POST":                 {"POST", "/submit.php", form()},
		"query wins over a body":  {"POST", "/submit.php?" + form(), form("money", "9999")},
		"fields nobody documents": {"POST", "/submit.php", form("device", "pc", "sitename", "x")},
	} {
		status, body := ask(t, s, c.method, c.target, c.body)
		if status != 200 || !strings.Contains(body, "¥ 7.30") || !strings.Contains(body, "支付 Pay") || !strings.Contains(body, "取消 Cancel") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	status, body := ask(t, s, "POST", "/submit.php", form("out_trade_no", "A2", "name", "<img src=x onerror=alert(1)>"))
	if status != 200 || strings.Contains(body, "<img") || !strings.Contains(body, "&lt;img src=x") {
		t.Errorf("a name with HTML: %s", body)
	}
}

func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	for name, body := range map[string]string{
		"a changed field":       strings.Replace(form(), "7.30", "0.01", 1),
		"an unknown merchant":   form("pid", "7"),
		"no notify_url":         form("notify_url", ""),
		"no return_url":         form("return_url", ""),
		"no name":               form("name", ""),
		"letters in the number": form("out_trade_no", "A 1"),
		"a long number":         form("out_trade_no", strings.Repeat("1", 151)),
		"money of nothing":      form("money", "0.00"),
		"money of three places": form("money", "1.001"),
		"money with exponent":   form("money", "1e3"),
		"money with sign":       form("money", "-1"),
		"no UTF-8":              form("name", "\xff"),
	} {
		status, page := ask(t, s, "POST", "/submit.php", body)
		if status != 200 || !strings.Contains(page, "下单失败") {
			t.Errorf("%s: %d %s", name, status, page)
		}
	}
	if n := len(s.Orders("", "", 0)); n != 0 {
		t.Errorf("%d orders were opened", n)
	}
	if status, _ := ask(t, s, "POST", "/submit.php", strings.Repeat("a", maxBody+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: %d", status)
	}
}

func TestServerSideOrders(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{BaseURL: "http://gw.example", Merchants: []MerchantConfig{v1Merchant(Rainbow), v2Merchant()}})
	m := decode(t, second(ask(t, s, "POST", "/mapi.php", form())))
	o, err := s.OrderByNumber("1001", "A1")
	if err != nil {
		t.Fatal(err)
	}
	if m["code"] != json.Number("1") || m["trade_no"] != o.TradeNo || m["payurl"] != "http://gw.example/pay/"+o.TradeNo || len(m) != 3 {
		t.Errorf("mapi: %v", m)
	}
	for _, missing := range []string{"type", "clientip"} {
		if m := decode(t, second(ask(t, s, "POST", "/mapi.php", form("out_trade_no", "A2", missing, "")))); m["code"] != json.Number("-1") {
			t.Errorf("mapi without %s: %v", missing, m)
		}
	}
	create := []string{
		"type", "alipay", "out_trade_no", "A1", "notify_url", "http://shop.example/n", "return_url", "http://shop.example/r",
		"name", "x", "money", "1", "clientip", "192.0.2.1", "method", "web",
	}
	v2 := verified(t, second(ask(t, s, "POST", "/api/pay/create", signedV2(t, s, create...))))
	if v2["code"] != json.Number("0") || v2["pay_type"] != "jump" || !strings.HasPrefix(v2["pay_info"].(string), "http://gw.example/pay/") {
		t.Errorf("create: %v", v2)
	}
	if m := decode(t, second(ask(t, s, "POST", "/api/pay/create", signedV2(t, s, create[:14]...)))); m["code"] != json.Number("-1") {
		t.Errorf("create without method: %v", m)
	}
}

// An order number stays with its first order for ten days.
func TestTheSameOrderNumberAgain(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, _ *shop) {
		open := func(kv ...string) string {
			_, body := ask(t, s, "POST", "/mapi.php", form(kv...))
			no, _ := decode(t, body)["trade_no"].(string)
			return no
		}
		first := open()
		if again := open(); again != first || first == "" {
			t.Errorf("the same form opens %q, then %q", first, again)
		}
		if again := open("money", "7.3"); again != first {
			t.Errorf("the same amount in other words opens %q", again)
		}
		for name, value := range map[string]string{
			"money": "7.31", "name": "other", "notify_url": "http://shop.example/other", "return_url": "http://shop.example/o", "param": "p",
		} {
			if again := open(name, value); again != "" {
				t.Errorf("another %s opens %q", name, again)
			}
		}
		pay(t, s, first)
		if again := open(); again != "" {
			t.Errorf("a paid order opens %q again", again)
		}
		if err := s.Advance(10*24*time.Hour - time.Second); err != nil {
			t.Fatal(err)
		}
		if again := open(); again != "" {
			t.Errorf("one second before ten days opens %q", again)
		}
		if err := s.Advance(time.Second); err != nil {
			t.Fatal(err)
		}
		again := open()
		if again == "" || again == first {
			t.Fatalf("after ten days opens %q", again)
		}
		pay(t, s, again)
		b := s.Books().Merchants[0]
		if len(b.Paid) != 2 || b.Totals[0].Credited.Amount() != "7.30" || b.Totals[0].Parked.Amount() != "7.30" {
			t.Errorf("books %+v", b)
		}
		m := decode(t, second(ask(t, s, "GET", keyed+"&act=order&out_trade_no=A1", "")))
		if m["trade_no"] != first {
			t.Errorf("the query by order number finds %v, want the older row", m["trade_no"])
		}
		m = decode(t, second(ask(t, s, "GET", keyed+"&act=order&out_trade_no=A1&trade_no="+again, "")))
		if m["trade_no"] != again {
			t.Errorf("the query by trade number finds %v", m["trade_no"])
		}
	})
}

// A payer's way: page, button, and back to the shop with the signed fields.
func TestPayerIsSentBackWithTheSignedFields(t *testing.T) {
	t.Parallel()
	h := &shop{}
	s := newBox(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}, Transport: wire{h}})
	ask(t, s, "POST", "/submit.php", form())
	o, err := s.OrderByNumber("1001", "A1")
	if err != nil {
		t.Fatal(err)
	}
	_, body := ask(t, s, "POST", "/pay/"+o.TradeNo, "do=cancel")
	if o, err := s.Order(o.TradeNo); err != nil || o.Status != 0 || !strings.Contains(body, "已取消") {
		t.Errorf("after cancelling: %+v, %v", o, err)
	}
	if status, _ := ask(t, s, "POST", "/pay/"+o.TradeNo, "do=pay"); status != http.StatusSeeOther {
		t.Errorf("paying answers %d", status)
	}
	settle(t, s)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/pay/"+o.TradeNo, http.NoBody))
	back, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusFound {
		t.Fatalf("sent back with %d to %s", w.Code, back)
	}
	came := h.all()
	if len(came) != 1 || back.Path != "/back" || back.Query().Encode() != came[0].form.Encode() || !holds(back.Query()) {
		t.Errorf("back to %s, called back with %v", back, came)
	}
	if err := s.Advance(6 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if status, body := ask(t, s, "GET", "/pay/"+o.TradeNo, ""); status != 200 || !strings.Contains(body, "已支付") {
		t.Errorf("later: %d %s", status, body)
	}
	r := httptest.NewRequest("POST", "/pay/"+o.TradeNo, strings.NewReader("do=pay"))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w = httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("a foreign page pays: %d", w.Code)
	}
}

func TestAutoPay(t *testing.T) {
	t.Parallel()
	m := v1Merchant(Rainbow)
	m.AutoPay = Duration(time.Minute)
	bubble(t, Config{Merchants: []MerchantConfig{m}}, func(t *testing.T, s *Sandbox, h *shop) {
		opened(t, s, "1001", "A1", "7.30")
		time.Sleep(59 * time.Second)
		if n := len(h.all()); n != 0 {
			t.Errorf("%d callbacks before the minute", n)
		}
		settle(t, s)
		if n := len(h.all()); n != 1 {
			t.Errorf("%d callbacks after it", n)
		}
	})
}
