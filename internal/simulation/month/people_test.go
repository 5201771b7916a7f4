package month

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// decision is something on the desk of two people.
type decision struct {
	sale   *sale
	action domain.Action
}

// parked expects money that is set aside, to be given to an account by two
// people.
func (p *plan) parked(s *sale, m domain.Money) {
	p.aside = append(p.aside, fmt.Sprintf("%s %s %s", s.till.id, s.no, m))
	p.desk = append(p.desk, decision{s, domain.ActionAllocate})
}

// hire gives two people and a machine their keys.
func (w *world) hire() {
	w.tb.Helper()
	for i, name := range []string{"anna", "ben", "robot"} {
		var secret [32]byte
		_, _ = rand.Read(secret[:])
		id := strings.ToLower(rand.Text()[:12])
		token, hash := httpapi.NewKey(id, secret)
		w.keys[name] = token
		w.do(w.app.Ops.PutAPIKey(w.tb.Context(), operations.APIKey{
			ID: id, SHA256: hash, Person: name, Service: i == 2, Scopes: []operations.Scope{operations.ScopeAdmin}, CreatedAt: w.clock.Now(),
		}))
	}
}

// call is a request of somebody's to the API.
func (w *world) call(who, method, path string, body any) (status int, answer map[string]any) {
	w.tb.Helper()
	status, raw := w.ask(who, method, path, body)
	w.do(json.Unmarshal(raw, &answer))
	return status, answer
}

func (w *world) ask(who, method, path string, body any) (status int, raw []byte) {
	w.tb.Helper()
	text, err := json.Marshal(body)
	w.do(err)
	req, err := http.NewRequestWithContext(w.tb.Context(), method, w.shopAt+path, bytes.NewReader(text))
	w.do(err)
	req.Header.Set("Authorization", "Bearer "+w.keys[who])
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	resp, err := http.DefaultClient.Do(req)
	w.do(err)
	defer func() { _ = resp.Body.Close() }()
	raw, err = io.ReadAll(resp.Body)
	w.do(err)
	return resp.StatusCode, raw
}

// correct is what two people do: anna proposes, ben approves.
func (w *world) correct(s *sale, action domain.Action) {
	w.tb.Helper()
	ask := map[string]any{
		"channel": s.till.id, "order_no": s.no, "action": action, "trade_no": w.trade(s), "reason": "the buyer showed the receipt",
	}
	if action == domain.ActionAllocate {
		ask["account"] = "user:2"
	}
	status, c := w.call("anna", http.MethodPost, "/v1/corrections", ask)
	if status != http.StatusCreated {
		w.tb.Errorf("proposal to %s %s: %d %v", action, s.no, status, c)
		return
	}
	at := "/v1/corrections/" + c["id"].(string) + "/approve"
	if w.notable["corrected"]++; w.notable["corrected"] == 1 { // the rule is the same for all of them
		for _, who := range []string{"anna", "robot"} {
			if status, answer := w.call(who, http.MethodPost, at, map[string]any{}); status != http.StatusForbidden {
				w.tb.Errorf("%s approves anna's proposal: %d %v", who, status, answer)
			}
		}
	}
	if status, answer := w.call("ben", http.MethodPost, at, map[string]any{"reason": "seen"}); status != http.StatusOK {
		w.tb.Errorf("approval to %s %s: %d %v", action, s.no, status, answer)
	}
}

// entered is correct past the API, which looks into other orders' books: two
// persons were faster than the callback that tells whose money it is.
func (w *world) entered(s *sale, action domain.Action) {
	w.tb.Helper()
	unspent := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }
	p, _, err := w.app.Ledger.Propose(w.tb.Context(), s.till.id, s.no, domain.Correction{
		Action: action, TradeNo: w.trade(s), Reason: "the buyer showed the receipt", By: "anna",
	}, unspent, ledger.By{Actor: "person:anna"})
	w.do(err)
	_, err = w.app.Ledger.Approve(w.tb.Context(), s.till.id, s.no, p.ID(), "ben", "seen", unspent, ledger.By{Actor: "person:ben"})
	w.do(err)
}

// decide empties the desk and sets aside what is explained.
func (w *world) decide() {
	w.tb.Helper()
	w.clock.set(slotTime(len(w.plan.slots) - 1).Add(time.Hour))
	for _, d := range w.plan.desk {
		w.correct(d.sale, d.action)
	}
	for _, d := range w.differences(operations.DiscrepancyOpen) {
		for _, who := range []string{"anna", "ben"} {
			status, answer := w.call(who, http.MethodPost, "/v1/discrepancies/"+d.ID.String()+"/resolve", map[string]any{"reason": "looked into"})
			if status != http.StatusOK {
				w.tb.Errorf("%s of %s: %s: %d %v", d.Kind, d.OrderNo, who, status, answer)
			}
			if answer["state"] == string(operations.DiscrepancyResolved) {
				break // it stands for no money
			}
		}
	}
	w.fold()
	if left := w.differences(operations.DiscrepancyOpen); len(left) > 0 {
		w.tb.Errorf("%d differences are left open", len(left))
	}
}

// close closes a period: anna asks, and ben says yes when its totals stand.
func (w *world) close(month string) {
	w.tb.Helper()
	period := "/v1/periods/" + month + "/"
	status, c := w.call("anna", http.MethodPost, period+"propose", map[string]any{"reason": "all bills are compared"})
	if status != http.StatusCreated && status != http.StatusOK {
		w.tb.Fatalf("proposal to close: %d %v", status, c)
	}
	from, err := time.Parse(time.RFC3339, c["approve_from"].(string))
	w.do(err)
	w.clock.set(from.Add(time.Second))
	for _, who := range []string{"anna", "robot"} {
		if status, c := w.call(who, http.MethodPost, period+"approve", map[string]any{}); status != http.StatusForbidden {
			w.tb.Errorf("%s approves anna's closing: %d %v", who, status, c)
		}
	}
	status, c = w.call("ben", http.MethodPost, period+"approve", map[string]any{"reason": "seen"})
	if status != http.StatusOK || c["state"] != "closed" {
		w.tb.Errorf("closing: %d %v", status, c)
	}
}

// report is the month's report as the API hands it out.
func (w *world) report() (r monthReport) {
	w.tb.Helper()
	status, raw := w.ask("anna", http.MethodGet, "/v1/reports?period=2026-10", nil)
	if status != http.StatusOK {
		w.tb.Fatalf("report: %d %s", status, raw)
	}
	w.do(json.Unmarshal(raw, &r))
	return r
}
