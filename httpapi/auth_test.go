package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// scopeOf is the whole role table: an operation without a row fails the test.
var scopeOf = map[string]operations.Scope{
	"place-payment": operations.ScopePaymentsWrite, "cancel-payment": operations.ScopePaymentsWrite,
	"show-payment": operations.ScopePaymentsRead, "list-payments": operations.ScopePaymentsRead,
	"show-balances": operations.ScopeBalancesRead, "list-entries": operations.ScopeBalancesRead,
	"list-receivables": operations.ScopeBalancesRead,
	"report-draw":      operations.ScopeDrawsWrite, "reverse-draw": operations.ScopeDrawsWrite,
	"list-events":    operations.ScopeEventsRead,
	"list-callbacks": operations.ScopeCallbacksRead, "recheck-callbacks": operations.ScopePaymentsWrite,
	"list-reconciliations": operations.ScopeReconcile, "show-reconciliation": operations.ScopeReconcile,
	"run-reconciliation": operations.ScopeReconcile,
	"list-bills":         operations.ScopeReconcile, "show-bill": operations.ScopeReconcile, "compare-bill": operations.ScopeReconcile,
	"discrepancy-statement": operations.ScopeReconcile,
	"list-discrepancies":    operations.ScopeReconcile, "show-discrepancy": operations.ScopeReconcile,
	"resolve-discrepancy": operations.ScopeReconcile,
	"propose-correction":  operations.ScopeCorrections, "list-corrections": operations.ScopeCorrections,
	"show-correction": operations.ScopeCorrections, "approve-correction": operations.ScopeCorrections,
	"reject-correction": operations.ScopeCorrections,
	"list-config":       operations.ScopeCorrections, "approve-config": operations.ScopeCorrections,
	"reject-config": operations.ScopeCorrections, "list-acts": operations.ScopeAdmin, "record-act": operations.ScopeEventsRead,
	"list-sign-keys": operations.ScopeCorrections, "add-sign-key": operations.ScopeCorrections,
	"confirm-sign-key": operations.ScopeCorrections, "retire-sign-key": operations.ScopeCorrections,
	"correction-statement": operations.ScopeCorrections,
	"erase-evidence":       operations.ScopeAdmin, "finish-erasures": operations.ScopeAdmin,
	"prove-inclusion": operations.ScopeEventsRead, "prove-consistency": operations.ScopeEventsRead,
	"show-tree-key": operations.ScopeEventsRead,
	"show-books":    operations.ScopeBalancesRead,
	"list-payouts":  operations.ScopeReconcile, "show-payout": operations.ScopeReconcile, "arrive-payout": operations.ScopeCorrections,
	"list-periods": operations.ScopeReconcile, "show-period": operations.ScopeReconcile,
	"propose-period-close": operations.ScopeCorrections, "approve-period-close": operations.ScopeCorrections,
	"reject-period-close":    operations.ScopeCorrections,
	"period-close-statement": operations.ScopeCorrections,
	"download-report":        operations.ScopeReconcile, "list-rests": operations.ScopeReconcile, "show-stages": operations.ScopePaymentsRead,
	"propose-opening": operations.ScopeCorrections, "list-openings": operations.ScopeCorrections,
	"opening-statement": operations.ScopeCorrections, "config-statement": operations.ScopeCorrections,
	"approve-opening": operations.ScopeCorrections, "reject-opening": operations.ScopeCorrections,
}

// route is an operation of the served description.
type route struct{ id, method, path string }

func (s *site) routes() []route {
	s.tb.Helper()
	a := s.call("admin", http.MethodGet, "/openapi.json", "")
	paths, _ := a.field("paths").(map[string]any)
	var out []route
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method, op := range methods {
			fields, _ := op.(map[string]any)
			id, _ := fields["operationId"].(string)
			out = append(out, route{id, strings.ToUpper(method), path})
		}
	}
	if len(out) < 12 {
		s.tb.Fatalf("only %d operations: %s", len(out), a.body)
	}
	return out
}

func (r route) target() string {
	return strings.NewReplacer("{channel}", string(now), "{order_no}", "A1", "{account}", "user:42", "{number}", "log-1", "{id}", "x", "{period}", "2026-03").Replace(r.path)
}

// TestScopes: every operation needs its scope and no other, and none is open.
func TestScopes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	all := []operations.Scope{
		operations.ScopePaymentsWrite, operations.ScopePaymentsRead, operations.ScopeBalancesRead, operations.ScopeEventsRead,
		operations.ScopeCallbacksRead, operations.ScopeReconcile, operations.ScopeCorrections, operations.ScopeDrawsWrite,
	}
	for i, scope := range all {
		s.key("scope"+string(rune('a'+i)), scope)
	}
	s.key("none")
	for _, r := range s.routes() {
		want, ok := scopeOf[r.id]
		if !ok {
			t.Errorf("%s %s (%s) has no row in the table of scopes", r.method, r.path, r.id)
			continue
		}
		body := ""
		if r.method == http.MethodPost {
			body = "{}"
		}
		for i, scope := range all {
			a := s.call("scope"+string(rune('a'+i)), r.method, r.target(), body)
			if allowed := a.status != http.StatusForbidden && a.status != http.StatusUnauthorized; allowed != (scope == want) {
				t.Errorf("%s with scope %s: %d %s", r.id, scope, a.status, a.body)
			}
		}
		if a := s.call("admin", r.method, r.target(), body); a.status == http.StatusForbidden {
			t.Errorf("%s with admin: %d", r.id, a.status)
		}
		for _, key := range []string{"none", ""} {
			if a := s.call(key, r.method, r.target(), body); a.status != http.StatusForbidden && a.status != http.StatusUnauthorized {
				t.Errorf("%s with key %q: %d", r.id, key, a.status)
			}
		}
	}
}

// TestBadKeys: every bad key gets one answer, which tells nothing.
func TestBadKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := s.tokens["admin"]
	for name, header := range map[string]string{
		"none": "", "empty": "Bearer ", "not ours": "Bearer abc", "another scheme": "Basic " + good, "bare": good,
		"unknown id":   "Bearer " + strings.Replace(good, "cf_admin_", "cf_nobody_", 1),
		"wrong secret": "Bearer " + good[:len(good)-1] + "1", "cut": "Bearer " + good[:len(good)-2], "longer": "Bearer " + good + "00",
		"no id": "Bearer cf__" + good[len("cf_admin_"):], "no hex": "Bearer " + good[:len(good)-1] + "g",
		"small scheme": "bearer " + good,
	} {
		for _, target := range []string{"/v1/accounts/user:42/balances", "/v1/payments", "/openapi.json", "/v1/nothing"} {
			a := s.call("", http.MethodGet, target, "", "Authorization", header)
			if a.status != http.StatusUnauthorized || a.text("code") != "forged" || a.text("errors.0.field") != "Authorization" ||
				a.header.Get("WWW-Authenticate") != "Bearer" || a.text("request_id") != a.header.Get("X-Request-Id") {
				t.Errorf("%s at %s: %d %s", name, target, a.status, a.body)
			}
		}
	}
	s.checkNoSecretsInLog(t)
}

func (s *site) checkNoSecretsInLog(t *testing.T) {
	t.Helper()
	for name, token := range s.tokens {
		if strings.Contains(string(s.logs.Bytes()), token[len(token)-64:]) {
			t.Errorf("the key %s is in the log", name)
		}
	}
}

// TestRevokedKey: it ends within ten seconds.
func TestRevokedKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.key("soon", operations.ScopeBalancesRead)
	ask := func() int { return s.call("soon", http.MethodGet, "/v1/accounts/user:42/balances", "").status }
	if got := ask(); got != http.StatusOK {
		t.Fatalf("before: %d", got)
	}
	s.ok(s.ops.RevokeAPIKey(context.Background(), "soon", s.clock.now()))
	s.clock.add(10*time.Second + time.Nanosecond)
	if got := ask(); got != http.StatusUnauthorized {
		t.Errorf("after: %d", got)
	}
}

// TestLimitedKeys: a key for some channels or accounts reaches nothing else, by
// no operation.
func TestLimitedKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.place(now, "A1", "7.30")
	s.place(ask, "A1", "7.30")
	s.placeFor(now, "B1", "7.30", "user:7")
	s.serve(get(now, signed(callback("U1", "TU", "7.30")))) // never placed: nobody's account
	s.settled()
	s.limitedKey("channel", []string{string(ask)}, nil, operations.ScopeAdmin)
	s.limitedKey("account", nil, []string{"user:7"}, operations.ScopeAdmin)
	place := func(ch, no, account string) string {
		return `{"channel":"` + ch + `","order_no":"` + no + `","account":"` + account + `","amount":"1.00","currency":"CNY","subject":"x"}`
	}
	before := len(s.events())
	for _, c := range []struct {
		key, method, target, body string
		status                    int
	}{
		{"channel", "GET", "/v1/payments/epay-ask/A1", "", 200},
		{"channel", "GET", "/v1/payments/epay-now/A1", "", 403},
		{"channel", "GET", "/v1/payments", "", 403},
		{"channel", "GET", "/v1/payments?channel=epay-ask", "", 200},
		{"channel", "GET", "/v1/payments?channel=epay-now", "", 403},
		{"channel", "GET", "/v1/callbacks", "", 403},
		{"channel", "GET", "/v1/callbacks?channel=epay-ask", "", 200},
		{"channel", "GET", "/v1/events", "", 403},
		{"channel", "POST", "/v1/payments", place("epay-now", "C1", "user:42"), 403},
		{"channel", "POST", "/v1/payments/epay-now/A1/cancel", `{"reason":"x"}`, 403},
		{"channel", "POST", "/v1/callbacks/recheck", `{"channel":"epay-now"}`, 403},
		{"channel", "POST", "/v1/reconciliations", "", 403},
		{"account", "GET", "/v1/payments/epay-now/B1", "", 200},
		{"account", "GET", "/v1/payments/epay-now/A1", "", 403},
		{"account", "GET", "/v1/payments/epay-now/U1", "", 403},
		{"account", "GET", "/v1/payments", "", 403},
		{"account", "GET", "/v1/payments?account=user:7", "", 200},
		{"account", "GET", "/v1/accounts/user:7/balances", "", 200},
		{"account", "GET", "/v1/accounts/user:42/balances", "", 403},
		{"account", "GET", "/v1/accounts/user:42/balances?min_position=1", "", 403},
		{"account", "GET", "/v1/accounts/user:42/entries", "", 403},
		{"account", "GET", "/v1/callbacks", "", 403},
		{"account", "GET", "/v1/callbacks?channel=epay-now", "", 403},
		{"account", "GET", "/v1/events", "", 403},
		{"account", "POST", "/v1/payments", place("epay-now", "C1", "user:42"), 403},
		{"account", "POST", "/v1/payments/epay-now/A1/cancel", `{"reason":"x"}`, 403},
		{"account", "POST", "/v1/payments/epay-now/U1/cancel", `{"reason":"x"}`, 403},
		{"account", "POST", "/v1/callbacks/recheck", `{"channel":"epay-now"}`, 403},
		{"account", "POST", "/v1/reconciliations", "", 403},
	} {
		a := s.call(c.key, c.method, c.target, c.body, "Idempotency-Key", "k"+c.target)
		if a.status != c.status {
			t.Errorf("%s key, %s %s: %d %s", c.key, c.method, c.target, a.status, a.body)
		}
	}
	if got := s.facts(before); len(got) != 0 {
		t.Errorf("facts %v", got)
	}
	v, err := s.ledger.Payment(context.Background(), now, "A1")
	if err != nil || v.Payment.State() != domain.StatePlaced {
		t.Errorf("A1 is %s, %v", v.Payment.State(), err)
	}
}
