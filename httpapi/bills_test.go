package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/operations"
)

// compared writes n days of complete runs, each with one open discrepancy.
func (s *site) compared(ch domain.ChannelID, n int) {
	s.tb.Helper()
	for i := range n {
		day := domain.Day("2026-03-01").Add(i)
		s.ok(s.ops.CloseBill(context.Background(), operations.BillResult{
			Run: operations.BillRun{
				ID: "bill-" + string(ch) + string(day), Channel: ch, Day: day, Bill: "trade", State: operations.RunComplete,
				StartedAt: s.clock.now(), EndedAt: s.clock.now(), SHA256: "ab", Import: 1, Matched: 7, Differing: 1,
				Kinds: map[domain.DiscrepancyKind]int64{domain.OnlyOurs: 1},
				Totals: []operations.BillTotal{{
					Currency: domain.CNY, OurPayments: domain.NewMoney(730, domain.CNY), TheirPayments: domain.NewMoney(0, domain.CNY),
					OurRefunds: domain.NewMoney(0, domain.CNY), TheirRefunds: domain.NewMoney(0, domain.CNY), Fees: "0.04", Tolerated: "0",
				}},
			},
			Found: []operations.Discrepancy{{
				ID: domain.NewV5(domain.ID{3}, string(ch), string(day)), Channel: ch, Day: day, Bill: "trade", Kind: domain.OnlyOurs,
				State: operations.DiscrepancyOpen, Item: domain.ItemKey{Kind: domain.LinePayment, TradeNo: "T" + string(day)},
				OrderNo: "A1", Ours: domain.NewMoney(730, domain.CNY), FoundRun: "r", FoundAt: s.clock.now(), SeenRun: "r", SeenAt: s.clock.now(),
			}},
		}))
	}
}

// all pages through a list and returns a member of each row.
func (s *site) all(target, list, member string) []string {
	s.tb.Helper()
	var out []string
	for cursor := ""; ; {
		a := s.call("admin", http.MethodGet, target+cursor, "")
		if a.status != http.StatusOK {
			s.tb.Fatalf("%s: %d %s", target+cursor, a.status, a.body)
		}
		rows, _ := a.field(list).([]any)
		for i := range rows {
			out = append(out, a.text(fmt.Sprintf("%s.%d.%s", list, i, member)))
		}
		if a.field("has_more") != true {
			return out
		}
		cursor = "&cursor=" + a.text("next_cursor")
	}
}

func TestBillsAndDiscrepanciesPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.compared(now, 5)
	s.compared(ask, 2)
	if got := strings.Join(s.all("/v1/reconciliations/bills?limit=2&channel=epay-now&from=2026-03-02", "bills", "day"), " "); got != "2026-03-05 2026-03-04 2026-03-03 2026-03-02" {
		t.Errorf("days %s", got)
	}
	if got := s.all("/v1/discrepancies?limit=3&state=open", "discrepancies", "trade_no"); len(got) != 7 || got[0] != "T2026-03-02" {
		t.Errorf("discrepancies %v", got)
	}
	a := s.call("admin", http.MethodGet, "/v1/reconciliations/bills/bill-epay-now2026-03-01", "")
	for path, want := range map[string]string{
		"state": "complete", "sha256": "ab", "totals.0.our_payments": "7.30", "kinds.only_ours": "1", "differing": "1",
	} {
		if got := a.text(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	for _, target := range []string{"/v1/reconciliations/bills?cursor=x", "/v1/discrepancies?cursor=0"} {
		if a := s.call("admin", http.MethodGet, target, ""); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if a := s.call("admin", http.MethodGet, "/v1/reconciliations/bills/none", ""); a.status != http.StatusNotFound {
		t.Errorf("an unknown run: %d", a.status)
	}
}

// Two persons set a discrepancy about money aside, a service never; it moves no
// money.
func TestResolveDiscrepancy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.compared(now, 1)
	id := s.all("/v1/discrepancies?limit=1", "discrepancies", "id")[0]
	s.ok(s.ops.PutAPIKey(t.Context(), operations.APIKey{
		ID: "robot", SHA256: s.hashOf("robot"), Person: "shop", Service: true,
		Scopes: []operations.Scope{operations.ScopeReconcile}, CreatedAt: s.clock.now(),
	}))
	s.ok(s.ops.PutAPIKey(t.Context(), operations.APIKey{
		ID: "wang", SHA256: s.hashOf("wang"), Person: "wang", Scopes: []operations.Scope{operations.ScopeReconcile}, CreatedAt: s.clock.now(),
	}))
	target, body := "/v1/discrepancies/"+id+"/resolve", `{"reason":"agreed on the phone"}`
	before := len(s.events())
	for _, c := range []struct {
		key, target, body string
		status            int
	}{
		{"robot", target, body, http.StatusForbidden},
		{"admin", target, `{"reason":""}`, http.StatusUnprocessableEntity},
		{"admin", "/v1/discrepancies/x/resolve", body, http.StatusUnprocessableEntity},
		{"admin", "/v1/discrepancies/" + domain.NewV5(domain.ID{9}, "none").String() + "/resolve", body, http.StatusNotFound},
		{"admin", target, body, http.StatusOK}, // asks
		{"admin", target, body, http.StatusForbidden},
		{"wang", target, `{"reason":"seen the receipt"}`, http.StatusOK},
		{"wang", target, body, http.StatusConflict},
		{"admin", target, body, http.StatusConflict},
	} {
		if a := s.call(c.key, http.MethodPost, c.target, c.body); a.status != c.status {
			t.Errorf("%s, %s %s: %d %s", c.key, c.target, c.body, a.status, a.body)
		}
	}
	a := s.call("admin", http.MethodGet, "/v1/discrepancies/"+id, "")
	if a.text("state") != "resolved" || a.text("asked_by") != "person:li" || a.text("resolved_by") != "wang" || a.text("resolution") != "seen the receipt" {
		t.Errorf("%s", a.body)
	}
	if got := s.facts(before); !slices.Equal(got, []string{domain.TypeReconciliationAsked, domain.TypeReconciliationDiffered}) {
		t.Errorf("facts %v, want both persons' words and no more", got)
	}
	events := s.events()
	ask, done := events[len(events)-2], events[len(events)-1]
	if !strings.Contains(string(ask.Data), `"reason":"agreed on the phone","by":"person:li"`) || !strings.Contains(string(ask.Meta), `"actor":"person:person:li"`) ||
		!strings.Contains(string(done.Data), `"how":"seen the receipt","by":"wang","asked_by":"person:li","proposal":"`) {
		t.Errorf("the log is told %s and %s", ask.Data, done.Data)
	}
}

// One person is enough where no money can be missing.
func TestResolveByOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.compared(now, 1)
	row, err := s.ops.Discrepancies(t.Context(), operations.DiscrepancyFilter{Limit: 1})
	s.ok(err)
	fee := row[0]
	fee.ID, fee.Kind = domain.NewV5(domain.ID{3}, "fee"), domain.FeeMismatch
	run, err := s.ops.BillRun(t.Context(), "bill-epay-now2026-03-01")
	s.ok(err)
	s.ok(s.ops.CloseBill(t.Context(), operations.BillResult{Run: run, Found: []operations.Discrepancy{row[0], fee}}))
	a := s.call("admin", http.MethodPost, "/v1/discrepancies/"+fee.ID.String()+"/resolve", `{"reason":"a new rate"}`)
	if a.status != http.StatusOK || a.text("state") != "resolved" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := s.all("/v1/discrepancies?kind=only_ours&trade_no=T2026-03-01&order_no=A1&from=2026-03-01&to=2026-03-01&bill=trade", "discrepancies", "state"); len(got) != 1 || got[0] != "open" {
		t.Errorf("found by filters: %v", got)
	}
}

// hashOf makes the secret of a key of the tests and returns its hash.
func (s *site) hashOf(name string) [32]byte {
	var secret [32]byte
	copy(secret[:], "canary of the API key "+name)
	token, hash := httpapi.NewKey(name, secret)
	s.tokens[name] = token
	return hash
}

func TestCompareBills(t *testing.T) {
	t.Parallel()
	var asked []string
	s := newSite(t, func(d *httpapi.Deps, _ *httpapi.Config) {
		d.CompareBills = func(_ context.Context, ch domain.ChannelID, day domain.Day) ([]operations.BillRun, error) {
			asked = append(asked, string(ch)+" "+string(day))
			return []operations.BillRun{{ID: "b1", Channel: ch, Day: day, State: operations.RunIncomplete, Cause: operations.CauseBillMissing}}, nil
		}
	})
	s.limitedKey("other", []string{string(ask)}, nil, operations.ScopeReconcile)
	s.limitedKey("wallet", nil, []string{"user:7"}, operations.ScopeReconcile)
	body := `{"channel":"epay-now","day":"2026-03-13"}`
	for _, c := range []struct {
		key, body string
		status    int
	}{
		{"admin", body, http.StatusCreated},
		{"admin", `{"channel":"epay-now","day":"2026-3-13"}`, http.StatusUnprocessableEntity},
		{"admin", `{"channel":"EPAY","day":"2026-03-13"}`, http.StatusUnprocessableEntity},
		{"other", body, http.StatusForbidden},
		{"wallet", body, http.StatusForbidden},
	} {
		a := s.call(c.key, http.MethodPost, "/v1/reconciliations/bills", c.body)
		if a.status != c.status || c.status == http.StatusCreated && a.text("bills.0.cause") != "bill_missing" {
			t.Errorf("%s, %s: %d %s", c.key, c.body, a.status, a.body)
		}
	}
	if got := strings.Join(asked, ", "); got != "epay-now 2026-03-13" {
		t.Errorf("asked for %s", got)
	}
	for _, target := range []string{"/v1/reconciliations/bills", "/v1/reconciliations/bills?channel=epay-now", "/v1/discrepancies", "/v1/discrepancies?channel=epay-now"} {
		for _, key := range []string{"other", "wallet"} {
			if a := s.call(key, http.MethodGet, target, ""); a.status != http.StatusForbidden {
				t.Errorf("%s, %s: %d", key, target, a.status)
			}
		}
	}
}

// A run that is under way tells how far it has come, as a bill and as a run.
func TestBillProgress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at := s.clock.now()
	run := operations.BillRun{
		ID: "bill-7", Channel: now, Day: "2026-03-13", Bill: "trade", State: operations.RunRunning, StartedAt: at, Rows: 600_000,
		Progress: operations.BillProgress{
			Phase: operations.PhaseReading, Done: 30, Of: 120, Since: at, At: at.Add(10 * time.Second), Rate: 60_000,
		},
	}
	s.ok(s.ops.PutBillRun(t.Context(), run))
	for _, target := range []string{"/v1/reconciliations/bills/bill-7", "/v1/reconciliations/bill-7"} {
		a := s.call("admin", http.MethodGet, target, "")
		for path, want := range map[string]string{
			"rows": "600000", "progress.phase": "reading", "progress.lines_per_second": "60000", "progress.seconds_left": "30",
		} {
			if got := a.text(path); got != want {
				t.Errorf("%s: %s is %q, want %q", target, path, got, want)
			}
		}
	}
	run.State, run.Progress = operations.RunComplete, operations.BillProgress{}
	run.Balances = []domain.BillBalance{{
		Currency: domain.CNY, Opening: domain.NewMoney(100, domain.CNY), In: domain.NewMoney(730, domain.CNY),
		Out: domain.NewMoney(30, domain.CNY), Closing: domain.NewMoney(800, domain.CNY),
	}, {
		Currency: domain.JPY, Opening: domain.NewMoney(0, domain.JPY), In: domain.NewMoney(9, domain.JPY), Out: domain.NewMoney(2, domain.JPY),
		Closing: domain.NewMoney(7, domain.JPY), Held: true, Book: domain.NewMoney(4, domain.JPY), Before: domain.NewMoney(1, domain.JPY),
		Parts: []domain.BalancePart{{What: domain.PartFee, Bill: domain.NewMoney(0, domain.JPY), Book: domain.NewMoney(-2, domain.JPY)}},
	}}
	s.ok(s.ops.PutBillRun(t.Context(), run))
	a := s.call("admin", http.MethodGet, "/v1/reconciliations/bills/bill-7", "")
	if a.field("progress") != nil || a.text("balances.0.closing") != "8.00" {
		t.Errorf("%s", a.body)
	}
	for path, want := range map[string]string{
		"book": "4", "off": "3", "before": "1", "parts.0.what": "fee", "parts.0.bill": "0", "parts.0.book": "-2",
	} {
		if got := a.text("balances.1." + path); got != want || a.field("balances.0."+path) != nil {
			t.Errorf("%s is %q, want %q, and none without a book: %s", path, got, want, a.body)
		}
	}
	if a := s.call("admin", http.MethodGet, "/v1/reconciliations/bill-8", ""); a.status != http.StatusNotFound {
		t.Errorf("an unknown run: %d", a.status)
	}
}
