package httpapi_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// april is when March is over everywhere; the site begins on 14 March.
var april = time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC)

// officers makes keys of two persons who see and decide, and of a service.
func (s *site) officers() {
	s.tb.Helper()
	for name, k := range map[string]operations.APIKey{
		"li": {Person: "li"}, "wang": {Person: "wang"}, "robot": {Person: "wang", Service: true},
		"narrow": {Person: "wu", Channels: []string{string(now)}},
	} {
		k.ID, k.SHA256, k.CreatedAt = name, s.hashOf(name), s.clock.now()
		k.Scopes = []operations.Scope{operations.ScopeCorrections, operations.ScopeReconcile, operations.ScopeBalancesRead}
		s.ok(s.ops.PutAPIKey(s.tb.Context(), k))
	}
}

// march is a month: a payment of 7.30, fees of 0.10 and a payout of 5.00.
func march(t *testing.T, options ...option) *site {
	t.Helper()
	s := newSite(t, options...)
	s.officers()
	s.place(now, "A1", "7.30")
	if w := s.serve(get(now, signed(callback("A1", "TA1", "7.30")))); w.Body.String() != "success" {
		t.Fatal(w.Code, w.Body)
	}
	by := ledger.By{Actor: "reconciler", Cause: "bill-1"}
	_, err := s.ledger.BookBill(t.Context(), now, domain.BookedBill{
		Day: "2026-03-14", Bill: "trade", Run: "bill-1", Charges: []domain.Charge{{Currency: domain.CNY, Fees: "0.1"}},
	}, by)
	s.ok(err)
	_, err = s.ledger.BookMovements(t.Context(), now, "2026-03-14", []domain.Movement{
		{Kind: domain.LinePayout, PayoutID: "po/1", Amount: domain.NewMoney(500, domain.CNY), Bill: "funds", Run: "bill-2"},
	}, by)
	s.ok(err)
	s.settled()
	return s
}

// TestBooks: the trial balance of a month, of all and as of a place in the log.
func TestBooks(t *testing.T) {
	t.Parallel()
	s := march(t)
	a := s.call("li", http.MethodGet, "/v1/books?period=2026-03", "")
	if a.status != http.StatusOK || a.text("sums.0.closing") != "0.00" || a.text("sums.0.debit") != a.text("sums.0.credit") || a.text("sums.0.debit") != "12.40" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	want := map[string]string{"assets:psp:epay-now": "2.20", "assets:transit": "5.00", "expenses:fee:epay-now": "0.10", "liabilities:wallet": "-7.30"}
	rows, _ := a.field("books").([]any)
	for i := range rows {
		at := "books." + string(rune('0'+i))
		if a.text(at+".closing") != want[a.text(at+".book")] || a.text(at+".opening") != "0.00" {
			t.Errorf("%s %s holds %s", at, a.text(at+".book"), a.text(at+".closing"))
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d books, want %d", len(rows), len(want))
	}
	if a := s.call("li", http.MethodGet, "/v1/books?period=2026-04", ""); a.text("books.0.opening") != "2.20" || a.text("books.0.debit") != "0.00" {
		t.Errorf("the month after: %s", a.body)
	}
	if a := s.call("li", http.MethodGet, "/v1/books?as_of_time=2026-03-14T11:59:59Z", ""); a.status != http.StatusOK || len(a.field("books").([]any)) != 0 {
		t.Errorf("before everything: %d %s", a.status, a.body)
	}
	for target, status := range map[string]int{"/v1/books?period=2026-3": http.StatusUnprocessableEntity, "/v1/books?as_of_position=x": http.StatusUnprocessableEntity} {
		if a := s.call("li", http.MethodGet, target, ""); a.status != status {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if a := s.call("narrow", http.MethodGet, "/v1/books", ""); a.status != http.StatusForbidden {
		t.Errorf("a key of one channel: %d %s", a.status, a.body)
	}
}

// TestBooksTestMoney: payments that try a channel stand beside the wallets, as in
// reports, and the books still come to zero; a period's totals have them in one.
func TestBooksTestMoney(t *testing.T) {
	t.Parallel()
	s := march(t)
	s.placeFor(now, "TRY", "0.01", string(domain.TestAccount))
	if w := s.serve(get(now, signed(callback("TRY", "TTRY", "0.01")))); w.Body.String() != "success" {
		t.Fatal(w.Code, w.Body)
	}
	s.settled()
	a := s.call("li", http.MethodGet, "/v1/books?period=2026-03", "")
	if a.text("books.3.book") != "liabilities:wallet" || a.text("books.3.closing") != "-7.30" ||
		a.text("books.4.book") != "liabilities:wallet-test" || a.text("books.4.closing") != "-0.01" || a.text("sums.0.closing") != "0.00" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if p := s.call("li", http.MethodGet, "/v1/periods/2026-03", ""); strings.Contains(string(p.body), "wallet-test") || !strings.Contains(string(p.body), "-7.31") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

// TestPayouts: a payout is on its way until a person has seen it at the bank.
func TestPayouts(t *testing.T) {
	t.Parallel()
	s := march(t)
	const path = "/v1/payouts/epay-now/po%2F1"
	if a := s.call("narrow", http.MethodGet, "/v1/payouts?channel=epay-now&state=sent", ""); a.text("payouts.0.id") != "po/1" || a.text("payouts.0.amount.amount") != "5.00" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, c := range []struct {
		key, target, body string
		status            int
	}{
		{"robot", path + "/arrived", `{"reason":"statement"}`, http.StatusForbidden},
		{"li", path + "/arrived", `{}`, http.StatusUnprocessableEntity},
		{"li", path + "/arrived", `{"reason":"statement","amount":{"amount":"4.99","currency":"CNY"}}`, http.StatusUnprocessableEntity},
		{"li", "/v1/payouts/epay-now/po_9/arrived", `{"reason":"statement"}`, http.StatusNotFound},
		{"narrow", "/v1/payouts/epay-ask/po_9/arrived", `{"reason":"statement"}`, http.StatusForbidden},
		{"li", path + "/arrived", `{"reason":"statement of March","reference":"B-7","statement":"` + strings.Repeat("ab", 32) + `"}`, http.StatusOK},
		{"li", path + "/arrived", `{"reason":"statement of March"}`, http.StatusOK},
		{"wang", path + "/arrived", `{"reason":"statement of March"}`, http.StatusConflict},
	} {
		if a := s.call(c.key, http.MethodPost, c.target, c.body); a.status != c.status {
			t.Errorf("%s %s %s: %d %s", c.key, c.target, c.body, a.status, a.body)
		}
	}
	a := s.call("li", http.MethodGet, path, "")
	if a.text("state") != "arrived" || a.text("arrived_by") != "li" || a.text("reference") != "B-7" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.call("li", http.MethodGet, "/v1/payouts?state=sent", ""); a.field("has_more") != false || len(a.field("payouts").([]any)) != 0 {
		t.Errorf("still on the way: %s", a.body)
	}
	if a := s.call("li", http.MethodGet, "/v1/books", ""); !strings.Contains(string(a.body), `"book":"assets:bank"`) {
		t.Errorf("the bank has nothing: %s", a.body)
	}
}

// TestPeriodWithoutItsComparisons: every bill that is to be compared each day
// stands in the way of a close, from the channel's first whole day on, until it
// is compared whole or accepted by its name.
func TestPeriodWithoutItsComparisons(t *testing.T) {
	t.Parallel()
	s := march(t, func(d *httpapi.Deps, _ *httpapi.Config) {
		d.BillsOf = func(ch domain.ChannelID) []string {
			return map[domain.ChannelID][]string{now: {"trade", "fund_flow"}}[ch]
		}
	})
	s.clock.add(april.Sub(s.clock.now()))
	compared := func(bill string, from, to domain.Day) {
		for day := from; day <= to; day = day.Add(1) {
			s.ok(s.ops.PutBillRun(t.Context(), operations.BillRun{
				ID: "bill-" + bill + "-" + string(day), Channel: now, Day: day, Bill: bill, State: operations.RunComplete, StartedAt: s.clock.now(),
			}))
		}
	}
	propose := func(accept string) answer {
		return s.call("li", http.MethodPost, "/v1/periods/2026-03/propose", `{"reason":"done","accept":[`+accept+`]}`)
	}
	refused := func(what, accept string, names ...string) {
		t.Helper()
		a := propose(accept)
		if a.status != http.StatusConflict || strings.Count(a.text("detail"), "(not compared)") != len(names) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
		for _, name := range names {
			if !strings.Contains(string(a.body), name+" (not compared)") {
				t.Errorf("%s: %s lacks %s", what, a.body, name)
			}
		}
	}
	compared("trade", "2026-03-15", "2026-03-31")
	compared("fund_flow", "2026-03-15", "2026-03-29")
	refused("without two days of the fund flow", "", "run:epay-now:2026-03-30:fund_flow", "run:epay-now:2026-03-31:fund_flow")
	refused("one accepted", `"run:epay-now:2026-03-30:fund_flow"`, "run:epay-now:2026-03-31:fund_flow")
	compared("fund_flow", "2026-03-31", "2026-03-31")
	if a := propose(`"run:epay-now:2026-03-30:fund_flow"`); a.status != http.StatusCreated || a.text("incomplete.0.name") != "run:epay-now:2026-03-30:fund_flow" {
		t.Errorf("the last one accepted: %d %s", a.status, a.body)
	}
}

// TestPeriodWithAChangedBill: a bill that was fetched again in vain stays
// compared; one that has other bytes now, and of which nothing could be
// concluded, does not: not either where it is the one of before the last that
// was compared.
func TestPeriodWithAChangedBill(t *testing.T) {
	t.Parallel()
	s := march(t)
	s.clock.add(april.Sub(s.clock.now()))
	run := func(id string, day domain.Day, sha string, cause operations.BillCause) {
		r := operations.BillRun{ID: id, Channel: now, Day: day, Bill: "trade", State: operations.RunComplete, SHA256: sha, StartedAt: s.clock.now()}
		if cause != "" {
			r.State, r.Cause = operations.RunIncomplete, cause
		}
		s.ok(s.ops.PutBillRun(t.Context(), r))
	}
	run("a1", "2026-03-20", "aa", "")
	run("a2", "2026-03-20", "", operations.CauseProviderDown)
	run("a3", "2026-03-20", "aa", operations.CauseStopped)
	run("b1", "2026-03-21", "aa", "")
	run("b2", "2026-03-21", "bb", operations.CauseTooMany)
	run("b3", "2026-03-21", "", operations.CauseProviderDown)
	run("c1", "2026-03-22", "bb", "")
	run("c2", "2026-03-22", "aa", "")
	run("c3", "2026-03-22", "bb", operations.CauseTooMany)
	a := s.call("li", http.MethodPost, "/v1/periods/2026-03/propose", `{"reason":"done"}`)
	if want := "run:epay-now:2026-03-21:trade (provider_down), run:epay-now:2026-03-22:trade (too_many);"; a.status != http.StatusConflict ||
		!strings.Contains(a.text("detail"), "complete: "+want) {
		t.Errorf("with a bill that changed: %d %s", a.status, a.body)
	}
}

// TestPeriodClose: one person proposes, another one closes, and late money goes
// to the next month.
func TestPeriodClose(t *testing.T) {
	t.Parallel()
	s := march(t)
	s.ok(s.ops.PutBillRun(t.Context(), operations.BillRun{
		ID: "bill-9", Channel: now, Day: "2026-03-20", Bill: "trade", State: operations.RunIncomplete, Cause: operations.CauseBillMissing, StartedAt: s.clock.now(),
	}))
	const path = "/v1/periods/2026-03"
	if a := s.call("li", http.MethodPost, path+"/propose", `{"reason":"done"}`); a.status != http.StatusConflict || !strings.Contains(string(a.body), "is not over in Asia/Shanghai") {
		t.Errorf("in March: %d %s", a.status, a.body)
	}
	s.clock.add(april.Sub(s.clock.now()))
	if a := s.call("li", http.MethodPost, path+"/propose", `{"reason":"done"}`); a.status != http.StatusConflict || !strings.Contains(string(a.body), "run:epay-now:2026-03-20:trade (bill_missing)") {
		t.Errorf("with an incomplete run: %d %s", a.status, a.body)
	}
	if a := s.call("robot", http.MethodPost, path+"/propose", `{"reason":"done"}`); a.status != http.StatusForbidden {
		t.Errorf("a service: %d %s", a.status, a.body)
	}
	a := s.call("li", http.MethodPost, path+"/propose", `{"reason":"done","accept":["run:epay-now"]}`)
	if a.status != http.StatusCreated || a.text("state") != "proposed" || a.text("incomplete.0.what") != "bill_missing" || a.text("totals.0.moved") != "2.20" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.call("wang", http.MethodPost, path+"/approve", `{}`); a.status != http.StatusConflict || !strings.Contains(string(a.body), "too fresh") {
		t.Errorf("at once: %d %s", a.status, a.body)
	}
	s.clock.add(domain.PeriodGrace + domain.PeriodSettle)
	for key, status := range map[string]int{"li": http.StatusForbidden, "robot": http.StatusForbidden, "narrow": http.StatusForbidden} {
		if a := s.call(key, http.MethodPost, path+"/approve", `{}`); a.status != status {
			t.Errorf("%s approves: %d %s", key, a.status, a.body)
		}
	}
	if a := s.call("wang", http.MethodPost, path+"/approve", `{"reason":"checked"}`); a.status != http.StatusOK || a.text("state") != "closed" || a.text("decided_by") != "wang" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.call("wang", http.MethodPost, path+"/reject", `{"reason":"oh"}`); a.status != http.StatusConflict {
		t.Errorf("rejected when closed: %d %s", a.status, a.body)
	}
	if a := s.call("wang", http.MethodGet, path, ""); a.text("state") != "closed" || a.text("closings.0.proposed_by") != "li" || a.text("sums.0.closing") != "0.00" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.call("li", http.MethodGet, "/v1/periods?state=closed", ""); a.text("closings.0.period") != "2026-03" || a.field("has_more") != false {
		t.Errorf("%d %s", a.status, a.body)
	}
	_, err := s.ledger.BookBill(t.Context(), now, domain.BookedBill{
		Day: "2026-03-14", Bill: "trade", Run: "bill-3", Charges: []domain.Charge{{Currency: domain.CNY, Fees: "0.3"}},
	}, ledger.By{Actor: "reconciler"})
	s.ok(err)
	s.settled()
	if a := s.call("li", http.MethodGet, "/v1/books?period=2026-03", ""); !strings.Contains(string(a.body), `"book":"expenses:fee:epay-now","currency":"CNY","opening":"0.00","debit":"0.10"`) {
		t.Errorf("the closed month: %s", a.body)
	}
	if a := s.call("li", http.MethodGet, "/v1/books?period=2026-04", ""); !strings.Contains(string(a.body), `"book":"expenses:fee:epay-now","currency":"CNY","opening":"0.10","debit":"0.20"`) {
		t.Errorf("the open month: %s", a.body)
	}
}

// TestSignedCloseByAPI: persons with keys of their own propose and close a
// period with what the API shows them, and never without signing.
func TestSignedCloseByAPI(t *testing.T) {
	t.Parallel()
	s := march(t)
	keys := map[string]ed25519.PrivateKey{"li": s.ownKey(t, "li", "wang", 1), "wang": s.ownKey(t, "wang", "li", 2)}
	s.clock.add(april.Sub(s.clock.now()))
	const path = "/v1/periods/2026-03"
	body := func(who string, text []byte) string { return s.signedBody(t, keys[who], text) }
	if a := s.call("li", http.MethodPost, path+"/propose", `{"reason":"done"}`); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "must be signed") {
		t.Errorf("proposed unsigned: %d %s", a.status, a.body)
	}
	if a := s.call("robot", http.MethodGet, path+"/statement?decision=propose", ""); a.status != http.StatusForbidden {
		t.Errorf("a statement for a service: %d %s", a.status, a.body)
	}
	if a := s.call("wang", http.MethodGet, path+"/statement?decision=approve", ""); a.status != http.StatusNotFound {
		t.Errorf("nothing is proposed: %d %s", a.status, a.body)
	}
	parts := s.call("li", http.MethodGet, path+"/statement?decision=propose", "")
	ask := domain.PeriodClosing{Period: "2026-03", Reason: "done", By: parts.text("person"), Basis: domain.PeriodBasis{Totals: s.totals("li", path)}}
	ask.Proposal, _ = domain.ParseID(parts.text("proposal"))
	if a := s.call("li", http.MethodPost, path+"/propose", body("li", domain.ClosingStatement(s.ledger.ID(), ask, s.clock.now()))); a.status != http.StatusCreated {
		t.Fatalf("proposed: %d %s", a.status, a.body)
	}
	s.clock.add(domain.PeriodGrace + domain.PeriodSettle)
	if a := s.call("wang", http.MethodPost, path+"/approve", `{}`); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "must be signed") {
		t.Errorf("closed unsigned: %d %s", a.status, a.body)
	}
	parts = s.call("wang", http.MethodGet, path+"/statement?decision=approve", "")
	leaf, err := hex.DecodeString(parts.text("leaf"))
	s.ok(err)
	if parts.text("proposal") != ask.Proposal.String() {
		t.Errorf("%s", parts.body)
	}
	text := domain.ClosedStatement(s.ledger.ID(), [32]byte(leaf), ask, "wang", s.clock.now())
	if a := s.call("wang", http.MethodPost, path+"/approve", body("wang", append(text, ' '))); a.status != http.StatusUnauthorized {
		t.Errorf("closed with another signature: %d %s", a.status, a.body)
	}
	if a := s.call("wang", http.MethodPost, path+"/approve", body("wang", text)); a.status != http.StatusOK || a.text("state") != "closed" {
		t.Errorf("closed: %d %s", a.status, a.body)
	}
}

// totals are a period's books as the API shows them.
func (s *site) totals(key, path string) (out []domain.PeriodTotal) {
	s.tb.Helper()
	var shown httpapi.PeriodStatus
	s.ok(json.Unmarshal(s.call(key, http.MethodGet, path, "").body, &shown))
	for _, b := range shown.Books {
		opening, err := domain.ParseSigned(b.Opening, domain.Currency(b.Currency))
		s.ok(err)
		closing, err := domain.ParseSigned(b.Closing, domain.Currency(b.Currency))
		s.ok(err)
		out = append(out, domain.PeriodTotal{Book: b.Book, Opening: opening, Closing: closing})
	}
	return out
}

// TestPeriodRejected: a no keeps the month open, and it can be proposed again.
func TestPeriodRejected(t *testing.T) {
	t.Parallel()
	s := march(t)
	s.clock.add(april.Sub(s.clock.now()))
	const path = "/v1/periods/2026-03"
	for _, c := range []struct {
		key, verb, body string
		status          int
	}{
		{"wang", "reject", `{"reason":"why not"}`, http.StatusNotFound},
		{"li", "propose", `{"reason":"done"}`, http.StatusCreated},
		{"wang", "propose", `{"reason":"done"}`, http.StatusConflict},
		{"wang", "reject", `{}`, http.StatusUnprocessableEntity},
		{"robot", "reject", `{"reason":"no"}`, http.StatusForbidden},
		{"wang", "reject", `{"reason":"fees are missing"}`, http.StatusOK},
		{"wang", "reject", `{"reason":"fees are missing"}`, http.StatusOK},
		{"wang", "approve", `{}`, http.StatusConflict},
		{"wang", "propose", `{"reason":"done now"}`, http.StatusCreated},
	} {
		if a := s.call(c.key, http.MethodPost, path+"/"+c.verb, c.body); a.status != c.status {
			t.Errorf("%s %s: %d %s", c.key, c.verb, a.status, a.body)
		}
	}
	if a := s.call("li", http.MethodGet, "/v1/periods?limit=1", ""); a.field("has_more") != true || a.text("closings.0.proposed_by") != "wang" {
		t.Errorf("%s", a.body)
	} else if b := s.call("li", http.MethodGet, "/v1/periods?limit=1&cursor="+a.text("next_cursor"), ""); b.text("closings.0.state") != "rejected" || b.field("has_more") != false {
		t.Errorf("%s", b.body)
	}
}

// TestPeriodsBalances: the balance with which the provider's fund flows end a
// month is held against our book of it; what is off is named, before and in the
// proposal, and holds up nothing.
func TestPeriodsBalances(t *testing.T) {
	t.Parallel()
	const holds = 220 // 7.30 came, 0.10 was charged, 5.00 paid out
	for name, c := range map[string]struct {
		ends map[domain.Day]int64 // by the last line of the day's flow, in fen
		to   domain.Day           // the last day that was compared
		want string
	}{
		"equal":                   {map[domain.Day]int64{"2026-03-14": holds}, "2026-03-31", ""},
		"off":                     {map[domain.Day]int64{"2026-03-14": holds + 30}, "2026-03-31", "balance:epay-now:CNY"},
		"the last day counts":     {map[domain.Day]int64{"2026-03-14": holds + 30, "2026-03-20": holds}, "2026-03-31", ""},
		"not compared to the end": {map[domain.Day]int64{"2026-03-14": holds + 30}, "2026-03-30", ""},
		"nothing stated":          {nil, "2026-03-31", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := march(t, func(d *httpapi.Deps, _ *httpapi.Config) {
				d.BillsOf = func(ch domain.ChannelID) []string { return map[domain.ChannelID][]string{now: {"fund_flow"}}[ch] }
			})
			s.clock.add(april.Sub(s.clock.now()))
			for day := domain.Day("2026-03-14"); day <= c.to; day = day.Add(1) {
				run := operations.BillRun{
					ID: "bill-" + string(day), Channel: now, Day: day, Bill: "fund_flow", State: operations.RunComplete, StartedAt: s.clock.now(),
				}
				if ends, moved := c.ends[day]; moved {
					zero := domain.NewMoney(0, domain.CNY)
					run.Balances = []domain.BillBalance{
						{Currency: domain.CNY, Opening: zero, Closing: domain.NewMoney(ends, domain.CNY), In: zero, Out: zero},
					}
				}
				s.ok(s.ops.PutBillRun(t.Context(), run))
			}
			shown := s.call("li", http.MethodGet, "/v1/periods/2026-03", "")
			a := s.call("li", http.MethodPost, "/v1/periods/2026-03/propose", `{"reason":"done","accept":["run:epay-now"]}`)
			if a.status != http.StatusCreated {
				t.Fatalf("%d %s", a.status, a.body)
			}
			for _, a := range []answer{shown, a} {
				if c.want == "" && a.field("exceptions") != 0.0 {
					t.Errorf("%s", a.body)
				}
				if c.want != "" && (a.field("exceptions") != 1.0 || a.text("open.0.name") != c.want || a.text("open.0.amount.amount") != "0.30" ||
					a.text("open.0.what") != "the fund flow ends with 2.50 CNY, the book with 2.20 CNY") {
					t.Errorf("%s", a.body)
				}
			}
		})
	}
}
