package httpapi_test

import (
	"net/http"
	"testing"

	"counterfoil/operations"
)

// An order that nobody paid, one that is parked and one whose day no bill
// covers: one question tells of all, and of one payment the dates.
func TestRests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.compared(now, 3) // the first three days of March, each with a line that only we have
	s.paid("A1", "7.30")
	s.place(now, "A2", "1.00")
	s.settled()
	a := s.call("admin", http.MethodGet, "/v1/rests?channel=epay-now", "")
	for path, want := range map[string]string{
		"rests.0.stage": "notified", "rests.0.kind": "placed", "rests.0.amounts.0.amount": "1.00", "rests.0.oldest.order_no": "A2", "rests.0.ages.0-1h": "1",
		"rests.1.stage": "in_bill", "rests.1.fault": "late", "rests.1.kind": "bill_not_due", "rests.1.amounts.0.amount": "7.30",
		"rests.2.fault": "missing", "rests.2.kind": "only_ours", "rests.2.count": "3", "rests.2.amounts.0.amount": "21.90", "rests.3": "",
	} {
		if got := a.text(path); got != want {
			t.Errorf("%s is %q, want %q: %s", path, got, want, a.body)
		}
	}
	b := s.call("admin", http.MethodGet, "/v1/payments/epay-now/A1/stages", "")
	for path, want := range map[string]string{
		"state": "credited", "booked_on": "2026-03-14", "stages.0.stage": "notified", "stages.0.at": "2026-03-14T12:00:00Z",
		"stages.1.at": "2026-03-14T12:00:00Z", "stages.2.stage": "in_bill", "stages.2.at": "", "stages.3.stage": "settled",
	} {
		if got := b.text(path); got != want {
			t.Errorf("%s is %q, want %q: %s", path, got, want, b.body)
		}
	}
}

func TestRestsRefuse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.paid("A1", "7.30")
	s.limitedKey("one", []string{string(ask)}, nil, operations.ScopeReconcile, operations.ScopePaymentsRead)
	s.limitedKey("other", nil, []string{"user:1"}, operations.ScopePaymentsRead)
	for _, c := range []struct {
		key, target string
		status      int
	}{
		{"admin", "/v1/rests?older_than=-1h", http.StatusUnprocessableEntity},
		{"admin", "/v1/rests?older_than=soon", http.StatusUnprocessableEntity},
		{"admin", "/v1/rests?older_than=24h", http.StatusOK},
		{"one", "/v1/rests", http.StatusForbidden},
		{"one", "/v1/rests?channel=epay-ask", http.StatusOK},
		{"one", "/v1/payments/epay-now/A1/stages", http.StatusForbidden},
		{"other", "/v1/payments/epay-now/A1/stages", http.StatusForbidden},
		{"other", "/v1/rests", http.StatusForbidden},
		{"admin", "/v1/payments/epay-now/none/stages", http.StatusNotFound},
	} {
		if a := s.call(c.key, http.MethodGet, c.target, ""); a.status != c.status {
			t.Errorf("%s as %s: %d %s", c.target, c.key, a.status, a.body)
		}
	}
}
