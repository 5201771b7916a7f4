package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore/memory"

	"github.com/google/go-cmp/cmp"
)

// callbackCase is one request at a callback address: what is answered, what is
// logged, and which events were appended. No facts means that the log is as it
// was.
type callbackCase struct {
	name    string
	before  func(s *site)
	request func() *http.Request
	status  int
	body    string
	outcome domain.Outcome
	reason  domain.Reason
	facts   []string
}

var (
	kept     = domain.TypePaymentNotified
	credited = []string{kept, domain.TypePaymentCredited}
	held     = []string{kept, domain.TypePaymentHeld}
	parked   = []string{kept, domain.TypePaymentParked}
)

func placing(ch domain.ChannelID, no, amount string) func(*site) {
	return func(s *site) { s.place(ch, no, amount) }
}

// accepted is a case that is answered success.
func accepted(name string, before func(*site), o domain.Outcome, why domain.Reason, facts []string, request func() *http.Request) callbackCase {
	return callbackCase{name, before, request, http.StatusOK, "success", o, why, facts}
}

// refused is a case that is answered fail, with nothing appended.
func refused(name string, status int, why domain.Reason, request func() *http.Request) callbackCase {
	return callbackCase{name, nil, request, status, "fail", domain.OutcomeRefused, why, nil}
}

func genuine(ch domain.ChannelID, no, trade, money string) func() *http.Request {
	return func() *http.Request { return get(ch, signed(callback(no, trade, money))) }
}

func acceptedCases() []callbackCase {
	rsaFields := with(callback("R1", "TR1", "7.30"), "timestamp", "1773489600")
	return []callbackCase{
		accepted("genuine, GET", placing(now, "A1", "7.30"), "credited", "", credited, genuine(now, "A1", "T1", "7.30")),
		accepted("the same again", nil, "repeated", "", []string{kept}, genuine(now, "A1", "T1", "7.30")),
		accepted("zeros beyond the unit", nil, "repeated", "", []string{kept}, genuine(now, "A1", "T1", "7.3000")),
		accepted("genuine, POST", placing(now, "A2", "10.00"), "credited", "", credited, func() *http.Request {
			return post(now, signed(callback("A2", "T2", "10")))
		}),
		accepted("POST that names its charset", placing(now, "A3", "10.00"), "credited", "", credited, func() *http.Request {
			r := post(now, signed(callback("A3", "T3", "10.00")))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
			return r
		}),
		accepted("a second trade on a paid order", nil, "parked", domain.ReasonSecondPayment, parked, genuine(now, "A1", "T9", "7.30")),
		accepted("unknown order", nil, "parked", domain.ReasonUnknownOrder, parked, genuine(now, "ZZ", "T8", "7.30")),
		accepted("a fen too little", placing(now, "A4", "7.30"), "parked", domain.ReasonOtherAmount, parked, genuine(now, "A4", "T4", "7.29")),
		accepted("a hundred times", placing(now, "A5", "7.30"), "parked", domain.ReasonOtherAmount, parked, genuine(now, "A5", "T5", "730.00")),
		accepted("not paid yet", placing(now, "A6", "7.30"), "noted", domain.ReasonNotPaid, []string{kept}, func() *http.Request {
			return get(now, signed(with(callback("A6", "T6", "7.30"), "trade_status", "WAIT_BUYER_PAY")))
		}),
		accepted("a field nobody knows", placing(now, "A7", "7.30"), "held", domain.ReasonDoubtful, held, func() *http.Request {
			return get(now, signed(with(callback("A7", "T7", "7.30"), "coupon", "x")))
		}),
		accepted("the channel wants confirmation", placing(ask, "A1", "7.30"), "held", domain.ReasonConfirmByQuery, held, genuine(ask, "A1", "T1", "7.30")),
		accepted("RSA", placing(rsV, "R1", "7.30"), "credited", "", credited, func() *http.Request {
			return get(rsV, signedRSA(rsaFields))
		}),
		accepted("RSA again, signed anew", nil, "repeated", "", []string{kept}, func() *http.Request {
			return get(rsV, signedRSA(with(rsaFields, "timestamp", "1773489700")))
		}),
		accepted("an order number with a slash and a quote", placing(now, `A/8'"`, "7.30"), "credited", "", credited, genuine(now, `A/8'"`, "T88", "7.30")),
	}
}

func refusedCases() []callbackCase {
	good := callback("A1", "T1", "7.30")
	form := func(change func(*http.Request)) func() *http.Request {
		return func() *http.Request {
			r := post(now, signed(good))
			change(r)
			return r
		}
	}
	query := func(q string) func() *http.Request { return func() *http.Request { return get(now, q) } }
	method := func(m string) func() *http.Request {
		return func() *http.Request { return httptest.NewRequest(m, "/callbacks/epay-now?"+signed(good), nil) }
	}
	return []callbackCase{
		refused("forged amount", 400, domain.ReasonWrongSignature, query(strings.Replace(signed(good), "7.30", "73.0", 1))),
		refused("signed with nothing", 400, domain.ReasonWrongSignature, query(signedWith(good, ""))),
		refused("signed with another key", 400, domain.ReasonWrongSignature, query(signedWith(good, "another-key-0123456789abcdef"))),
		refused("no signature", 400, domain.ReasonWrongSignature, query(encode(good))),
		refused("signed by RSA at an MD5 channel", 400, domain.ReasonWrongSignature, query(signedRSA(good))),
		refused("signed by MD5 at an RSA channel", 400, domain.ReasonWrongSignature, func() *http.Request { return get(rsV, signed(good)) }),
		refused("another merchant", 400, domain.ReasonForeignMerchant, query(signed(with(good, "pid", "1002")))),
		refused("a field twice", 400, domain.ReasonUnreadable, query(signed(good)+"&money=7.30")),
		refused("nothing", 400, domain.ReasonUnreadable, query("")),
		refused("broken escapes", 400, domain.ReasonUnreadable, query(signed(good)+"&x=%zz")),
		refused("an exponent", 400, domain.ReasonUnreadable, query(signed(with(good, "money", "1e9")))),
		refused("fields in query and body", 400, domain.ReasonUnreadable, form(func(r *http.Request) { r.URL.RawQuery = "a=b" })),
		refused("JSON", 400, domain.ReasonUnreadable, form(func(r *http.Request) { r.Header.Set("Content-Type", "application/json") })),
		refused("no content type", 400, domain.ReasonUnreadable, form(func(r *http.Request) { r.Header.Del("Content-Type") })),
		refused("packed", 400, domain.ReasonUnreadable, form(func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })),
		refused("PUT", 400, domain.ReasonWrongMethod, method(http.MethodPut)),
		refused("DELETE", 400, domain.ReasonWrongMethod, method(http.MethodDelete)),
		refused("HEAD", 400, domain.ReasonWrongMethod, method(http.MethodHead)),
		refused("a word of its own", 400, domain.ReasonWrongMethod, method("SUCCESS")),
		refused("at the limit", 400, domain.ReasonUnreadable, func() *http.Request {
			return post(now, strings.Repeat("x", 64<<10))
		}),
		refused("a byte over the limit", 413, domain.ReasonTooLarge, func() *http.Request {
			return post(now, strings.Repeat("x", 64<<10+1))
		}),
		refused("unknown channel", 404, domain.ReasonUnknownChannel, func() *http.Request { return get("nobody", signed(good)) }),
		refused("a channel called success", 404, domain.ReasonUnknownChannel, func() *http.Request { return get("success", signed(good)) }),
		refused("a slash behind the address", 404, domain.ReasonUnknownChannel, func() *http.Request { return get("epay-now/", signed(good)) }),
		refused("two slashes before it", 404, domain.ReasonUnknownChannel, func() *http.Request {
			r := get(now, signed(good))
			r.URL.Path = "//callbacks/epay-now"
			return r
		}),
		refused("two slashes in it", 404, domain.ReasonUnknownChannel, func() *http.Request { return get("/epay-now", signed(good)) }),
		refused("a way around", 404, domain.ReasonUnknownChannel, func() *http.Request { return get("x/../epay-now", signed(good)) }),
		refused("no channel", 404, domain.ReasonUnknownChannel, func() *http.Request { return get("", signed(good)) }),
	}
}

func failedCases() []callbackCase {
	failing := func(f memory.Fault) func(*site) { return func(s *site) { s.log.Next(f) } }
	failed := func(name string, before func(*site), why domain.Reason, facts []string, request func() *http.Request) callbackCase {
		return callbackCase{name, before, request, http.StatusServiceUnavailable, "fail", domain.OutcomeFailed, why, facts}
	}
	return []callbackCase{
		failed("the store takes nothing", failing(memory.Unavailable), domain.ReasonStoreUnready, nil, genuine(now, "A6", "T6", "7.30")),
		failed("the store does not know", failing(memory.Lost), domain.ReasonStoreUnready, nil, genuine(now, "A6", "T6", "7.30")),
		failed("it was written after all", failing(memory.Written), domain.ReasonStoreUnready, credited, genuine(now, "A6", "T6", "7.30")),
		accepted("and comes again", nil, "repeated", "", []string{kept}, genuine(now, "A6", "T6", "7.30")),
		failed("the adapter panics", nil, domain.ReasonStoreUnready, nil, genuine(bug, "A6", "T6", "7.30")),
	}
}

// TestCallbacks plays every case on one installation, in order.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cases := slices.Concat(acceptedCases(), refusedCases(), failedCases())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.play(t, s) })
	}
	rows := s.callbackRows(len(cases))
	if len(rows) != len(cases) {
		t.Fatalf("%d rows in the callback log for %d requests", len(rows), len(cases))
	}
	for i, c := range cases {
		row := rows[i]
		if row.Outcome != c.outcome || row.Reason != c.reason || row.Reply.Status != c.status || row.Reply.Body != c.body {
			t.Errorf("%s: the row says %s (%s), %d %s", c.name, row.Outcome, row.Reason, row.Reply.Status, row.Reply.Body)
		}
		if row.Remote != "192.0.2.1" || row.Method == "" {
			t.Errorf("%s: row %+v", c.name, row)
		}
		if (row.Error != "") != (row.Outcome == domain.OutcomeRefused || row.Outcome == domain.OutcomeFailed) {
			t.Errorf("%s: error %q", c.name, row.Error)
		}
	}
	s.checkCounters(t, cases)
	s.checkNoSecrets(t)
}

func (c callbackCase) play(t *testing.T, s *site) {
	if c.before != nil {
		c.before(s)
	}
	events, lines := len(s.events()), bytes.Count(s.logs.Bytes(), []byte("\n"))
	w := s.serve(c.request())
	if w.Code != c.status || w.Body.String() != c.body {
		t.Errorf("answered %d %q, want %d %q", w.Code, w.Body, c.status, c.body)
	}
	if got := w.Header().Get("Content-Type"); got != "text/plain" {
		t.Errorf("content type %q", got)
	}
	if diff := cmp.Diff(c.facts, s.facts(events)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if got := bytes.Count(s.logs.Bytes(), []byte("\n")) - lines; got != 1 {
		t.Errorf("%d log lines", got)
	}
	told := s.lines("callback")
	last := told[len(told)-1]
	if last["outcome"] != string(c.outcome) || last["reason"] != string(c.reason) || last["reply_body"] != c.body ||
		last["reply_status"] != float64(c.status) {
		t.Errorf("log line %v", last)
	}
}

// checkCounters: every case was counted under its provider and outcome, a
// refused one under its reason, too.
func (s *site) checkCounters(t *testing.T, cases []callbackCase) {
	t.Helper()
	want := map[string]float64{}
	for _, c := range cases {
		provider := "epay"
		if c.reason == domain.ReasonUnknownChannel {
			provider = "none"
		}
		want["received "+provider+" "+string(c.outcome)]++
		if c.outcome == domain.OutcomeRefused {
			want["refused "+provider+" "+string(c.reason)]++
		}
	}
	got := map[string]float64{}
	families, err := s.metrics.Gather()
	s.ok(err)
	for _, f := range families {
		name, second := "received", "outcome"
		switch f.GetName() {
		case "counterfoil_received_total":
		case "counterfoil_refused_total":
			name, second = "refused", "reason"
		default:
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			got[name+" "+labels["provider"]+" "+labels[second]] = m.GetCounter().GetValue()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// checkNoSecrets: neither a channel's key nor an API key is in a log line, in
// an event, or in a row.
func (s *site) checkNoSecrets(t *testing.T) {
	t.Helper()
	places := map[string]string{"log": string(s.logs.Bytes())}
	for _, e := range s.events() {
		places["events"] += string(e.Data) + string(e.Meta)
	}
	for _, r := range s.callbackRows(0) {
		places["rows"] += fmt.Sprintf("%+v", r)
	}
	refused, err := s.ops.RefusedCallbacks(t.Context(), "", s.clock.now().AddDate(-1, 0, 0))
	s.ok(err)
	for _, r := range refused {
		places["kept requests"] += string(r.Request)
	}
	secrets := []string{sharedKey}
	for _, token := range s.tokens {
		secrets = append(secrets, token, token[len(token)-64:])
	}
	for where, text := range places {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("a secret is in the %s", where)
			}
		}
		if text == "" {
			t.Errorf("nothing was looked through in the %s", where)
		}
	}
}

// TestNoOtherAnswerHasTheWord: whatever address a gateway was given, no answer
// but a callback's own contains the word in any case, also when the address or
// the query does.
func TestNoOtherAnswerHasTheWord(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{
		"/", "/success", "/callback/epay-now", "/Callbacks/epay-now", "/callbacksuccess", "//success", "/v1", "/v1/", "/v1/success",
		"/v1//payments", "/v1/payments/../success", "//v1/payments", "/openapi.json", "/openapi.yaml", "/docs", "/schemas/Payment.json",
		"/metrics", "/readyz", "/debug/pprof/", "/callbacks", "/callbacks/", "/callbacks/success/success", "/%2e%2e/callbacks/success",
		"/x/../callbacks/epay-now/.", "/favicon.ico",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions, http.MethodConnect, "SUCCESS"} {
			for _, key := range []string{"", "admin"} {
				r := httptest.NewRequest(http.MethodGet, "/x?trade_status=TRADE_SUCCESS", nil)
				r.Method, r.URL.Path, r.RequestURI = method, path, path
				if key != "" {
					r.Header.Set("Authorization", "Bearer "+s.tokens[key])
				}
				w := s.serve(r)
				if path == "/openapi.json" && key == "admin" {
					continue // its reader holds a key
				}
				if hasWord(w.Body.String()) || hasWord(fmt.Sprint(w.Header())) {
					t.Errorf("%s %s with key %q: %d %s %v", method, path, key, w.Code, w.Body, w.Header())
				}
				if w.Code < 400 {
					t.Errorf("%s %s with key %q: %d", method, path, key, w.Code)
				}
			}
		}
	}
	if got := len(s.events()); got != 1+3 { // opened, three channels
		t.Errorf("%d events", got)
	}
}

// TestStrangeTextInLogs: control and direction characters of a stranger do not
// get into the log as they are.
func TestStrangeTextInLogs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(get("a%E2%80%AEb%1b[31mc%E2%81%A6", ""))
	s.serve(get(now, signed(callback("o\u202ep", "t\u202eq", "7.30"))))
	s.call("admin", http.MethodGet, "/v1/a%E2%80%AEb", "")
	text := string(s.logs.Bytes())
	if strings.ContainsAny(text, "\u202e\u2066\x1b") || strings.Contains(text, `\u001b`) || strings.Count(text, "a\ufffdb") != 2 ||
		!strings.Contains(text, "o\ufffdp") || !strings.Contains(text, "t\ufffdq") {
		t.Errorf("log: %s", text)
	}
}

// TestDeliveriesAreNamed: every request has a delivery id of its own, also one
// that never arrived whole.
func TestDeliveriesAreNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	requests := []func() *http.Request{
		genuine(now, "A1", "T1", "7.30"), genuine(now, "A1", "T1", "7.30"), genuine("nobody", "A1", "T1", "7.30"),
		func() *http.Request { return post(now, strings.Repeat("x", 64<<10+1)) },
	}
	for _, r := range requests {
		s.serve(r())
	}
	seen := map[domain.ID]bool{}
	for _, row := range s.callbackRows(len(requests)) {
		if row.Delivery.IsZero() || seen[row.Delivery] {
			t.Errorf("delivery %s of %+v", row.Delivery, row)
		}
		seen[row.Delivery] = true
	}
}
