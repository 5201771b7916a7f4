package stripe

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"
)

func payoutRow(id string, at int64, automatic bool) string {
	return fmt.Sprintf(`{"id":%q,"object":"payout","amount":1,"created":%d,"currency":"cny","automatic":%t,"reconciliation_status":"completed"}`, id, at, automatic)
}

// TestBillPayouts: each line knows the automatic payout that it has gone into,
// whatever else those payouts hold and however many lines there are to a second.
func TestBillPayouts(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	a := &api{list: pathTransactions, named: map[string][]string{}}
	want := map[string]string{}
	for i := range 700 {
		at := start + int64(i/5)*100 // five to a second
		id := fmt.Sprintf("txn_%05d", i)
		a.rows = append(a.rows, transaction(i, at, "charge", 1000, 0, source(fmt.Sprintf(`"ch_%d"`, i))))
		if po := []string{"", "po_1", "po_2", "po_manual"}[(i*7)%4]; po != "" {
			a.named[po] = append(a.named[po], id)
			if want[id] = po; po == "po_manual" {
				want[id] = ""
			}
		}
	}
	a.rows = append(a.rows, transaction(90_000, start+86_400, "charge", 1000, 0, "")) // of the next day
	a.named["po_1"] = append(a.named["po_1"], "txn_90000")
	a.payouts = []string{
		payoutRow("po_0", start-1, true), // before: it can hold nothing of the day
		payoutRow("po_1", start+3600, true), payoutRow("po_manual", start+90_000, false), payoutRow("po_2", start+200_000, true),
		strings.Replace(payoutRow("po_8", start+300_000, true), "completed", "in_progress", 1),
		payoutRow("po_9", start+40*86_400, true),
	}
	a.named["po_0"], a.named["po_8"], a.named["po_9"] = []string{"txn_00000"}, []string{"txn_00000"}, []string{"txn_00000"}
	c, f, bill := fetch(t, a, nil)
	lines, err := readAll(c, f, bill)
	if err != nil || len(lines) != 700 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for _, l := range lines {
		if l.PayoutID != want[l.ID] {
			t.Errorf("%s went into %q, want %q", l.ID, l.PayoutID, want[l.ID])
		}
	}
	for _, target := range a.asked {
		for _, not := range []string{"po_0", "po_manual", "po_8", "po_9"} {
			if strings.Contains(target, "payout="+not) {
				t.Errorf("asked %s", target)
			}
		}
	}
	own := slices.ContainsFunc(lines, func(l domain.BillLine) bool { return l.Kind == domain.LinePayout })
	if own || strings.Count(bill, memberPayout) != 350 {
		t.Errorf("%d lines name a payout", strings.Count(bill, memberPayout))
	}
}

// TestBillPayoutsSecret: a key that may not read payouts gets its bill, too; a
// list of them that cannot be had is no bill.
func TestBillPayoutsSecret(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	rows := []string{transaction(1, start, "charge", 1000, 37, ""), transaction(2, start+1, "payout", -963, 0, source(`{"id":"po_1","object":"payout"}`))}
	a := &api{
		list: pathTransactions, rows: rows, status: map[string]int{pathPayouts: http.StatusForbidden},
		answers: map[string]string{pathPayouts: `{"error":{"type":"invalid_request_error","message":"The provided key does not have the required permissions"}}`},
	}
	c, f, bill := fetch(t, a, nil)
	if lines, err := readAll(c, f, bill); err != nil || len(lines) != 2 || lines[0].PayoutID != "" || lines[1].PayoutID != "po_1" {
		t.Errorf("%+v, %v", lines, err)
	}
	a.status[pathPayouts] = http.StatusBadGateway
	var w strings.Builder
	if _, err := c.FetchBill(t.Context(), question(billDay), &w); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("no payouts: %v", err)
	}
}

// TestBillPayoutsForged: a transaction that says itself what we would say is not
// believed.
func TestBillPayoutsForged(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	row := transaction(1, start, "charge", 1000, 37, `,"`+memberPayout+`":"po_evil"`)
	c, f, bill := fetch(t, &api{list: pathTransactions, rows: []string{row}}, nil)
	if lines, err := readAll(c, f, bill); err != nil || lines[0].PayoutID != "" {
		t.Errorf("%+v, %v", lines, err)
	}
}

// TestBillFinal: half a day after it is whole, a bill is final.
func TestBillFinal(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	c := asking(t, &api{list: pathTransactions, rows: []string{transaction(1, start, "charge", 1000, 37, "")}}, nil)
	empty := asking(t, &api{list: pathTransactions}, nil)
	for after, final := range map[time.Duration]bool{0: false, finalAfter - time.Second: false, finalAfter: true} {
		q := providers.BillQuestion{Kind: providers.BillFunds, Day: billDay, At: c.BillReady(billDay).Add(after)}
		var w strings.Builder
		for name, channel := range map[string]*Channel{"one": c, "none": empty} {
			if f, err := channel.FetchBill(t.Context(), q, &w); err != nil || f.Final != final {
				t.Errorf("%s after %s: %+v, %v", name, after, f, err)
			}
		}
	}
}

// TestPayoutsPassOver: a list that shows what the day does not, and rows of one
// second in another order than the day's, cost only their own lines.
func TestPayoutsPassOver(t *testing.T) {
	t.Parallel()
	rows := []string{"txn_a 1", "txn_ghost 2", "txn_b 3", "txn_c 3", "txn_d 4"}
	in := &inPayout{id: "po_1", next: func() (row, error, bool) {
		if len(rows) == 0 {
			return row{}, nil, false
		}
		id, at, _ := strings.Cut(rows[0], " ")
		rows = rows[1:]
		return row{raw: strictjson.Value(`{"id":"` + id + `","created":` + at + `}`)}, nil, true
	}, stop: func() {}}
	if err := in.advance(); err != nil {
		t.Fatal(err)
	}
	p := &payouts{each: []*inPayout{in}}
	for _, s := range []struct {
		id   string
		at   int64
		want string
	}{
		{"txn_a", 1, "po_1"},
		{"txn_x", 1, ""},
		{"", 2, ""},
		{"txn_b", 3, "po_1"},
		{"txn_y", 3, ""},
		{"txn_c", 3, "po_1"},
		{"txn_d", 4, "po_1"},
		{"txn_d", 4, ""},
		{"txn_z", 9, ""},
	} {
		if got, err := p.of(s.id, s.at); err != nil || got != s.want {
			t.Errorf("%s went into %q, %v", s.id, got, err)
		}
	}
}
