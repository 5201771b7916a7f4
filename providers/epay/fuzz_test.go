package epay

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// FuzzRead gives a channel any bytes, as a query and as a body, first as they
// are and then with the right signature behind them. Whatever is accepted must
// hold for a plain parser with the published rules, too.
func FuzzRead(f *testing.F) {
	f.Add("pid=1001&trade_no=T1&out_trade_no=A1&type=alipay&name=VIP%E4%BC%9A%E5%91%98&money=1&trade_status=TRADE_SUCCESS")
	f.Add("pid=1001&out_trade_no=A1&money=7.3000&trade_status=TRADE_CLOSED&name=a%26b%3D1&sign_type=MD5")
	f.Add("pid=1001&out_trade_no=A1&money=1&trade_status=x&param=+&endtime=2024-07-17+16%3A49%3A24&sign=0")
	f.Add("a[]=1&a=1&A=%zz&=;&&")
	for _, v := range md5Vectors {
		f.Add(v.text + "&sign=" + v.sign)
	}
	c := newChannel(f, configV1())
	f.Fuzz(func(t *testing.T, raw string) {
		requests := []providers.Request{getRaw(raw), post(raw)}
		if fields, err := scan(raw, nil); err == nil {
			if _, signed := fields.Lookup("sign"); !signed {
				signed := raw + "&sign=" + SignMD5(Text(fields), sampleKey)
				requests = append(requests, getRaw(signed), post(signed))
			}
		}
		for _, r := range requests {
			checkFuzzed(t, c, r)
		}
	})
}

func checkFuzzed(t *testing.T, c *Channel, r providers.Request) {
	t.Helper()
	got, refusal, err := c.Read(r)
	if err != nil {
		if len(got.Notices) > 0 || refusal.Reason == domain.ReasonNone || len(refusal.OrderNo) > 200 {
			t.Fatalf("refused as %+v with %+v", refusal, got)
		}
		return
	}
	_, raw, _ := strings.Cut(r.Target, "?")
	// net/url alone takes a ';' for an error.
	values, err := url.ParseQuery(strings.ReplaceAll(raw+string(r.Body), ";", "%3B"))
	if err != nil {
		t.Fatalf("accepted what no parser reads: %v", err)
	}
	n := got.Notices[0]
	if !slices.Contains(n.Doubts, domain.DoubtLooseText) && !plainlySigned(values) {
		t.Fatalf("accepted without a signature: %q", raw)
	}
	if values.Get("pid") != "1001" || n.OrderNo != values.Get("out_trade_no") || n.ProviderStatus != values.Get("trade_status") {
		t.Fatalf("read %+v from %q", n, raw)
	}
	if (n.Status == domain.StatusPaid) != (n.ProviderStatus == "TRADE_SUCCESS") {
		t.Fatalf("status %s from %q", n.Status, n.ProviderStatus)
	}
	again, err := c.Reverify(got.Evidence)
	if err != nil || len(again) != 1 || !providers.SameContent(again[0], n) {
		t.Fatalf("from its evidence: %+v, %v", again, err)
	}
}

// plainlySigned is the published rule, written without our scanner.
func plainlySigned(values url.Values) bool {
	var pieces []string
	for name, v := range values {
		if name != "sign" && name != "sign_type" && v[0] != "" {
			pieces = append(pieces, name+"="+v[0])
		}
		if len(v) != 1 {
			return false
		}
	}
	// Sorted as a whole they could differ from sorted by name: '=' is behind
	// some bytes of names.
	slices.SortFunc(pieces, func(a, b string) int {
		x, _, _ := strings.Cut(a, "=")
		y, _, _ := strings.Cut(b, "=")
		return strings.Compare(x, y)
	})
	return strings.EqualFold(SignMD5(strings.Join(pieces, "&"), sampleKey), values.Get("sign"))
}

// FuzzQueryReply gives a channel any bytes as a gateway's answer.
func FuzzQueryReply(f *testing.F) {
	f.Add(200, []byte(paidRow))
	f.Add(404, []byte(`{"code":-1,"msg":"x"}`))
	f.Add(200, []byte(`{"code":1,"pid":1001,"out_trade_no":"20160806151343349","status":0,"money":1,"endtime":null,"x":[{}]}`))
	f.Add(500, []byte("<html>"))
	f.Add(200, []byte(`{"code":0,"sign":"","sign_type":"RSA"}`))
	v1, v2 := newChannel(f, configV1()), newChannel(f, configV2())
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		about := asked{orderNo: order}
		if v, err := v2.readAnswer(response{status: status, body: body}, about); err == nil && v.found {
			t.Fatalf("V2 accepts %q", body)
		}
		v, err := v1.readAnswer(response{status: status, body: body}, about)
		if err != nil || !v.found {
			return
		}
		n := v.notice
		if status != 200 || n.OrderNo != order || n.Amount.Currency() != domain.CNY || v.grade != domain.GradeC ||
			(n.Status == domain.StatusPaid) != (n.ProviderStatus == "1") || (n.Status == domain.StatusPaid && !n.Amount.IsPositive()) {
			t.Fatalf("%q is read as %+v", body, n)
		}
	})
}

// FuzzSignedReply gives a V2 channel any texts in an answer that the gateway
// signed rightly.
func FuzzSignedReply(f *testing.F) {
	f.Add("1", "1.00", "", "2016080615134334902")
	f.Add("2", "1.00", "0.30", "2016080615134334902")
	f.Add("2", "1e2", "NaN", "")
	f.Add("3", "0.00", "-1", "\u0661")
	c := newChannel(f, gatewayV2())
	f.Fuzz(func(t *testing.T, status, money, back, tradeNo string) {
		members := map[string]string{
			"code": "0", "pid": "1001", "out_trade_no": order, "status": status, "money": money, "refundmoney": back, "trade_no": tradeNo,
		}
		var p Params
		for name, value := range members {
			p = append(p, Param{name, value})
		}
		sign, err := SignRSA(Text(p), testKey())
		if err != nil {
			t.Fatal(err)
		}
		members["sign"] = sign
		body, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		v, err := c.readAnswer(response{status: 200, body: body}, asked{orderNo: order})
		if err != nil {
			return
		}
		n := v.notice
		if n.Status == domain.StatusPaid && (!n.Amount.IsPositive() || (n.ProviderStatus != "1" && n.ProviderStatus != "2")) {
			t.Fatalf("%s is read as %+v", body, n)
		}
		for _, a := range v.also {
			if n.Status != domain.StatusPaid || !a.Total || !a.Amount.IsPositive() || a.Amount.Minor() > n.Amount.Minor() || a.TradeNo != n.TradeNo {
				t.Fatalf("%s is read as %+v and %+v", body, n, a)
			}
		}
	})
}
