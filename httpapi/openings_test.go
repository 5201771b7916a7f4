package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestOpenings: what was before these books is proposed by one person and
// booked by another.
func TestOpenings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.officers()
	const path = "/v1/openings"
	ask := `{"channel":"epay-now","day":"2026-03-13","balance":[{"amount":"100.00","currency":"CNY"}],` +
		`"wallets":[{"account":"user:1","amount":{"amount":"60.00","currency":"CNY"}}],"reason":"old system"}`
	a := s.call("li", http.MethodPost, path, ask)
	if a.status != http.StatusCreated || a.text("state") != "proposed" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	of := path + "/epay-now/" + a.text("id")
	for _, c := range []struct {
		key, target, body string
		status            int
	}{
		{"li", path, ask, http.StatusCreated}, // the same one
		{"wang", path, ask, http.StatusConflict},
		{"robot", path, ask, http.StatusForbidden},
		{"li", path, strings.Replace(ask, "100.00", "-1", 1), http.StatusUnprocessableEntity},
		{"li", path, strings.Replace(ask, "60.00", "0.00", 1), http.StatusUnprocessableEntity},
		{"narrow", path, strings.Replace(ask, "epay-now", "epay-ask", 1), http.StatusForbidden},
		{"li", of + "/approve", `{}`, http.StatusForbidden},
		{"robot", of + "/approve", `{}`, http.StatusForbidden},
		{"wang", path + "/epay-now/x/approve", `{}`, http.StatusUnprocessableEntity},
		{"wang", path + "/epay-ask/" + a.text("id") + "/approve", `{}`, http.StatusNotFound},
		{"wang", of + "/approve", `{"reason":"seen"}`, http.StatusOK},
		{"wang", of + "/approve", `{"reason":"seen"}`, http.StatusOK},
		{"wang", of + "/reject", `{"reason":"oh"}`, http.StatusConflict},
	} {
		if a := s.call(c.key, http.MethodPost, c.target, c.body); a.status != c.status {
			t.Errorf("%s %s %s: %d %s", c.key, c.target, c.body, a.status, a.body)
		}
	}
	if a := s.call("narrow", http.MethodGet, path+"?channel=epay-now", ""); a.text("openings.0.state") != "issued" || a.text("openings.0.decided_by") != "wang" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.call("admin", http.MethodGet, "/v1/accounts/user:1/balances", ""); !strings.Contains(string(a.body), `"60.00"`) {
		t.Errorf("the account has %s", a.body)
	}
	if a := s.call("li", http.MethodGet, "/v1/books", ""); !strings.Contains(string(a.body), `"book":"equity:opening","currency":"CNY","opening":"0.00","debit":"0.00","credit":"40.00"`) {
		t.Errorf("%s", a.body)
	}
}
