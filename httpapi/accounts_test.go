package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/eventstore"
)

// paid credits an order and answers the position and time behind it.
func (s *site) paid(no, amount string) (eventstore.Position, time.Time) {
	s.tb.Helper()
	s.place(now, no, amount)
	if w := s.serve(get(now, signed(callback(no, "T"+no, amount)))); w.Body.String() != "success" {
		s.tb.Fatal(w.Code, w.Body)
	}
	at := s.clock.now()
	s.clock.add(time.Minute)
	return s.settled(), at
}

const balances = "/v1/accounts/user:42/balances"

func (s *site) balance(query string) answer {
	s.tb.Helper()
	return s.call("admin", http.MethodGet, balances+query, "")
}

// TestBalances: now, as of a position, as of a time, after a position.
func TestBalances(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	start := s.settled()
	if a := s.balance(""); a.status != http.StatusOK || string(a.body) != `{"account":"user:42","position":"`+start.String()+`","balances":[]}`+"\n" {
		t.Errorf("before any money: %d %s", a.status, a.body)
	}
	p1, t1 := s.paid("A1", "7.30")
	p2, t2 := s.paid("A2", "0.70")
	for query, want := range map[string]string{
		"": "8.00", "?as_of_position=" + p1.String(): "7.30", "?as_of_position=" + p2.String(): "8.00",
		"?as_of_position=" + start.String(): "", "?as_of_position=0": "", "?as_of_position=1": "",
		"?min_position=" + p2.String(): "8.00", "?min_position=0": "8.00",
		"?as_of_time=" + t1.Format(time.RFC3339): "7.30", "?as_of_time=" + t2.Format(time.RFC3339): "8.00",
		"?as_of_time=" + t1.Add(-time.Second).Format(time.RFC3339): "", "?as_of_time=0001-01-01T00:00:00Z": "",
		"?as_of_time=2026-03-14T20:00:00%2B08:00": "7.30",
		"?value_date=2100-01-01":                  "8.00", "?value_date=2000-01-01": "",
		"?value_date=2100-01-01&as_of_position=" + p1.String(): "7.30", "?value_date=2100-01-01&as_of_time=" + t1.Format(time.RFC3339): "7.30",
		"?value_date=2100-01-01&as_of_position=0": "", "?value_date=2000-01-01&min_position=" + p2.String(): "",
	} {
		a := s.balance(query)
		if a.status != http.StatusOK || a.text("balances.0.amount") != want {
			t.Errorf("%s: %d %s, want %q", query, a.status, a.body, want)
		}
		if a.header.Get("ETag") != `"`+a.text("position")+`"` {
			t.Errorf("%s: ETag %s of %s", query, a.header.Get("ETag"), a.body)
		}
	}
	for query, status := range map[string]int{
		"?as_of_position=x": 422, "?as_of_position=-1": 422, "?as_of_position=01": 422, "?as_of_position=": 422, "?as_of=1": 422,
		"?as_of_time=now": 422, "?value_date=2026-02-30": 422, "?value_date=today": 422, "?as_of_position=1&min_position=1": 422, "?as_of_position=1&as_of_position=2": 422,
	} {
		if a := s.balance(query); a.status != status || a.text("errors.0.field") == "" {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	for account, status := range map[string]int{"user%2042": 422, "a%2Fb": 422, strings.Repeat("a", 129): 422, "nobody": 200, "user%3A42": 200} {
		if a := s.call("admin", http.MethodGet, "/v1/accounts/"+account+"/balances", ""); a.status != status {
			t.Errorf("%s: %d %s", account, a.status, a.body)
		}
	}
}

// TestBalancesWaitAndGiveUp: a position that does not come is a 503.
func TestBalancesWaitAndGiveUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.balance(fmt.Sprint("?min_position=", uint64(s.settled())+1_000_000))
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

// TestBalancesShortWay: the short way and the common one give the same bytes,
// headers and refusals.
func TestBalancesShortWay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.key("none")
	s.limitedKey("limited", nil, []string{"user:7"}, "balances:read")
	p, _ := s.paid("A1", "7.30")
	long := "?as_of_position=" + p.String()
	for _, account := range []string{"user:42", "nobody", "bad%20one", "~"} {
		for _, key := range []string{"admin", "none", "limited", ""} {
			short := s.call(key, http.MethodGet, "/v1/accounts/"+account+"/balances", "")
			common := s.call(key, http.MethodGet, "/v1/accounts/"+account+"/balances"+long, "")
			strip := func(a answer) string {
				id := a.header.Get("X-Request-Id")
				a.header.Del("X-Request-Id")
				return strings.ReplaceAll(fmt.Sprint(a.status, a.header, string(a.body)), id, "ID")
			}
			if one, two := strip(short), strip(common); one != two {
				t.Errorf("account %s, key %q:\nshort  %s\ncommon %s", account, key, one, two)
			}
		}
	}
}

// TestBalancesNotModified: a reader that has the answer gets no second one.
func TestBalancesNotModified(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p, _ := s.paid("A1", "7.30")
	tag := `"` + p.String() + `"`
	for _, query := range []string{"", "?min_position=1"} {
		for header, status := range map[string]int{
			tag: 304, "W/" + tag: 304, `"1", ` + tag: 304, "*": 304, `"1"`: 200, p.String(): 200,
		} {
			a := s.call("admin", http.MethodGet, balances+query, "", "If-None-Match", header)
			if a.status != status || (status == 304) != (len(a.body) == 0) || a.header.Get("ETag") != tag {
				t.Errorf("%s with %s: %d %v %q", query, header, a.status, a.header, a.body)
			}
		}
	}
}

// TestEntries: newest first, with the balance after each, in pages that new
// money does not shift.
func TestEntries(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var positions []eventstore.Position
	var times []string
	for i := range 5 {
		p, at := s.paid(fmt.Sprint("A", i), "1.00")
		positions, times = append(positions, p), append(times, at.Format(time.RFC3339))
	}
	var got []string
	target := "/v1/accounts/user:42/entries?limit=2"
	for page := 0; ; page++ {
		a := s.call("admin", http.MethodGet, target, "")
		rows, _ := a.field("entries").([]any)
		if a.status != http.StatusOK || len(rows) == 0 {
			t.Fatalf("page %d: %d %s", page, a.status, a.body)
		}
		for i := range rows {
			at := fmt.Sprintf("entries.%d.", i)
			got = append(got, a.text(at+"amount.amount")+"="+a.text(at+"after.amount"))
			if a.text(at+"value_date") != "2026-03-14" || a.text(at+"type") != "payment.credited.v1" {
				t.Errorf("entry %s", a.body)
			}
		}
		if a.field("has_more") != true {
			break
		}
		s.paid(fmt.Sprint("NEW", page), "9.00")
		target = "/v1/accounts/user:42/entries?limit=2&cursor=" + a.text("next_cursor")
	}
	if text := strings.Join(got, " "); text != "1.00=5.00 1.00=4.00 1.00=3.00 1.00=2.00 1.00=1.00" {
		t.Errorf("entries %s", text)
	}
	for query, want := range map[string]int{
		"?as_of_position=" + positions[1].String(): 2, "?as_of_position=0": 0, "?as_of_position=1": 0, "?currency=USD": 0, "?currency=CNY": 7,
		"?as_of_time=" + times[1]: 2, "?as_of_time=" + times[4] + "&currency=CNY": 5, "?as_of_time=2000-01-01T00:00:00Z": 0,
		"?as_of_time=0001-01-01T00:00:00Z": 0, "?as_of_time=2100-01-01T00:00:00Z": 7,
	} {
		a := s.call("admin", http.MethodGet, "/v1/accounts/user:42/entries"+query, "")
		if rows, _ := a.field("entries").([]any); a.status != http.StatusOK || len(rows) != want {
			t.Errorf("%s: %d %d rows, want %d: %s", query, a.status, len(rows), want, a.body)
		}
	}
	for _, query := range []string{
		"?currency=cny", "?cursor=5", "?cursor=5-x", "?cursor=5--1", "?as_of_position=x", "?min_position=1",
		"?as_of_time=yesterday", "?as_of_time=" + times[1] + "&as_of_position=1",
	} {
		if a := s.call("admin", http.MethodGet, "/v1/accounts/user:42/entries"+query, ""); a.status != 422 {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}
