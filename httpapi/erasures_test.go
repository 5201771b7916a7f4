package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/operations"
)

const erasures = "/v1/erasures"

// boss makes a person's key that may do everything.
func (s *site) boss(person string) {
	s.tb.Helper()
	s.ok(s.ops.PutAPIKey(s.tb.Context(), operations.APIKey{
		ID: person, Person: person, SHA256: s.hashOf(person), Scopes: []operations.Scope{operations.ScopeAdmin}, CreatedAt: s.clock.now(),
	}))
}

// TestEraseByAPI: refused while young, verified in a dry run, erased once with
// the real provider's signature checked; a repeat finds nothing.
func TestEraseByAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t, keepsActs)
	s.boss("zhao")
	s.people()
	s.place(now, "A1", "7.30")
	if w := s.serve(get(now, signed(callback("A1", "TA1", "7.30")))); w.Body.String() != "success" {
		t.Fatal(w.Code, w.Body)
	}
	ask := func(key, more string) answer {
		return s.call(key, http.MethodPost, erasures, `{"channel":"`+string(now)+`","reason":"request 12"`+more+`}`)
	}
	if a := ask("zhao", `,"order_no":"A1"`); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "is kept until 2036") {
		t.Errorf("young: %d %s", a.status, a.body)
	}
	s.clock.add(domain.MinRetention + 24*time.Hour)
	for name, c := range map[string]struct {
		key, more string
		status    int
	}{
		"no order":   {"zhao", "", http.StatusUnprocessableEntity},
		"unknown":    {"zhao", `,"order_no":"A9"`, http.StatusNotFound},
		"not admin":  {"wang", `,"order_no":"A1"`, http.StatusForbidden},
		"nobody":     {"robot", `,"order_no":"A1"`, http.StatusForbidden},
		"two things": {"zhao", `,"order_no":"A1","before":"2026"`, http.StatusUnprocessableEntity},
	} {
		if a := ask(c.key, c.more); a.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, c.status)
		}
	}
	dry := ask("zhao", `,"order_no":"A1","dry_run":true`)
	if dry.status != http.StatusOK || dry.text("erased") != "false" || dry.text("parts.0.verdict")+dry.text("parts.1.verdict") != "personalverified" {
		t.Fatalf("dry: %d %s", dry.status, dry.body)
	}
	if a := ask("zhao", `,"order_no":"A1"`); a.status != http.StatusOK || a.text("erased") != "true" {
		t.Fatalf("erased: %d %s", a.status, a.body)
	}
	if a := ask("zhao", `,"order_no":"A1"`); a.status != http.StatusOK || a.text("erased") != "false" {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	if got := s.told("?what=evidence.erased"); len(got) != 1 || got[0] != "zhao evidence.erased" {
		t.Errorf("told: %q", got)
	}
	if a := s.call("zhao", http.MethodPost, erasures+"/finish", "{}"); a.status != http.StatusOK || a.text("erasures") != "1" {
		t.Errorf("finish: %d %s", a.status, a.body)
	}
	if a := s.call("admin", http.MethodGet, "/v1/payments/"+string(now)+"/A1", ""); a.text("state") != "credited" {
		t.Errorf("the payment: %d %s", a.status, a.body)
	}
}

// TestShortRetention: not in a live store, whatever the configuration says.
func TestShortRetention(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(_ *httpapi.Deps, c *httpapi.Config) { c.Retention = time.Hour })
	s.boss("zhao")
	s.place(now, "A1", "7.30")
	s.clock.add(24 * time.Hour)
	a := s.call("zhao", http.MethodPost, erasures, `{"channel":"`+string(now)+`","order_no":"A1","reason":"x"}`)
	if a.status != http.StatusUnprocessableEntity || a.text("errors.0.field") != "retention" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
