package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// people makes keys of two persons, a second key of the first one, and one of a
// service.
func (s *site) people() {
	s.tb.Helper()
	for name, k := range map[string]operations.APIKey{
		"li": {Person: "li"}, "li2": {Person: "li"}, "wang": {Person: "wang"}, "robot": {Person: "wang", Service: true},
	} {
		k.ID, k.SHA256, k.CreatedAt = name, s.hashOf(name), s.clock.now()
		k.Scopes = []operations.Scope{operations.ScopeCorrections}
		s.ok(s.ops.PutAPIKey(s.tb.Context(), k))
	}
}

// wish is the body of a proposal.
func wish(action, order, trade string, more ...string) string {
	in := map[string]string{"channel": string(now), "order_no": order, "action": action, "trade_no": trade, "reason": "ticket 12"}
	for i := 0; i < len(more); i += 2 {
		in[more[i]] = more[i+1]
	}
	raw, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

const corrections = "/v1/corrections"

// parkedMoney is 5.00 under TA1 where 7.30 was asked for.
func (s *site) parkedMoney() {
	s.tb.Helper()
	s.place(now, "A1", "7.30")
	if w := s.serve(get(now, signed(callback("A1", "TA1", "5.00")))); w.Body.String() != "success" {
		s.tb.Fatal(w.Code, w.Body)
	}
	s.settled()
}

// TestCorrection: one person asks, another one approves, and the money moves
// once, whoever approves again.
func TestCorrection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people()
	s.parkedMoney()
	before := len(s.events())
	a := s.call("li", http.MethodPost, corrections, wish("allocate", "A1", "TA1", "account", "user:7"))
	id := a.text("id")
	if a.status != http.StatusCreated || a.text("state") != "proposed" || a.text("amount.amount") != "5.00" || a.text("proposed_by") != "li" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if again := s.call("li2", http.MethodPost, corrections, wish("allocate", "A1", "TA1", "account", "user:7")); again.text("id") != id {
		t.Errorf("asked again: %d %s", again.status, again.body)
	}
	for _, c := range []struct {
		key, target, body string
		status            int
	}{
		{"li", corrections + "/" + id + "/approve", "{}", http.StatusForbidden},
		{"li2", corrections + "/" + id + "/approve", "{}", http.StatusForbidden}, // another key of the same person
		{"robot", corrections + "/" + id + "/approve", "{}", http.StatusForbidden},
		{"robot", corrections, wish("reverse", "A1", "TA1"), http.StatusForbidden},
		{"wang", corrections + "/" + id + "/reject", "{}", http.StatusUnprocessableEntity},
		{"wang", corrections + "/x/approve", "{}", http.StatusUnprocessableEntity},
		{"wang", corrections + "/" + domain.NewV5(domain.ID{9}, "none").String() + "/approve", "{}", http.StatusNotFound},
		{"wang", corrections, wish("undo", "A1", "TA1"), http.StatusUnprocessableEntity},
		{"wang", corrections, wish("allocate", "A9", "TA1", "account", "user:7"), http.StatusNotFound},
		{"wang", corrections, wish("credit", "A1", "TA1"), http.StatusConflict},
	} {
		if a := s.call(c.key, http.MethodPost, c.target, c.body); a.status != c.status {
			t.Errorf("%s, %s %s: %d %s, want %d", c.key, c.target, c.body, a.status, a.body, c.status)
		}
	}
	if got := s.facts(before); len(got) != 1 || got[0] != domain.TypeCorrectionProposed {
		t.Fatalf("facts before the approval: %v", got)
	}
	for range 2 {
		a = s.call("wang", http.MethodPost, corrections+"/"+id+"/approve", `{"reason":"seen the receipt"}`)
		if a.status != http.StatusOK || a.text("state") != "issued" || a.text("decided_by") != "wang" || a.text("decision") != "seen the receipt" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	want := []string{
		domain.TypeCorrectionProposed, domain.TypeCorrectionApproved, domain.TypePaymentAllocated, domain.TypeCorrectionIssued,
	}
	if got := s.facts(before); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("facts %v, want %v", got, want)
	}
	if a := s.call("admin", http.MethodGet, "/v1/accounts/user:7/balances", ""); a.text("balances.0.amount") != "5.00" {
		t.Errorf("balance %s", a.body)
	}
	if got := s.all(corrections+"?limit=1&state=issued", "corrections", "id"); len(got) != 1 || got[0] != id {
		t.Errorf("listed: %v", got)
	}
	if a := s.call("wang", http.MethodGet, corrections+"/"+id, ""); a.text("reason") != "ticket 12" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The day's limit holds against approvals that come all at once.
func TestCorrectionLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people()
	limited := s.server.Channels[now].Config()
	limited.Corrections = &domain.CorrectionPolicy{PersonDay: domain.NewMoney(1000, domain.CNY)}
	s.ok(s.ledger.Configure(t.Context(), limited, ledger.By{Actor: "system"}))
	var ids []string
	for _, no := range []string{"B1", "B2", "B3", "B4"} {
		s.paid(no, "4.00")
		a := s.call("li", http.MethodPost, corrections, wish("reverse", no, "T"+no))
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		ids = append(ids, a.text("id"))
	}
	var wg sync.WaitGroup
	statuses := make([]int, len(ids))
	for i, id := range ids {
		wg.Go(func() {
			statuses[i] = s.call("wang", http.MethodPost, corrections+"/"+id+"/approve", "{}").status
		})
	}
	wg.Wait()
	done := 0
	for _, status := range statuses {
		if status == http.StatusOK {
			done++
		} else if status != http.StatusForbidden {
			t.Errorf("status %d", status)
		}
	}
	if done != 2 {
		t.Errorf("%d of 4.00 each were approved below a limit of 10.00: %v", done, statuses)
	}
}
