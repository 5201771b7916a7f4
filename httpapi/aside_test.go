package httpapi_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/operations"
)

// asiding is a difference, which li and wang are to set aside; wang has a key.
type asiding struct {
	*site
	t       *testing.T
	d       operations.Discrepancy
	path    string
	private ed25519.PrivateKey
}

func newAsiding(t *testing.T) *asiding {
	t.Helper()
	s := newSite(t)
	s.officers()
	s.compared(now, 1)
	rows, err := s.ops.Discrepancies(t.Context(), operations.DiscrepancyFilter{Limit: 1})
	s.ok(err)
	return &asiding{s, t, rows[0], "/v1/discrepancies/" + rows[0].ID.String(), s.ownKey(t, "wang", "li", 7)}
}

// found has a run see the difference with other amounts, or with none of it.
func (a *asiding) found(found ...operations.Discrepancy) {
	a.t.Helper()
	run, err := a.ops.BillRun(a.t.Context(), a.d.FoundRun)
	if err != nil {
		run, err = a.ops.BillRun(a.t.Context(), "bill-epay-now2026-03-01")
	}
	a.ok(err)
	run.ID += "+"
	a.ok(a.ops.CloseBill(a.t.Context(), operations.BillResult{Run: run, Found: found}))
}

// word is what wang signs of the difference as it is shown.
func (a *asiding) word(reason string) []byte {
	a.t.Helper()
	parts := a.call("wang", http.MethodGet, a.path+"/statement", "")
	stream := domain.ReconciliationStream(now, string(a.d.Day))
	if parts.status != http.StatusOK || parts.text("ledger") != a.ledger.ID().String() || parts.text("stream") != string(stream) || parts.text("person") != "wang" {
		a.t.Fatalf("%d %s", parts.status, parts.body)
	}
	var leaf [32]byte
	if text, ok := parts.field("leaf").(string); ok {
		b, err := hex.DecodeString(text)
		a.ok(err)
		leaf = [32]byte(b)
	}
	id, err := domain.ParseID(parts.text("proposal"))
	a.ok(err)
	f := domain.ReconciliationDiffered{
		Discrepancy: a.d.ID, Kind: a.d.Kind, Line: a.d.Item.Kind, OrderNo: a.d.OrderNo, TradeNo: a.d.Item.TradeNo, Ours: a.d.Ours, Theirs: a.d.Theirs,
		Proposal: id, How: reason, By: "wang",
	}
	by, second := parts.field("asked_by").(string)
	if f.AskedBy = by; !second && f.Kind.NeedsTwo() {
		return domain.WordStatement(a.ledger.ID(), stream, leaf, f.Asked(), a.clock.now())
	}
	return domain.WordStatement(a.ledger.ID(), stream, leaf, f, a.clock.now())
}

// says is wang's request, signed over a text.
func (a *asiding) says(text []byte, reason string) answer {
	a.t.Helper()
	body := a.signedBody(a.t, a.private, text)
	return a.call("wang", http.MethodPost, a.path+"/resolve", strings.Replace(body, `"reason":"done"`, `"reason":"`+reason+`"`, 1))
}

// TestSignedAsideByAPI: who has a key sets a difference aside with it, out of
// what the API shows, as the second person and as the first.
func TestSignedAsideByAPI(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"li", "wang"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			a, reason := newAsiding(t), "看过回单，银行确认"+strings.Repeat("妥", 190)
			if first == "li" {
				if r := a.call("li", http.MethodPost, a.path+"/resolve", `{"reason":"agreed"}`); r.status != http.StatusOK || r.text("asked_by") != "li" || r.text("asked_at") == "" {
					t.Fatalf("%d %s", r.status, r.body)
				}
			}
			if r := a.call("wang", http.MethodPost, a.path+"/resolve", `{"reason":"seen"}`); r.status != http.StatusForbidden || !strings.Contains(string(r.body), "must be signed") {
				t.Errorf("unsigned: %d %s", r.status, r.body)
			}
			if r := a.says(a.word("another reason"), reason); r.status != http.StatusUnauthorized {
				t.Errorf("signed another reason: %d %s", r.status, r.body)
			}
			text := a.word(reason)
			if r := a.says(text, reason); r.status != http.StatusOK || (r.text("state") == "resolved") != (first == "li") {
				t.Fatalf("signed: %d %s", r.status, r.body)
			}
			if first == "wang" {
				if r := a.says(text, reason); r.status != http.StatusForbidden {
					t.Errorf("the same person again: %d %s", r.status, r.body)
				}
				if r := a.call("wang", http.MethodGet, a.path+"/statement", ""); r.status != http.StatusForbidden {
					t.Errorf("a statement for the first person again: %d %s", r.status, r.body)
				}
				if r := a.call("li", http.MethodPost, a.path+"/resolve", `{"reason":"agreed"}`); r.status != http.StatusOK || r.text("state") != "resolved" || r.text("asked") != reason {
					t.Fatalf("%d %s", r.status, r.body)
				}
			}
			for _, r := range []answer{a.says(text, reason), a.call("li", http.MethodGet, a.path+"/statement", "")} {
				if r.status != http.StatusConflict {
					t.Errorf("of what is resolved: %d %s", r.status, r.body)
				}
			}
			a.settled()
			for what, who := range map[string]string{"reconciliation.asked": first, "reconciliation.differed": map[string]string{"li": "wang", "wang": "li"}[first]} {
				why := map[string]string{"li": "agreed", "wang": reason}[who]
				if r := a.call("admin", http.MethodGet, "/v1/acts?what="+what, ""); r.text("acts.0.person") != who || r.text("acts.0.why") != why || r.field("acts.1") != nil {
					t.Errorf("%s: %s", what, r.body)
				}
			}
		})
	}
}

// TestStatementOfAnAsideIsForItsPerson: a key that may not see a difference gets
// no statement of it, and neither does a service's.
func TestStatementOfAnAsideIsForItsPerson(t *testing.T) {
	t.Parallel()
	a := newAsiding(t)
	a.compared(ask, 1)
	rows, err := a.ops.Discrepancies(t.Context(), operations.DiscrepancyFilter{Channel: ask, Limit: 1})
	a.ok(err)
	for key, path := range map[string]string{"robot": a.path, "narrow": "/v1/discrepancies/" + rows[0].ID.String()} {
		for _, r := range []answer{a.call(key, http.MethodGet, path+"/statement", ""), a.call(key, http.MethodPost, path+"/resolve", `{"reason":"x"}`)} {
			if r.status != http.StatusForbidden {
				t.Errorf("%s: %d %s", key, r.status, r.body)
			}
		}
	}
	if r := a.call("wang", http.MethodGet, "/v1/discrepancies/"+domain.ID{1}.String()+"/statement", ""); r.status != http.StatusNotFound {
		t.Errorf("unknown: %d %s", r.status, r.body)
	}
}

// TestAsideOfAnotherAmount: a word is about the difference as it was shown. What
// li said of 7.30 does not let wang set aside what is 8.00 by now.
func TestAsideOfAnotherAmount(t *testing.T) {
	t.Parallel()
	a := newAsiding(t)
	if r := a.call("li", http.MethodPost, a.path+"/resolve", `{"reason":"agreed"}`); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	old := a.word("seen")
	changed := a.d
	changed.Ours = domain.NewMoney(800, domain.CNY)
	a.found(changed)
	if r := a.call("li", http.MethodGet, a.path, ""); r.text("ours.amount") != "8.00" || r.field("asked_by") != nil {
		t.Errorf("as it is shown: %s", r.body)
	}
	if r := a.says(old, "seen"); r.status != http.StatusUnauthorized {
		t.Errorf("signed for what it was: %d %s", r.status, r.body)
	}
	a.d = changed
	if r := a.says(a.word("seen"), "seen"); r.status != http.StatusOK || r.text("state") != "open" || r.text("asked_by") != "wang" {
		t.Errorf("of what it is now: %d %s", r.status, r.body)
	}
	if r := a.call("li", http.MethodPost, a.path+"/resolve", `{"reason":"agreed"}`); r.status != http.StatusOK || r.text("state") != "resolved" {
		t.Errorf("the second of it: %d %s", r.status, r.body)
	}
}

// TestOldWordIsSaidAgain: a word that an older version noted on the list alone
// stands in no event, so it is nobody's: the next person is the first.
func TestOldWordIsSaidAgain(t *testing.T) {
	t.Parallel()
	a := newAsiding(t)
	_, err := a.ops.AskDiscrepancy(t.Context(), a.d.ID, domain.ID{}, "li", "agreed", a.clock.now())
	a.ok(err)
	if r := a.call("li", http.MethodGet, a.path, ""); r.field("asked_by") != nil || r.field("asked") != nil {
		t.Errorf("as it is shown: %s", r.body)
	}
	if r := a.says(a.word("seen"), "seen"); r.status != http.StatusOK || r.text("state") != "open" || r.text("asked_by") != "wang" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := a.call("li", http.MethodPost, a.path+"/resolve", `{"reason":"agreed"}`); r.status != http.StatusOK || r.text("state") != "resolved" || r.text("asked_by") != "wang" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestOneSignedWord: where one person is enough, that one signs, too.
func TestOneSignedWord(t *testing.T) {
	t.Parallel()
	a := newAsiding(t)
	fee := a.d
	fee.ID, fee.Kind, fee.Theirs = domain.NewV5(domain.ID{3}, "fee"), domain.FeeMismatch, domain.NewMoney(-5, domain.CNY)
	a.found(a.d, fee)
	a.d, a.path = fee, "/v1/discrepancies/"+fee.ID.String()
	if r := a.call("wang", http.MethodPost, a.path+"/resolve", `{"reason":"seen"}`); r.status != http.StatusForbidden {
		t.Errorf("unsigned: %d %s", r.status, r.body)
	}
	before := len(a.events())
	if r := a.says(a.word("seen"), "seen"); r.status != http.StatusOK || r.text("state") != "resolved" || r.field("asked_by") != nil {
		t.Errorf("%d %s", r.status, r.body)
	}
	if got := a.facts(before); !slices.Equal(got, []string{domain.TypeReconciliationDiffered}) {
		t.Errorf("facts %v", got)
	}
}
