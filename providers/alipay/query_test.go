package alipay

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// gateway plays Alipay: it checks each question's signature and answers what
// the test says.
type gateway struct {
	t       *testing.T
	url     string
	answer  func(method, content string) string // whole body; see sealed
	status  int
	methods []string
	content []string
	file    func(http.ResponseWriter, *http.Request) // the download
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, status: http.StatusOK}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/file" {
		g.file(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.t.Error(err)
	}
	fields, err := scan(r.URL.RawQuery+"&"+string(body), nil)
	if err != nil || r.URL.RequestURI() != "/gateway.do?charset=utf-8" || r.Method != http.MethodPost {
		g.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	if !Verify(RequestText(fields), fields.Value("sign"), &merchantKey().PublicKey) || fields.Value("app_id") != testApp ||
		fields.Value("timestamp") != "2026-02-14 10:01:00" {
		g.t.Errorf("the question is not rightly signed: %v", fields)
	}
	g.methods = append(g.methods, fields.Value("method"))
	g.content = append(g.content, fields.Value("biz_content"))
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.WriteHeader(g.status)
	io.WriteString(w, g.answer(fields.Value("method"), fields.Value("biz_content")))
}

func (g *gateway) channel() *Channel {
	cfg := testConfig()
	cfg.Gateway, cfg.AllowPlainHTTP = g.url+"/gateway.do", true
	return newChannel(g.t, cfg)
}

// sealed is a signed answer to a method.
func sealed(method, inner string) string {
	sign, err := Sign(inner, platformKey())
	if err != nil {
		panic(err)
	}
	return `{"` + answerName(method) + `":` + inner + `,"sign":"` + sign + `"}`
}

func always(inner string) func(string, string) string {
	return func(method, _ string) string { return sealed(method, inner) }
}

const paidInner = `{"code":"10000","msg":"Success","buyer_logon_id":"159****5620","out_trade_no":"20260214100000001",` +
	`"send_pay_date":"2026-02-14 10:00:05","total_amount":"10.00","trade_no":"2026021422001473037000123456","trade_status":"TRADE_SUCCESS"}`

func question() providers.Question {
	return providers.Question{OrderNo: "20260214100000001", Delivery: testDelivery, Run: "run-1"}
}

// queried is what a query says about a paid order.
func queried(change func(*domain.Notice)) domain.Notice {
	n := paidNotice()
	n.Source = domain.SourceQuery
	if change != nil {
		change(&n)
	}
	return n
}

func TestQuery(t *testing.T) {
	t.Parallel()
	word := func(from, to string) string { return strings.ReplaceAll(paidInner, from, to) }
	closed := word("TRADE_SUCCESS", "TRADE_CLOSED")
	unpaid := strings.Replace(closed, `"send_pay_date":"2026-02-14 10:00:05",`, "", 1)
	refund := queried(func(n *domain.Notice) {
		n.About, n.Index, n.Status, n.ProviderStatus, n.Total, n.OccurredAt = domain.AboutRefund, 1, domain.StatusSucceeded, "TRADE_CLOSED", true, time.Time{}
	})
	for name, tt := range map[string]struct {
		inner string
		want  []domain.Notice
	}{
		"paid":     {paidInner, []domain.Notice{queried(nil)}},
		"spaced":   {strings.ReplaceAll(paidInner, ",", " ,\n "), []domain.Notice{queried(nil)}},
		"finished": {word("TRADE_SUCCESS", "TRADE_FINISHED"), []domain.Notice{queried(func(n *domain.Notice) { n.ProviderStatus = "TRADE_FINISHED" })}},
		"more":     {word(`05","total`, `05","x":"é","total`), []domain.Notice{queried(nil)}},
		"waiting": {strings.Replace(word("TRADE_SUCCESS", "WAIT_BUYER_PAY"), `"send_pay_date":"2026-02-14 10:00:05",`, "", 1), []domain.Notice{
			queried(func(n *domain.Notice) {
				n.Status, n.ProviderStatus, n.OccurredAt = domain.StatusWaiting, "WAIT_BUYER_PAY", time.Time{}
			}),
		}},
		"closed": {unpaid, []domain.Notice{queried(func(n *domain.Notice) {
			n.Status, n.ProviderStatus, n.OccurredAt = domain.StatusClosed, "TRADE_CLOSED", time.Time{}
		})}},
		"refunded": {closed, []domain.Notice{queried(func(n *domain.Notice) { n.ProviderStatus = "TRADE_CLOSED" }), refund}},
		"strange": {word("TRADE_SUCCESS", "TRADE_NEW"), []domain.Notice{queried(func(n *domain.Notice) {
			n.Status, n.ProviderStatus, n.OccurredAt = domain.StatusOther, "TRADE_NEW", time.Time{}
		})}},
		"unknown": {`{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST","sub_msg":"交易不存在","out_trade_no":"20260214100000001","total_amount":"0.00"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t)
			g.answer = always(tt.inner)
			c := g.channel()
			a, err := c.Query(context.Background(), question())
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, c, a, tt.want)
			if g.content[0] != `{"out_trade_no":"20260214100000001"}` || g.methods[0] != "alipay.trade.query" {
				t.Errorf("asked %s %s", g.methods[0], g.content[0])
			}
		})
	}
}

// checkAnswer holds an answer, and what its evidence yields again, against
// notices.
func checkAnswer(t *testing.T, c *Channel, a providers.Answer, want []domain.Notice) {
	t.Helper()
	var got []domain.Notice
	if a.Found {
		got = append([]domain.Notice{a.Notice}, a.Also...)
	}
	again, err := c.Reverify(a.Evidence)
	if err != nil {
		t.Errorf("from the evidence: %v", err)
	}
	for name, notices := range map[string][]domain.Notice{"answer": got, "evidence": again} {
		if len(notices) != len(want) {
			t.Fatalf("%s: %+v, want %+v", name, notices, want)
		}
		for i := range want {
			if !providers.SameContent(notices[i], want[i]) {
				t.Errorf("%s: %+v, want %+v", name, notices[i], want[i])
			}
		}
	}
	for _, n := range got {
		if n.Delivery != testDelivery || n.Run != "run-1" || !n.ReceivedAt.Equal(testNow) {
			t.Errorf("not of this question: %+v", n)
		}
	}
	if a.Evidence.Grade != domain.GradeA || a.Evidence.Scheme != SchemeRSA2 || a.Evidence.Kind != kindQuery {
		t.Errorf("evidence %+v", a.Evidence)
	}
}

func TestQueryByTradeNo(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.answer = always(paidInner)
	q := question()
	q.TradeNo = "2026021422001473037000123456"
	if a, err := g.channel().Query(context.Background(), q); err != nil || !a.Found {
		t.Fatalf("%+v, %v", a, err)
	}
	if g.content[0] != `{"trade_no":"2026021422001473037000123456"}` {
		t.Errorf("asked %s", g.content[0])
	}
	q.OrderNo = "another"
	if _, err := g.channel().Query(context.Background(), q); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("an answer about another order: %v", err)
	}
	if _, err := g.channel().Query(context.Background(), providers.Question{}); domain.FieldOf(err) != "order_no" {
		t.Errorf("a question about nothing: %v", err)
	}
}

func TestQueryRefund(t *testing.T) {
	t.Parallel()
	const done = `{"code":"10000","msg":"Success","out_request_no":"R1","out_trade_no":"20260214100000001","refund_amount":"4.00",` +
		`"refund_status":"REFUND_SUCCESS","gmt_refund_pay":"2026-02-14 11:00:00","total_amount":"10.00","trade_no":"2026021422001473037000123456"}`
	refund := queried(func(n *domain.Notice) {
		n.About, n.Status, n.ProviderStatus, n.Amount = domain.AboutRefund, domain.StatusSucceeded, "REFUND_SUCCESS", yuan(400)
		n.RefundID, n.RefundNo, n.OccurredAt = "R1", "R1", parseTime("2026-02-14 11:00:00")
	})
	status := func(word string, s domain.Status) []domain.Notice {
		n := refund
		n.ProviderStatus, n.Status = word, s
		return []domain.Notice{n}
	}
	for name, tt := range map[string]struct {
		inner string
		want  []domain.Notice
	}{
		"done":       {done, []domain.Notice{refund}},
		"not yet":    {`{"code":"10000","msg":"Success"}`, nil},
		"no order":   {`{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST"}`, nil},
		"processing": {strings.Replace(done, "REFUND_SUCCESS", "REFUND_PROCESSING", 1), status("REFUND_PROCESSING", domain.StatusWaiting)},
		"failed":     {strings.Replace(done, "REFUND_SUCCESS", "REFUND_FAIL", 1), status("REFUND_FAIL", domain.StatusFailed)},
		"strange":    {strings.Replace(done, "REFUND_SUCCESS", "X", 1), status("X", domain.StatusOther)},
	} {
		g := newGateway(t)
		g.answer = always(tt.inner)
		c := g.channel()
		q := question()
		q.RefundNo = "R1"
		a, err := c.Query(context.Background(), q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkAnswer(t, c, a, tt.want)
		if g.methods[0] != "alipay.trade.fastpay.refund.query" ||
			g.content[0] != `{"out_trade_no":"20260214100000001","out_request_no":"R1","query_options":["gmt_refund_pay"]}` {
			t.Errorf("%s: asked %s %s", name, g.methods[0], g.content[0])
		}
		q.RefundNo, q.RefundID = "", "R2"
		if _, err := c.Query(context.Background(), q); (err == nil) != (len(tt.want) == 0) {
			t.Errorf("%s: an answer about another refund: %v", name, err)
		}
	}
}

// TestQueryUnusable: what cannot be trusted is as if no answer had come.
func TestQueryUnusable(t *testing.T) {
	t.Parallel()
	unsigned := func(body string) func(string, string) string { return func(string, string) string { return body } }
	plain := `{"alipay_trade_query_response":` + paidInner
	signedPaid := sealed(methodQuery, paidInner)
	for name, tt := range map[string]struct {
		answer func(string, string) string
		status int
		want   domain.Kind
	}{
		"busy":              {answer: always(`{"code":"20000","msg":"Service Currently Unavailable","sub_code":"isp.unknow-error"}`), want: domain.KindUnavailable},
		"system error":      {answer: always(`{"code":"40004","msg":"Business Failed","sub_code":"ACQ.SYSTEM_ERROR"}`), want: domain.KindUnavailable},
		"limited":           {answer: always(`{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.app-call-limited"}`), want: domain.KindUnavailable},
		"no permission":     {answer: always(`{"code":"40006","msg":"Insufficient Permissions"}`), want: domain.KindDenied},
		"wrong app":         {answer: always(`{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-app-id"}`), want: domain.KindDenied},
		"wrong signature":   {answer: always(`{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-signature"}`), want: domain.KindDenied},
		"missing parameter": {answer: always(`{"code":"40001","msg":"Missing Required Arguments"}`), want: domain.KindInvalid},
		"no code":           {answer: always(`{"msg":"Success"}`), want: domain.KindUnavailable},
		"error_response":    {answer: unsigned(`{"error_response":{"code":"20000","msg":"x","sub_code":"isp.unknow-error"}}`), want: domain.KindUnavailable},
		"unsigned denial":   {answer: unsigned(`{"error_response":{"code":"40006","msg":"x"}}`), want: domain.KindUnavailable},
		"unsigned":          {answer: unsigned(plain + `}`), want: domain.KindUnavailable},
		"unsigned unknown": {
			answer: unsigned(`{"alipay_trade_query_response":{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}}`), want: domain.KindUnavailable,
		},
		"empty signature":  {answer: unsigned(plain + `,"sign":""}`), want: domain.KindUnavailable},
		"another's answer": {answer: unsigned(strings.Replace(signedPaid, "10.00", "10.01", 1)), want: domain.KindUnavailable},
		"twins":            {answer: unsigned(`{"alipay_trade_query_response":{},` + signedPaid[1:]), want: domain.KindUnavailable},
		"something behind": {answer: unsigned(signedPaid + "x"), want: domain.KindUnavailable},
		"other method":     {answer: unsigned(sealed("alipay.trade.close", paidInner)), want: domain.KindUnavailable},
		"other order":      {answer: always(strings.Replace(paidInner, "20260214100000001", "20260214100000002", 1)), want: domain.KindUnavailable},
		"web page":         {answer: unsigned("<html>"), want: domain.KindUnavailable},
		"no status":        {answer: always(strings.Replace(paidInner, "TRADE_SUCCESS", "", 1)), want: domain.KindUnavailable},
		"no money":         {answer: always(strings.Replace(paidInner, "10.00", "1e3", 1)), want: domain.KindUnavailable},
		"nothing paid":     {answer: always(strings.Replace(paidInner, "10.00", "0.00", 1)), want: domain.KindUnavailable},
		"no trade":         {answer: always(`{"code":"10000","trade_status":"TRADE_SUCCESS","total_amount":"1"}`), want: domain.KindUnavailable},
		"no object":        {answer: always(`"x"`), want: domain.KindUnavailable},
		"500":              {answer: unsigned(signedPaid), status: 500, want: domain.KindUnavailable},
		"302":              {answer: unsigned(signedPaid), status: 302, want: domain.KindUnavailable},
		"too long":         {answer: unsigned(strings.Repeat(" ", maxAnswer+1)), want: domain.KindUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t)
			g.answer = tt.answer
			if tt.status != 0 {
				g.status = tt.status
			}
			a, err := g.channel().Query(context.Background(), question())
			if err == nil || domain.KindOf(err) != tt.want {
				t.Errorf("%+v, %v; want %s", a, err, tt.want)
			}
		})
	}
}

func TestQueryNoGateway(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Gateway, cfg.AllowPlainHTTP = "http://127.0.0.1:1/gateway.do", true
	if _, err := newChannel(t, cfg).Query(context.Background(), question()); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := newChannel(t, cfg).Query(ctx, question()); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("cancelled: %v", err)
	}
}
