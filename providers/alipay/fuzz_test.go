package alipay

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
)

// FuzzRead gives a channel any bytes as a notice, first with the signature that
// they have, then as if theirs were right: signing each of them would leave no
// time for fuzzing. What is taken for signed must be what a plain parser with
// the published rules takes for signed.
func FuzzRead(f *testing.F) {
	f.Add(Encode(notice()))
	f.Add(Encode(signed(notice())))
	f.Add("app_id=" + testApp + "&seller_id=" + testSeller + "&out_trade_no=A1&total_amount=1&trade_status=TRADE_CLOSED&refund_fee=1&gmt_payment=")
	f.Add("app_id=" + testApp + "&seller_id=" + testSeller + "&out_trade_no=%B2%E2&total_amount=&trade_status=x&charset=GBK&subject=a%26b%3D1")
	f.Add("a[]=1&a=1&A=%zz&=;&&")
	c := newChannel(f, testConfig())
	genuine := Encode(signed(notice()))
	f.Fuzz(func(t *testing.T, raw string) {
		got, refusal, err := c.Read(post(raw))
		switch {
		case err == nil && raw != genuine && got.Notices[0].TradeNo != paidNotice().TradeNo:
			t.Fatalf("accepted: %+v", got.Notices)
		case err != nil && (len(got.Notices) > 0 || refusal.Reason == domain.ReasonNone || len(refusal.OrderNo) > 200):
			t.Fatalf("refused as %+v with %+v", refusal, got)
		}
		fields, err := scan(raw, nil)
		if err != nil {
			return
		}
		checkText(t, raw, fields)
		if notices, err := c.notices(fields); err == nil {
			checkNotices(t, notices)
		}
	})
}

// checkText holds our texts against those of a plain parser.
func checkText(t *testing.T, raw string, fields Params) {
	t.Helper()
	// net/url alone takes a ';' for an error.
	values, err := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
	if err != nil {
		t.Fatalf("read what no parser reads: %v", err)
	}
	for _, empties := range []bool{true, false} {
		ours := fields
		if !empties {
			ours = withoutEmpty(fields)
		}
		if got, want := NoticeText(ours), plainText(t, values, empties); got != want {
			t.Fatalf("text %q, want %q", got, want)
		}
	}
}

// plainText is the published rule, written without our scanner.
func plainText(t *testing.T, values url.Values, empties bool) string {
	t.Helper()
	var names, pieces []string
	for name, v := range values {
		if len(v) != 1 {
			t.Fatalf("%s comes %d times", name, len(v))
		}
		if name != "sign" && name != "sign_type" && name != "alipay_cert_sn" && (empties || v[0] != "") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		pieces = append(pieces, name+"="+values.Get(name))
	}
	return strings.Join(pieces, "&")
}

// checkNotices: a payment before its refunds, never paid nothing.
func checkNotices(t *testing.T, notices []domain.Notice) {
	t.Helper()
	if len(notices) == 0 || len(notices) > 2 {
		t.Fatalf("%+v", notices)
	}
	for i, n := range notices {
		refund := n.About == domain.AboutRefund
		if n.Index != i || (refund && i != len(notices)-1) || refund != n.Total || n.Amount.IsNegative() || n.OrderNo == "" {
			t.Fatalf("notice %d: %+v", i, n)
		}
		if (n.Status == domain.StatusPaid || refund) && !n.Amount.IsPositive() {
			t.Fatalf("nothing was moved: %+v", n)
		}
	}
}

// FuzzAnswer gives a channel any bytes as an answer, and as the signed part of
// one.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(paidInner))
	f.Add(200, []byte(vectors(f)["answer"]))
	f.Add(200, []byte(`{"error_response":{"code":"20000"}}`))
	f.Add(500, []byte("<html>"))
	f.Add(200, []byte(`{"code":"10000","trade_status":"TRADE_CLOSED","total_amount":"1","out_trade_no":"20260214100000001","send_pay_date":"x"}`))
	c := newChannel(f, testConfig())
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		members, wrong := strictjson.Object(body)
		for _, method := range []string{methodQuery, methodRefundQuery} {
			about := asked{orderNo: "20260214100000001"}
			if s, err := c.readAnswer(response{status: status, body: body}, method, about); err == nil &&
				(status != 200 || !bytes.Contains(body, []byte(`"sign"`))) {
				t.Fatalf("accepted unsigned: %+v", s)
			}
			if wrong != nil {
				continue
			}
			s, err := c.readOpened(envelopeOf(members, "sha256:x"), method, about)
			if err != nil {
				continue
			}
			for _, n := range s.notices {
				if n.OrderNo != about.orderNo || (n.Status == domain.StatusPaid && !n.Amount.IsPositive()) {
					t.Fatalf("%q is read as %+v", body, n)
				}
			}
		}
	})
}
