package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/providers"
	"counterfoil/providers/epay"

	"github.com/google/go-cmp/cmp"
)

// mistyped replaces a channel's key by a wrong one until it is mended.
type mistyped struct {
	providers.Channel
	wrong  providers.Channel
	mended *bool
}

func (m mistyped) Read(r providers.Request) (providers.Read, providers.Refusal, error) {
	if *m.mended {
		return m.Channel.Read(r)
	}
	return m.wrong.Read(r)
}

// TestRecheck: a mistyped key costs no money. What was refused under it is
// taken in once it is mended: GET, POST, odd bytes, and never twice.
func TestRecheck(t *testing.T) {
	t.Parallel()
	var mended bool
	s := newSite(t, func(d *httpapi.Deps, _ *httpapi.Config) {
		wrong, err := epay.New(epay.Config{
			Channel: now, Version: epay.V1, Gateway: "https://gateway.example", PID: pid,
			Key: providers.NewSecret("mistyped-key-0123456789"), Ledger: d.Ledger.ID(),
		}, nil, d.Clock)
		if err != nil {
			t.Fatal(err)
		}
		d.Channels[now] = mistyped{d.Channels[now], wrong, &mended}
	})
	s.place(now, "A1", "7.30")
	s.place(now, "A2", "7.30")
	before := len(s.events())
	requests := []func() *http.Request{
		genuine(now, "A1", "T1", "7.30"), genuine(now, "A1", "T1", "7.30"), genuine(ask, "A1", "T1", "7.30"),
		func() *http.Request { return post(now, signed(callback("A2", "T2", "7.30"))) },
		func() *http.Request {
			return get(now, signed(with(callback("A3", "T3", "7.30"), "name", "点数 + & = %")))
		},
		func() *http.Request {
			return get(now, signedWith(callback("A1", "T9", "9.99"), "an attacker's own key"))
		},
		func() *http.Request { return post(now, strings.Repeat("x", 64<<10+1)) },
	}
	for _, r := range requests {
		s.serve(r())
	}
	s.callbackRows(len(requests))
	if got := s.facts(before); len(got) != 2 { // the other channel's own
		t.Fatalf("facts %v", got)
	}
	recheck := func(body string, want httpapi.Rechecked) {
		t.Helper()
		a := s.call("admin", http.MethodPost, "/v1/callbacks/recheck", body)
		got := httpapi.Rechecked{Outcomes: map[string]int{}}
		for into, name := range map[*int]string{&got.Refused: "refused", &got.Verified: "verified", &got.Known: "known"} {
			fmt.Sscan(a.text(name), into)
		}
		outcomes, _ := a.field("outcomes").(map[string]any)
		for name, n := range outcomes {
			f, _ := n.(float64)
			got.Outcomes[name] = int(f)
		}
		if diff := cmp.Diff(want, got); diff != "" || a.status != http.StatusOK {
			t.Errorf("%s: %d %s (-want +got):\n%s", body, a.status, a.body, diff)
		}
	}
	none := map[string]int{}
	recheck(`{"channel":"epay-now"}`, httpapi.Rechecked{Refused: 5, Outcomes: none})
	mended = true
	recheck(`{"channel":"epay-now","dry_run":true}`, httpapi.Rechecked{Refused: 5, Verified: 4, Outcomes: none})
	recheck(`{"channel":"epay-now","since":"2026-03-14T13:00:00Z"}`, httpapi.Rechecked{Outcomes: none})
	recheck(`{"channel":"epay-ask"}`, httpapi.Rechecked{Outcomes: none})
	if got := s.facts(before); len(got) != 2 {
		t.Fatalf("a dry run appends %v", got)
	}
	recheck(`{"channel":"epay-now"}`, httpapi.Rechecked{
		Refused: 5, Verified: 4, Outcomes: map[string]int{"credited": 2, "repeated": 1, "parked": 1},
	})
	after := len(s.events())
	recheck(`{"channel":"epay-now"}`, httpapi.Rechecked{Refused: 5, Verified: 4, Known: 4, Outcomes: none})
	if got := s.facts(after); len(got) != 0 {
		t.Errorf("the second time it appends %v", got)
	}
	credits := 0
	for _, typ := range s.facts(before) {
		if typ == domain.TypePaymentCredited {
			credits++
		}
	}
	if credits != 2 {
		t.Errorf("%d credits", credits)
	}
}

// TestListCallbacks: did it come, and what did we say?
func TestListCallbacks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.place(now, "A1", "7.30")
	for _, r := range []func() *http.Request{
		genuine(now, "A1", "T1", "7.30"), genuine(now, "A1", "T1", "7.30"), genuine("nobody", "A1", "T1", "7.30"),
		func() *http.Request { return get(now, encode(callback("A1", "T1", "7.30"))) },
	} {
		s.serve(r())
	}
	s.callbackRows(4)
	var seen []string
	target := "/v1/callbacks?limit=1"
	for {
		a := s.call("admin", http.MethodGet, target, "")
		if a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		seen = append(seen, a.text("callbacks.0.outcome")+" "+a.text("callbacks.0.reply.body")+" "+a.text("callbacks.0.order_no"))
		if a.field("has_more") != true {
			break
		}
		target = "/v1/callbacks?limit=1&cursor=" + a.text("next_cursor")
	}
	if got := strings.Join(seen, ", "); got != "refused fail A1, refused fail , repeated success A1, credited success A1" {
		t.Errorf("callbacks %s", got)
	}
	for query, want := range map[string]int{
		"?channel=epay-now": 3, "?outcome=refused": 2, "?order_no=A1": 3, "?since=2026-03-14T12:00:00Z": 4, "?since=2026-03-14T12:00:01Z": 0,
		"?channel=nobody": 1,
	} {
		a := s.call("admin", http.MethodGet, "/v1/callbacks"+query, "")
		if rows, _ := a.field("callbacks").([]any); a.status != http.StatusOK || len(rows) != want {
			t.Errorf("%s: %d, %d rows", query, a.status, len(rows))
		}
	}
	for _, query := range []string{"?cursor=x", "?cursor=-1", "?outcome=lost", "?since=now", "?limit=500"} {
		if a := s.call("admin", http.MethodGet, "/v1/callbacks"+query, ""); a.status != 422 {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}
