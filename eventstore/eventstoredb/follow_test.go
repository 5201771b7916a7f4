package eventstoredb_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
	"counterfoil/eventstore/eventstoredb/esdbtest"
)

// following sends a follower's batches until the test is over.
func following(t *testing.T, s *eventstoredb.Store) <-chan eventstore.Batch {
	ctx, cancel := context.WithCancel(context.Background())
	batches := make(chan eventstore.Batch, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b, err := range s.Follow(ctx, 0, eventstore.FollowOptions{}) {
			if err != nil {
				t.Error(err)
				return
			}
			batches <- b
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return batches
}

func next(t *testing.T, batches <-chan eventstore.Batch) eventstore.Batch {
	t.Helper()
	select {
	case b := <-batches:
		return b
	case <-time.After(5 * time.Second):
		t.Fatal("no batch came")
		return eventstore.Batch{}
	}
}

// TestQuietFollower: drops under a follower that has caught up give it nothing
// to do, and the server does not look again at what was checked already.
func TestQuietFollower(t *testing.T) {
	t.Parallel()
	server, s, _ := stand(t, esdbtest.Options{})
	server.CaughtUpTwice()
	const foreign = 2000
	for range foreign {
		server.Write("other.s", "x.v1", []byte("{}"), nil)
	}
	batches := following(t, s)
	if b := next(t, batches); !b.CaughtUp || len(b.Events) != 0 || b.Position != 0 {
		t.Fatalf("the first batch: %+v", b)
	}
	scanned := server.Scanned()
	if scanned < foreign {
		t.Fatalf("only %d records were looked at", scanned)
	}
	for i := range 3 {
		before := s.Stats().Resubscribed
		server.DropSubscriptions(codes.Unavailable)
		waitFor(t, "a subscription to drop", func() bool { return s.Stats().Resubscribed > before })
		at, err := s.Append(t.Context(), "s", eventstore.Expected(i-1), names("s", i, 1))
		if err != nil {
			t.Fatal(err)
		}
		if b := next(t, batches); len(b.Events) != 1 || b.Position != at.Position {
			t.Errorf("after drop %d: %+v; want the new event and nothing before", i, b)
		}
	}
	if n := server.Scanned() - scanned; n > foreign/2 {
		t.Errorf("%d records were looked at again", n)
	}
}

// TestFollowerMoves: a follower in a process that appends nothing notices by the
// heartbeat that its server hangs and another leads.
func TestFollowerMoves(t *testing.T) {
	t.Parallel()
	leaderMoves(t)
	server, s, o := stand(t, esdbtest.Options{Nodes: 3})
	batches := following(t, s)
	next(t, batches)
	for i := range 3 {
		old := server.Leader()
		server.Hang(old)
		server.Lead((old + 1) % 3)
		server.Write(o.Namespace+".s", "x.v1", []byte("{}"), []byte("\x01\x00\x00\x00\x02{}"))
		if b := next(t, batches); len(b.Events) != 1 || b.Events[0].Revision != uint64(i) {
			t.Errorf("after the leader hung: %+v", b)
		}
		server.Resume(old)
	}
}
