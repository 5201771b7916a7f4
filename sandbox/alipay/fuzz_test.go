package alipay

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	wire "counterfoil/providers/alipay"
	"counterfoil/sandbox/stage"
)

// FuzzGateway asks the gateway anything, with the signature that it has and, so
// that something lies behind it, with a right one: it always answers.
func FuzzGateway(f *testing.F) {
	s, err := stage.New(stage.Config{Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	face, err := New(s, Config{BaseURL: "http://box.example/alipay", Merchants: []Merchant{{AppID: appID, NotifyURL: "http://shop.example/notify"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("alipay.trade.query", `{"out_trade_no":"A1"}`, "a=1&b=%zz")
	f.Add("alipay.trade.page.pay", `{"out_trade_no":"A1","total_amount":"1e3","subject":"x"}`, "")
	f.Add("alipay.trade.refund", `{"out_trade_no":"A1","refund_amount":"0.01","out_request_no":"R"}`, "app_id="+appID)
	f.Add("alipay.data.dataservice.bill.downloadurl.query", `{"bill_type":"trade","bill_date":"2026-02-30"}`, "\x00")
	f.Fuzz(func(t *testing.T, method, content, raw string) {
		p := wire.Params{
			{Name: "app_id", Value: appID},
			{Name: "method", Value: method},
			{Name: "charset", Value: "utf-8"},
			{Name: "sign_type", Value: "RSA2"},
			{Name: "timestamp", Value: "2026-02-14 10:00:00"},
			{Name: "version", Value: "1.0"},
			{Name: "biz_content", Value: content},
		}
		sign, err := wire.Sign(wire.RequestText(p), face.list[0].app)
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []string{raw, wire.Encode(p.With("sign", sign))} {
			w := httptest.NewRecorder()
			face.Routes().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/gateway.do", strings.NewReader(body)))
			if w.Code >= http.StatusInternalServerError || (w.Body.Len() == 0 && w.Code != http.StatusFound) {
				t.Fatalf("%q: %d %q", body, w.Code, w.Body)
			}
		}
	})
}
