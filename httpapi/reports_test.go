package httpapi_test

import (
	"archive/zip"
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"counterfoil/operations"
)

// Finance gets the month in every form, and the log tells who took it.
func TestReports(t *testing.T) {
	t.Parallel()
	s := newSite(t, keepsActs)
	s.paid("A1", "7.30")
	for format, want := range map[string][2]string{
		"json": {"application/json", `"period": "2026-03"`}, "html": {"text/html; charset=utf-8", "Reconciliation and books"},
		"csv":  {"text/csv; charset=utf-8", ",assets:psp:epay-now,,7.30,CNY"},
		"xlsx": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK"}, "hledger": {"application/zip", "PK"},
	} {
		a := s.call("admin", http.MethodGet, "/v1/reports?period=2026-03&why=the+auditor+asked&format="+format, "")
		if a.status != http.StatusOK || a.header.Get("Content-Type") != want[0] || !bytes.Contains(a.body, []byte(want[1])) {
			t.Errorf("%s: %d %s %.300s", format, a.status, a.header, a.body)
		}
		if a.header.Get("Content-Length") != strconv.Itoa(len(a.body)) || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment; filename=\"counterfoil-2026-03") {
			t.Errorf("%s: %s", format, a.header)
		}
		if format == "hledger" {
			if z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body))); err != nil || len(z.File) < 3 {
				t.Errorf("the archive: %v", err)
			}
		}
	}
	told := s.call("admin", http.MethodGet, "/v1/events?type=person.acted.v1", "")
	if n := strings.Count(string(told.body), `"what":"export","person":"person:li","key":"admin","from":"api","why":"the auditor asked","subject":"report counterfoil-2026-03`); n != 5 {
		t.Errorf("%d exports are told:\n%s", n, told.body)
	}
	table := s.call("admin", http.MethodGet, "/v1/reports?period=2026-03&format=csv&table=Books&bom=true", "")
	if !strings.HasPrefix(string(table.body), "\ufeffbook,currency,opening,") {
		t.Errorf("%s", table.body)
	}
}

// A report of everything is for keys without limits; what is asked wrongly or
// was not concluded is said so.
func TestReportsRefuse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ok(s.ops.PutBillRun(t.Context(), operations.BillRun{
		ID: "bill-x", Channel: now, Day: "2026-03-01", Bill: "trade", State: operations.RunIncomplete, Cause: operations.CauseProviderDown,
	}))
	s.limitedKey("one", []string{string(now)}, nil, operations.ScopeReconcile)
	s.key("reader", operations.ScopePaymentsRead)
	for _, c := range []struct {
		key, query string
		status     int
	}{
		{"admin", "period=2026-13", http.StatusUnprocessableEntity},
		{"admin", "format=json", http.StatusUnprocessableEntity},
		{"admin", "period=2026-03&run=bill-x", http.StatusUnprocessableEntity},
		{"admin", "period=2026-03&format=exe", http.StatusUnprocessableEntity},
		{"admin", "period=2026-03&format=json&table=Books", http.StatusUnprocessableEntity},
		{"admin", "run=bill-none", http.StatusNotFound},
		{"admin", "run=bill-x", http.StatusConflict},
		{"one", "period=2026-03", http.StatusForbidden},
		{"one", "period=2026-03&channel=epay-ask", http.StatusForbidden},
		{"one", "period=2026-03&channel=epay-now", http.StatusOK},
		{"reader", "period=2026-03", http.StatusForbidden},
	} {
		if a := s.call(c.key, http.MethodGet, "/v1/reports?"+c.query, ""); a.status != c.status {
			t.Errorf("%s as %s: %d %s", c.query, c.key, a.status, a.body)
		}
	}
}
