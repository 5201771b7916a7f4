package alipay

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"
)

func TestForm(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	for method, want := range map[string][2]string{
		"":         {"alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"},
		MethodPage: {"alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"},
		MethodWap:  {"alipay.trade.wap.pay", "QUICK_WAP_WAY"},
	} {
		o := goodOrder()
		o.Method = method
		form, err := c.Form(o)
		if err != nil {
			t.Fatal(err)
		}
		if form.Action != "https://openapi.example.com/gateway.do?charset=utf-8" || form.Method != "POST" {
			t.Errorf("form %+v", form)
		}
		checkForm(t, form, want)
	}
}

// checkForm reads a form as the gateway does: its fields with the address's.
func checkForm(t *testing.T, form providers.Form, want [2]string) {
	t.Helper()
	fields := Params{{"charset", "utf-8"}}
	for name, value := range form.Fields {
		fields = append(fields, Param{name, value})
	}
	if !Verify(RequestText(fields), fields.Value("sign"), &merchantKey().PublicKey) {
		t.Error("the signature does not hold")
	}
	if fields.Value("method") != want[0] || fields.Value("timestamp") != "2026-02-14 10:01:00" ||
		fields.Value("notify_url") != goodOrder().NotifyURL || fields.Value("return_url") != goodOrder().ReturnURL {
		t.Errorf("fields %v", fields)
	}
	content, err := strictjson.Object([]byte(fields.Value("biz_content")))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"out_trade_no": "20260214100000001", "total_amount": "10.00", "subject": "测试商品+1", "product_code": want[1],
	} {
		if got, _ := content.String(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	_, query, _ := strings.Cut(form.URL, "?")
	values, err := url.ParseQuery(query)
	if err != nil || len(values) != len(fields) {
		t.Fatalf("address %s: %v", form.URL, err)
	}
	for _, f := range fields {
		if got := values[f.Name]; len(got) != 1 || got[0] != f.Value {
			t.Errorf("address has %s = %q, want %q", f.Name, got, f.Value)
		}
	}
}

func TestFormNamesTheWrongField(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	for _, tt := range []struct {
		field  string
		change func(*providers.Order)
	}{
		{"order_no", func(o *providers.Order) { o.OrderNo = "" }},
		{"order_no", func(o *providers.Order) { o.OrderNo = "a-b" }},
		{"order_no", func(o *providers.Order) { o.OrderNo = "a&b" }},
		{"order_no", func(o *providers.Order) { o.OrderNo = domain.OrderNo(strings.Repeat("a", 65)) }},
		{"subject", func(o *providers.Order) { o.Subject = " " }},
		{"subject", func(o *providers.Order) { o.Subject = "a&b" }},
		{"subject", func(o *providers.Order) { o.Subject = "a\nb" }},
		{"subject", func(o *providers.Order) { o.Subject = "\xff" }},
		{"subject", func(o *providers.Order) { o.Subject = strings.Repeat("中", 257) }},
		{"amount", func(o *providers.Order) { o.Amount = yuan(0) }},
		{"amount", func(o *providers.Order) { o.Amount = yuan(-1) }},
		{"amount", func(o *providers.Order) { o.Amount = yuan(100_000_000_01) }},
		{"amount", func(o *providers.Order) { o.Amount = domain.NewMoney(1, domain.USD) }},
		{"method", func(o *providers.Order) { o.Method = "qr" }},
		{"notify_url", func(o *providers.Order) { o.NotifyURL = "" }},
		{"notify_url", func(o *providers.Order) { o.NotifyURL = "https://a.example/?b=1" }},
		{"notify_url", func(o *providers.Order) { o.NotifyURL = "ftp://a.example/" }},
		{"return_url", func(o *providers.Order) { o.ReturnURL = "/thanks" }},
		{"return_url", func(o *providers.Order) { o.ReturnURL = "https://u:p@a.example/" }},
	} {
		o := goodOrder()
		tt.change(&o)
		if _, err := c.Form(o); domain.FieldOf(err) != tt.field {
			t.Errorf("%+v: want %s named, got %v", o, tt.field, err)
		}
	}
	o := goodOrder()
	o.At, o.ReturnURL = time.Time{}, ""
	form, err := c.Form(o)
	if err != nil || form.Fields["timestamp"] != "2026-02-14 10:01:00" {
		t.Errorf("by the clock: %v, %v", form.Fields, err)
	}
	if _, has := form.Fields["return_url"]; has {
		t.Error("an empty return_url is sent")
	}
}
