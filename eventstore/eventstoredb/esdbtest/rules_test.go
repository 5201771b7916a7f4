package esdbtest_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/eventstore/eventstoredb/esdbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stand is a server and the official client on it, with nothing between.
func stand(t *testing.T, o esdbtest.Options) (*esdbtest.Server, *esdb.Client) {
	t.Helper()
	s, err := esdbtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, dial(t, s.ConnectionString())
}

func dial(t *testing.T, connection string) *esdb.Client {
	t.Helper()
	conf, err := esdb.ParseConnectionString(connection)
	if err != nil {
		t.Fatal(err)
	}
	conf.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func events(ids string) []esdb.EventData {
	out := make([]esdb.EventData, 0, len(ids))
	for _, r := range ids {
		out = append(out, esdb.EventData{EventID: [16]byte{byte(r)}, EventType: "happened", Data: []byte(`{}`)})
	}
	return out
}

func write(c *esdb.Client, stream string, expected esdb.ExpectedRevision, ids string) (*esdb.WriteResult, error) {
	return c.AppendToStream(context.Background(), stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, events(ids)...)
}

func codeOf(err error) esdb.ErrorCode {
	if e, ok := errors.AsType[*esdb.Error](err); ok {
		return e.Code()
	}
	return -1
}

// TestIdempotence is the server's table of expected revisions: strong for exact
// ones, weak for Any, and the weak one forgets at a restart.
func TestIdempotence(t *testing.T) {
	t.Parallel()
	s, c := stand(t, esdbtest.Options{})
	const wrong = esdb.ErrorCodeWrongExpectedVersion
	for i, step := range []struct {
		stream   string
		expected esdb.ExpectedRevision
		ids      string
		last     uint64 // with code 0 < 0: written or found, this is the last revision
		code     esdb.ErrorCode
		restart  bool
	}{
		{stream: "new", expected: esdb.StreamExists{}, ids: "a", code: wrong},
		{stream: "new", expected: esdb.Revision(0), ids: "a", code: wrong},
		{stream: "s", expected: esdb.NoStream{}, ids: "abc", last: 2},
		{stream: "s", expected: esdb.NoStream{}, ids: "abc", last: 2},
		{stream: "s", expected: esdb.NoStream{}, ids: "ab", last: 1},
		{stream: "s", expected: esdb.Revision(0), ids: "bc", last: 2},
		{stream: "s", expected: esdb.NoStream{}, ids: "acb", code: wrong},
		{stream: "s", expected: esdb.NoStream{}, ids: "abcd", code: wrong},
		{stream: "s", expected: esdb.Revision(9), ids: "x", code: wrong},
		{stream: "s", expected: esdb.Revision(2), ids: "a", last: 3}, // ids are not looked at
		{stream: "s", expected: esdb.Any{}, ids: "bc", last: 2},      // known to the cache
		{stream: "s", expected: esdb.Any{}, ids: "bz", code: wrong},
		{stream: "s", expected: esdb.StreamExists{}, ids: "d", last: 4},
		{stream: "s", expected: esdb.Any{}, ids: "bc", last: 6, restart: true}, // forgotten: written twice
		{stream: "s", expected: esdb.NoStream{}, ids: "abc", last: 2},          // the strong rule never forgets
	} {
		if step.restart {
			s.Kill(0)
			if err := s.Restart(0); err != nil {
				t.Fatal(err)
			}
			c = dial(t, s.ConnectionString())
		}
		r, err := write(c, step.stream, step.expected, step.ids)
		switch {
		case step.code != 0 && codeOf(err) != step.code:
			t.Errorf("step %d: %v, want code %d", i, err, step.code)
		case step.code == 0 && (err != nil || r.NextExpectedVersion != step.last || r.CommitPosition == 0):
			t.Errorf("step %d: %+v, %v; want revision %d", i, r, err, step.last)
		}
	}
	first, _ := write(c, "s", esdb.NoStream{}, "abc")
	again, _ := write(c, "s", esdb.NoStream{}, "abc")
	if *first != *again {
		t.Errorf("an idempotent reply changes: %+v, %+v", first, again)
	}
}

// TestDeletes: a soft delete hides and numbering goes on; a tombstone is final.
func TestDeletes(t *testing.T) {
	t.Parallel()
	_, c := stand(t, esdbtest.Options{})
	ctx := context.Background()
	for _, stream := range []string{"soft", "hard"} {
		if _, err := write(c, stream, esdb.NoStream{}, "ab"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.DeleteStream(ctx, "soft", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := read(c, "soft"); codeOf(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("a deleted stream: %v", err)
	}
	if r, err := write(c, "soft", esdb.NoStream{}, "c"); err != nil || r.NextExpectedVersion != 2 {
		t.Errorf("revived: %+v, %v", r, err)
	}
	if got, err := read(c, "soft"); err != nil || got != "c" {
		t.Errorf("revived: %q, %v", got, err)
	}
	if _, err := c.TombstoneStream(ctx, "hard", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := read(c, "hard"); codeOf(err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("read behind a tombstone: %v", err)
	}
	if _, err := write(c, "hard", esdb.Any{}, "c"); codeOf(err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("append behind a tombstone: %v", err)
	}
}

// read gives the ids of a stream's events as the letters they were made of.
func read(c *esdb.Client, stream string) (string, error) {
	r, err := c.ReadStream(context.Background(), stream, esdb.ReadStreamOptions{}, ^uint64(0))
	if err != nil {
		return "", err
	}
	return drain(r)
}

func drain(r *esdb.ReadStream) (string, error) {
	defer r.Close()
	var out strings.Builder
	for {
		e, err := r.Recv()
		if errors.Is(err, io.EOF) {
			return out.String(), nil
		}
		if err != nil {
			return out.String(), err
		}
		out.WriteByte(e.Event.EventID[0])
	}
}

// TestReads: where reads begin and end, forwards and backwards.
func TestReads(t *testing.T) {
	t.Parallel()
	_, c := stand(t, esdbtest.Options{Clock: func() time.Time { return time.Unix(1_700_000_000, 700) }})
	at, err := write(c, "s", esdb.NoStream{}, "abcd")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		o     esdb.ReadStreamOptions
		count uint64
		want  string
	}{
		{esdb.ReadStreamOptions{From: esdb.Revision(1)}, 2, "bc"},
		{esdb.ReadStreamOptions{From: esdb.Revision(4)}, 9, ""},
		{esdb.ReadStreamOptions{From: esdb.Start{}}, 0, ""},
		{esdb.ReadStreamOptions{From: esdb.End{}, Direction: esdb.Backwards}, 3, "dcb"},
		{esdb.ReadStreamOptions{From: esdb.Revision(1), Direction: esdb.Backwards}, 9, "ba"},
	} {
		r, err := c.ReadStream(context.Background(), "s", x.o, x.count)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := drain(r); err != nil || got != x.want {
			t.Errorf("%+v, %d: %q, %v; want %q", x.o, x.count, got, err, x.want)
		}
	}
	last := esdb.Position{Commit: at.CommitPosition, Prepare: at.PreparePosition}
	forwards, _ := c.ReadAll(context.Background(), esdb.ReadAllOptions{From: last}, 9)
	if got, err := drain(forwards); err != nil || got != "d" {
		t.Errorf("all from the last event: %q, %v; forwards includes it", got, err)
	}
	back, _ := c.ReadAll(context.Background(), esdb.ReadAllOptions{From: last, Direction: esdb.Backwards}, 3)
	if got, err := drain(back); err != nil || got != "cba" {
		t.Errorf("all back from the last event: %q, %v; backwards excludes it", got, err)
	}
	last.Commit++
	odd, _ := c.ReadAll(context.Background(), esdb.ReadAllOptions{From: last}, 9)
	if _, err := drain(odd); err == nil || !strings.Contains(err.Error(), "invalid position") {
		t.Errorf("from between two records: %v", err)
	}
}

// TestSubscription: what was there, filtered; then a checkpoint; then the word
// that this was all; then what comes.
func TestSubscription(t *testing.T) {
	t.Parallel()
	s, c := stand(t, esdbtest.Options{})
	for _, stream := range []string{"a-1", "b-1", "a-2"} {
		if _, err := write(c, stream, esdb.NoStream{}, stream[:1]); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sub, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{
		From: esdb.Start{}, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"a-"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	want := []string{"event a-1", "event a-2", "checkpoint", "live", "event a-3"}
	for i, w := range want {
		if i == 4 {
			s.Write("b-2", "x", []byte("{}"), nil)
			s.Write("a-3", "x", []byte("{}"), nil)
		}
		if got := tell(sub.Recv()); got != w {
			t.Fatalf("message %d is %s, want %s", i, got, w)
		}
	}
}

func tell(e *esdb.SubscriptionEvent) string {
	switch {
	case e.EventAppeared != nil:
		return "event " + e.EventAppeared.Event.StreamID
	case e.CheckPointReached != nil:
		return "checkpoint"
	case e.CaughtUp != nil:
		return "live"
	case e.SubscriptionDropped != nil:
		return "drop: " + e.SubscriptionDropped.Error.Error()
	}
	return "nothing"
}

// TestLimits: an append beyond the size, without a type, and created dates.
func TestLimits(t *testing.T) {
	t.Parallel()
	_, c := stand(t, esdbtest.Options{MaxAppend: 10})
	big := events("a")
	big[0].Data = make([]byte, 11)
	_, err := c.AppendToStream(context.Background(), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, big...)
	if err == nil || !strings.Contains(err.Error(), "Maximum Append Size") {
		t.Errorf("too big: %v", err)
	}
	big[0].Data, big[0].EventType = nil, ""
	_, err = c.AppendToStream(context.Background(), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, big...)
	if err == nil || !strings.Contains(err.Error(), "Metadata Property") {
		t.Errorf("no type: %v", err)
	}
}
