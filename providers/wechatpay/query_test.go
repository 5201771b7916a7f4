package wechatpay

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

const (
	askOrder  = "/v3/pay/transactions/out-trade-no/" + orderNo + "?mchid=" + mchID
	askTrade  = "/v3/pay/transactions/id/" + tradeNo + "?mchid=" + mchID
	askRefund = "/v3/refund/domestic/refunds/R" + orderNo
	noOrder   = `{"code":"ORDER_NOT_EXIST","message":"订单不存在"}`
)

func TestQueryPaid(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	g.prepare(askOrder, reply{body: plainPayment(t)})
	got, err := c.Query(t.Context(), question())
	if err != nil || !got.Found || len(got.Also) != 0 {
		t.Fatalf("found %v, also %v, %v", got.Found, got.Also, err)
	}
	want := paid()
	want.Source = domain.SourceQuery
	if !providers.SameContent(got.Notice, want) || got.Notice.Run != "run-1" || got.Notice.Delivery != testDelivery || !got.Notice.ReceivedAt.Equal(testNow) {
		t.Errorf("notice %+v, want %+v", got.Notice, want)
	}
	e := got.Evidence
	if e.Kind != "query" || e.Method != "GET" || e.Target != askOrder || e.Status != 200 || string(e.Body) != plainPayment(t) ||
		e.Scheme != SchemeV3 || e.Grade != domain.GradeA || e.Key != Fingerprint(&platformKeyOnce().PublicKey) {
		t.Errorf("evidence %+v", e)
	}
	again, err := c.Reverify(e)
	if err != nil || len(again) != 1 || !providers.SameContent(again[0], got.Notice) {
		t.Errorf("Reverify = %+v, %v", again, err)
	}
	r, _ := g.last(t)
	if auth := r.Header.Get("Authorization"); !strings.HasPrefix(auth, AuthScheme+` mchid="`+mchID+`"`) || strings.Contains(strings.Join(headerText(e), " "), "serial_no") {
		t.Errorf("Authorization %s, evidence headers %v", auth, e.Headers)
	}
}

func headerText(e domain.Evidence) []string {
	var all []string
	for _, h := range e.Headers {
		all = append(all, h.Name+": "+h.Value)
	}
	return all
}

func TestQueryRefundedOrderWasPaid(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	g.prepare(askTrade, reply{body: plainPayment(t, `"trade_state":"SUCCESS"`, `"trade_state":"REFUND"`)})
	q := question()
	q.TradeNo = tradeNo
	got, err := c.Query(t.Context(), q)
	if err != nil || len(got.Also) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	back := got.Also[0]
	if got.Notice.Status != domain.StatusPaid || got.Notice.Amount.Minor() != 1000 || got.Notice.Index != 0 ||
		back.Status != domain.StatusRefunded || back.Index != 1 || back.Delivery != testDelivery || back.Run != "run-1" {
		t.Errorf("notices %+v, %+v", got.Notice, back)
	}
	again, err := c.Reverify(got.Evidence)
	if err != nil || len(again) != 2 || !providers.SameContent(again[1], back) {
		t.Errorf("Reverify = %+v, %v", again, err)
	}
}

func TestQueryStates(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	for state, want := range map[string]domain.Status{
		"NOTPAY": domain.StatusWaiting, "USERPAYING": domain.StatusWaiting, "ACCEPT": domain.StatusWaiting, "CLOSED": domain.StatusClosed,
		"REVOKED": domain.StatusClosed, "PAYERROR": domain.StatusFailed, "SUCCES": domain.StatusOther, "success": domain.StatusOther,
	} {
		body := plainPayment(t, `"trade_state":"SUCCESS"`, `"trade_state":"`+state+`"`, `"transaction_id":"`+tradeNo+`",`, "")
		g.prepare(askOrder, reply{body: body})
		got, err := c.Query(t.Context(), question())
		if err != nil || got.Notice.Status != want || got.Notice.ProviderStatus != state || len(got.Notice.Doubts) != 0 {
			t.Errorf("%s is read as %+v, %v", state, got.Notice, err)
		}
	}
}

func TestQueryUnknownOrder(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	for _, code := range []string{"ORDER_NOT_EXIST", "ORDERNOTEXIST"} {
		g.prepare(askOrder, reply{status: 404, body: `{"code":"` + code + `"}`})
		got, err := c.Query(t.Context(), question())
		if err != nil || got.Found || got.Evidence.Grade != domain.GradeA || got.Evidence.Status != 404 {
			t.Errorf("%s: %+v, %v", code, got, err)
		}
		if again, err := c.Reverify(got.Evidence); err != nil || len(again) != 0 {
			t.Errorf("Reverify = %+v, %v", again, err)
		}
	}
}

// "Provider did not answer" is never "not paid".
func TestQueryWithoutAUsableAnswer(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	good := plainPayment(t)
	for name, a := range map[string]reply{
		"unsigned":            {body: good, unsigned: true},
		"unsigned not found":  {status: 404, body: noOrder, unsigned: true},
		"a web page":          {body: "<html>502</html>", unsigned: true, header: http.Header{"Content-Type": {"text/html"}}},
		"a signed web page":   {body: "<html></html>"},
		"404 of a proxy":      {status: 404, body: "not found"},
		"429":                 {status: 429, body: `{"code":"FREQUENCY_LIMITED","message":"x"}`},
		"500":                 {status: 500, body: `{"code":"SYSTEM_ERROR","message":"x"}`},
		"503":                 {status: 503, body: "", unsigned: true},
		"302":                 {status: 302, body: "", header: http.Header{"Location": {"/"}}},
		"200 with an error":   {body: `{"code":"SYSTEM_ERROR","message":"x"}`},
		"another order":       {body: plainPayment(t, orderNo, "20260214100000002")},
		"another merchant":    {body: plainPayment(t, mchID, "1900000110")},
		"another app":         {body: plainPayment(t, appID, "wx0")},
		"old signature":       {body: good, age: 301 * time.Second},
		"signature to come":   {body: good, age: -301 * time.Second},
		"encoded":             {body: good, header: http.Header{"Content-Encoding": {"br"}}},
		"too long":            {body: good + strings.Repeat(" ", maxAnswer)},
		"empty":               {body: ""},
		"money twice":         {body: plainPayment(t, `"total":1000`, `"total":1000,"total":1`)},
		"money in two cases":  {body: plainPayment(t, `"total":1000`, `"total":1000,"Total":1`)},
		"a state twice":       {body: plainPayment(t, `"trade_state":"SUCCESS"`, `"trade_state":"NOTPAY","trade_state":"SUCCESS"`)},
		"an exponent":         {body: plainPayment(t, `"total":1000`, `"total":1e3`)},
		"a fraction":          {body: plainPayment(t, `"total":1000`, `"total":10.005`)},
		"below zero":          {body: plainPayment(t, `"total":1000`, `"total":-1`)},
		"money as text":       {body: plainPayment(t, `"total":1000`, `"total":"1000"`)},
		"something behind it": {body: good + "{}"},
	} {
		g.prepare(askOrder, a)
		got, err := c.Query(t.Context(), question())
		if err == nil || domain.KindOf(err) != domain.KindUnavailable {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	g.prepare(askOrder, reply{status: 401, body: `{"code":"SIGN_ERROR","message":"签名错误"}`})
	_, err := c.Query(t.Context(), question())
	wantKind(t, err, domain.KindDenied)
	_, err = c.Query(t.Context(), providers.Question{})
	wantKind(t, err, domain.KindInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Query(ctx, question())
	wantKind(t, err, domain.KindUnavailable)
}

const refundAnswer = `{"refund_id":"50300001232026021412345678901","out_refund_no":"R20260214100000001","transaction_id":"4200001234202602141234567890","out_trade_no":"20260214100000001","channel":"ORIGINAL","user_received_account":"支付用户零钱","success_time":"2026-02-14T11:00:00+08:00","create_time":"2026-02-14T10:59:58+08:00","status":"SUCCESS","funds_account":"AVAILABLE","amount":{"total":1000,"refund":400,"payer_total":1000,"payer_refund":400,"settlement_refund":400,"settlement_total":1000,"discount_refund":0,"currency":"CNY"}}`

func TestQueryRefund(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	g.prepare(askRefund, reply{body: refundAnswer})
	q := question()
	q.TradeNo, q.RefundNo, q.RefundID = tradeNo, "R"+orderNo, "50300001232026021412345678901"
	got, err := c.Query(t.Context(), q)
	want := refunded()
	want.Source = domain.SourceQuery
	if err != nil || !got.Found || !providers.SameContent(got.Notice, want) || got.Notice.RefundID != want.RefundID || got.Notice.About != domain.AboutRefund {
		t.Fatalf("%+v, %v\nwant %+v", got.Notice, err, want)
	}
	if again, err := c.Reverify(got.Evidence); err != nil || len(again) != 1 || again[0].RefundID != want.RefundID {
		t.Errorf("Reverify = %+v, %v", again, err)
	}
	for state, status := range map[string]domain.Status{
		"PROCESSING": domain.StatusWaiting, "CLOSED": domain.StatusFailed, "ABNORMAL": domain.StatusOther,
	} {
		g.prepare(askRefund, reply{body: strings.Replace(refundAnswer, `"status":"SUCCESS"`, `"status":"`+state+`"`, 1)})
		if got, err := c.Query(t.Context(), q); err != nil || got.Notice.Status != status {
			t.Errorf("%s is read as %+v, %v", state, got.Notice, err)
		}
	}
	g.prepare(askRefund, reply{status: 404, body: `{"code":"RESOURCE_NOT_EXISTS","message":"x"}`})
	if got, err := c.Query(t.Context(), q); err != nil || got.Found {
		t.Errorf("unknown refund: %+v, %v", got, err)
	}
	q.RefundID = "5"
	g.prepare(askRefund, reply{body: refundAnswer})
	_, err = c.Query(t.Context(), q)
	wantKind(t, err, domain.KindUnavailable)
	q.RefundNo = ""
	_, err = c.Query(t.Context(), q)
	wantKind(t, err, domain.KindInvalid)
}

func TestQueryAsPartner(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	cfg := configV3()
	cfg.SubMchID = "1900000200"
	c := g.channel(t, cfg)
	body := plainPayment(t, `"mchid":"1900000109","appid":"`+appID+`"`,
		`"sp_mchid":"1900000109","sp_appid":"`+appID+`","sub_mchid":"1900000200","sub_appid":"wx1"`)
	target := "/v3/pay/partner/transactions/out-trade-no/" + orderNo + "?sp_mchid=" + mchID + "&sub_mchid=1900000200"
	g.prepare(target, reply{body: body})
	got, err := c.Query(t.Context(), question())
	if err != nil || got.Notice.Amount.Minor() != 1000 {
		t.Fatalf("%+v, %v", got, err)
	}
	if again, err := c.Reverify(got.Evidence); err != nil || len(again) != 1 {
		t.Errorf("Reverify = %+v, %v", again, err)
	}
	g.prepare(target, reply{body: strings.Replace(body, "1900000200", "1900000201", 1)})
	_, err = c.Query(t.Context(), question())
	wantKind(t, err, domain.KindUnavailable)
}

func TestQueryWantsAnswersSignedWithThePublicKey(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	cfg := configV3()
	cfg.PlatformKeys = append(cfg.PlatformKeys, PlatformKey{ID: publicKeyID, PEM: publicPEM(strangerKey())})
	c := g.channel(t, cfg)
	g.prepare(askOrder, reply{body: plainPayment(t)})
	if _, err := c.Query(t.Context(), question()); err != nil {
		t.Error(err) // it may still sign with the certificate
	}
	if r, _ := g.last(t); r.Header.Get(HeaderSerial) != publicKeyID {
		t.Errorf("%s: %s", HeaderSerial, r.Header.Get(HeaderSerial))
	}
}

func TestCloseOrder(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	const target = "/v3/pay/transactions/out-trade-no/" + orderNo + "/close"
	g.prepare(target, reply{status: 204})
	if err := c.CloseOrder(t.Context(), orderNo); err != nil {
		t.Error(err)
	}
	if r, body := g.last(t); r.Method != "POST" || body != `{"mchid":"1900000109"}` {
		t.Errorf("%s %s", r.Method, body)
	}
	g.prepare(target, reply{status: 400, body: `{"code":"ORDER_CLOSED"}`})
	if err := c.CloseOrder(t.Context(), orderNo); err != nil {
		t.Error(err)
	}
	for kind, a := range map[domain.Kind]reply{
		domain.KindConflict:    {status: 400, body: `{"code":"ORDER_PAID"}`},
		domain.KindNotFound:    {status: 404, body: noOrder},
		domain.KindUnavailable: {status: 204, unsigned: true},
		domain.KindDenied:      {status: 401, body: `{"code":"SIGN_ERROR"}`},
	} {
		g.prepare(target, a)
		wantKind(t, c.CloseOrder(t.Context(), orderNo), kind)
	}
}
