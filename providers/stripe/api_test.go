package stripe

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// api is a Stripe that answers what a test says.
type api struct {
	mu      sync.Mutex
	answers map[string]string // path, or path?query, to body
	status  map[string]int
	asked   []string // path?query, decoded
	headers []http.Header
	rows    []string // of the list under list, the oldest first
	list    string
	payouts []string            // of the list of payouts, the oldest first
	named   map[string][]string // ids of rows that the list of a payout's transactions shows
	before  func(path string)   // called before each answer
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.before != nil {
		a.before(r.URL.Path)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	query, _ := url.QueryUnescape(r.URL.RawQuery)
	target := r.URL.Path + "?" + query
	a.asked, a.headers = append(a.asked, target), append(a.headers, r.Header)
	w.Header().Set("Content-Type", "application/json")
	payout := r.URL.Query().Get("payout")
	switch {
	case r.URL.Path == pathPayouts && a.status[pathPayouts] == 0:
		servePage(w, r.URL.Query(), a.payouts)
		return
	case a.list == r.URL.Path && payout != "":
		servePage(w, r.URL.Query(), slices.DeleteFunc(slices.Clone(a.rows), func(row string) bool {
			return !slices.Contains(a.named[payout], mustObject(row).text("id"))
		}))
		return
	case a.list == r.URL.Path:
		servePage(w, r.URL.Query(), a.rows)
		return
	}
	body, ok := a.answers[target]
	if !ok {
		body, ok = a.answers[r.URL.Path]
	}
	status := a.status[r.URL.Path]
	switch {
	case !ok:
		status = http.StatusNotFound
		body = `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such thing"}}`
	case status == 0:
		status = http.StatusOK
	}
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// bills are the questions about transactions of a day, whatever payout they are
// in.
func (a *api) bills() []string {
	return slices.DeleteFunc(slices.Clone(a.asked), func(target string) bool {
		return !strings.HasPrefix(target, pathTransactions) || strings.Contains(target, "payout=")
	})
}

// servePage serves rows as Stripe does: the newest first, by created and by
// cursor.
func servePage(w http.ResponseWriter, q url.Values, rows []string) {
	bound := func(name string, none int64) int64 {
		if n, err := strconv.ParseInt(q.Get(name), 10, 64); err == nil {
			return n
		}
		return none
	}
	from, to := bound("created[gte]", 0), bound("created[lt]", 1<<62)
	var fit []string
	for _, row := range slices.Backward(rows) {
		if at, _ := mustObject(row).number("created"); at >= from && at < to {
			fit = append(fit, row)
		}
	}
	limit := int(bound("limit", 10))
	at := func(id string) int {
		return slices.IndexFunc(fit, func(row string) bool { return mustObject(row).text("id") == id })
	}
	more := false
	switch before, after := q.Get("ending_before"), q.Get("starting_after"); {
	case before != "":
		end := at(before)
		if end < 0 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"code":"resource_missing","message":"No such event"}}`)
			return
		}
		more = end > limit
		fit = fit[max(0, end-limit):end]
	case after != "":
		fit = fit[at(after)+1:]
		fallthrough
	default:
		more = len(fit) > limit
		fit = fit[:min(limit, len(fit))]
	}
	fmt.Fprintf(w, "{\n  \"object\": \"list\",\n  \"has_more\": %t,\n  \"data\": [%s]\n}", more, strings.Join(fit, ","))
}

func mustObject(text string) object {
	o, err := parseObject([]byte(text), maxAnswer)
	if err != nil {
		panic(err)
	}
	return o
}

// asking is a channel that asks a.
func asking(t *testing.T, a *api, change func(*Config)) *Channel {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	cfg := config()
	cfg.Gateway, cfg.AllowPlainHTTP = server.URL+"/mirror", true
	mirror := http.NewServeMux()
	mirror.Handle("/mirror/", http.StripPrefix("/mirror", a))
	server.Config.Handler = mirror
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg, server.Client(), clock)
	if err != nil {
		t.Fatal(err)
	}
	c.wait = func(context.Context, time.Duration) error { return nil }
	return c
}

const (
	intentText = `{"id":"pi_3Test","object":"payment_intent","amount":1000,"amount_received":1000,"currency":"cny","livemode":false,` +
		`"metadata":{"order_no":"20260214100000001","account":"user:7"},"status":"succeeded","latest_charge":{"id":"ch_3","object":"charge",` +
		`"created":1771034400,"disputed":false,"refunds":{"object":"list","has_more":false,"data":[` +
		`{"id":"re_2","object":"refund","amount":200,"currency":"cny","created":1771034900,"payment_intent":"pi_3Test","status":"pending"},` +
		`{"id":"re_1","object":"refund","amount":300,"currency":"cny","created":1771034800,"payment_intent":"pi_3Test","status":"succeeded"}]}}}`
	refundText = `{"id":"re_1","object":"refund","amount":300,"currency":"cny","created":1771034800,"payment_intent":"pi_3Test","status":"succeeded"}`
)

// query asks, and checks what must hold of every answer.
func query(t *testing.T, c *Channel, q providers.Question) (providers.Answer, error) {
	t.Helper()
	q.Delivery, q.Run, q.At = testDelivery, "run-1", testNow
	a, err := c.Query(t.Context(), q)
	if err != nil {
		return a, err
	}
	if a.Evidence.Kind != "query" || a.Evidence.Grade != domain.GradeC || a.Evidence.Scheme != SchemeHTTP || len(a.Evidence.Body) == 0 {
		t.Errorf("evidence %+v", a.Evidence)
	}
	again, err := c.Reverify(a.Evidence)
	if err != nil {
		t.Errorf("Reverify: %v", err)
	}
	var told []domain.Notice
	if a.Found {
		told = append([]domain.Notice{a.Notice}, a.Also...)
	}
	if !slices.EqualFunc(told, again, providers.SameContent) {
		t.Errorf("from the evidence: %+v, want %+v", again, told)
	}
	for i, n := range told {
		if n.Delivery != testDelivery || n.Run != "run-1" || n.Index != i || n.Source != domain.SourceQuery || n.Channel != "stripe-main" {
			t.Errorf("notice %d is not of this question: %+v", i, n)
		}
	}
	return a, nil
}

func TestQueryIntent(t *testing.T) {
	t.Parallel()
	a := &api{answers: map[string]string{"/v1/payment_intents/pi_3Test": intentText}}
	c := asking(t, a, func(c *Config) { c.Account = "acct_1Ours" })
	got, err := query(t, c, providers.Question{OrderNo: sampleOrder, TradeNo: "pi_3Test"})
	if err != nil || !got.Found || len(got.Also) != 2 {
		t.Fatalf("answer %+v, %v", got, err)
	}
	n := got.Notice
	if n.OrderNo != sampleOrder || n.Status != domain.StatusPaid || n.Amount.String() != "10.00 CNY" || n.Account != "user:7" ||
		!n.OccurredAt.Equal(time.Unix(1771034400, 0)) || len(n.Doubts) > 0 {
		t.Errorf("payment %+v", n)
	}
	if r := got.Also[0]; r.RefundID != "re_1" || r.Status != domain.StatusSucceeded || r.Amount.String() != "3.00 CNY" {
		t.Errorf("first refund %+v", r)
	}
	if r := got.Also[1]; r.RefundID != "re_2" || r.Status != domain.StatusWaiting {
		t.Errorf("second refund %+v", r)
	}
	if a.asked[0] != "/v1/payment_intents/pi_3Test?expand[]=latest_charge.refunds" || len(a.asked) != 1 {
		t.Errorf("asked %q", a.asked)
	}
	h := a.headers[0]
	if h.Get("Authorization") != "Bearer "+sampleKey || h.Get("Stripe-Version") != DefaultAPIVersion || h.Get("Stripe-Account") != "acct_1Ours" {
		t.Errorf("headers %v", h)
	}
}

// TestQuerySession: the intent does not name the order, its session does.
func TestQuerySession(t *testing.T) {
	t.Parallel()
	bare := strings.Replace(intentText, `"order_no":"20260214100000001",`, "", 1)
	a := &api{answers: map[string]string{
		"/v1/payment_intents/pi_3Test": bare,
		"/v1/checkout/sessions": `{"object":"list","has_more":false,"data":[{"id":"cs_1","object":"checkout.session",` +
			`"client_reference_id":"20260214100000001","payment_intent":` + bare + `}]}`,
	}}
	got, err := query(t, asking(t, a, nil), providers.Question{TradeNo: "pi_3Test"})
	if err != nil || got.Notice.OrderNo != sampleOrder || len(got.Also) != 2 || len(got.Notice.Doubts) > 0 {
		t.Errorf("answer %+v, %v", got, err)
	}
	delete(a.answers, "/v1/checkout/sessions")
	got, err = query(t, asking(t, a, nil), providers.Question{TradeNo: "pi_3Test"})
	if err != nil || got.Notice.OrderNo != "" || got.Notice.Status != domain.StatusPaid || len(got.Notice.Doubts) > 0 {
		t.Errorf("without a session: %+v, %v", got, err)
	}
}

// TestQueryDisputed: the disputes are asked for beside the payment, also where
// only the session names the order, and the evidence is both.
func TestQueryDisputed(t *testing.T) {
	t.Parallel()
	disputed := strings.Replace(intentText, `"disputed":false`, `"disputed":true`, 1)
	bare := strings.Replace(disputed, `"order_no":"20260214100000001",`, "", 1)
	list := `{"object":"list","has_more":false,"data":[{"id":"du_1","object":"dispute","amount":1000,"currency":"cny","status":"lost",` +
		`"balance_transactions":[{"amount":-1000,"fee":1500,"currency":"cny","created":1771100001}],"payment_intent":"pi_3Test"}]}`
	for name, answers := range map[string]map[string]string{
		"by the intent": {"/v1/payment_intents/pi_3Test": disputed},
		"by the session": {
			"/v1/payment_intents/pi_3Test": bare,
			"/v1/checkout/sessions":        `{"object":"list","has_more":false,"data":[{"client_reference_id":"20260214100000001","payment_intent":` + bare + "}]}\n",
		},
	} {
		answers["/v1/disputes"] = list
		a := &api{answers: answers}
		c := asking(t, a, nil)
		got, err := query(t, c, providers.Question{TradeNo: "pi_3Test"})
		if err != nil || len(got.Also) != 4 || got.Notice.OrderNo != sampleOrder {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		if w, l := got.Also[2], got.Also[3]; w.Status != domain.StatusWithdrawn || w.Fee.String() != "15.00 CNY" || w.TradeNo != "pi_3Test" || l.Status != domain.StatusLost {
			t.Errorf("%s: dispute %+v and %+v", name, w, l)
		}
		tampered(t, c, name, got.Evidence, list)
		for _, none := range []string{"<html>", `{"object":"list","has_more":false,"data":[]}`} {
			answers["/v1/disputes"] = none
			if got, err := query(t, c, providers.Question{TradeNo: "pi_3Test"}); domain.KindOf(err) != domain.KindUnavailable {
				t.Errorf("%s, without the disputes: %+v, %v", name, got, err)
			}
		}
	}
}

// tampered holds that of two answers that are one evidence neither can be left
// out, changed or joined by another.
func tampered(t *testing.T, c *Channel, name string, good domain.Evidence, list string) {
	t.Helper()
	both := string(good.Body)
	for change, e := range map[string]struct{ target, body string }{
		"one answer gone":  {good.Target, strings.TrimSuffix(both, list)},
		"one question":     {strings.Fields(good.Target)[0], both},
		"other payment's":  {good.Target, strings.Replace(both, `"balance_transactions":[`, `"payment_intent":"pi_4","x":[`, 1)},
		"three answers":    {good.Target, list + both},
		"something behind": {good.Target, both + "{}"},
		"third question":   {good.Target + " /v1/refunds/re_1", both},
	} {
		bad := good
		bad.Target, bad.Body = e.target, []byte(e.body)
		if notices, err := c.Reverify(bad); domain.KindOf(err) != domain.KindForged {
			t.Errorf("%s, %s: %+v, %v", name, change, notices, err)
		}
	}
}

func TestQueryOthers(t *testing.T) {
	t.Parallel()
	a := &api{answers: map[string]string{
		"/v1/refunds/re_1": refundText,
		"/v1/charges/ch_3": `{"id":"ch_3","object":"charge","amount":700,"amount_captured":700,"captured":true,"currency":"usd","created":1771034400,` +
			`"livemode":false,"metadata":{"order_no":"A1"},"payment_intent":null,"status":"succeeded","refunds":{"object":"list","data":[]}}`,
		"/v1/payment_intents/pi_open": `{"id":"pi_open","object":"payment_intent","amount":5,"amount_received":0,"currency":"jpy","livemode":false,"metadata":{"order_no":"A2"},"status":"processing","latest_charge":null}`,
	}}
	c := asking(t, a, nil)
	r, err := query(t, c, providers.Question{RefundID: "re_1", TradeNo: "pi_3Test"})
	if err != nil || r.Notice.RefundID != "re_1" || r.Notice.Status != domain.StatusSucceeded || r.Notice.About != domain.AboutRefund {
		t.Errorf("refund %+v, %v", r, err)
	}
	p, err := query(t, c, providers.Question{TradeNo: "ch_3"})
	if err != nil || p.Notice.TradeNo != "ch_3" || p.Notice.OrderNo != "A1" || p.Notice.Status != domain.StatusPaid {
		t.Errorf("charge %+v, %v", p, err)
	}
	o, err := query(t, c, providers.Question{TradeNo: "pi_open"})
	if err != nil || o.Notice.Status != domain.StatusWaiting || o.Notice.Amount.String() != "5 JPY" {
		t.Errorf("open %+v, %v", o, err)
	}
	if gone, err := query(t, c, providers.Question{TradeNo: "pi_gone"}); err != nil || gone.Found {
		t.Errorf("unknown: %+v, %v", gone, err)
	}
}

// TestSearch: an order number alone. The row that is found is asked for; one
// that differs in case is another order; what is not found proves nothing.
func TestSearch(t *testing.T) {
	t.Parallel()
	row := func(id, no, status string) string {
		return fmt.Sprintf(`{"id":%q,"object":"payment_intent","status":%q,"metadata":{"order_no":%q}}`, id, status, no)
	}
	a := &api{answers: map[string]string{
		"/v1/payment_intents/pi_3Test": intentText,
		"/v1/payment_intents/search": `{"object":"search_result","has_more":false,"data":[` + row("pi_1", sampleOrder, "canceled") + "," +
			row("pi_3Test", sampleOrder, "succeeded") + "," + row("pi_x", strings.ToUpper("a"), "succeeded") + `]}`,
	}}
	c := asking(t, a, nil)
	got, err := query(t, c, providers.Question{OrderNo: sampleOrder})
	if err != nil || got.Notice.TradeNo != "pi_3Test" {
		t.Errorf("found %+v, %v", got, err)
	}
	if got, err := query(t, c, providers.Question{OrderNo: "a"}); err != nil || got.Found {
		t.Errorf("in other case: %+v, %v", got, err)
	}
	if got, err := query(t, c, providers.Question{OrderNo: `x"\`}); err != nil || got.Found {
		t.Errorf("escaped: %+v, %v", got, err)
	}
	if last := a.asked[len(a.asked)-1]; !strings.Contains(last, `metadata["order_no"]:"x\"\\"`) {
		t.Errorf("searched by %s", last)
	}
	lie := domain.Evidence{
		Kind: "query", Status: 200, Scheme: SchemeHTTPS, Grade: domain.GradeC,
		Target: "/v1/payment_intents/search?query=" + url.QueryEscape(c.searchFor(sampleOrder)),
		Body:   []byte(a.answers["/v1/payment_intents/search"]),
	}
	if _, err := c.Reverify(lie); domain.KindOf(err) != domain.KindForged {
		t.Errorf("a search that shows the order is taken for none: %v", err)
	}
}

// TestQueryFails: what is no answer is never taken for "unpaid".
func TestQueryFails(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct {
		status int
		body   string
		kind   domain.Kind
	}{
		"server":      {500, `{"error":{"type":"api_error","message":"sorry"}}`, domain.KindUnavailable},
		"limited":     {429, `{"error":{"code":"rate_limit","message":"slow down"}}`, domain.KindUnavailable},
		"page":        {200, "<html>", domain.KindUnavailable},
		"page 404":    {404, "<html>", domain.KindUnavailable},
		"other 404":   {404, `{"error":{"message":"Unrecognized request URL"}}`, domain.KindUnavailable},
		"key":         {401, `{"error":{"message":"Invalid API Key provided: ` + sampleKey + `"}}`, domain.KindDenied},
		"forbidden":   {403, `{"error":{"message":"no"}}`, domain.KindDenied},
		"question":    {400, `{"error":{"message":"what"}}`, domain.KindInvalid},
		"redirect":    {302, `{}`, domain.KindUnavailable},
		"other id":    {200, strings.ReplaceAll(intentText, "pi_3Test", "pi_4"), domain.KindUnavailable},
		"other mode":  {200, strings.Replace(intentText, `"livemode":false`, `"livemode":true`, 1), domain.KindUnavailable},
		"other order": {200, strings.Replace(intentText, sampleOrder, "B2", 1), domain.KindUnavailable},
		"duplicate":   {200, strings.Replace(intentText, `"amount":1000`, `"amount":1,"amount":1000`, 1), domain.KindUnavailable},
		"exponent":    {200, strings.Replace(intentText, `"amount_received":1000`, `"amount_received":1e3`, 1), domain.KindUnavailable},
		"nothing":     {200, strings.Replace(intentText, `"amount_received":1000`, `"amount_received":0`, 1), domain.KindUnavailable},
		"no charge":   {200, `{"id":"pi_3Test","object":"charge"}`, domain.KindUnavailable},
	} {
		a := &api{answers: map[string]string{"/v1/payment_intents/pi_3Test": s.body}, status: map[string]int{"/v1/payment_intents/pi_3Test": s.status}}
		got, err := query(t, asking(t, a, nil), providers.Question{OrderNo: sampleOrder, TradeNo: "pi_3Test"})
		if domain.KindOf(err) != s.kind || err == nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), sampleKey) {
			t.Errorf("%s shows the key: %v", name, err)
		}
	}
	c := asking(t, &api{}, nil)
	for _, q := range []providers.Question{
		{}, {TradeNo: "T1"}, {TradeNo: "pi_1/../../x"}, {TradeNo: "pi_1?x"}, {RefundID: "re 1"}, {RefundID: strings.Repeat("r", 300)},
	} {
		if _, err := query(t, c, q); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%+v: %v", q, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Query(ctx, providers.Question{TradeNo: "pi_1"}); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("cancelled: %v", err)
	}
}

// TestTamperedAnswers: kept answers that claim what they have not, or answer
// another question, do not hold.
func TestTamperedAnswers(t *testing.T) {
	t.Parallel()
	list := `{"object":"list","has_more":false,"data":[{"client_reference_id":"A1","payment_intent":` + intentText + `}]}`
	a := &api{answers: map[string]string{"/v1/payment_intents/pi_3Test": intentText, "/v1/refunds/re_1": refundText, "/v1/checkout/sessions": list}}
	c := asking(t, a, nil)
	good, err := query(t, c, providers.Question{TradeNo: "pi_3Test"})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*domain.Evidence){
		"grade":          func(e *domain.Evidence) { e.Grade = domain.GradeB },
		"key":            func(e *domain.Evidence) { e.Key = "hmac:00" },
		"scheme":         func(e *domain.Evidence) { e.Scheme = SchemeHMAC },
		"status":         func(e *domain.Evidence) { e.Status = 500 },
		"cut":            func(e *domain.Evidence) { e.Body = e.Body[:40] },
		"other payment":  func(e *domain.Evidence) { e.Target = "/v1/payment_intents/pi_4" },
		"no payment":     func(e *domain.Evidence) { e.Target = "/v1/payment_intents/" },
		"other question": func(e *domain.Evidence) { e.Target = "/v1/refunds/pi_3Test" },
		"no question":    func(e *domain.Evidence) { e.Target = "/callbacks/stripe" },
		"strange path":   func(e *domain.Evidence) { e.Target = "/v1/accounts/pi_3Test" },
		"bad query":      func(e *domain.Evidence) { e.Target = "/v1/payment_intents/pi_3Test?%zz" },
		"other session":  func(e *domain.Evidence) { e.Target, e.Body = "/v1/checkout/sessions?payment_intent=pi_4", []byte(list) },
		"no session":     func(e *domain.Evidence) { e.Target, e.Body = "/v1/checkout/sessions", []byte(list) },
		"other refund":   func(e *domain.Evidence) { e.Target, e.Body = "/v1/refunds/re_2", []byte(refundText) },
		"other event":    func(e *domain.Evidence) { e.Target, e.Body = "/v1/events#evt_2", []byte(vectorBody) },
		"no event":       func(e *domain.Evidence) { e.Target, e.Body = "/v1/events", []byte(vectorBody) },
	} {
		e := good.Evidence
		change(&e)
		if notices, err := c.Reverify(e); domain.KindOf(err) != domain.KindForged {
			t.Errorf("%s: %+v, %v", name, notices, err)
		}
	}
}

// TestEchoedKey: an answer that repeats our key must not put it into evidence.
func TestEchoedKey(t *testing.T) {
	t.Parallel()
	body := strings.Replace(intentText, `"status"`, `"echo":"`+sampleKey+`","status"`, 1)
	a := &api{answers: map[string]string{"/v1/payment_intents/pi_3Test": body}}
	got, err := query(t, asking(t, a, nil), providers.Question{TradeNo: "pi_3Test"})
	if err != nil || strings.Contains(string(got.Evidence.Body), sampleKey) || !strings.Contains(string(got.Evidence.Body), hidden) {
		t.Errorf("evidence %s, %v", got.Evidence.Body, err)
	}
}

// TestRedirectIsNotFollowed: the key goes nowhere else.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	cfg := config()
	cfg.Gateway, cfg.AllowPlainHTTP = server.URL, true
	if _, err := newChannel(t, cfg).Query(t.Context(), providers.Question{TradeNo: "pi_1"}); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("redirected: %v", err)
	}
}
