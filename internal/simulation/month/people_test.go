package month

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/operations"
)

// decision is something on the desk of two people.
type decision struct {
	sale   *sale
	action domain.Action
	amount domain.Money
}

// parked expects money that is set aside, to be given to an account by two
// people.
func (p *plan) parked(s *sale, m domain.Money) {
	p.desk = append(p.desk, decision{s, domain.ActionAllocate, m})
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
	raw, err := io.ReadAll(resp.Body)
	w.do(err)
	w.do(json.Unmarshal(raw, &answer))
	return resp.StatusCode, answer
}

// decide empties the desk: anna proposes, ben approves, and nobody else can.
func (w *world) decide() {
	w.tb.Helper()
	w.clock.set(slotTime(len(w.plan.slots) - 1).Add(time.Hour))
	for i, d := range w.plan.desk {
		status, c := w.call("anna", http.MethodPost, "/v1/corrections", map[string]any{
			"channel": d.sale.till.id, "order_no": d.sale.no, "action": d.action, "trade_no": d.sale.id, "account": "user:2",
			"reason": "the buyer showed the receipt",
		})
		if status != http.StatusCreated {
			w.tb.Errorf("proposal to %s %s: %d %v", d.action, d.sale.no, status, c)
			continue
		}
		at := "/v1/corrections/" + c["id"].(string) + "/approve"
		if i == 0 { // the rule is the same for all of them
			for _, who := range []string{"anna", "robot"} {
				if status, answer := w.call(who, http.MethodPost, at, map[string]any{}); status != http.StatusForbidden {
					w.tb.Errorf("%s approves anna's proposal: %d %v", who, status, answer)
				}
			}
		}
		if status, answer := w.call("ben", http.MethodPost, at, map[string]any{"reason": "seen"}); status != http.StatusOK {
			w.tb.Errorf("approval of %s %s: %d %v", d.action, d.sale.no, status, answer)
		}
	}
	w.fold()
}
