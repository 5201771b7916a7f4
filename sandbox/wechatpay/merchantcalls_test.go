package wechatpay_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	provider "counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

// site is a merchant's own program: it orders and refunds by the provider's
// calls.
type site struct {
	w        *world
	settings map[string]any
	change   func(*http.Request) // spoils a request
}

func (w *world) site(merchant string) *site {
	w.t.Helper()
	s := &site{w: w, settings: map[string]any{}}
	for _, c := range w.face.Channels() {
		for _, line := range c.Settings {
			if c.Merchant == merchant {
				s.settings[line.Name] = line.Value
			}
		}
	}
	return s
}

func (s *site) text(name string) string { return s.settings[name].(string) }

// v3 makes a signed call and answers the status and body.
func (s *site) v3(method, target, body string, skew time.Duration) (int, string) {
	s.w.t.Helper()
	r, err := http.NewRequestWithContext(s.w.t.Context(), method, s.text("gateway")+target, strings.NewReader(body))
	if err != nil {
		s.w.t.Fatal(err)
	}
	key, err := provider.ParsePrivateKey(s.text("merchant_key"))
	if err != nil {
		s.w.t.Fatal(err)
	}
	auth, err := provider.SignRequest(s.text("mchid"), s.text("merchant_serial"), method, r.URL.RequestURI(),
		strconv.FormatInt(time.Now().Add(skew).Unix(), 10), "nonce", body,
		func(text []byte) (string, error) { return provider.SignRSA(text, key) })
	if err != nil {
		s.w.t.Fatal(err)
	}
	r.Header.Set("Authorization", auth)
	r.Header.Set("User-Agent", "site")
	if s.change != nil {
		s.change(r)
	}
	return s.do(r)
}

func (s *site) do(r *http.Request) (int, string) {
	s.w.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.w.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// v2 makes a signed call and answers its fields.
func (s *site) v2(path, key string, fields ...provider.Field) provider.Fields {
	s.w.t.Helper()
	f := append(provider.Fields{
		{Name: "appid", Value: s.settings["appids"].([]string)[0]}, {Name: "mch_id", Value: s.text("mchid")}, {Name: "nonce_str", Value: "x"},
	}, fields...)
	f = append(f, provider.Field{Name: "sign", Value: provider.SignFields(f, key, provider.SignMD5)})
	r, err := http.NewRequestWithContext(s.w.t.Context(), http.MethodPost, s.text("gateway")+path, bytes.NewReader(provider.AppendXML(nil, "xml", f)))
	if err != nil {
		s.w.t.Fatal(err)
	}
	_, body := s.do(r)
	out, err := provider.ScanXML([]byte(body), "xml")
	if err != nil {
		s.w.t.Fatalf("%v: %s", err, body)
	}
	return out
}

func (s *site) orderJSON(no string) string {
	return `{"appid":"` + s.settings["appids"].([]string)[0] + `","mchid":"` + s.text("mchid") + `","description":"x","out_trade_no":"` + no +
		`","notify_url":"` + s.w.shop.URL + `/` + s.text("mchid") + `","amount":{"total":730,"currency":"CNY"}}`
}

func TestOrderAndRefundByCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site(v3Merchant)
	for kind, wants := range map[string]string{"native": "code_url", "jsapi": "prepay_id", "h5": "h5_url", "app": "prepay_id"} {
		if status, body := s.v3("POST", "/v3/pay/transactions/"+kind, s.orderJSON("order-"+kind), 0); status != 200 || !strings.Contains(body, wants) {
			t.Errorf("%s: %d %s", kind, status, body)
		}
	}
	o := w.face.Orders(stage.OrderFilter{OrderNo: "order-native"})[0]
	const refund = `{"out_trade_no":"order-native","out_refund_no":"refund-1","amount":{"refund":30,"total":730,"currency":"CNY"}}`
	if status, body := s.v3("POST", "/v3/refund/domestic/refunds", refund, 0); status != 400 {
		t.Errorf("a refund before the payment: %d %s", status, body)
	}
	w.pay(o.ID)
	for range 2 { // the same number is the same refund
		if status, body := s.v3("POST", "/v3/refund/domestic/refunds", refund, 0); status != 200 || !strings.Contains(body, `"out_refund_no":"refund-1"`) {
			t.Errorf("%d %s", status, body)
		}
	}
	w.settle()
	if notices, refusals := w.shop.seen(); len(notices) != 2 || len(refusals) != 0 {
		t.Errorf("%+v, %v", notices, refusals)
	}
	books := w.face.Books()[0]
	if len(books.Payments) != 1 || len(books.Payments[0].Refunds) != 1 || books.Payments[0].Refunds[0].Amount.Minor() != 30 || books.Opened != 4 {
		t.Errorf("%+v", books)
	}
}

func TestCallsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site(v3Merchant)
	good := s.orderJSON("order-0001")
	for name, change := range map[string]func(*http.Request){
		"no authorization": func(r *http.Request) { r.Header.Del("Authorization") },
		"another merchant": func(r *http.Request) { replaceAuth(r, v3Merchant, v2Merchant) },
		"another serial":   func(r *http.Request) { replaceAuth(r, s.text("merchant_serial"), strings.Repeat("0", 40)) },
		"another nonce":    func(r *http.Request) { replaceAuth(r, `"nonce"`, `"n0nce"`) },
		"another target":   func(r *http.Request) { r.URL.RawQuery = "a=1" },
		"another body": func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(good, "730", "731", 1)))
		},
		"no user agent": func(r *http.Request) { r.Header.Set("User-Agent", "") },
	} {
		s.change = change
		if status, body := s.v3("POST", "/v3/pay/transactions/native", good, 0); status != 401 || !strings.Contains(body, "SIGN_ERROR") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	s.change = nil
	for _, skew := range []time.Duration{6 * time.Minute, -6 * time.Minute} {
		if status, _ := s.v3("POST", "/v3/pay/transactions/native", good, skew); status != 401 {
			t.Errorf("%s: %d", skew, status)
		}
	}
	for name, body := range map[string]string{
		"not JSON": "x", "an amount of 0": strings.Replace(good, "730", "0", 1), "dollars": strings.Replace(good, "CNY", "USD", 1),
		"another app": strings.Replace(good, "wx", "wy", 1), "a short number": strings.Replace(good, "order-0001", "1", 1),
		"a query in the address": strings.Replace(good, `/`+v3Merchant+`"`, `/?a=1"`, 1),
	} {
		if status, _ := s.v3("POST", "/v3/pay/transactions/native", body, 0); status != 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if len(w.face.Orders(stage.OrderFilter{})) != 0 {
		t.Error("a refused call made an order")
	}
}

func replaceAuth(r *http.Request, old, by string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, by, 1))
}

func TestCallsOfV2(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site(v2Merchant)
	key := s.text("api_key")
	fields := []provider.Field{
		{Name: "out_trade_no", Value: "order-0001"},
		{Name: "total_fee", Value: "730"},
		{Name: "trade_type", Value: "NATIVE"},
		{Name: "body", Value: "x"},
		{Name: "notify_url", Value: w.shop.URL + "/" + v2Merchant},
		{Name: "attach", Value: "user:7"},
	}
	if out := s.v2("/pay/unifiedorder", key+"0", fields...); out.Value("return_code") != "FAIL" {
		t.Errorf("another key: %v", out)
	}
	if out := s.v2("/pay/unifiedorder", key, fields...); out.Value("result_code") != "SUCCESS" || out.Value("code_url") == "" {
		t.Fatalf("%v", out)
	}
	o := w.face.Orders(stage.OrderFilter{OrderNo: "order-0001"})[0]
	w.pay(o.ID)
	w.settle() // or the refund's notice may overtake the payment's
	refund := []provider.Field{
		{Name: "transaction_id", Value: o.ID}, {Name: "out_refund_no", Value: "refund-1"}, {Name: "total_fee", Value: "730"}, {Name: "refund_fee", Value: "30"},
	}
	if out := s.v2("/secapi/pay/refund", key, refund...); out.Value("result_code") != "SUCCESS" || out.Value("refund_id") == "" {
		t.Errorf("%v", out)
	}
	refund[3].Value = "31"
	if out := s.v2("/secapi/pay/refund", key, refund...); out.Value("result_code") != "FAIL" {
		t.Errorf("the same number over another amount: %v", out)
	}
	if out := s.v2("/pay/refundquery", key, provider.Field{Name: "out_trade_no", Value: "order-0001"}); out.Value("refund_fee_0") != "30" {
		t.Errorf("%v", out)
	}
	w.settle()
	notices, refusals := w.shop.seen()
	if len(notices) != 2 || len(refusals) != 0 || notices[1].About != domain.AboutRefund {
		t.Errorf("%+v, %v", notices, refusals)
	}
}

// A merchant who has WeChat's public key gets everything signed with it, and
// has no certificates to download until the key changes into one.
func TestPublicKeyMerchant(t *testing.T) {
	t.Parallel()
	s, err := stage.New(stage.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	f, err := wechatpay.New(s, wechatpay.Config{BaseURL: "http://127.0.0.1:1", Merchants: []wechatpay.Merchant{
		{MchID: v3Merchant, PublicKey: true, MerchantKey: keys()[v3Merchant], PlatformKey: keys()["1"]},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ids := func() (all []string) {
		for _, line := range f.Channels()[0].Settings {
			if line.Name != "platform_keys" {
				continue
			}
			for id := range line.Value.(map[string]string) {
				all = append(all, id)
			}
		}
		return all
	}
	if got := ids(); len(got) != 1 || !strings.HasPrefix(got[0], provider.PublicKeyPrefix) {
		t.Errorf("keys %v", got)
	}
	if err := f.Rotate(v3Merchant); err != nil {
		t.Fatal(err)
	}
	if got := ids(); len(got) != 2 {
		t.Errorf("keys %v", got)
	}
	if err := f.Rotate("nobody"); domain.KindOf(err) != domain.KindNotFound {
		t.Error(err)
	}
}

func TestNewNamesTheWrongField(t *testing.T) {
	t.Parallel()
	s, err := stage.New(stage.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	one := func(m wechatpay.Merchant) wechatpay.Config {
		return wechatpay.Config{BaseURL: "http://x", Merchants: []wechatpay.Merchant{m}}
	}
	for field, c := range map[string]wechatpay.Config{
		"base_url":     {BaseURL: "x", Merchants: []wechatpay.Merchant{{MchID: "1"}}},
		"merchants":    {BaseURL: "http://x"},
		"mchid":        one(wechatpay.Merchant{MchID: "a"}),
		"protocol":     one(wechatpay.Merchant{MchID: "1", Protocol: "v1"}),
		"api_v3_key":   one(wechatpay.Merchant{MchID: "1", APIv3Key: "short"}),
		"api_key":      one(wechatpay.Merchant{MchID: "1", APIKey: "short"}),
		"sign_type":    one(wechatpay.Merchant{MchID: "1", SignType: "SHA1"}),
		"merchant_key": one(wechatpay.Merchant{MchID: "1", MerchantKey: "x"}),
	} {
		if _, err := wechatpay.New(s, c); domain.FieldOf(err) != field {
			t.Errorf("want %s named, got %v", field, err)
		}
	}
}

// Who never answers is told sixteen times in 24 h 4 min.
func TestSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, err := w.face.Open(stage.OpenOrder{OrderNo: "order-0001", Amount: domain.NewMoney(1, domain.CNY), NotifyURL: "http://127.0.0.1:1/"})
	if err != nil {
		t.Fatal(err)
	}
	w.pay(o.ID)
	for w.stage.AttemptCount() == 0 { // the first one starts the schedule
		time.Sleep(time.Millisecond)
	}
	if err := w.stage.Advance(25 * time.Hour); err != nil {
		t.Fatal(err)
	}
	w.settle()
	got := w.face.Orders(stage.OrderFilter{ID: o.ID})[0]
	if got.Attempts != 16 || got.Accepted || got.Trouble == "" {
		t.Errorf("%+v", got)
	}
}
