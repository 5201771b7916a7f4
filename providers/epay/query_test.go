package epay

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// gateway is a server that gives one answer and remembers the question.
type gateway struct {
	*httptest.Server
	status  int
	header  http.Header
	body    string
	asked   *http.Request
	form    url.Values
	answers int
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{status: http.StatusOK, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Set-Cookie": {"s=1"}}}
	g.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.asked, g.answers = r, g.answers+1
		g.form, _ = url.ParseQuery(string(body))
		for name, values := range g.header {
			w.Header()[name] = values
		}
		w.WriteHeader(g.status)
		io.WriteString(w, g.body)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) channel(t *testing.T, cfg Config) *Channel {
	t.Helper()
	cfg.Gateway = g.URL + "/epay"
	c, err := New(cfg, g.Client(), fixedClock)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func question() providers.Question {
	return providers.Question{OrderNo: order, Delivery: testDelivery, Run: "run-1", At: testNow}
}

const paidRow = `{"code":1,"msg":"succ","trade_no":"2016080615134334902","out_trade_no":"20160806151343349","type":"alipay","pid":"1001","addtime":"2024-07-17 16:47:32","endtime":"2024-07-17 16:49:24","name":"VIP会员","money":"1.00","param":null,"buyer":"","status":"1","payurl":null}`

func paidAnswer() domain.Notice {
	n := paid()
	n.Source, n.ProviderStatus, n.Run = domain.SourceQuery, "1", "run-1"
	n.OccurredAt = time.Date(2024, 7, 17, 8, 49, 24, 0, time.UTC)
	return n
}

func TestQueryV1(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV1())
	g.body = paidRow
	got, err := c.Query(t.Context(), question())
	if err != nil || !got.Found {
		t.Fatalf("found %v, %v", got.Found, err)
	}
	equalNotice(t, got.Notice, paidAnswer())
	if want := "/epay/api.php?act=order&pid=1001&key=" + sampleKey + "&out_trade_no=" + order; g.asked.RequestURI != want || g.asked.Method != "GET" {
		t.Errorf("asked %s %s, want %s", g.asked.Method, g.asked.RequestURI, want)
	}
	e := got.Evidence
	if e.Kind != "query" || e.Method != "GET" || e.Target != "/epay/api.php?act=order&pid=1001&key=[hidden]&out_trade_no="+order ||
		e.Status != 200 || string(e.Body) != paidRow || e.Scheme != "https" || e.Grade != domain.GradeC || e.Key != "" || !e.At.Equal(testNow) {
		t.Errorf("evidence %+v", e)
	}
	for _, h := range e.Headers {
		if h.Name == "Set-Cookie" {
			t.Error("a cookie is kept as evidence")
		}
	}
	again, err := c.Reverify(e)
	if err != nil || len(again) != 1 || !providers.SameContent(again[0], got.Notice) {
		t.Errorf("Reverify = %+v, %v", again, err)
	}
}

func TestQueryPrefersTheTradeNo(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV1())
	g.body = paidRow
	q := question()
	q.TradeNo = "2016080615134334902"
	if _, err := c.Query(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if g.asked.URL.Query().Get("trade_no") != q.TradeNo || g.asked.URL.Query().Has("out_trade_no") {
		t.Errorf("asked %s", g.asked.RequestURI)
	}
	q.TradeNo = "2016080615134334903"
	if _, err := c.Query(t.Context(), q); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("an answer about another trade_no is taken: %v", err)
	}
	if _, err := c.Query(t.Context(), providers.Question{}); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("a question about nothing: %v", err)
	}
}

func TestQueryRows(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV1())
	change := func(old, new string) string {
		if !strings.Contains(paidRow, old) {
			t.Fatalf("no %s in the row", old)
		}
		return strings.Replace(paidRow, old, new, 1)
	}
	for body, want := range map[string]func(*domain.Notice){
		change(`"status":"1"`, `"status":1`):                        func(*domain.Notice) {},
		change(`"pid":"1001"`, `"pid":1001`):                        func(*domain.Notice) {},
		change(`"code":1`, `"code":"1"`):                            func(*domain.Notice) {},
		change(`"money":"1.00"`, `"money":1`):                       func(*domain.Notice) {},
		change(`"money":"1.00"`, `"money":1.0000`):                  func(*domain.Notice) {},
		change(`"status":"1"`, `"status":0`):                        func(n *domain.Notice) { n.Status, n.ProviderStatus = domain.StatusWaiting, "0" },
		change(`"status":"1"`, `"status":"2"`):                      func(n *domain.Notice) { n.Status, n.ProviderStatus = domain.StatusRefunded, "2" },
		change(`"status":"1"`, `"status":3`):                        func(n *domain.Notice) { n.Status, n.ProviderStatus = domain.StatusFrozen, "3" },
		change(`"status":"1"`, `"status":"4"`):                      func(n *domain.Notice) { n.Status, n.ProviderStatus = domain.StatusWaiting, "4" },
		change(`"status":"1"`, `"status":"9"`):                      func(n *domain.Notice) { n.Status, n.ProviderStatus = domain.StatusOther, "9" },
		change(`"status":"1"`, `"status":"1.0"`):                    func(n *domain.Notice) { n.Status, n.ProviderStatus = domain.StatusOther, "1.0" },
		change(`"endtime":"2024-07-17 16:49:24"`, `"endtime":null`): func(n *domain.Notice) { n.OccurredAt = time.Time{} },
		change(`"trade_no":"2016080615134334902"`, `"trade_no":""`): func(n *domain.Notice) { n.TradeNo, n.Doubts = "", []domain.Doubt{domain.DoubtNoTradeNo} },
		change(`"name":"VIP会员"`, `"name":"x&out_trade_no=VICTIM"`):  func(*domain.Notice) {},
	} {
		g.body = body
		got, err := c.Query(t.Context(), question())
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		notice := paidAnswer()
		want(&notice)
		equalNotice(t, got.Notice, notice)
	}
}

// TestQueryUnusable has answers that are as good as none.
func TestQueryUnusable(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV1())
	row := func(old, new string) string { return strings.Replace(paidRow, old, new, 1) }
	tests := []struct {
		name, body string
		status     int
		header     string
		kind       domain.Kind
	}{
		{"nothing", "", 200, "", domain.KindUnavailable},
		{"a page", "<!DOCTYPE html><title>success</title>", 200, "", domain.KindUnavailable},
		{"cut JSON", paidRow[:100], 200, "", domain.KindUnavailable},
		{"two answers", paidRow + paidRow, 200, "", domain.KindUnavailable},
		{"a list", "[" + paidRow + "]", 200, "", domain.KindUnavailable},
		{"bad UTF-8", row("VIP", "\xff"), 200, "", domain.KindUnavailable},
		{"status twice", row(`"status":"1"`, `"status":"0","status":"1"`), 200, "", domain.KindUnavailable},
		{"case twins", row(`"status":"1"`, `"status":"0","Status":"1"`), 200, "", domain.KindUnavailable},
		{"other case", row(`"status"`, `"Status"`), 200, "", domain.KindUnavailable},
		{"too long", row("VIP", strings.Repeat("x", maxAnswer)), 200, "", domain.KindUnavailable},
		{"500", paidRow, 500, "", domain.KindUnavailable},
		{"502 with a page", "<html>", 502, "", domain.KindUnavailable},
		{"a redirect", paidRow, 302, "Location: /epay/api.php", domain.KindUnavailable},
		{"201", paidRow, 201, "", domain.KindUnavailable},
		{"404 with a page", "<html>", 404, "", domain.KindUnavailable},
		{"404 with success", paidRow, 404, "", domain.KindUnavailable},
		{"500 with not found", `{"code":-1}`, 500, "", domain.KindUnavailable},
		{"unasked encoding", paidRow, 200, "Content-Encoding: br", domain.KindUnavailable},
		{"no code", row(`"code":1,`, ""), 200, "", domain.KindUnavailable},
		{"code true", row(`"code":1`, `"code":true`), 200, "", domain.KindUnavailable},
		{"code of V2", row(`"code":1`, `"code":0`), 200, "", domain.KindUnavailable},
		{"code 1.0", row(`"code":1`, `"code":1.0`), 200, "", domain.KindUnavailable},
		{"another pid", row(`"pid":"1001"`, `"pid":"1002"`), 200, "", domain.KindUnavailable},
		{"no pid", row(`"pid":"1001",`, ""), 200, "", domain.KindUnavailable},
		{"another order", row(`"out_trade_no":"2`, `"out_trade_no":"3`), 200, "", domain.KindUnavailable},
		{"no order", row(`"out_trade_no":"20160806151343349",`, ""), 200, "", domain.KindUnavailable},
		{"no status", row(`"status":"1",`, ""), 200, "", domain.KindUnavailable},
		{"status null", row(`"status":"1"`, `"status":null`), 200, "", domain.KindUnavailable},
		{"no money", row(`"money":"1.00",`, ""), 200, "", domain.KindUnavailable},
		{"money as exponent", row(`"money":"1.00"`, `"money":1e2`), 200, "", domain.KindUnavailable},
		{"half a fen", row(`"money":"1.00"`, `"money":"1.005"`), 200, "", domain.KindUnavailable},
		{"paid nothing", row(`"money":"1.00"`, `"money":"0.00"`), 200, "", domain.KindUnavailable},
		{"unknown code", `{"code":-9,"msg":"?"}`, 200, "", domain.KindUnavailable},
		{"wrong key", `{"code":-3,"msg":"商户密钥错误"}`, 200, "", domain.KindDenied},
		{"no number", `{"code":-4,"msg":"订单号不能为空"}`, 200, "", domain.KindInvalid},
	}
	for _, tt := range tests {
		g.status, g.body, g.header = tt.status, tt.body, http.Header{"Content-Type": {"text/html"}}
		if name, value, ok := strings.Cut(tt.header, ": "); ok {
			g.header.Set(name, value)
		}
		before := g.answers
		got, err := c.Query(t.Context(), question())
		if domain.KindOf(err) != tt.kind || err == nil {
			t.Errorf("%s: %v, want kind %s", tt.name, err, tt.kind)
		}
		if tt.name == "too long" && (err == nil || !strings.Contains(err.Error(), "65536 bytes")) {
			t.Errorf("%s: %v does not say so", tt.name, err)
		}
		if got.Found || got.Evidence.Kind != "" || g.answers != before+1 {
			t.Errorf("%s: answer %+v after %d requests", tt.name, got, g.answers-before)
		}
	}
}

func TestQueryNotFound(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	for _, cfg := range []Config{configV1(), configV2()} {
		c := g.channel(t, cfg)
		for _, status := range []int{http.StatusOK, http.StatusNotFound} {
			g.status, g.body = status, `{"code":-1,"msg":"订单号不存在"}`
			got, err := c.Query(t.Context(), question())
			if err != nil || got.Found || got.Evidence.Grade != domain.GradeC || got.Evidence.Status != status {
				t.Errorf("%s, %d: %+v, %v", cfg.Version, status, got, err)
			}
			if again, err := c.Reverify(got.Evidence); err != nil || len(again) != 0 {
				t.Errorf("%s: Reverify = %v, %v", cfg.Version, again, err)
			}
		}
	}
}

// answerV2 is the published V2 answer as JSON, changed and not signed again.
func answerV2(t *testing.T, changes map[string]any) string {
	t.Helper()
	fields := map[string]any{"sign": rsaVectors[2].sign, "sign_type": "RSA", "data": []int{1}}
	for piece := range strings.SplitSeq(rsaVectors[2].text, "&") {
		name, value, _ := strings.Cut(piece, "=")
		fields[name] = value
	}
	fields["code"], fields["status"] = 0, 1
	for name, value := range changes {
		fields[name] = value
	}
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestQueryV2(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV2())
	g.body = answerV2(t, nil)
	got, err := c.Query(t.Context(), question())
	if err != nil {
		t.Fatal(err)
	}
	want := paidAnswer()
	want.Channel = "epay-rsa"
	equalNotice(t, got.Notice, want)
	e := got.Evidence
	if e.Grade != domain.GradeA || e.Scheme != "epay.rsa.v2" || e.Key != Fingerprint(c.scheme.(*rsaScheme).platform) || e.Target != "/epay/api/pay/query" {
		t.Errorf("evidence %+v", e)
	}
	if g.asked.Method != "POST" || g.form.Get("timestamp") != "1795324770" || g.form.Get("pid") != "1001" || g.form.Get("out_trade_no") != order {
		t.Errorf("asked %s %v", g.asked.Method, g.form)
	}
	var fields Params
	for name := range g.form {
		fields = append(fields, Param{name, g.form.Get(name)})
	}
	if !VerifyRSA(Text(fields), g.form.Get("sign"), &testKey().PublicKey) {
		t.Error("the question's signature does not hold")
	}
	again, err := c.Reverify(e)
	if err != nil || len(again) != 1 || !providers.SameContent(again[0], got.Notice) {
		t.Errorf("Reverify = %+v, %v", again, err)
	}
}

func TestQueryV2Forged(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV2())
	for name, change := range map[string]map[string]any{
		"money":        {"money": "10.00"},
		"status":       {"status": 2},
		"more":         {"extra": "1"},
		"true for 1":   {"status": true}, // the same text, but no status
		"called MD5":   {"sign_type": "MD5"},
		"no sign":      {"sign": ""},
		"null sign":    {"sign": nil},
		"true sign":    {"sign": true},
		"MD5":          {"sign_type": "MD5", "sign": SignMD5(rsaVectors[2].text, platformPublicKey)},
		"in an array":  {"money": []string{"1.00"}},
		"other object": {"pid": map[string]string{"pid": "1001"}},
	} {
		g.body = answerV2(t, change)
		if got, err := c.Query(t.Context(), question()); domain.KindOf(err) != domain.KindUnavailable || got.Found {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	good := answerV2(t, nil)
	for name, body := range map[string]string{
		"money twice":     strings.Replace(good, "{", `{"money":"100.00",`, 1),
		"status twice":    strings.Replace(good, "{", `{"status":0,`, 1),
		"sign twice":      strings.Replace(good, "{", `{"sign":"x",`, 1),
		"another case":    strings.Replace(good, "{", `{"Money":"100.00",`, 1),
		"trailing":        good + "{}",
		"an exponent":     strings.Replace(good, `"money":"1.00"`, `"money":1e0`, 1),
		"another's order": strings.Replace(good, order, "20160806151343350", 1),
	} {
		g.body = body
		if got, err := c.Query(t.Context(), question()); domain.KindOf(err) != domain.KindUnavailable || got.Found {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, change := range map[string]map[string]any{
		"empty fields":  {"param": "", "buyer": nil},
		"covered bool":  {"flag": false},
		"numeric pid":   {"pid": 1001},
		"blank field":   {"param": "  "},
		"other data":    {"data": map[string]any{"status": 0}},
		"text for code": {"code": "0"},
	} {
		g.body = answerV2(t, change)
		if got, err := c.Query(t.Context(), question()); err != nil || got.Notice.Status != domain.StatusPaid {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for code, kind := range map[int]domain.Kind{-3: domain.KindDenied, -4: domain.KindInvalid, -5: domain.KindInvalid, 1: domain.KindUnavailable} {
		g.body = answerV2(t, map[string]any{"code": code, "msg": "x"})
		if _, err := c.Query(t.Context(), question()); domain.KindOf(err) != kind {
			t.Errorf("code %d: %v, want %s", code, err, kind)
		}
	}
}

// signedAnswer is a V2 answer, changed and signed by the gateway.
func signedAnswer(t *testing.T, changes map[string]string) string {
	t.Helper()
	fields := map[string]string{}
	for piece := range strings.SplitSeq(rsaVectors[2].text, "&") {
		name, value, _ := strings.Cut(piece, "=")
		fields[name] = value
	}
	maps.Copy(fields, changes)
	var p Params
	for name, value := range fields {
		p = append(p, Param{name, value})
	}
	sign, err := SignRSA(Text(p), testKey())
	if err != nil {
		t.Fatal(err)
	}
	fields["sign"], fields["sign_type"] = sign, "RSA"
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// V2 tells how much went back: money came first, then it went. V1 does not, and
// nobody makes up a sum.
func TestQueryRefunded(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, gatewayV2())
	for text, fen := range map[string]int64{"0.3": 30, "0.30": 30, "1.00": 100} {
		g.body = signedAnswer(t, map[string]string{"status": "2", "refundmoney": text})
		got, err := c.Query(t.Context(), question())
		if err != nil || got.Notice.Status != domain.StatusPaid || got.Notice.ProviderStatus != "2" || len(got.Also) != 1 {
			t.Fatalf("%s: %+v, %v", text, got, err)
		}
		back := got.Also[0]
		if back.About != domain.AboutRefund || back.Status != domain.StatusSucceeded || !back.Total || back.Amount != domain.NewMoney(fen, domain.CNY) ||
			back.TradeNo != got.Notice.TradeNo || back.OrderNo != order || back.Index != 1 || back.Delivery != got.Notice.Delivery || !back.OccurredAt.IsZero() {
			t.Errorf("%s: %+v", text, back)
		}
		again, err := c.Reverify(got.Evidence)
		if err != nil || len(again) != 2 || !providers.SameContent(again[1], back) {
			t.Errorf("%s: from its evidence %+v, %v", text, again, err)
		}
	}
	for name, changes := range map[string]map[string]string{
		"more than came":    {"refundmoney": "1.01"},
		"nothing":           {"refundmoney": "0.00"},
		"an exponent":       {"refundmoney": "1e0"},
		"below zero":        {"refundmoney": "-0.30"},
		"half a fen":        {"refundmoney": "0.305"},
		"in Arabic digits":  {"refundmoney": "\u0660.\u0663"},
		"in the other case": {"refundmoney": "0.30", "Refundmoney": "0.40"},
	} {
		changes["status"] = "2"
		g.body = signedAnswer(t, changes)
		if got, err := c.Query(t.Context(), question()); domain.KindOf(err) != domain.KindUnavailable || got.Found {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	unknown := func(c *Channel, body string) {
		t.Helper()
		g.body = body
		got, err := c.Query(t.Context(), question())
		if err != nil || got.Notice.Status != domain.StatusRefunded || len(got.Also) != 0 {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
	unknown(c, signedAnswer(t, map[string]string{"status": "2"}))
	unknown(g.channel(t, configV1()), strings.Replace(paidRow, `"status":"1"`, `"status":"2","refundmoney":"0.30"`, 1))
	g.body = signedAnswer(t, map[string]string{"refundmoney": "0.30"}) // paid, whatever else it says
	if got, err := c.Query(t.Context(), question()); err != nil || got.Notice.Status != domain.StatusPaid || len(got.Also) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// roundTrip is a transport for failures that no server can make.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestQueryHidesTheKey lets the key come back in every way there is.
func TestQueryHidesTheKey(t *testing.T) {
	t.Parallel()
	const canary = "canary+key/with=signs%20"
	seen := func(what, text string) {
		t.Helper()
		for _, form := range []string{canary, url.QueryEscape(canary), url.PathEscape(canary)} {
			if strings.Contains(text, form) {
				t.Errorf("%s tells the key: %s", what, text)
			}
		}
	}
	cfg := configV1()
	cfg.Key = providers.NewSecret(canary)
	ask := func(f roundTrip) (providers.Answer, error) {
		c, err := New(cfg, &http.Client{Transport: f}, fixedClock)
		if err != nil {
			t.Fatal(err)
		}
		return c.Query(t.Context(), question())
	}
	echo := func(status int, body string) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("key") != canary {
				t.Errorf("the key is not sent: %s", r.URL)
			}
			return &http.Response{
				StatusCode: status, Header: http.Header{"X-Echo": {canary, r.URL.String()}},
				Body: io.NopCloser(strings.NewReader(body)), Request: r,
			}, nil
		}
	}
	inner := func(r *http.Request) (*http.Response, error) {
		return nil, errors.New("cannot reach " + r.URL.String() + " with " + canary)
	}
	for name, f := range map[string]roundTrip{
		"transport error": inner,
		"url in url": func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: io.EOF}
		},
		"code":       echo(200, `{"code":-3,"msg":"wrong key `+canary+`"}`),
		"odd code":   echo(200, `{"code":"`+canary+`"}`),
		"money":      echo(200, strings.Replace(paidRow, "1.00", canary, 1)),
		"status":     echo(500, canary),
		"name twice": echo(200, `{"`+canary+`":1,"`+canary+`":2}`),
	} {
		_, err := ask(f)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		seen(name, err.Error())
		for ; err != nil; err = errors.Unwrap(err) {
			seen(name+", a cause", err.Error())
		}
	}
	got, err := ask(echo(200, strings.Replace(paidRow, "VIP会员", url.QueryEscape(canary)+canary, 1)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	seen("evidence", string(text))
	seen("evidence body", string(got.Evidence.Body))
	if !strings.Contains(got.Evidence.Target, "key=[hidden]&") {
		t.Errorf("target %s", got.Evidence.Target)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("asked", slog.Any("answer", got))
	seen("log", log.String())
}

func TestQueryWithoutAnswer(t *testing.T) {
	t.Parallel()
	cfg := configV1()
	waits := roundTrip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	c, err := New(cfg, &http.Client{Transport: waits}, fixedClock)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Query(ctx, question()); domain.KindOf(err) != domain.KindUnavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	c, err = New(cfg, &http.Client{Transport: waits, Timeout: time.Millisecond}, fixedClock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(t.Context(), question()); domain.KindOf(err) != domain.KindUnavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timed out: %v", err)
	}
}

// TestQueryVerifiesTLS asks a gateway whose certificate nobody signed, with
// the channel's own client.
func TestQueryVerifiesTLS(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.body = paidRow
	g.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	cfg := configV1()
	cfg.Gateway = g.URL
	_, err := newChannel(t, cfg).Query(t.Context(), question())
	if domain.KindOf(err) != domain.KindUnavailable || !strings.Contains(err.Error(), "certificate") || g.answers != 0 {
		t.Errorf("%v after %d answers", err, g.answers)
	}
}

func TestQueryPlainHTTPSaysSo(t *testing.T) {
	t.Parallel()
	g := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, paidRow) }))
	t.Cleanup(g.Close)
	cfg := configV1()
	cfg.Gateway, cfg.AllowPlainHTTP = g.URL, true
	c, err := New(cfg, g.Client(), fixedClock)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Query(t.Context(), question())
	if err != nil || got.Evidence.Scheme != "http" {
		t.Errorf("scheme %q, %v", got.Evidence.Scheme, err)
	}
}

func TestOwnClient(t *testing.T) {
	t.Parallel()
	transport, ok := newChannel(t, configV1()).client.Transport.(*http.Transport)
	if !ok || transport.Proxy != nil {
		t.Error("the channel's own client may use a proxy of the environment")
	}
}
