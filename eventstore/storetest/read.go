package storetest

import (
	"fmt"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

func testReadStream(t *testing.T, a Adapter) {
	s := a.open(t)
	_, err := s.ReadStream(t.Context(), "s", eventstore.ReadOptions{})
	wantKind(t, "a stream never written", err, domain.KindNotFound)
	_, err = s.ReadStream(t.Context(), "s", eventstore.ReadOptions{From: 3})
	wantKind(t, "the middle of a stream never written", err, domain.KindNotFound)

	appendTo(t, s, "s", eventstore.NoStream, "a", "b", "c")
	appendTo(t, s, "s2", eventstore.NoStream, "x")
	appendTo(t, s, "s", 2, "d")
	for _, c := range []struct {
		name string
		o    eventstore.ReadOptions
		want []string
	}{
		{"all", eventstore.ReadOptions{}, []string{"a", "b", "c", "d"}},
		{"from 2", eventstore.ReadOptions{From: 2}, []string{"c", "d"}},
		{"limit 2", eventstore.ReadOptions{Limit: 2}, []string{"a", "b"}},
		{"from 1 limit 2", eventstore.ReadOptions{From: 1, Limit: 2}, []string{"b", "c"}},
		{"limit beyond", eventstore.ReadOptions{From: 3, Limit: 9}, []string{"d"}},
		{"from beyond", eventstore.ReadOptions{From: 4}, nil},
		{"from far beyond", eventstore.ReadOptions{From: 1 << 62}, nil},
	} {
		got := read(t, s, "s", c.o)
		wantNames(t, c.name, got, c.want...)
		for i, r := range got {
			if r.Stream != "s" || r.Revision != c.o.From+uint64(i) {
				t.Errorf("%s: event %d is %s@%d", c.name, i, r.Stream, r.Revision)
			}
		}
	}
}

// testSealed: sealed parts come only when asked for, their hash always.
func testSealed(t *testing.T, a Adapter) {
	s := a.open(t)
	bare := NewEvent("b")
	bare.Sealed = nil
	events := []eventstore.Event{NewEvent("a"), bare, NewEvent("c")}
	if _, err := s.Append(t.Context(), "s", eventstore.NoStream, events); err != nil {
		t.Fatal(err)
	}
	followed, err := readLog(s, 0, eventstore.FollowOptions{})
	if err != nil {
		t.Fatal(err)
	}
	with := Log(t, s)
	for i, r := range append(read(t, s, "s", eventstore.ReadOptions{}), followed...) {
		if r.Sealed != nil {
			t.Errorf("read %d: a sealed part that nobody asked for", i)
		}
		if r.SealedHash != with[i%len(with)].SealedHash {
			t.Errorf("read %d: another hash without the sealed part than with it", i)
		}
	}
	for i, r := range append(read(t, s, "s", eventstore.ReadOptions{Sealed: true}), with...) {
		if want := events[i%len(events)].Sealed; string(r.Sealed) != string(want) || (r.Sealed == nil) != (want == nil) {
			t.Errorf("read %d: sealed %q, want %q", i, r.Sealed, want)
		}
	}
}

// testOwnBytes: neither a writer nor a reader shares memory with the store.
func testOwnBytes(t *testing.T, a Adapter) {
	s := a.open(t)
	events := NewEvents("a", "b")
	if _, err := s.Append(t.Context(), "s", eventstore.NoStream, events); err != nil {
		t.Fatal(err)
	}
	scribble(t, events[0])
	for range 2 {
		got := append(Log(t, s), read(t, s, "s", eventstore.ReadOptions{Sealed: true})...)
		wantNames(t, "log and stream", got, "a", "b", "a", "b")
		for _, r := range got {
			scribble(t, r.Event)
		}
	}
}

// scribble writes behind and then over each part of an event; writing behind
// one must not reach its neighbour.
func scribble(t *testing.T, e eventstore.Event) {
	t.Helper()
	parts := [][]byte{e.Data, e.Meta, e.Sealed}
	before := fmt.Sprintf("%q", parts)
	for _, b := range parts {
		_ = append(b, "beyond the end"...)
	}
	if after := fmt.Sprintf("%q", parts); after != before {
		t.Errorf("parts of an event share memory: %s became %s", before, after)
	}
	for _, b := range parts {
		for i := range b {
			b[i] = '!'
		}
	}
}

func testHead(t *testing.T, a Adapter) {
	s := a.open(t)
	wantHead(t, s, 0)
	wantHead(t, s, appendTo(t, s, "s", eventstore.NoStream, "a", "b").Position)
	last := appendTo(t, s, "t", eventstore.NoStream, "c").Position
	appendTo(t, s, "s", eventstore.NoStream, "a", "b") // idempotent: nothing new
	wantHead(t, s, last)
}

func wantHead(t *testing.T, s eventstore.Reader, want eventstore.Position) {
	t.Helper()
	if got, err := s.Head(t.Context()); err != nil || got != want {
		t.Errorf("Head is %d, %v; want %d", got, err, want)
	}
}

func testClose(t *testing.T, a Adapter) {
	s := a.New(t)
	appendTo(t, s, "s", eventstore.NoStream, "a")
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready of a fresh store: %v", err)
	}
	ended := make(chan error, 1)
	following := make(chan struct{})
	go func() {
		var last error
		seen := false
		for _, err := range s.Follow(t.Context(), 0, eventstore.FollowOptions{}) {
			last = err
			if !seen {
				seen = true
				close(following)
			}
		}
		ended <- last
	}()
	<-following
	closeStore(t, s)
	wantKind(t, "a follower at Close", receive(t, ended), domain.KindUnavailable)

	_, err := s.Append(t.Context(), "s", 0, NewEvents("b"))
	wantKind(t, "append after Close", err, domain.KindUnavailable)
	_, err = s.ReadStream(t.Context(), "s", eventstore.ReadOptions{})
	wantKind(t, "read after Close", err, domain.KindUnavailable)
	_, err = s.Head(t.Context())
	wantKind(t, "head after Close", err, domain.KindUnavailable)
	_, err = readLog(s, 0, eventstore.FollowOptions{})
	wantKind(t, "follow after Close", err, domain.KindUnavailable)
	wantKind(t, "Ready after Close", s.Ready(t.Context()), domain.KindUnavailable)
	select {
	case <-s.Failed():
		t.Error("Close counts as a failure")
	default:
	}
	closeStore(t, s) // twice is fine
}

// testReopen: everything is there again, and goes on where it ended.
func testReopen(t *testing.T, a Adapter) {
	if a.Reopen == nil {
		t.Skip("this adapter keeps nothing")
	}
	s := a.New(t)
	first := appendTo(t, s, "s", eventstore.NoStream, "a", "b")
	appendTo(t, s, "t", eventstore.NoStream, "c")
	before := Log(t, s)
	s = a.Reopen(t, s)
	t.Cleanup(func() { closeStore(t, s) })
	after := Log(t, s)
	if len(after) != len(before) {
		t.Fatalf("%d events after, %d before", len(after), len(before))
	}
	for i := range after {
		if after[i].Position != before[i].Position || string(after[i].Sealed) != string(before[i].Sealed) {
			t.Errorf("event %d changed from %+v to %+v", i, before[i], after[i])
		}
	}
	if again := appendTo(t, s, "s", eventstore.NoStream, "a", "b"); again != first {
		t.Errorf("the first call again: %+v, want the original %+v", again, first)
	}
	appendTo(t, s, "s", 1, "d")
	wantNames(t, "log", Log(t, s), "a", "b", "c", "d")
	CheckLog(t, s)
}
