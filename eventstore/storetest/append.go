package storetest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

func testAppend(t *testing.T, a Adapter) {
	s := a.open(t)
	first := appendTo(t, s, "payment-a:1", eventstore.NoStream, "a", "b")
	if first.Revision != 1 || first.Position == 0 {
		t.Errorf("two events on a new stream: %+v, want revision 1 and a position", first)
	}
	other := appendTo(t, s, "payment-a:2", eventstore.NoStream, "c")
	second := appendTo(t, s, "payment-a:1", 1, "d")
	if second.Revision != 2 {
		t.Errorf("third event: revision %d, want 2", second.Revision)
	}
	if first.Position >= other.Position || other.Position >= second.Position {
		t.Errorf("positions do not grow: %d, %d, %d", first.Position, other.Position, second.Position)
	}
	wantNames(t, "log", Log(t, s), "a", "b", "c", "d")
	wantNames(t, "stream", read(t, s, "payment-a:1", eventstore.ReadOptions{}), "a", "b", "d")
}

// testBytes keeps bytes that escaping, re-encoding or C strings would change.
func testBytes(t *testing.T, a Adapter) {
	s := a.open(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	events := []eventstore.Event{
		{ID: domain.ID{1}, Type: "x", Data: []byte(`{"a":"&<>\u0026 \\u0000 é ü"}`), Meta: []byte(` {"z" : 1 } `), Sealed: all},
		{ID: domain.ID{2}, Type: "payment.credited.v1", Data: []byte("\x00"), Meta: []byte("\xff\xfe'\"--"), Sealed: nil},
		{ID: domain.ID{3}, Type: strings.Repeat("t", 100), Data: bytes.Repeat([]byte("数据"), 1000), Meta: []byte("{}"), Sealed: bytes.Repeat([]byte{0}, 10_000)},
	}
	stream := domain.Stream("payment-a:'; DROP TABLE events; --%_\\\"")
	if _, err := s.Append(t.Context(), stream, eventstore.NoStream, events); err != nil {
		t.Fatal(err)
	}
	got := read(t, s, stream, eventstore.ReadOptions{Sealed: true})
	for i, r := range got {
		if diff := cmp.Diff(events[i], r.Event); diff != "" {
			t.Errorf("event %d changed (-written +read):\n%s", i, diff)
		}
	}
	if len(got) != len(events) {
		t.Errorf("%d events read, %d written", len(got), len(events))
	}
}

// testCheck sees that the adapter refuses what the port refuses, and writes
// nothing of it.
func testCheck(t *testing.T, a Adapter) {
	s := a.open(t)
	big := NewEvent("big")
	big.Sealed = make([]byte, eventstore.MaxEventBytes)
	fat := NewEvents("a", "b", "c")
	for i := range fat {
		fat[i].Sealed = make([]byte, eventstore.MaxEventBytes/2)
	}
	fat = append(fat, NewEvent("d"))
	fat[3].Sealed = make([]byte, eventstore.MaxEventBytes/2)
	many := make([]eventstore.Event, eventstore.MaxEvents+1)
	for i := range many {
		many[i] = NewEvent(strings.Repeat("x", i+1))
	}
	noID := NewEvent("a")
	noID.ID = domain.ID{}
	for _, c := range []struct {
		name     string
		stream   domain.Stream
		expected eventstore.Expected
		events   []eventstore.Event
		want     domain.Kind
	}{
		{"no stream", "", eventstore.NoStream, NewEvents("a"), domain.KindInvalid},
		{"long stream", domain.Stream(strings.Repeat("s", eventstore.MaxStreamName+1)), eventstore.NoStream, NewEvents("a"), domain.KindInvalid},
		{"bad revision", "s", -2, NewEvents("a"), domain.KindInvalid},
		{"no events", "s", eventstore.NoStream, nil, domain.KindInvalid},
		{"many events", "s", eventstore.NoStream, many, domain.KindInvalid},
		{"no id", "s", eventstore.NoStream, []eventstore.Event{noID}, domain.KindInvalid},
		{"id twice", "s", eventstore.NoStream, NewEvents("a", "a"), domain.KindInvalid},
		{"big event", "s", eventstore.NoStream, []eventstore.Event{big}, domain.KindTooLarge},
		{"big append", "s", eventstore.NoStream, fat, domain.KindTooLarge},
	} {
		_, err := s.Append(t.Context(), c.stream, c.expected, c.events)
		wantKind(t, c.name, err, c.want)
	}
	if n := len(Log(t, s)); n != 0 {
		t.Errorf("refused appends left %d events", n)
	}
	fits := NewEvent("fits")
	fits.Sealed = make([]byte, eventstore.MaxEventBytes-len(fits.Data)-len(fits.Meta))
	if _, err := s.Append(t.Context(), "s", eventstore.NoStream, []eventstore.Event{fits}); err != nil {
		t.Errorf("an event of exactly the limit: %v", err)
	}
}

func testConflict(t *testing.T, a Adapter) {
	s := a.open(t)
	appendTo(t, s, "s", eventstore.NoStream, "a", "b", "c")
	for _, expected := range []eventstore.Expected{eventstore.NoStream, 0, 1, 3, 100} {
		_, err := s.Append(t.Context(), "s", expected, NewEvents("x"))
		wantKind(t, "a foreign event", err, domain.KindConflict)
	}
	_, err := s.Append(t.Context(), "new", 0, NewEvents("x"))
	wantKind(t, "revision 0 of a stream that is not there", err, domain.KindConflict)
	wantNames(t, "log", Log(t, s), "a", "b", "c")
}

// testIdempotence walks the strong rule: the events given must sit, in this
// order, right behind the expected revision.
func testIdempotence(t *testing.T, a Adapter) {
	s := a.open(t)
	start := appendTo(t, s, "s", eventstore.NoStream, "a")
	whole := appendTo(t, s, "s", 0, "b", "c", "d")
	appendTo(t, s, "other", eventstore.NoStream, "o")
	prefix := whole // positions of b and c are read below
	events := read(t, s, "s", eventstore.ReadOptions{})
	prefix.Revision, prefix.Position = 2, events[2].Position
	for _, c := range []struct {
		name     string
		expected eventstore.Expected
		events   []string
		want     *eventstore.Appended // nil: conflict
	}{
		{"the first call again", eventstore.NoStream, []string{"a"}, &start},
		{"the same call", 0, []string{"b", "c", "d"}, &whole},
		{"both calls as one", eventstore.NoStream, []string{"a", "b", "c", "d"}, &whole},
		{"a prefix", 0, []string{"b", "c"}, &prefix},
		{"the tail at its place", 2, []string{"d"}, &whole},
		{"superset", 0, []string{"b", "c", "d", "e"}, nil},
		{"reordered", 0, []string{"c", "b", "d"}, nil},
		{"the second differs", 0, []string{"b", "x", "d"}, nil},
		{"the last differs", 0, []string{"b", "c", "x"}, nil},
		{"the first differs", 0, []string{"x", "c", "d"}, nil},
		{"a subset with a gap", 0, []string{"b", "d"}, nil},
		{"without the first", 0, []string{"c", "d"}, nil},
		{"too early", eventstore.NoStream, []string{"b", "c", "d"}, nil},
		{"too late", 1, []string{"b", "c", "d"}, nil},
		{"beyond the end", 4, []string{"b"}, nil},
	} {
		got, err := s.Append(t.Context(), "s", c.expected, NewEvents(c.events...))
		switch {
		case c.want == nil:
			wantKind(t, c.name, err, domain.KindConflict)
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case got != *c.want:
			t.Errorf("%s: %+v, want the original %+v", c.name, got, *c.want)
		}
	}
	wantNames(t, "log", Log(t, s), "a", "b", "c", "d", "o")
}

// testIdsAreNotUnique: at the right revision ids are not looked at, as in
// EventStoreDB. Whoever needs an effect once decides by folding the stream.
func testIdsAreNotUnique(t *testing.T, a Adapter) {
	s := a.open(t)
	appendTo(t, s, "s", eventstore.NoStream, "a")
	appendTo(t, s, "s", 0, "a")
	appendTo(t, s, "other", eventstore.NoStream, "a")
	wantNames(t, "log", Log(t, s), "a", "a", "a")
}
