package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

const draws = "/v1/accounts/user:42/draws"

func drawBody(number, amount string) string {
	return fmt.Sprintf(`{"number":%q,"amount":{"amount":%q,"currency":"CNY"}}`, number, amount)
}

// TestDraws: what an account spent leaves its balance, also below zero, once
// for each number, and comes back when it is taken back.
func TestDraws(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.key("app", "draws:write")
	s.paid("A1", "7.30")
	a := s.call("app", http.MethodPost, draws, drawBody("log-1", "10.00"))
	if a.status != http.StatusCreated || a.text("account") != "user:42" || a.text("value_date") != "2026-03-14" || a.field("existed") != false {
		t.Fatalf("%d %s", a.status, a.body)
	}
	at := a.text("position")
	if b := s.balance("?min_position=" + at); b.text("balances.0.amount") != "-2.70" {
		t.Errorf("%d %s", b.status, b.body)
	}
	e := s.call("admin", http.MethodGet, "/v1/accounts/user:42/entries", "")
	if e.text("entries.0.payment") != "draw-log-1" || e.text("entries.0.type") != "account.drawn.v1" || e.text("entries.0.amount.amount") != "-10.00" {
		t.Errorf("%s", e.body)
	}
	owed := s.call("admin", http.MethodGet, "/v1/receivables?limit=1", "")
	if owed.text("totals.0.amount") != "2.70" || owed.text("accounts.0.account") != "user:42" || owed.text("accounts.0.balance.amount") != "-2.70" {
		t.Errorf("receivables %s", owed.body)
	}
	if a := s.call("app", http.MethodPost, draws, drawBody("log-1", "10.0000")); a.status != http.StatusOK || a.text("position") != at || a.field("existed") != true {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	for _, repeat := range []int{http.StatusCreated, http.StatusOK} {
		a := s.call("app", http.MethodPost, draws+"/log-1/reverse", `{"reason":"the task failed"}`)
		if a.status != repeat || a.text("reversed.reason") != "the task failed" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if b := s.balance("?min_position=" + a.text("position")); b.text("balances.0.amount") != "7.30" {
			t.Errorf("given back: %s", b.body)
		}
	}
	if a := s.call("app", http.MethodPost, draws, drawBody("log-1", "10.00")); a.status != http.StatusOK || a.text("reversed.reason") == "" {
		t.Errorf("a late repeat: %d %s", a.status, a.body)
	}
	if b := s.call("admin", http.MethodGet, "/v1/books", ""); !strings.Contains(string(b.body), `"book":"liabilities:drawn","currency":"CNY","opening":"0.00","debit":"10.00","credit":"10.00"`) {
		t.Errorf("%s", b.body)
	}
}

// TestDrawsRefused: what is wrong with a draw, and whose account it is.
func TestDrawsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.limitedKey("app", nil, []string{"user:42"}, "draws:write")
	s.key("all", "draws:write")
	if a := s.call("app", http.MethodPost, draws, drawBody("log/1?", "1.00")); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	long := strings.Repeat("1", 201)
	for _, c := range []struct {
		key, target, body string
		status            int
		field             string
	}{
		{"app", draws, drawBody("log/1?", "2.00"), http.StatusConflict, "amount"},
		{"all", "/v1/accounts/user:7/draws", drawBody("log/1?", "1.00"), http.StatusConflict, "account"},
		{"app", draws, `{"number":"log/1?","amount":{"amount":"1.00","currency":"CNY"},"at":"2026-03-01T00:00:00Z"}`, http.StatusConflict, "at"},
		{"app", "/v1/accounts/user:7/draws", drawBody("log-2", "1.00"), http.StatusForbidden, "account"},
		{"all", "/v1/accounts/_test/draws", drawBody("log-2", "1.00"), http.StatusUnprocessableEntity, "account"},
		{"app", draws, drawBody("log 2", "1.00"), http.StatusUnprocessableEntity, "number"},
		{"app", draws, drawBody(long, "1.00"), http.StatusUnprocessableEntity, "body.number"},
		{"app", draws, drawBody("log-2", "-1.00"), http.StatusUnprocessableEntity, "amount"},
		{"app", draws, drawBody("log-2", "0.00"), http.StatusUnprocessableEntity, "amount"},
		{"app", draws, drawBody("log-2", "0.001"), http.StatusUnprocessableEntity, "amount"},
		{"app", draws, strings.Replace(drawBody("log-2", "1.00"), "CNY", "XXX", 1), http.StatusUnprocessableEntity, "amount"},
		{"app", draws, `{"number":"log-2","amount":{"amount":"1.00","currency":"CNY"},"at":"2100-01-01T00:00:00Z"}`, http.StatusUnprocessableEntity, "at"},
		{"all", "/v1/accounts/user:7/draws/log%2F1%3F/reverse", `{"reason":"x"}`, http.StatusNotFound, "number"},
		{"app", draws + "/log-9/reverse", `{"reason":"x"}`, http.StatusNotFound, "number"},
		{"app", draws + "/log%2F1%3F/reverse", `{"reason":""}`, http.StatusUnprocessableEntity, "body.reason"},
		{"app", draws + "/log%2F1%3F/reverse", `{"reason":"x"}`, http.StatusCreated, ""},
	} {
		if a := s.call(c.key, http.MethodPost, c.target, c.body); a.status != c.status || a.text("errors.0.field") != c.field {
			t.Errorf("%s %s %s: %d %s", c.key, c.target, c.body, a.status, a.body)
		}
	}
}

// TestDrawsAtOnce: of many who report one draw at once, one is told 201.
func TestDrawsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	status := map[int]int{}
	for range 12 {
		wg.Go(func() {
			a := s.call("admin", http.MethodPost, draws, drawBody("log-1", "1.00"))
			mu.Lock()
			defer mu.Unlock()
			status[a.status]++
		})
	}
	wg.Wait()
	if status[http.StatusCreated] != 1 || status[http.StatusOK] != 11 {
		t.Errorf("answers %v", status)
	}
	s.settled()
	if b := s.balance(""); b.text("balances.0.amount") != "-1.00" {
		t.Errorf("%s", b.body)
	}
}
