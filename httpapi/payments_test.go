package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore/memory"
	"counterfoil/operations"
	"counterfoil/providers/epay"
)

func orderBody(ch domain.ChannelID, no string, changes ...string) string {
	fields := map[string]any{
		"channel": string(ch), "order_no": no, "account": "user:42", "amount": "7.30", "currency": "CNY", "method": "alipay",
		"subject": "credits 点数", "return_url": "https://shop.example/back", "client_ip": "203.0.113.9",
	}
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "" {
			delete(fields, changes[i])
		} else {
			fields[changes[i]] = json.RawMessage(changes[i+1])
		}
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func (s *site) post(key, body string) answer {
	s.tb.Helper()
	return s.call("admin", http.MethodPost, "/v1/payments", body, "Idempotency-Key", key)
}

// TestPlace: the answer is the payment, the form as the gateway accepts it, and
// the derived callback address; the books hold what was placed.
func TestPlace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := len(s.events())
	a := s.post("k1", orderBody(now, "A1"))
	if a.status != http.StatusCreated || a.field("existed") != false || a.text("payment.state") != "placed" ||
		a.text("payment.amount.amount") != "7.30" || a.text("payment.account") != "user:42" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := s.facts(before); len(got) != 1 || got[0] != domain.TypePaymentPlaced {
		t.Errorf("facts %v", got)
	}
	events := s.events()
	if last := events[len(events)-1]; a.text("payment.position") != last.Position.String() {
		t.Errorf("position %s, the event stands at %s", a.text("payment.position"), last.Position)
	} else if strings.Contains(string(last.Data)+string(last.Meta), "203.0.113.9") || strings.Contains(string(last.Data), "credits") {
		t.Errorf("personal fields in the event: %s", last.Data)
	}
	const address = "https://pay.example.com/hooks/callbacks/epay-now"
	if a.text("payment.callback_url") != address || a.text("form.fields.notify_url") != address {
		t.Errorf("callback address %s, in the form %s", a.text("payment.callback_url"), a.text("form.fields.notify_url"))
	}
	s.checkForm(t, a, "/submit.php", func(text, sign string) bool { return epay.VerifyMD5(text, sharedKey, sign) })
	rsa := s.post("k2", orderBody(rsV, "A1"))
	s.checkForm(t, rsa, "/api/pay/submit", func(text, sign string) bool {
		return epay.VerifyRSA(text, sign, &merchant().PublicKey)
	})
	s.checkNoSecretsIn(t, a, rsa)
}

// checkForm verifies a form as the gateway does.
func (s *site) checkForm(t *testing.T, a answer, path string, verify func(text, sign string) bool) {
	t.Helper()
	fields, _ := a.field("form.fields").(map[string]any)
	var p epay.Params
	for name, value := range fields {
		text, _ := value.(string)
		p = append(p, epay.Param{Name: name, Value: text})
	}
	if !verify(epay.Text(p), p.Value("sign")) {
		t.Errorf("the gateway refuses the form: %v", fields)
	}
	if a.text("form.action") != "https://gateway.example"+path || a.text("form.method") != "POST" {
		t.Errorf("form %s %s", a.text("form.method"), a.text("form.action"))
	}
	if p.Value("money") != "7.30" || p.Value("out_trade_no") != "A1" || p.Value("pid") != pid {
		t.Errorf("fields %v", fields)
	}
}

func (s *site) checkNoSecretsIn(t *testing.T, answers ...answer) {
	t.Helper()
	for _, a := range answers {
		if strings.Contains(string(a.body), sharedKey) {
			t.Errorf("the channel's key is in %s", a.body)
		}
	}
}

// TestPlaceAgain: by another request, the same order is the same payment.
func TestPlaceAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.post("k1", orderBody(now, "A1"))
	before := len(s.events())
	again := s.post("k2", orderBody(now, "A1"))
	if again.status != http.StatusOK || again.field("existed") != true {
		t.Errorf("%d %s", again.status, again.body)
	}
	if first.text("payment.position") != again.text("payment.position") || again.text("payment.position") == "0" {
		t.Errorf("positions %s and %s", first.text("payment.position"), again.text("payment.position"))
	}
	for field, value := range map[string]string{
		"amount": `"7.31"`, "account": `"user:43"`, "method": `"wxpay"`, "subject": `"other"`,
		"return_url": `"https://shop.example/other"`, "expires_at": `"2026-03-14T20:00:00Z"`,
	} {
		a := s.post("k-"+field, orderBody(now, "A1", field, value))
		if a.status != http.StatusConflict || a.text("code") != "conflict" || a.text("errors.0.field") != field {
			t.Errorf("another %s: %d %s", field, a.status, a.body)
		}
	}
	if got := s.facts(before); len(got) != 0 {
		t.Errorf("facts %v", got)
	}
}

// TestWrongFields: the wrong one is named, and nothing is placed.
func TestWrongFields(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := len(s.events())
	for _, c := range []struct {
		field, value string
		status       int
		named        string
	}{
		{"channel", `"Epay"`, 422, "channel"},
		{"channel", `"nobody"`, 404, "channel"},
		{"channel", "", 422, "body"},
		{"order_no", `"A 1"`, 422, "order_no"},
		{"order_no", `"A&1"`, 422, "order_no"},
		{"order_no", `""`, 422, "order_no"},
		{"order_no", `"` + strings.Repeat("9", 201) + `"`, 422, "body.order_no"},
		{"account", `"user 42"`, 422, "account"},
		{"account", `"` + strings.Repeat("a", 129) + `"`, 422, "account"},
		{"amount", `7.30`, 422, "body.amount"},
		{"amount", `"1e3"`, 422, "amount"},
		{"amount", `"-1.00"`, 422, "amount"},
		{"amount", `"7.301"`, 422, "amount"},
		{"amount", `"0.00"`, 422, "amount"},
		{"amount", `"７.30"`, 422, "amount"},
		{"amount", `"99999999999999999999"`, 422, "amount"},
		{"currency", `"cny"`, 422, "currency"},
		{"currency", `"USD"`, 422, "amount"},
		{"currency", `"XXX"`, 422, "currency"},
		{"method", `"ali pay"`, 422, "method"},
		{"subject", `"a&b"`, 422, "subject"},
		{"subject", "", 422, "subject"},
		{"return_url", `"javascript:alert(1)"`, 422, "return_url"},
		{"return_url", `"//evil.example"`, 422, "return_url"},
		{"client_ip", `"not an address"`, 422, "client_ip"},
		{"expires_at", `"yesterday"`, 422, "body.expires_at"},
		{"expires_at", `"2020-01-01T00:00:00Z"`, 422, "expires_at"},
		{"notify_url", `"https://evil.example"`, 422, "body.notify_url"},
		{"Amount", `"9.99"`, 400, ""},
	} {
		a := s.post("k", orderBody(now, "A1", c.field, c.value))
		if a.status != c.status || (c.named != "" && a.text("errors.0.field") != c.named) {
			t.Errorf("%s = %s: %d %s", c.field, c.value, a.status, a.body)
		}
		if a.header.Get("Content-Type") != "application/problem+json" || a.text("request_id") == "" || a.text("type") == "" {
			t.Errorf("%s = %s: no whole problem: %s %s", c.field, c.value, a.header, a.body)
		}
	}
	if got := s.facts(before); len(got) != 0 {
		t.Errorf("facts %v", got)
	}
}

// TestAmbiguousBodies: a body that two readers could read differently is
// refused.
func TestAmbiguousBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := len(s.events())
	good := orderBody(now, "A1")
	for name, body := range map[string]string{
		"twice": strings.Replace(good, `{`, `{"amount":"1.00",`, 1), "other case": strings.Replace(good, `{`, `{"AMOUNT":"1.00",`, 1),
		"trailing": good + `{}`, "an array": `[` + good + `]`, "nothing": "", "no JSON": "amount=7.30", "bad UTF-8": strings.Replace(good, "credits", "cre\xffdits", 1),
		"null": strings.Replace(good, `"7.30"`, `null`, 1),
	} {
		a := s.post("k", body)
		if a.status != http.StatusBadRequest && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.call("admin", http.MethodPost, "/v1/payments", good, "Idempotency-Key", "k", "Content-Type", "text/plain"); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("as text: %d %s", a.status, a.body)
	}
	if a := s.post("k", strings.Replace(good, "credits", strings.Repeat("x", 64<<10), 1)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("too long: %d %s", a.status, a.body)
	}
	if got := s.facts(before); len(got) != 0 {
		t.Errorf("facts %v", got)
	}
}

// TestIdempotencyKey: missing, repeated, used for something else, still
// running.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if a := s.post("", orderBody(now, "A1")); a.status != http.StatusBadRequest || a.text("errors.0.field") != "Idempotency-Key" {
		t.Errorf("missing: %d %s", a.status, a.body)
	}
	first := s.post("k1", orderBody(rsV, "A1"))
	s.clock.add(time.Minute) // a new form would have another timestamp
	before := len(s.events())
	again := s.post("k1", orderBody(rsV, "A1"))
	if again.status != first.status || string(again.body) != string(first.body) {
		t.Errorf("again: %d %s, first %d %s", again.status, again.body, first.status, first.body)
	}
	if a := s.post("k1", orderBody(rsV, "A2")); a.status != http.StatusUnprocessableEntity || a.text("errors.0.field") != "Idempotency-Key" {
		t.Errorf("another body: %d %s", a.status, a.body)
	}
	if got := s.facts(before); len(got) != 0 {
		t.Errorf("facts %v", got)
	}
	s.key("other", operations.ScopePaymentsWrite)
	if a := s.call("other", http.MethodPost, "/v1/payments", orderBody(now, "A3"), "Idempotency-Key", "k1"); a.status != http.StatusCreated {
		t.Errorf("the same word of another key: %d %s", a.status, a.body)
	}
	if a := s.post("k2", orderBody(now, "A4", "amount", `"0"`)); a.status != 422 {
		t.Errorf("refused: %d", a.status)
	}
	if a := s.post("k2", orderBody(now, "A4")); a.status != http.StatusCreated {
		t.Errorf("after a refusal the key is free: %d %s", a.status, a.body)
	}
}

// TestIdempotencyKeyStillRunning: the second of two requests at once is told to
// wait, and both place one payment.
func TestIdempotencyKeyStillRunning(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.log.Next(memory.Slow)
	done := make(chan answer, 1)
	go func() { done <- s.post("k1", orderBody(now, "A1")) }()
	<-s.log.Waiting()
	if a := s.post("k1", orderBody(now, "A1")); a.status != http.StatusConflict || a.text("errors.0.field") != "Idempotency-Key" {
		t.Errorf("meanwhile: %d %s", a.status, a.body)
	}
	s.log.Release()
	first := <-done
	if a := s.post("k1", orderBody(now, "A1")); first.status != http.StatusCreated || string(a.body) != string(first.body) {
		t.Errorf("first %d, afterwards %d %s", first.status, a.status, a.body)
	}
}

// TestPlaceWhileStoreFails: an unknown outcome says so, and the repeat settles
// it.
func TestPlaceWhileStoreFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, f := range []memory.Fault{memory.Unavailable, memory.Lost, memory.Written} {
		no := fmt.Sprint("A", i)
		s.log.Next(f)
		if a := s.post("k"+no, orderBody(now, no)); a.status != http.StatusServiceUnavailable {
			t.Errorf("fault %d: %d %s", f, a.status, a.body)
		}
		if a := s.post("k"+no, orderBody(now, no)); a.status >= 300 {
			t.Errorf("fault %d, repeated: %d %s", f, a.status, a.body)
		}
		v, err := s.ledger.Payment(context.Background(), now, no)
		if err != nil || len(v.Events) != 1 {
			t.Errorf("fault %d: %d events, %v", f, len(v.Events), err)
		}
	}
}

// TestShowPayment: the timeline is the stream, fact by fact, byte by byte.
func TestShowPayment(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	no := "A/1'<&>"
	s.place(now, "A1", "7.30")
	s.serve(get(now, signed(callback("A1", "T1", "7.30"))))
	s.serve(get(now, signed(callback(no, "T2<&>", "7.30"))))
	a := s.call("admin", http.MethodGet, "/v1/payments/epay-now/A1", "")
	if a.status != http.StatusOK || a.text("state") != "credited" || a.text("trade_no") != "T1" || a.text("notices") != "1" ||
		a.text("trades.0.state") != "credited" {
		t.Errorf("%d %s", a.status, a.body)
	}
	timeline, _ := a.field("timeline").([]any)
	if len(timeline) != 3 || a.text("timeline.2.type") != domain.TypePaymentCredited || a.text("timeline.1.actor") != "channel:epay-now" ||
		a.text("position") != a.text("timeline.2.position") || a.header.Get("ETag") != `"`+a.text("position")+`"` {
		t.Errorf("timeline %s", a.body)
	}
	strange := s.call("admin", http.MethodGet, "/v1/payments/epay-now/A%2F1'%3C&%3E", "")
	if strange.status != http.StatusOK || strange.text("order_no") != no || strange.text("state") != "parked" {
		t.Errorf("%d %s", strange.status, strange.body)
	}
	for _, e := range s.events() {
		if e.Type == domain.TypePaymentParked && !strings.Contains(string(strange.body), `"fact":`+string(e.Data)) {
			t.Errorf("the fact %s is not shown as stored: %s", e.Data, strange.body)
		}
	}
	for target, status := range map[string]int{
		"/v1/payments/epay-now/none": 404, "/v1/payments/nobody/A1": 404, "/v1/payments/Bad/A1": 422,
		"/v1/payments/epay-now": 404, "/v1/payments/epay-now/A1/x": 404, "/v1/payments/epay-now/A1?full=1": 422,
	} {
		if a := s.call("admin", http.MethodGet, target, ""); a.status != status || a.text("code") == "" {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if a := s.call("admin", http.MethodPut, "/v1/payments", "{}"); a.status != http.StatusMethodNotAllowed ||
		!strings.Contains(a.header.Get("Allow"), "POST") || a.text("code") == "" {
		t.Errorf("PUT: %d %v %s", a.status, a.header, a.body)
	}
}

// TestPaymentThen: a payment as the log stood at a position or an instant, which
// no later event changes.
func TestPaymentThen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const target = "/v1/payments/epay-now/A1"
	before := s.clock.now().Add(-time.Second).Format(time.RFC3339)
	s.place(now, "A1", "7.30")
	placed := s.settled()
	t1 := s.clock.now().Format(time.RFC3339)
	s.clock.add(time.Minute)
	s.serve(get(now, signed(callback("A1", "T1", "7.30"))))
	credited := s.settled()
	for query, want := range map[string]string{
		"": "credited 3", "?as_of_position=" + placed.String(): "placed 1", "?as_of_position=" + (credited - 1).String(): "placed 2",
		"?as_of_position=" + credited.String(): "credited 3", "?as_of_time=" + t1: "placed 1", "?as_of_time=2100-01-01T00:00:00Z": "credited 3",
		"?as_of_position=0": "404", "?as_of_position=" + (placed - 1).String(): "404", "?as_of_time=" + before: "404",
		"?as_of_position=" + (credited + 1).String(): "503", "?as_of_position=x": "422", "?as_of_time=then": "422",
		"?as_of_time=" + t1 + "&as_of_position=1": "422",
	} {
		a := s.call("admin", http.MethodGet, target+query, "")
		timeline, _ := a.field("timeline").([]any)
		got := fmt.Sprint(a.status)
		if a.status == http.StatusOK {
			got = fmt.Sprint(a.text("state"), " ", len(timeline))
		}
		if got != want {
			t.Errorf("%s: %s, want %s: %s", query, got, want, a.body)
		}
	}
}

// TestCancel: once cancelled, money that comes is parked.
func TestCancel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.place(now, "A1", "7.30")
	s.place(now, "A2", "7.30")
	s.serve(get(now, signed(callback("A2", "T2", "7.30"))))
	cancel := func(no, body string) answer {
		return s.call("admin", http.MethodPost, "/v1/payments/epay-now/"+no+"/cancel", body)
	}
	before := len(s.events())
	for range 2 {
		if a := cancel("A1", `{"reason":"changed my mind"}`); a.status != http.StatusOK || a.text("state") != "cancelled" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	for name, c := range map[string]struct {
		a      answer
		status int
	}{
		"paid": {cancel("A2", `{"reason":"x"}`), 409}, "unknown": {cancel("A3", `{"reason":"x"}`), 404},
		"no reason": {cancel("A1", `{"reason":""}`), 422}, "no body": {cancel("A1", ``), 400},
	} {
		if c.a.status != c.status {
			t.Errorf("%s: %d %s", name, c.a.status, c.a.body)
		}
	}
	if got := s.facts(before); len(got) != 1 || got[0] != domain.TypePaymentClosed {
		t.Errorf("facts %v", got)
	}
}

// TestListPayments: pages hold every payment once, newest first, while new ones
// are placed between the pages.
func TestListPayments(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 7 {
		s.place(now, fmt.Sprint("A", i), "7.30")
	}
	s.settled()
	var seen []string
	target := "/v1/payments?channel=epay-now&limit=2"
	for page := 0; ; page++ {
		a := s.call("admin", http.MethodGet, target, "")
		rows, _ := a.field("payments").([]any)
		if a.status != http.StatusOK || len(rows) == 0 {
			t.Fatalf("page %d: %d %s", page, a.status, a.body)
		}
		for i := range rows {
			seen = append(seen, a.text(fmt.Sprintf("payments.%d.order_no", i)))
		}
		if a.field("has_more") != true {
			if a.text("next_cursor") != "" {
				t.Errorf("a cursor behind the end: %s", a.body)
			}
			break
		}
		s.place(now, fmt.Sprint("NEW", page), "1.00")
		s.settled()
		target = "/v1/payments?channel=epay-now&limit=2&cursor=" + a.text("next_cursor")
	}
	if got := strings.Join(seen, " "); got != "A6 A5 A4 A3 A2 A1 A0" {
		t.Errorf("pages hold %s", got)
	}
	for target, status := range map[string]int{
		"?limit=0": 422, "?limit=201": 422, "?limit=x": 422, "?limt=3": 422, "?cursor=x": 422, "?state=paid": 422, "?state=credited": 200,
		"?limit=": 422, "?limit=1&limit=2": 422, "?account=%zz": 422, "?account=user:42": 200, "?channel=BAD": 422, "?account=a%20b": 422,
	} {
		if a := s.call("admin", http.MethodGet, "/v1/payments"+target, ""); a.status != status {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
}

// TestManyPlaceAtOnce: one order placed by many requests is one payment.
func TestManyPlaceAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if a := s.post(fmt.Sprint("k", i), orderBody(now, "A1")); a.status >= 300 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if v, err := s.ledger.Payment(context.Background(), now, "A1"); err != nil || len(v.Events) != 1 {
		t.Errorf("%d events, %v", len(v.Events), err)
	}
}

// TestPlaceAgainWhenNothingIsToBePaid: a payer must not be sent to pay twice.
func TestPlaceAgainWhenNothingIsToBePaid(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, no := range []string{"paid", "cancelled", "waiting"} {
		if a := s.post("k"+no, orderBody(now, no)); a.status != http.StatusCreated || a.field("form") == nil {
			t.Fatalf("%s: %d %s", no, a.status, a.body)
		}
	}
	s.serve(get(now, signed(callback("paid", "T1", "7.30"))))
	s.call("admin", http.MethodPost, "/v1/payments/epay-now/cancelled/cancel", `{"reason":"x"}`)
	for no, state := range map[string]string{"paid": "credited", "cancelled": "cancelled", "waiting": "placed"} {
		a := s.post("again"+no, orderBody(now, no))
		if a.status != http.StatusOK || a.text("payment.state") != state || (a.field("form") != nil) != (no == "waiting") {
			t.Errorf("%s: %d %s", no, a.status, a.body)
		}
	}
}
