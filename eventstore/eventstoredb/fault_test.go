package eventstoredb_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
	"counterfoil/eventstore/eventstoredb/esdbtest"
	"counterfoil/eventstore/storetest"
)

// stand is a server and a store on it.
func stand(t testing.TB, o esdbtest.Options) (*esdbtest.Server, *eventstoredb.Store, eventstoredb.Options) {
	t.Helper()
	server := play(t, o)
	options := quick(server.ConnectionString())
	return server, open(t, options), options
}

func wantKind(t testing.TB, what string, err error, want domain.Kind) {
	t.Helper()
	if err == nil || domain.KindOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func wantLog(t testing.TB, server *esdbtest.Server, o eventstoredb.Options, want int) {
	t.Helper()
	if got := server.Log(o.Namespace + "."); len(got) != want {
		t.Errorf("the server holds %d events, want %d: %v", len(got), want, got)
	}
}

// TestOpenOutcomes: whatever leaves the outcome open is followed by the
// identical call, and the events stand there once.
func TestOpenOutcomes(t *testing.T) {
	t.Parallel()
	for fault, name := range map[esdbtest.Fault]string{
		esdbtest.Aborted: "aborted", esdbtest.AbortedAfter: "aborted after the write", esdbtest.Cut: "cut in the middle",
		esdbtest.CutAfter: "cut after the write", esdbtest.SilentAfter: "silent after the write", esdbtest.Dropped: "dropped",
		esdbtest.Unavailable: "unavailable", esdbtest.NotLeader: "not leader", esdbtest.NoLeaderInfo: "no leader info",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if fault == esdbtest.NotLeader {
				leaderMoves(t)
			}
			server, s, o := stand(t, esdbtest.Options{})
			server.Next(esdbtest.Pass, fault, fault)
			for i := range 3 {
				got, err := s.Append(t.Context(), "s", eventstore.Expected(2*i-1), names("e", 2*i, 2))
				if err != nil || got.Revision != uint64(2*i+1) || got.Position == 0 {
					t.Fatalf("append %d: %+v, %v", i, got, err)
				}
			}
			wantLog(t, server, o, 6)
			if n := server.Appends(); n != 5 {
				t.Errorf("%d appends came to the server, want 3 and 2 repetitions", n)
			}
			if s.Stats().Repeats == 0 {
				t.Error("no repetition is counted")
			}
			storetest.CheckLog(t, s)
		})
	}
}

// TestOutcomeStaysOpen: the repetitions are bounded, the answer is the honest
// one, and the identical call settles it later.
func TestOutcomeStaysOpen(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{})
	o := quick(server.ConnectionString())
	o.Wait = 2 * time.Second
	s := open(t, o)
	server.Always(esdbtest.AbortedAfter)
	_, err := s.Append(t.Context(), "s", eventstore.NoStream, names("e", 0, 2))
	wantKind(t, "no reply ever", err, domain.KindUnknown)
	if n := server.Appends(); n < 3 {
		t.Errorf("only %d tries", n)
	}
	server.Always(esdbtest.Pass)
	got, err := s.Append(t.Context(), "s", eventstore.NoStream, names("e", 0, 2))
	if err != nil || got.Revision != 1 {
		t.Errorf("the identical call: %+v, %v", got, err)
	}
	wantLog(t, server, o, 2)
}

// TestNeverSent: while there is no server nothing can have been written, and
// the caller is told so.
func TestNeverSent(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{})
	o := quick(server.ConnectionString())
	o.Wait = 300 * time.Millisecond
	s := open(t, o)
	server.Kill(0)
	waitFor(t, "the store to notice", func() bool { return s.Ready(t.Context()) != nil })
	_, err := s.Append(t.Context(), "s", eventstore.NoStream, names("e", 0, 1))
	wantKind(t, "append without a server", err, domain.KindUnavailable)
	_, err = s.ReadStream(t.Context(), "s", eventstore.ReadOptions{})
	wantKind(t, "read without a server", err, domain.KindUnavailable)
	wantKind(t, "Ready without a server", s.Ready(t.Context()), domain.KindUnavailable)
	if s.Stats().Connected {
		t.Error("it says that it is connected")
	}
	if err := server.Restart(0); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the store to be ready again", func() bool { return s.Ready(t.Context()) == nil })
	wantLog(t, server, o, 0)
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

// TestOtherWriterWins while our own outcome is open: that is a conflict.
func TestOtherWriterWins(t *testing.T) {
	t.Parallel()
	server, s, o := stand(t, esdbtest.Options{})
	other := open(t, o)
	server.Next(esdbtest.Dropped)
	result := make(chan error, 1)
	go func() {
		_, err := s.Append(t.Context(), "s", eventstore.NoStream, names("mine", 0, 1))
		result <- err
	}()
	waitFor(t, "the first try", func() bool { return server.Appends() == 1 })
	if _, err := other.Append(t.Context(), "s", eventstore.NoStream, names("theirs", 0, 1)); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "the loser", <-result, domain.KindConflict)
	wantLog(t, server, o, 1)
}

// TestRefused: what the server will never take is told at once.
func TestRefused(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{MaxAppend: 1000})
	o := quick(server.ConnectionString())
	o.Wait = 600 * time.Millisecond
	s := open(t, o)
	big := names("e", 0, 1)
	big[0].Data = []byte(strings.Repeat("x", 2000))
	_, err := s.Append(t.Context(), "s", eventstore.NoStream, big)
	wantKind(t, "beyond the server's limit", err, domain.KindTooLarge)
	if n := server.Appends(); n != 1 {
		t.Errorf("%d tries of what will never be taken", n)
	}
	server.Always(esdbtest.DeniedEarly)
	// The client loses the reason when the refusal comes while it still sends, so
	// that one may stay open; it is bounded all the same.
	huge := names("e", 0, 2)
	huge[0].Sealed, huge[1].Sealed = make([]byte, 400<<10), make([]byte, 400<<10)
	_, err = s.Append(t.Context(), "s", eventstore.NoStream, huge)
	if k := domain.KindOf(err); err == nil || (k != domain.KindDenied && k != domain.KindUnknown) {
		t.Errorf("denied while sending: %v", err)
	}
	wantLog(t, server, o, 0)
}

// TestTombstone: a deleted stream is no ledger, and the store stops.
func TestTombstone(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(*testing.T, *eventstoredb.Store) error{
		"append": func(t *testing.T, s *eventstoredb.Store) error {
			_, err := s.Append(t.Context(), "s", 0, names("e", 1, 1))
			return err
		},
		"read": func(t *testing.T, s *eventstoredb.Store) error {
			_, err := s.ReadStream(t.Context(), "s", eventstore.ReadOptions{})
			return err
		},
		"follow": followAll,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, s, o := stand(t, esdbtest.Options{})
			if _, err := s.Append(t.Context(), "s", eventstore.NoStream, names("e", 0, 1)); err != nil {
				t.Fatal(err)
			}
			server.Tombstone(o.Namespace + ".s")
			wantKind(t, name, look(t, s), domain.KindCorrupt)
			wantKind(t, "Ready", s.Ready(t.Context()), domain.KindCorrupt)
			_, err := s.Append(t.Context(), "other", eventstore.NoStream, names("e", 0, 1))
			wantKind(t, "any append", err, domain.KindCorrupt)
		})
	}
}

func followAll(t *testing.T, s *eventstoredb.Store) error {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for b, err := range s.Follow(ctx, 0, eventstore.FollowOptions{}) {
		if err != nil || b.CaughtUp {
			return err
		}
	}
	return ctx.Err()
}

// TestForeignEvents: what no store of ours can have written is Corrupt.
func TestForeignEvents(t *testing.T) {
	t.Parallel()
	envelope := "\x01\x00\x00\x00\x02{}"
	for name, plant := range map[string]func(*esdbtest.Server, string){
		"no envelope":    func(s *esdbtest.Server, stream string) { s.Write(stream, "x.v1", []byte("{}"), nil) },
		"json metadata":  func(s *esdbtest.Server, stream string) { s.Write(stream, "x.v1", []byte("{}"), []byte(`{"a":1}`)) },
		"short envelope": func(s *esdbtest.Server, stream string) { s.Write(stream, "x.v1", []byte("{}"), []byte(envelope[:6])) },
		"system event":   func(s *esdbtest.Server, stream string) { s.Write(stream, "$x", []byte("{}"), []byte(envelope)) },
		"commit is not prepare": func(s *esdbtest.Server, stream string) {
			s.WriteSplit(stream, "x.v1", []byte("{}"), []byte(envelope))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, s, o := stand(t, esdbtest.Options{})
			server.Write(o.Namespace+".good", "x.v1", []byte("{}"), []byte(envelope))
			if err := followAll(t, s); err != nil {
				t.Fatalf("an event with an envelope: %v", err)
			}
			plant(server, o.Namespace+".s")
			_, err := s.ReadStream(t.Context(), "s", eventstore.ReadOptions{})
			wantKind(t, "read", err, domain.KindCorrupt)
			wantKind(t, "follow", followAll(t, s), domain.KindCorrupt)
			wantKind(t, "Ready", s.Ready(t.Context()), domain.KindCorrupt)
		})
	}
}

// TestForgetfulStreams: a stream whose events the server may forget is refused
// at the start, noticed while running, and forgiven when the metadata is gone.
func TestForgetfulStreams(t *testing.T) {
	t.Parallel()
	for _, meta := range []string{`{"$maxAge":60}`, `{"$maxCount":10}`, `{"$tb":1}`, `{"a":1,"$tb":9223372036854775807}`} {
		t.Run(meta, func(t *testing.T) {
			t.Parallel()
			server, s, o := stand(t, esdbtest.Options{})
			set := func(text string) { server.Write("$$"+o.Namespace+".s", "$metadata", []byte(text), nil) }
			set(`{"$acl":{"$w":"ops"}}`)
			server.Write("$$other.s", "$metadata", []byte(meta), nil)
			if _, err := s.Append(t.Context(), "t", eventstore.NoStream, names("e", 0, 1)); err != nil {
				t.Fatalf("harmless metadata: %v", err)
			}
			set(meta)
			waitFor(t, "the guard", func() bool { return s.Ready(t.Context()) != nil })
			_, err := s.Append(t.Context(), "t", 0, names("e", 1, 1))
			wantKind(t, "append", err, domain.KindCorrupt)
			_, err = eventstoredb.Open(t.Context(), o)
			wantKind(t, "open", err, domain.KindCorrupt)
			if !strings.Contains(fmt.Sprint(err), o.Namespace+".s") {
				t.Errorf("%v does not name the stream", err)
			}
			set(`{}`)
			waitFor(t, "the guard to forgive", func() bool { return s.Ready(t.Context()) == nil })
		})
	}
}

// TestRevivedStream: after a soft delete numbering goes on, which NoStream
// would not tell.
func TestRevivedStream(t *testing.T) {
	t.Parallel()
	server, s, o := stand(t, esdbtest.Options{})
	if _, err := s.Append(t.Context(), "s", eventstore.NoStream, names("e", 0, 2)); err != nil {
		t.Fatal(err)
	}
	server.Write("$$"+o.Namespace+".s", "$metadata", []byte(`{"$tb":2}`), nil)
	_, err := s.Append(t.Context(), "s", eventstore.NoStream, names("other", 0, 1))
	wantKind(t, "append to a revived stream", err, domain.KindCorrupt)
	_, err = s.ReadStream(t.Context(), "s", eventstore.ReadOptions{})
	if err == nil {
		t.Error("a stream without its beginning is read as if it were whole")
	}
}
