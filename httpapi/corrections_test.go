package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
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

// difference writes an open difference about a trade, as a comparison finds it.
func (s *site) difference(trade string, kind domain.DiscrepancyKind) string {
	s.tb.Helper()
	id := domain.NewV5(domain.ID{3}, trade, string(kind))
	s.ok(s.ops.CloseBill(s.tb.Context(), operations.BillResult{
		Run: operations.BillRun{ID: "bill-7", Channel: now, Day: "2026-03-13", Bill: "trade", State: operations.RunComplete},
		Found: []operations.Discrepancy{{
			ID: id, Channel: now, Day: "2026-03-13", Bill: "trade", Kind: kind, State: operations.DiscrepancyOpen,
			Item: domain.ItemKey{Kind: domain.LinePayment, TradeNo: trade}, FoundRun: "bill-7", SeenRun: "bill-7",
		}},
	}))
	return id.String()
}

// A correction repairs a difference that is there and its own; when it is issued
// the difference is set aside.
func TestCorrectionOfADifference(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people()
	s.paid("B1", "4.00")
	s.paid("B2", "4.00")
	d := s.difference("TB1", domain.StatusMismatch)
	if a := s.call("li", http.MethodPost, corrections, wish("reverse", "B2", "TB2", "discrepancy", d)); a.status != http.StatusUnprocessableEntity && a.status != http.StatusConflict {
		t.Errorf("another trade's difference: %d %s", a.status, a.body)
	}
	if a := s.call("li", http.MethodPost, corrections, wish("reverse", "B1", "TB1", "discrepancy", domain.NewV5(domain.ID{9}, "none").String())); a.status != http.StatusNotFound {
		t.Errorf("an unknown difference: %d %s", a.status, a.body)
	}
	first := s.call("li", http.MethodPost, corrections, wish("reverse", "B1", "TB1", "discrepancy", d))
	if first.status != http.StatusCreated {
		t.Fatalf("%d %s", first.status, first.body)
	}
	id, err := domain.ParseID(d)
	s.ok(err)
	_, err = s.ops.ResolveDiscrepancy(t.Context(), id, "bill-8", "the bill does not show it any more", s.clock.now())
	s.ok(err)
	before := len(s.events())
	a := s.call("wang", http.MethodPost, corrections+"/"+first.text("id")+"/approve", "{}")
	if a.status != http.StatusConflict || !strings.Contains(string(a.body), "is resolved already: the bill does not show it any more") || len(s.facts(before)) > 0 {
		t.Errorf("approved when it had vanished: %d %s", a.status, a.body)
	}

	other := s.difference("TB2", domain.AmountMismatch)
	second := s.call("li", http.MethodPost, corrections, wish("reverse", "B2", "TB2", "discrepancy", other))
	if a := s.call("wang", http.MethodPost, corrections+"/"+second.text("id")+"/approve", "{}"); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := s.call("admin", http.MethodGet, "/v1/discrepancies/"+other, "")
	if got.text("state") != "resolved" || got.text("resolved_by") != "wang" || got.text("resolution") != "corrected by "+second.text("id") {
		t.Errorf("after the correction: %s", got.body)
	}
	events := s.events()
	if last := events[len(events)-1]; !strings.Contains(string(last.Data), `"by":"wang","asked_by":"li","correction":"`+second.text("id")+`"`) {
		t.Errorf("the log is told %s", last.Data)
	}
	if a := s.call("li", http.MethodPost, corrections, wish("credit", "B2", "TB2", "discrepancy", other)); a.status != http.StatusConflict {
		t.Errorf("corrected twice: %d %s", a.status, a.body)
	}
}

// What a run proposed takes two persons, and counts against the limit of the one
// who seconded it.
func TestCorrectionOfARun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people()
	s.paid("B1", "4.00")
	ask := domain.Correction{
		Action: domain.ActionReverse, TradeNo: "TB1", Reason: "the provider says closed", By: "bill-7", ByRun: true,
	}
	p, _, err := s.ledger.Propose(t.Context(), now, "B1", ask, func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }, ledger.By{Actor: "reconciler"})
	s.ok(err)
	s.settled()
	target := corrections + "/" + p.ID().String()
	if a := s.call("li", http.MethodGet, target, ""); a.field("by_run") != true || a.text("proposed_by") != "bill-7" {
		t.Errorf("%s", a.body)
	}
	before := len(s.events())
	for _, c := range []struct {
		key    string
		status int
		state  string
		says   string
	}{
		{"robot", http.StatusForbidden, "", "service"},
		{"li", http.StatusOK, "proposed", ""},
		{"li2", http.StatusOK, "proposed", ""}, // another key of the same person
		{"wang", http.StatusOK, "issued", ""},
		{"wang", http.StatusOK, "issued", ""},
	} {
		a := s.call(c.key, http.MethodPost, target+"/approve", `{"reason":"seen"}`)
		if a.status != c.status || c.state != "" && (a.text("state") != c.state || a.text("seconded_by") != "li") || !strings.Contains(string(a.body), c.says) {
			t.Errorf("%s: %d %s", c.key, a.status, a.body)
		}
	}
	want := domain.TypeCorrectionSeconded + " " + domain.TypeCorrectionApproved + " " + domain.TypeCorrectionIssued
	if got := strings.Join(s.facts(before), " "); got != want {
		t.Errorf("facts %s, want %s", got, want)
	}
	spent, err := s.server.Rows.ApprovedSince(t.Context(), now, s.clock.now().Add(-24*time.Hour))
	s.ok(err)
	if len(spent) != 1 || spent[0].Proposer() != "li" {
		t.Errorf("it counts for %+v", spent)
	}
}

// A correction above the limit or dated into the future is refused with the rule
// named.
func TestCorrectionsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people()
	s.paid("B1", "4.00")
	limited := s.server.Channels[now].Config()
	limited.Corrections = &domain.CorrectionPolicy{Item: domain.NewMoney(100, domain.CNY)}
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"the future":  {wish("reverse", "B1", "TB1", "value_date", "2030-01-01"), http.StatusUnprocessableEntity, "has not come"},
		"not a day":   {wish("reverse", "B1", "TB1", "value_date", "2026-02-30"), http.StatusUnprocessableEntity, "is not a day"},
		"other money": {wish("reverse", "B1", "TB9"), http.StatusNotFound, "TB9"},
	} {
		if a := s.call("li", http.MethodPost, corrections, c.body); a.status != c.status || !strings.Contains(string(a.body), c.says) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.ok(s.ledger.Configure(t.Context(), limited, ledger.By{Actor: "system"}))
	if a := s.call("li", http.MethodPost, corrections, wish("reverse", "B1", "TB1")); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "limit of 1.00 CNY for one correction") {
		t.Errorf("above the limit: %d %s", a.status, a.body)
	}
}

// A correction into a closed period is refused with the rule named, when it is
// proposed and when it is approved; of a payment in it, it is booked in the open
// one.
func TestCorrectionsAndClosedPeriods(t *testing.T) {
	t.Parallel()
	s := march(t)
	s.place(now, "A2", "7.30")
	s.serve(get(now, signed(callback("A2", "TA2", "7.30"))))
	s.settled()
	for _, who := range []string{"li", "wang"} {
		k, err := s.ops.APIKey(t.Context(), who)
		s.ok(err)
		k.ID, k.Scopes = "book-"+who, []operations.Scope{operations.ScopeCorrections}
		k.SHA256 = s.hashOf(k.ID)
		s.ok(s.ops.PutAPIKey(t.Context(), k))
	}
	s.clock.add(april.Sub(s.clock.now()))
	dated := s.call("book-li", http.MethodPost, corrections, wish("reverse", "A1", "TA1", "value_date", "2026-03-14"))
	if dated.status != http.StatusCreated || dated.text("value_date") != "2026-03-14" {
		t.Fatalf("%d %s", dated.status, dated.body)
	}
	const path = "/v1/periods/2026-03"
	if a := s.call("li", http.MethodPost, path+"/propose", `{"reason":"done","accept":["run:epay-now"]}`); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.clock.add(domain.PeriodGrace + domain.PeriodSettle)
	if a := s.call("wang", http.MethodPost, path+"/approve", `{}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	before := len(s.events())
	a := s.call("book-wang", http.MethodPost, corrections+"/"+dated.text("id")+"/approve", "{}")
	if a.status != http.StatusConflict || !strings.Contains(string(a.body), "the period 2026-03 is closed") || len(s.facts(before)) > 0 {
		t.Errorf("approved: %d %s", a.status, a.body)
	}
	if a := s.call("book-li", http.MethodPost, corrections, wish("reverse", "A2", "TA2", "value_date", "2026-03-31")); a.status != http.StatusConflict || !strings.Contains(string(a.body), "is closed") {
		t.Errorf("proposed: %d %s", a.status, a.body)
	}
	open := s.call("book-li", http.MethodPost, corrections, wish("reverse", "A2", "TA2"))
	if a := s.call("book-wang", http.MethodPost, corrections+"/"+open.text("id")+"/approve", "{}"); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	events := s.events()
	if last := string(events[len(events)-1].Data); !strings.Contains(last, `"period":"2026-04"`) {
		t.Errorf("booked as %s", last)
	}
}

// TestRightCreditAfterReversal: a credit that people mistyped is taken back and
// entered with the right amount for the right account, each step by two persons;
// the balances follow, and there is never more than one.
func TestRightCreditAfterReversal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people()
	credit := func(account, amount string) string {
		return strings.TrimSuffix(wish("credit", "A1", "T9", "account", account), "}") + `,"amount":{"amount":"` + amount + `","currency":"CNY"}}`
	}
	both := func(body string) {
		t.Helper()
		a := s.call("li", http.MethodPost, corrections, body)
		if a.status != http.StatusCreated {
			t.Fatalf("proposed: %d %s", a.status, a.body)
		}
		id := a.text("id")
		if a = s.call("li", http.MethodPost, corrections+"/"+id+"/approve", "{}"); a.status != http.StatusForbidden {
			t.Errorf("approved by the proposer: %d %s", a.status, a.body)
		}
		if a = s.call("wang", http.MethodPost, corrections+"/"+id+"/approve", "{}"); a.status != http.StatusOK || a.text("state") != "issued" {
			t.Fatalf("approved: %d %s", a.status, a.body)
		}
	}
	balance := func(account, want string) {
		t.Helper()
		if a := s.call("admin", http.MethodGet, "/v1/accounts/"+account+"/balances", ""); a.text("balances.0.amount") != want {
			t.Errorf("%s: %s, want %s", account, a.body, want)
		}
	}
	both(credit("user:7", "10.00"))
	if a := s.call("li", http.MethodPost, corrections, credit("user:8", "100.00")); a.status != http.StatusConflict || !strings.Contains(string(a.body), "(R2)") {
		t.Errorf("beside a live credit: %d %s", a.status, a.body)
	}
	both(wish("reverse", "A1", "T9"))
	balance("user:7", "0.00")
	both(credit("user:8", "100.00"))
	balance("user:7", "0.00")
	balance("user:8", "100.00")
	if a := s.call("admin", http.MethodGet, "/v1/payments/"+string(now)+"/A1", ""); a.text("state") != "credited" {
		t.Errorf("%s", a.body)
	}
}

// Money under one trade number is given once, whatever order people name: not to
// another order while the first one has it, nor by an approval that was asked
// for before it came.
func TestMoneyOfAnotherOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people()
	s.paid("B1", "4.00")
	s.place(now, "B2", "4.00")
	s.place(now, "B4", "4.00")
	early := s.call("li", http.MethodPost, corrections, wish("credit", "B4", "TB3"))
	if early.status != http.StatusCreated {
		t.Fatalf("%d %s", early.status, early.body)
	}
	s.paid("B3", "4.00")
	before := len(s.events())
	for name, a := range map[string]answer{
		"proposed": s.call("li", http.MethodPost, corrections, wish("credit", "B2", "TB1")),
		"approved": s.call("wang", http.MethodPost, corrections+"/"+early.text("id")+"/approve", "{}"),
	} {
		if a.status != http.StatusConflict || !strings.Contains(string(a.body), "in the books of order") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if got := s.facts(before); len(got) > 0 {
		t.Errorf("facts %v", got)
	}
	both := func(body string) {
		t.Helper()
		a := s.call("li", http.MethodPost, corrections, body)
		if a = s.call("wang", http.MethodPost, corrections+"/"+a.text("id")+"/approve", "{}"); a.text("state") != "issued" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	both(wish("reverse", "B1", "TB1"))
	both(wish("credit", "B2", "TB1"))
	if a := s.call("li", http.MethodPost, corrections, wish("credit", "B1", "TB1")); a.status != http.StatusConflict {
		t.Errorf("given back while another order has it: %d %s", a.status, a.body)
	}
}

// shownOnce are rows behind which something happens as soon as a correction was
// read.
type shownOnce struct {
	projections.Reader
	once sync.Once
	then func()
}

func (r *shownOnce) Correction(ctx context.Context, id domain.ID) (projections.Correction, error) {
	c, err := r.Reader.Correction(ctx, id)
	r.once.Do(r.then)
	return c, err
}

// Who seconds a run's proposal while another person's approval is on its way
// stands behind it: the approval counts against his limit, not against the
// other's.
func TestSecondedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people()
	limited := s.server.Channels[now].Config()
	limited.Corrections = &domain.CorrectionPolicy{PersonDay: domain.NewMoney(1000, domain.CNY)}
	s.ok(s.ledger.Configure(t.Context(), limited, ledger.By{Actor: "system"}))
	for _, no := range []string{"B1", "B2"} {
		s.paid(no, "4.00")
		a := s.call("li", http.MethodPost, corrections, wish("reverse", no, "T"+no))
		if a = s.call("wang", http.MethodPost, corrections+"/"+a.text("id")+"/approve", "{}"); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	s.paid("B3", "4.00")
	unspent := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }
	ask := domain.Correction{Action: domain.ActionReverse, TradeNo: "TB3", Reason: "the provider says closed", By: "bill-7", ByRun: true}
	p, _, err := s.ledger.Propose(t.Context(), now, "B3", ask, unspent, ledger.By{Actor: "reconciler"})
	s.ok(err)
	s.settled()
	s.server.Rows = &shownOnce{Reader: s.server.Rows, then: func() {
		_, err := s.ledger.Approve(context.Background(), now, "B3", p.ID(), "li", "seen", unspent, ledger.By{Actor: "person:li"})
		s.ok(err)
		s.settled()
	}}
	a := s.call("wang", http.MethodPost, corrections+"/"+p.ID().String()+"/approve", "{}")
	if a.status != http.StatusForbidden || !strings.Contains(string(a.body), "what li proposes in a day") {
		t.Errorf("li's third 4.00 below 10.00: %d %s", a.status, a.body)
	}
}
