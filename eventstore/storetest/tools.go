package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// patience is how long anything in a test may take before it counts as stuck.
const patience = 30 * time.Second

// NewEvent is a small event whose id, data and sealed part follow from name.
func NewEvent(name string) eventstore.Event {
	return eventstore.Event{
		ID:     domain.NewV5(domain.ID{1}, name),
		Type:   "test.happened.v1",
		Data:   fmt.Appendf(nil, `{"name":%q}`, name),
		Meta:   []byte(`{"recorded_at":"2026-01-02T03:04:05Z"}`),
		Sealed: []byte("sealed " + name),
	}
}

// NewEvents is NewEvent for each name.
func NewEvents(names ...string) []eventstore.Event {
	events := make([]eventstore.Event, 0, len(names))
	for _, n := range names {
		events = append(events, NewEvent(n))
	}
	return events
}

// Log is the whole log, sealed parts included, read until a batch says that it
// has caught up.
func Log(t testing.TB, s eventstore.Reader) []eventstore.Recorded {
	t.Helper()
	events, err := readLog(s, 0, eventstore.FollowOptions{Sealed: true})
	if err != nil {
		t.Fatalf("read the log: %v", err)
	}
	return events
}

var errStuck = errors.New("the follower ended before it had caught up")

func readLog(s eventstore.Reader, after eventstore.Position, o eventstore.FollowOptions) ([]eventstore.Recorded, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var events []eventstore.Recorded
	for b, err := range s.Follow(ctx, after, o) {
		if err != nil {
			return nil, err
		}
		events = append(events, b.Events...)
		if b.CaughtUp {
			return events, nil
		}
	}
	return nil, errStuck
}

// CheckLog reads the whole log and fails the test unless positions grow, each
// stream's revisions count from 0 without a gap, each sealed part has its hash,
// and reading stream by stream gives the same events.
func CheckLog(t testing.TB, s eventstore.Reader) {
	t.Helper()
	streams := make(map[domain.Stream][]eventstore.Recorded)
	var last eventstore.Position
	for _, r := range Log(t, s) {
		if r.Position <= last {
			t.Errorf("position %d follows position %d", r.Position, last)
		}
		last = r.Position
		if want := uint64(len(streams[r.Stream])); r.Revision != want {
			t.Errorf("position %d: stream %s has revision %d after %d events", r.Position, r.Stream, r.Revision, want)
		}
		if r.SealedHash != sha256.Sum256(r.Sealed) {
			t.Errorf("position %d: SealedHash is not the hash of its sealed part", r.Position)
		}
		streams[r.Stream] = append(streams[r.Stream], r)
	}
	for stream, want := range streams {
		got := read(t, s, stream, eventstore.ReadOptions{Sealed: true})
		if !reflect.DeepEqual(want, got) {
			t.Errorf("stream %s differs between log (-) and stream (+):\n%s", stream, cmp.Diff(want, got))
		}
	}
	if head, err := s.Head(t.Context()); err == nil && head != last {
		t.Errorf("Head is %d, the log ends at %d", head, last)
	}
}

func appendTo(t testing.TB, s eventstore.Appender, stream domain.Stream, expected eventstore.Expected, names ...string) eventstore.Appended {
	t.Helper()
	a, err := s.Append(t.Context(), stream, expected, NewEvents(names...))
	if err != nil {
		t.Fatalf("append %v to %s at %d: %v", names, stream, expected, err)
	}
	return a
}

func read(t testing.TB, s eventstore.Reader, stream domain.Stream, o eventstore.ReadOptions) []eventstore.Recorded {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	events, err := s.ReadStream(ctx, stream, o)
	if err != nil {
		t.Fatalf("read %s: %v", stream, err)
	}
	return events
}

// names are the names that the events were made with by NewEvent.
func names(events []eventstore.Recorded) []string {
	out := make([]string, 0, len(events))
	for _, e := range events {
		var name string
		if _, err := fmt.Sscanf(string(e.Data), `{"name":%q}`, &name); err != nil {
			name = "unreadable: " + string(e.Data)
		}
		out = append(out, name)
	}
	return out
}

func wantNames(t testing.TB, what string, events []eventstore.Recorded, want ...string) {
	t.Helper()
	if got := names(events); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func wantKind(t testing.TB, what string, err error, want domain.Kind) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: no error, want %s", what, want)
	case domain.KindOf(err) != want:
		t.Errorf("%s: error is %s (%v), want %s", what, domain.KindOf(err), err, want)
	}
}
