package httpapi_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// line is an event as the stream shows it, data and meta as they stand there.
type line struct {
	Position string          `json:"position"`
	Stream   string          `json:"stream"`
	Revision uint64          `json:"revision"`
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Data     json.RawMessage `json:"data"`
	Meta     json.RawMessage `json:"meta"`
	Hash     string          `json:"sealed_sha256"`
	Sealed   string          `json:"sealed"`
}

func parse(t *testing.T, text string) line {
	t.Helper()
	var l line
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return l
}

// TestReplayIsExact: every line holds the bytes that are stored, characters
// that JSON writers like to escape among them.
func TestReplayIsExact(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.place(now, `A1"\<&>'`, "7.30")
	s.serve(get(now, signed(callback(`A1"\<&>'`, "T<&>1", "7.30"))))
	s.serve(get(now, signed(callback("点数<&>", "T2", "7.30"))))
	for _, sealed := range []bool{false, true} {
		a := s.call("admin", http.MethodGet, fmt.Sprintf("/v1/events?sealed=%t", sealed), "")
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/x-ndjson" {
			t.Fatalf("%d %v", a.status, a.header)
		}
		lines := strings.Split(strings.TrimSuffix(string(a.body), "\n"), "\n")
		events := s.events()
		if len(lines) != len(events) {
			t.Fatalf("%d lines for %d events", len(lines), len(events))
		}
		for i, e := range events {
			l := parse(t, lines[i])
			if l.Position != e.Position.String() || l.Stream != string(e.Stream) || l.Revision != e.Revision ||
				l.ID != e.ID.String() || l.Type != e.Type || l.Hash != hex.EncodeToString(e.SealedHash[:]) {
				t.Errorf("line %s of %+v", lines[i], e)
			}
			if string(l.Data) != string(e.Data) || string(l.Meta) != string(e.Meta) {
				t.Errorf("event %s is shown as %s %s, stored is %s %s", e.Position, l.Data, l.Meta, e.Data, e.Meta)
			}
			want := ""
			if sealed {
				want = base64.StdEncoding.EncodeToString(e.Sealed)
			}
			if l.Sealed != want {
				t.Errorf("sealed part of %s: %q", e.Position, l.Sealed)
			}
		}
	}
	if !strings.Contains(string(s.call("admin", http.MethodGet, "/v1/events", "").body), "<&>") {
		t.Error("the test has no such character")
	}
}

// TestReplaySelects: from a position, so many, of a type, of a stream.
func TestReplaySelects(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 3 {
		s.place(now, fmt.Sprint("A", i), "7.30")
	}
	events := s.events()
	last := events[len(events)-1].Position
	for query, want := range map[string]int{
		"": len(events), "?after=0": len(events), "?after=" + events[1].Position.String(): len(events) - 2, "?limit=2": 2, "?limit=0": len(events),
		"?after=" + last.String(): 0, "?type=payment.placed.v1": 3, "?stream=payment-epay-now:A1": 1, "?stream=nothing": 0,
		"?type=payment.placed.v1&limit=2": 2,
	} {
		a := s.call("admin", http.MethodGet, "/v1/events"+query, "")
		if got := strings.Count(string(a.body), "\n"); a.status != http.StatusOK || got != want {
			t.Errorf("%s: %d, %d lines, want %d", query, a.status, got, want)
		}
	}
	for query, status := range map[string]int{
		"?after=x": 422, "?after=" + fmt.Sprint(uint64(last)+1): 422, "?limit=-1": 422, "?follow=maybe": 422, "?folow=true": 422,
	} {
		if a := s.call("admin", http.MethodGet, "/v1/events"+query, ""); a.status != status || a.text("code") == "" {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

// listening is the site on a real socket; timeout bounds the reading of a
// request, as in the daemon.
func (s *site) listening(timeout time.Duration) *httptest.Server {
	s.tb.Helper()
	srv := httptest.NewUnstartedServer(s.handler)
	srv.Config.ReadHeaderTimeout, srv.Config.ReadTimeout, srv.Config.IdleTimeout = timeout, timeout, time.Minute
	srv.Config.MaxHeaderBytes = 16 << 10
	srv.Start()
	s.tb.Cleanup(srv.Close)
	return srv
}

// follow opens a stream of events.
func (s *site) follow(srv *httptest.Server, key, query string) (lines *bufio.Scanner, hangUp func()) {
	s.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/v1/events?"+query, nil)
	s.ok(err)
	r.Header.Set("Authorization", "Bearer "+s.tokens[key])
	resp, err := srv.Client().Do(r)
	s.ok(err)
	if resp.StatusCode != http.StatusOK {
		s.tb.Fatal(resp.Status)
	}
	s.tb.Cleanup(func() { cancel(); _ = resp.Body.Close() })
	return bufio.NewScanner(resp.Body), cancel
}

// TestFollow: new events come at once, also long after the server's time to
// read a request is over, and the stream ends with the client.
func TestFollow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const timeout = 300 * time.Millisecond
	lines, hangUp := s.follow(s.listening(timeout), "admin", "follow=true&type="+domain.TypePaymentPlaced)
	next := func(no string) {
		t.Helper()
		s.place(now, no, "7.30")
		if !lines.Scan() {
			t.Fatalf("the stream ended before %s: %v", no, lines.Err())
		}
		if l := parse(t, lines.Text()); l.Stream != "payment-epay-now:"+no {
			t.Errorf("line %s", lines.Text())
		}
	}
	next("A1")
	time.Sleep(3 * timeout) // what a server would take for a request that never arrives whole
	next("A2")
	hangUp()
	if lines.Scan() {
		t.Errorf("a line behind the end: %s", lines.Text())
	}
}

// TestFollowEndsWithTheServer: a stopping process ends its streams, whole.
func TestFollowEndsWithTheServer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	srv := s.listening(time.Minute)
	lines, _ := s.follow(srv, "admin", "follow=true")
	for range s.events() {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
	}
	s.server.Drain()
	s.server.Drain()
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("line %q, %v", lines.Text(), lines.Err())
	}
	lines, _ = s.follow(srv, "admin", "follow=false")
	n := 0
	for lines.Scan() {
		n++
	}
	if n != len(s.events()) || lines.Err() != nil {
		t.Errorf("a replay meanwhile has %d lines, %v", n, lines.Err())
	}
}

// TestFollowEndsWithTheKey: a revoked key's stream gets no more events.
func TestFollowEndsWithTheKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.key("soon", operations.ScopeEventsRead)
	lines, _ := s.follow(s.listening(time.Minute), "soon", "follow=true&type="+domain.TypePaymentPlaced)
	s.place(now, "A1", "7.30")
	if !lines.Scan() {
		t.Fatal(lines.Err())
	}
	s.ok(s.ops.RevokeAPIKey(context.Background(), "soon", s.clock.now()))
	s.clock.add(11 * time.Second)
	s.place(now, "A2", "7.30")
	if lines.Scan() {
		t.Errorf("line %s", lines.Text())
	}
}

// TestReplayBreaksOff: when the log cannot be read on, the client sees a broken
// stream, never one that looks whole.
func TestReplayBreaksOff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lines, _ := s.follow(s.listening(time.Minute), "admin", "follow=true")
	for range s.events() {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
	}
	s.ok(s.store.Close())
	if lines.Scan() || lines.Err() == nil {
		t.Errorf("line %q, %v: want %v", lines.Text(), lines.Err(), io.ErrUnexpectedEOF)
	}
}
