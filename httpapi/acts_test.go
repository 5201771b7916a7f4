package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// keepsActs records what people do, as the api does.
func keepsActs(d *httpapi.Deps, _ *httpapi.Config) { d.Acts = d.Ledger.Act }

// told are the acts in the API's answer, oldest first, as "person what".
func (s *site) told(query string) []string {
	s.tb.Helper()
	s.settled()
	a := s.call("admin", http.MethodGet, "/v1/acts"+query, "")
	rows, ok := a.field("acts").([]any)
	if a.status != http.StatusOK || !ok {
		s.tb.Fatalf("acts: %d %s", a.status, a.body)
	}
	var out []string
	for _, r := range rows {
		row, _ := r.(map[string]any)
		out = append([]string{row["person"].(string) + " " + row["what"].(string)}, out...)
	}
	return out
}

// TestSealedPartsTakenAreTold: who takes sealed evidence by the API is recorded by
// the server, once for each key and day, and gets none when that cannot be done.
func TestSealedPartsTakenAreTold(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	s := newSite(t, func(d *httpapi.Deps, _ *httpapi.Config) {
		d.Acts = func(ctx context.Context, a domain.Act, by ledger.By) error {
			if broken.Load() {
				return domain.E(domain.KindUnavailable, "the disk is full")
			}
			return d.Ledger.Act(ctx, a, by)
		}
	})
	s.paid("A1", "7.30")
	s.key("mirror", operations.ScopeEventsRead)
	take := func(key, query string) answer {
		return s.call(key, http.MethodGet, "/v1/events?type=payment.notified.v1"+query, "")
	}
	broken.Store(true)
	if a := take("mirror", "&sealed=true"); a.status != http.StatusServiceUnavailable || strings.Contains(string(a.body), `"sealed":`) {
		t.Errorf("taken and not recorded: %d %s", a.status, a.body)
	}
	broken.Store(false)
	for range 3 {
		if a := take("mirror", "&sealed=true&why=backup"); a.status != http.StatusOK || !strings.Contains(string(a.body), `"sealed":`) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		take("admin", "")
	}
	s.clock.add(24 * time.Hour)
	take("mirror", "&sealed=true")
	got := string(s.call("admin", http.MethodGet, "/v1/events?type=person.acted.v1", "").body)
	want := `"what":"evidence_viewed","person":"person:li","key":"mirror","from":"api","why":"backup","subject":"sealed parts of events after 0, type payment.notified.v1"`
	if strings.Count(got, `"what":"evidence_viewed"`) != 2 || strings.Count(got, want) != 1 {
		t.Errorf("want once %s: %s", want, got)
	}
}

// TestActsAreListed: the first use of each key on a day, once a day however
// often it is used, and what people record of themselves.
func TestActsAreListed(t *testing.T) {
	t.Parallel()
	s := newSite(t, keepsActs)
	s.people()
	s.key("reader", operations.ScopeEventsRead)
	use := func(key string) { s.call(key, http.MethodGet, corrections, "") }
	for range 3 {
		use("li")
		use("li2")
	}
	s.call("robot", http.MethodGet, "/v1/nothing", "")
	s.call("", http.MethodGet, corrections, "", "Authorization", "Bearer cf_li_"+strings.Repeat("0", 64))
	if a := s.call("reader", http.MethodPost, "/v1/acts", `{"what":"bundle_made","subject":"payment epay-now/A1","why":"the auditor asked"}`); a.status != http.StatusCreated {
		t.Errorf("record: %d %s", a.status, a.body)
	}
	if a := s.call("reader", http.MethodPost, "/v1/acts", `{"what":"login","subject":"x"}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a login of one's own: %d %s", a.status, a.body)
	}
	s.clock.add(24 * time.Hour)
	use("li")
	got := ", " + strings.Join(s.told(""), ", ")
	for what, n := range map[string]int{", li login": 3, ", wang login": 1, "bundle_made": 1} {
		if strings.Count(got, what) != n {
			t.Errorf("%q stands %d times in %s", what, strings.Count(got, what), got)
		}
	}
	if one := s.told("?what=bundle_made"); len(one) != 1 {
		t.Errorf("bundles: %q", one)
	}
	if li := s.told("?person=li&since=2026-03-15T00:00:00Z"); len(li) != 1 {
		t.Errorf("li today: %q", li)
	}
	var all []string
	for cursor := ""; ; {
		a := s.call("admin", http.MethodGet, "/v1/acts?limit=2"+cursor, "")
		rows, _ := a.field("acts").([]any)
		for range rows {
			all = append(all, "")
		}
		if a.text("next_cursor") == "" {
			break
		}
		cursor = "&cursor=" + a.text("next_cursor")
	}
	if want := len(s.told("")); len(all) != want {
		t.Errorf("pages hold %d acts of %d", len(all), want)
	}
	if a := s.call("li", http.MethodGet, "/v1/acts", ""); a.status != http.StatusForbidden {
		t.Errorf("who is no admin: %d", a.status)
	}
	s.checkNoSecretsInLog(t)
}

// TestAddressesAreSealed: no event tells where a request came from, nor a key.
func TestAddressesAreSealed(t *testing.T) {
	t.Parallel()
	s := newSite(t, keepsActs)
	s.call("admin", http.MethodGet, "/v1/payments", "")
	for _, e := range s.events() {
		if text := string(e.Data) + string(e.Meta); strings.Contains(text, "192.0.2.1") || strings.Contains(text, s.tokens["admin"][20:]) {
			t.Errorf("%s tells %s", e.Type, text)
		}
	}
	if got := s.told("?what=login"); len(got) != 1 {
		t.Errorf("logins: %q", got)
	}
}

// looser is a site that is configured with a looser policy than it had.
func looser(t *testing.T) (s *site, id string) {
	t.Helper()
	s = newSite(t, keepsActs)
	s.people()
	cfg, err := s.ledger.InForce(ask)
	s.ok(err)
	cfg.Confirm = domain.ConfirmNever
	s.ok(s.ledger.Configure(t.Context(), cfg, ledger.By{Actor: "system"}))
	a := s.call("li", http.MethodGet, "/v1/config?state=waiting", "")
	if id = a.text("changes.0.id"); a.status != http.StatusOK || id == "" || a.text("changes.0.loosens.0") != "confirm_by_query: never, was always" {
		t.Fatalf("waiting: %d %s", a.status, a.body)
	}
	return s, id
}

// TestPolicyByAPI: two persons, not two keys of one, and no service.
func TestPolicyByAPI(t *testing.T) {
	t.Parallel()
	s, id := looser(t)
	for _, c := range []struct {
		key, verb, body string
		status          int
		state           string
	}{
		{"robot", "approve", "{}", http.StatusForbidden, ""},
		{"li", "approve", `{"reason":"agreed"}`, http.StatusOK, "waiting"},
		{"li2", "approve", "{}", http.StatusOK, "waiting"},
		{"wang", "reject", "{}", http.StatusUnprocessableEntity, ""},
		{"wang", "approve", "{}", http.StatusOK, "in_force"},
		{"wang", "approve", "{}", http.StatusOK, "in_force"},
		{"wang", "reject", `{"reason":"too late"}`, http.StatusConflict, ""},
	} {
		a := s.call(c.key, http.MethodPost, "/v1/config/"+id+"/"+c.verb, c.body)
		if a.status != c.status || (c.state != "" && a.text("state") != c.state) {
			t.Errorf("%s %s: %d %s, want %d %s", c.key, c.verb, a.status, a.body, c.status, c.state)
		}
	}
	if a := s.call("li", http.MethodPost, "/v1/config/"+domain.ID{1}.String()+"/approve", "{}"); a.status != http.StatusNotFound {
		t.Errorf("unknown: %d %s", a.status, a.body)
	}
	if cfg, err := s.ledger.InForce(ask); err != nil || cfg.Confirm != domain.ConfirmNever {
		t.Errorf("in force: %+v, %v", cfg, err)
	}
	got := strings.Join(s.told(""), ", ")
	for _, want := range []string{"li config.approved", "wang config.approved", "config.proposed", "config.applied"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not told in %s", want, got)
		}
	}
}
