package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"counterfoil/httpapi"
)

// A difference is told before a bill that could not be had.
func TestBackfillExitCodes(t *testing.T) {
	t.Parallel()
	complete, differs := `{"id":"b1","state":"complete"}`, `{"id":"b2","state":"complete","differing":2}`
	incomplete := `{"id":"b3","state":"incomplete","cause":"bill_missing"}`
	for answer, want := range map[string]int{
		complete: exitOK, complete + "," + incomplete: exitIncomplete, incomplete + "," + differs: exitDiffers, "": exitOK,
	} {
		code, out, errs := runWith(t, http.StatusCreated, `{"bills":[`+answer+`]}`,
			"reconcile", "backfill", "--channel", "wx", "--from", "2026-11-20", "--to", "2026-11-21")
		if days := strings.Count(out, "b1"); code != want || errs != "" || strings.Contains(answer, "b1") && days != 2 {
			t.Errorf("%s: exit %d, want %d\n%s%s", answer, code, want, out, errs)
		}
	}
}

// The newest complete comparison speaks for a day, whatever came after it; a day
// without any is missing.
func TestReportOfDays(t *testing.T) {
	t.Parallel()
	runs := `{"id":"b5","day":"2026-11-21","bill":"trade","state":"incomplete","cause":"provider_down"},
		{"id":"b4","day":"2026-11-21","bill":"trade","state":"complete","matched":7,"totals":[
			{"currency":"CNY","our_payments":"7.30","their_payments":"7.30","fees":"0.04"},{"currency":"USD","our_payments":"1.00","their_payments":"1.00"}]},
		{"id":"b3","day":"2026-11-20","bill":"trade","state":"complete","matched":3},
		{"id":"b2","day":"2026-11-20","bill":"trade","state":"complete","matched":2,"differing":1}`
	args := []string{"reconcile", "report", "--channel", "wx", "--from", "2026-11-20", "--to"}
	code, out, errs := runWith(t, http.StatusOK, `{"bills":[`+runs+`]}`, append(args, "2026-11-21")...)
	if code != exitOK || errs != "" || strings.Contains(out, "provider_down") || !strings.Contains(out, "USD") || strings.Count(out, "2026-11-2") != 2 {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ = runWith(t, http.StatusOK, `{"bills":[`+runs+`]}`, append(args, "2026-11-22")...); code != exitIncomplete || !strings.Contains(out, "missing") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// A run is shown by its id, whatever kind it is of.
func TestShowTakesBothKinds(t *testing.T) {
	t.Parallel()
	code, out, errs := runWith(t, http.StatusOK, `{"id":"bill-7","day":"2026-11-21","bill":"trade","state":"complete"}`, "reconcile", "show", "bill-7")
	if code != exitOK || !strings.Contains(out, "2026-11-21") || errs != "" {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

// One run shows what its bill says of the balance, and how far our book is off.
func TestShowTellsBalances(t *testing.T) {
	t.Parallel()
	run := `{"id":"bill-7","channel":"wx","day":"2026-11-21","bill":"fund_flow","state":"complete","balances":[
		{"currency":"CNY","opening":"1.00","in":"7.30","out":"0.34","closing":"7.96","book":"8.66","off":"-0.70","before":"-0.70",
		"parts":[{"what":"refund","bill":"-0.30","book":"0.00"},{"what":"fee","bill":"-0.04","book":"-0.34"}]}]}`
	for _, show := range [][]string{{"show"}, {"bills"}, {"show", "--watch"}} {
		code, out, errs := runWith(t, http.StatusOK, run, append(append([]string{"reconcile"}, show...), "bill-7")...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		words := strings.Fields(lines[len(lines)-1])
		want := "balance:wx:CNY 1.00 7.30 0.34 7.96 8.66 -0.70 -0.70 refund -0.30 / 0.00, fee -0.04 / -0.34"
		if got := strings.Join(words, " "); code != exitOK || got != want || errs != "" {
			t.Errorf("%v: exit %d\n%s%s", show, code, out, errs)
		}
	}
}

func TestBackfillRefusesWrongDays(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--from", "2026-11-20"},
		{"--channel", "wx"},
		{"--channel", "wx", "--from", "20.11.2026"},
		{"--channel", "wx", "--from", "2026-11-20", "--to", "2026-11-19"},
		{"--channel", "wx", "--from", "2024-11-20", "--to", "2026-11-19"},
	} {
		if code, _, errs := runWith(t, http.StatusCreated, `{}`, append([]string{"reconcile", "backfill"}, args...)...); code != exitUsage || errs == "" {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
}

func TestDiscrepanciesListExitCodes(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{
		`{"id":"d1","state":"open","ours":{"amount":"7.30","currency":"CNY"}}`: exitDiffers,
		`{"id":"d1","state":"resolved","resolution":"credited"}`:               exitOK,
		"": exitOK,
	} {
		code, out, errs := runWith(t, http.StatusOK, `{"discrepancies":[`+answer+`],"has_more":false}`, "discrepancies", "list")
		if code != want || errs != "" || answer != "" && !strings.Contains(out, "d1") {
			t.Errorf("%s: exit %d, want %d\n%s%s", answer, code, want, out, errs)
		}
	}
	if code, _, errs := runWith(t, http.StatusOK, `{}`, "discrepancies", "resolve", "d1"); code != exitUsage || !strings.Contains(errs, "--reason") {
		t.Errorf("no reason: exit %d, %s", code, errs)
	}
	if code, out, _ := runWith(t, http.StatusOK, `{"id":"d1","state":"resolved","resolution":"agreed"}`,
		"discrepancies", "resolve", "d1", "--reason", "agreed"); code != exitOK || !strings.Contains(out, "agreed") {
		t.Errorf("resolved: exit %d, %s", code, out)
	}
}

// A run is watched to its end, and its end is the exit status.
func TestWatchedRun(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{
		`{"id":"bill-7","state":"complete"}`:                         exitOK,
		`{"id":"bill-7","state":"complete","differing":2}`:           exitDiffers,
		`{"id":"bill-7","state":"incomplete","cause":"bill_broken"}`: exitIncomplete,
	} {
		code, out, errs := runWith(t, http.StatusOK, answer, "reconcile", "show", "--watch", "bill-7")
		if code != want || errs != "" || !strings.Contains(out, "bill-7") {
			t.Errorf("%s: exit %d, want %d\n%s%s", answer, code, want, out, errs)
		}
	}
	for _, args := range [][]string{{"--watch"}, {"--watch", "sweep-1"}} {
		if code, _, errs := runWith(t, http.StatusOK, `{}`, append([]string{"reconcile", "show"}, args...)...); code != exitUsage || errs == "" {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
}

func TestProgressInWords(t *testing.T) {
	t.Parallel()
	left := 61.2
	run := httpapi.BillRun{Channel: "wx", Day: "2026-11-21", Bill: "trade", Rows: 600_000}
	run.Progress = &httpapi.Progress{Phase: "reading", Done: 3, Of: 9, Rate: 200_000, Left: &left}
	if got, want := atText(run), "wx 2026-11-21 trade: reading, 600000 lines, 200000 a second, 1m1s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A correction that is refused ends with 1 and the rule, whatever the rule is.
func TestCorrectionRefusals(t *testing.T) {
	t.Parallel()
	for says, status := range map[string]int{
		"li proposed it: another person must approve":        http.StatusForbidden,
		"8.00 CNY would pass the limit of 5.00 CNY":          http.StatusForbidden,
		"the difference d1 is resolved already: by the bill": http.StatusConflict,
		"the period 2026-10 is closed":                       http.StatusConflict,
		"c1 is issued already":                               http.StatusConflict,
	} {
		code, out, errs := runWith(t, status, `{"type":"x","title":"No","status":`+strconv.Itoa(status)+`,"code":"denied","detail":"`+says+`"}`,
			"corrections", "approve", "c1")
		if code != exitFailure || out != "" || !strings.Contains(errs, says) {
			t.Errorf("%s: exit %d\n%s%s", says, code, out, errs)
		}
	}
	code, out, errs := runWith(t, http.StatusOK,
		`{"id":"c1","action":"reverse","state":"proposed","proposed_by":"bill-7","by_run":true,"seconded_by":"li","amount":{"amount":"7.30","currency":"CNY"}}`,
		"corrections", "approve", "c1")
	if code != exitOK || errs != "" || !strings.Contains(out, "SECONDED BY") || !strings.Contains(out, "li") {
		t.Errorf("seconded: exit %d\n%s%s", code, out, errs)
	}
}
