package alipay

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// FuzzRead gives a channel any bytes as a notice, first as they are and then
// with the right signature behind them. Whatever is accepted must hold for a
// plain parser with the published rules, too.
func FuzzRead(f *testing.F) {
	f.Add(Encode(notice()))
	f.Add("app_id=" + testApp + "&seller_id=" + testSeller + "&out_trade_no=A1&total_amount=1&trade_status=TRADE_CLOSED&refund_fee=1&gmt_payment=")
	f.Add("app_id=" + testApp + "&seller_id=" + testSeller + "&out_trade_no=%B2%E2&total_amount=&trade_status=x&charset=GBK&subject=a%26b%3D1")
	f.Add("a[]=1&a=1&A=%zz&=;&&")
	c := newChannel(f, testConfig())
	f.Fuzz(func(t *testing.T, raw string) {
		requests := []providers.Request{post(raw)}
		if fields, err := scan(raw, nil); err == nil && fields.Value("sign") == "" && fields.Value("sign_type") == "" {
			sign, err := Sign(NoticeText(fields), platformKey())
			if err != nil {
				t.Fatal(err)
			}
			requests = append(requests, post(raw+"&sign_type=RSA2&sign="+url.QueryEscape(sign)))
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
	// net/url alone takes a ';' for an error.
	values, err := url.ParseQuery(strings.ReplaceAll(string(r.Body), ";", "%3B"))
	if err != nil {
		t.Fatalf("accepted what no parser reads: %v", err)
	}
	if !plainlySigned(values) || values.Get("app_id") != testApp || values.Get("seller_id") != testSeller {
		t.Fatalf("accepted without a signature: %q", r.Body)
	}
	for i, n := range got.Notices {
		if n.Index != i || (n.About == "") != (i == 0 && n.Status != domain.StatusSucceeded) || n.Amount.IsNegative() {
			t.Fatalf("notice %d: %+v", i, n)
		}
		if n.Status == domain.StatusPaid && !n.Amount.IsPositive() {
			t.Fatalf("paid nothing: %+v", n)
		}
	}
	again, err := c.Reverify(got.Evidence)
	if err != nil || !slices.EqualFunc(again, got.Notices, providers.SameContent) {
		t.Fatalf("from its evidence: %+v, %v", again, err)
	}
}

// plainlySigned is the published rule, written without our scanner, with the
// empty values or without them.
func plainlySigned(values url.Values) bool {
	for _, empties := range []bool{true, false} {
		var names, pieces []string
		for name, v := range values {
			if len(v) != 1 {
				return false
			}
			if name != "sign" && name != "sign_type" && name != "alipay_cert_sn" && (empties || v[0] != "") {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			pieces = append(pieces, name+"="+values.Get(name))
		}
		if Verify(strings.Join(pieces, "&"), values.Get("sign"), &platformKey().PublicKey) {
			return true
		}
	}
	return false
}

// FuzzAnswer gives a channel any bytes as an answer, and any signed object.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(paidInner))
	f.Add(200, []byte(vectors(f)["answer"]))
	f.Add(200, []byte(`{"error_response":{"code":"20000"}}`))
	f.Add(500, []byte("<html>"))
	f.Add(200, []byte(`{"code":"10000","trade_status":"TRADE_CLOSED","total_amount":"1","out_trade_no":"20260214100000001","send_pay_date":"x"}`))
	c := newChannel(f, testConfig())
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, method := range []string{methodQuery, methodRefundQuery} {
			about := asked{orderNo: "20260214100000001"}
			if s, err := c.readAnswer(response{status: status, body: body}, method, about); err == nil && !bytes.Contains(body, []byte(`"sign"`)) {
				t.Fatalf("accepted unsigned: %+v", s)
			}
			s, err := c.readAnswer(response{status: status, body: []byte(sealed(method, string(body)))}, method, about)
			if err != nil {
				continue
			}
			for _, n := range s.notices {
				if status != 200 || n.OrderNo != about.orderNo || (n.Status == domain.StatusPaid && !n.Amount.IsPositive()) {
					t.Fatalf("%q is read as %+v", body, n)
				}
			}
		}
	})
}
