package epay

import (
	"maps"
	"net/url"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

func goodOrder() providers.Order {
	return providers.Order{
		OrderNo: "20160806151343349", Amount: domain.NewMoney(100, domain.CNY), Subject: "VIP会员", Method: "alipay",
		NotifyURL: "http://www.pay.com/notify_url.php", ReturnURL: "http://www.pay.com/return_url.php", At: testNow,
	}
}

// TestFormPublished signs the published order form.
func TestFormPublished(t *testing.T) {
	t.Parallel()
	form, err := newChannel(t, configV1()).Form(goodOrder())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"pid": "1001", "type": "alipay", "out_trade_no": "20160806151343349", "money": "1.00", "name": "VIP会员",
		"notify_url": "http://www.pay.com/notify_url.php", "return_url": "http://www.pay.com/return_url.php",
		"sign": "427724b6656aa612cfdbe7a2262036a3", "sign_type": "MD5",
	}
	if !maps.Equal(form.Fields, want) {
		t.Errorf("fields %v, want %v", form.Fields, want)
	}
	if form.Action != "https://pay.example.com/epay/submit.php" || form.Method != "POST" {
		t.Errorf("%s %s", form.Method, form.Action)
	}
	checkFormURL(t, form)
}

func checkFormURL(t *testing.T, form providers.Form) {
	t.Helper()
	u, err := url.Parse(form.URL)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, values := range u.Query() {
		got[name] = strings.Join(values, "|")
	}
	if !maps.Equal(got, form.Fields) || !strings.HasPrefix(form.URL, form.Action+"?") {
		t.Errorf("URL %s does not say what the fields say", form.URL)
	}
}

func TestFormV2(t *testing.T) {
	t.Parallel()
	o := goodOrder()
	o.Method = ""
	form, err := newChannel(t, configV2()).Form(o)
	if err != nil {
		t.Fatal(err)
	}
	var fields Params
	for name, value := range form.Fields {
		fields = append(fields, Param{name, value})
	}
	if !VerifyRSA(Text(fields), form.Fields["sign"], &testKey().PublicKey) {
		t.Error("the signature does not hold")
	}
	if form.Action != "https://pay.example.com/api/pay/submit" || form.Fields["timestamp"] != "1795324770" || form.Fields["sign_type"] != "RSA" {
		t.Errorf("%s %v", form.Action, form.Fields)
	}
	for _, absent := range []string{"type", "clientip"} {
		if _, ok := form.Fields[absent]; ok {
			t.Errorf("an empty %s is sent", absent)
		}
	}
	checkFormURL(t, form)
}

// TestFormRefuses has each value that could be cut out of the signed text.
func TestFormRefuses(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	tests := []struct {
		field  string
		change func(*providers.Order)
	}{
		{"subject", func(o *providers.Order) { o.Subject = "" }},
		{"subject", func(o *providers.Order) { o.Subject = "  " }},
		{"subject", func(o *providers.Order) { o.Subject = "x&out_trade_no=VICTIM&pax=1" }},
		{"subject", func(o *providers.Order) { o.Subject = "AT&T" }},
		{"subject", func(o *providers.Order) { o.Subject = "a\x00b" }},
		{"subject", func(o *providers.Order) { o.Subject = "a\xffb" }},
		{"subject", func(o *providers.Order) { o.Subject = strings.Repeat("x", 70) + "&a=1" }},
		{"return_url", func(o *providers.Order) {
			o.ReturnURL = "https://evil.example/?a=1&trade_no=T1&trade_status=TRADE_SUCCESS"
		}},
		{"return_url", func(o *providers.Order) { o.ReturnURL = "https://x.example/&a=1" }},
		{"return_url", func(o *providers.Order) { o.ReturnURL = "" }},
		{"return_url", func(o *providers.Order) { o.ReturnURL = "//x.example/" }},
		{"return_url", func(o *providers.Order) { o.ReturnURL = "javascript:alert(1)" }},
		{"return_url", func(o *providers.Order) { o.ReturnURL = "https://u:p@x.example/" }},
		{"return_url", func(o *providers.Order) { o.ReturnURL = "https://x.example/#a" }},
		{"return_url", func(o *providers.Order) { o.ReturnURL = "https://x.example/" + strings.Repeat("a", 1000) }},
		{"notify_url", func(o *providers.Order) { o.NotifyURL = "" }},
		{"notify_url", func(o *providers.Order) { o.NotifyURL = "https://x.example/n?token=1" }},
		{"notify_url", func(o *providers.Order) { o.NotifyURL = "https://x.example/n?" }},
		{"method", func(o *providers.Order) { o.Method = "alipay&trade_no=1" }},
		{"method", func(o *providers.Order) { o.Method = "a b" }},
		{"order_no", func(o *providers.Order) { o.OrderNo = "" }},
		{"order_no", func(o *providers.Order) { o.OrderNo = "a&b=1" }},
		{"order_no", func(o *providers.Order) { o.OrderNo = "a=b" }},
		{"order_no", func(o *providers.Order) { o.OrderNo = "a%20" }},
		{"order_no", func(o *providers.Order) { o.OrderNo = "a b" }},
		{"amount", func(o *providers.Order) { o.Amount = domain.Money{} }},
		{"amount", func(o *providers.Order) { o.Amount = domain.NewMoney(0, domain.CNY) }},
		{"amount", func(o *providers.Order) { o.Amount = domain.NewMoney(-100, domain.CNY) }},
		{"amount", func(o *providers.Order) { o.Amount = domain.NewMoney(100, domain.USD) }},
	}
	for _, tt := range tests {
		o := goodOrder()
		tt.change(&o)
		form, err := c.Form(o)
		if domain.FieldOf(err) != tt.field || form.URL != "" {
			t.Errorf("want %s refused in %+v, got %v", tt.field, o, err)
		}
	}
}

func TestFormMoney(t *testing.T) {
	t.Parallel()
	cfg := configV1()
	cfg.Currency = domain.USDT
	c := newChannel(t, cfg)
	o := goodOrder()
	o.Amount = domain.NewMoney(7_300_000, domain.USDT)
	form, err := c.Form(o)
	if err != nil || form.Fields["money"] != "7.30" {
		t.Errorf("money %q, %v", form.Fields["money"], err)
	}
	o.Amount = domain.NewMoney(7_300_001, domain.USDT)
	if _, err := c.Form(o); domain.FieldOf(err) != "amount" {
		t.Errorf("a part below two places is signed: %v", err)
	}
}

func TestFormCutsTheName(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	for subject, want := range map[string]string{
		strings.Repeat("a", 64):        strings.Repeat("a", 64),
		strings.Repeat("a", 65):        strings.Repeat("a", 64),
		strings.Repeat("中", 42):        strings.Repeat("中", 42), // 126 bytes
		strings.Repeat("中", 43):        strings.Repeat("中", 42), // 129 bytes
		strings.Repeat("中", 42) + "ab": strings.Repeat("中", 42) + "a",
		strings.Repeat("é", 80):        strings.Repeat("é", 63),
	} {
		o := goodOrder()
		o.Subject = subject
		form, err := c.Form(o)
		if err != nil || form.Fields["name"] != want {
			t.Errorf("%d bytes are cut to %d, want %d (%v)", len(subject), len(form.Fields["name"]), len(want), err)
		}
	}
}
