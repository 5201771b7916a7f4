package eventstoredb_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
	"counterfoil/eventstore/eventstoredb/esdbtest"
	"counterfoil/eventstore/storetest"
)

// many appends from n goroutines at once, each to its own stream, under a
// context of its own, and returns how long the slowest took.
func many(s *eventstoredb.Store, n int, limit time.Duration, revision int) (slowest time.Duration, errs []error) {
	errs = make([]error, n)
	took := make([]time.Duration, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			begin := time.Now()
			name := string(rune('a' + i))
			_, errs[i] = s.Append(ctx, domain.Stream(name), eventstore.Expected(revision-1), names(name, revision, 1))
			took[i] = time.Since(begin)
		})
	}
	wg.Wait()
	for _, d := range took {
		slowest = max(slowest, d)
	}
	return slowest, errs
}

// TestDeadServer: the client dies for good after a failed discovery and blocks
// most of its callers for ever. Ours come back in time, and once the server is
// there again everything works, without a restart.
func TestDeadServer(t *testing.T) {
	t.Parallel()
	server, s, _ := stand(t, esdbtest.Options{})
	if _, errs := many(s, 8, 5*time.Second, 0); errs[0] != nil {
		t.Fatal(errs[0])
	}
	for round := range 3 {
		server.Kill(0)
		slowest, errs := many(s, 8, 300*time.Millisecond, round+1)
		if slowest > time.Second {
			t.Errorf("a caller with 300 ms came back after %s", slowest)
		}
		for _, err := range errs {
			if k := domain.KindOf(err); err == nil || (k != domain.KindUnavailable && k != domain.KindUnknown) {
				t.Errorf("append without a server: %v", err)
			}
		}
		if err := server.Restart(0); err != nil {
			t.Fatal(err)
		}
		if slowest, errs = many(s, 8, 2*time.Second, round+1); errs[0] != nil {
			t.Fatalf("2 s after the server's return, %s: %v", slowest, errs)
		}
	}
	storetest.CheckLog(t, s)
}

// TestHungServer: the connection lives and nobody answers.
func TestHungServer(t *testing.T) {
	t.Parallel()
	server, s, _ := stand(t, esdbtest.Options{})
	server.Hang(0)
	slowest, errs := many(s, 8, 300*time.Millisecond, 0)
	if slowest > time.Second || errs[0] == nil {
		t.Errorf("callers with 300 ms came back after %s: %v", slowest, errs[0])
	}
	waitFor(t, "readiness to turn red", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return s.Ready(ctx) != nil
	})
	server.Resume(0)
	if slowest, errs := many(s, 8, 2*time.Second, 0); errs[0] != nil {
		t.Errorf("2 s after the server's return, %s: %v", slowest, errs)
	}
	storetest.CheckLog(t, s)
}

// TestLeaderOnly: the client's option to ask for the leader never leaves the
// process. Ours does, and a change of leader is followed.
func TestLeaderOnly(t *testing.T) {
	t.Parallel()
	leaderMoves(t)
	server, s, o := stand(t, esdbtest.Options{Nodes: 3})
	for i := range 6 {
		asked := server.AskedForLeader()
		if _, err := s.Append(t.Context(), "s", eventstore.Expected(i-1), names("s", i, 1)); err != nil {
			t.Fatalf("leader %d: %v", server.Leader(), err)
		}
		if server.AskedForLeader() == asked {
			t.Error("the append did not ask for the leader")
		}
		server.Lead((i + 1) % 3)
	}
	wantLog(t, server, o, 6)
}

// TestFailover kills the leader and lets another node lead.
func TestFailover(t *testing.T) {
	t.Parallel()
	leaderMoves(t)
	server, s, o := stand(t, esdbtest.Options{Nodes: 3})
	for i := range 6 {
		old := server.Leader()
		server.Lead((old + 1) % 3)
		server.Kill(old)
		if _, err := s.Append(t.Context(), "s", eventstore.Expected(i-1), names("s", i, 1)); err != nil {
			t.Fatalf("leader %d of 3 gone: %v", old, err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("not ready after a failover: %v", err)
		}
		if err := server.Restart(old); err != nil {
			t.Fatal(err)
		}
	}
	wantLog(t, server, o, 6)
}

// TestNotLeaderNamesTheDead: a follower may name a leader that is gone.
func TestNotLeaderNamesTheDead(t *testing.T) {
	t.Parallel()
	leaderMoves(t)
	server := play(t, esdbtest.Options{Nodes: 2})
	o := quick("esdb://" + server.Addr(0) + "?tls=false")
	s := open(t, o)
	server.Kill(1)
	server.Lead(1)
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	_, err := s.Append(ctx, "s", eventstore.NoStream, names("s", 0, 1))
	wantKind(t, "a dead leader", err, domain.KindUnavailable)
	if err := server.Restart(1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), "s", eventstore.NoStream, names("s", 0, 1)); err != nil {
		t.Errorf("a leader that came back, named by a follower: %v", err)
	}
	wantLog(t, server, o, 1)
}

// TestDroppedSubscriptions: drops come as raw errors or as a plain end, servers
// deliver again what came before, and say twice that it was all. The follower
// sees each event once, in order.
func TestDroppedSubscriptions(t *testing.T) {
	t.Parallel()
	server, s, _ := stand(t, esdbtest.Options{})
	server.Duplicate(7)
	server.CaughtUpTwice()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const total = 120
	written := make(chan error, 1)
	go func() {
		for i := range total {
			if _, err := s.Append(ctx, "s", eventstore.Expected(i-1), names("s", i, 1)); err != nil {
				written <- err
				return
			}
			switch i % 30 {
			case 10:
				server.DropSubscriptions(codes.Unavailable)
			case 15:
				server.DropSubscriptions(codes.OK)
			case 20:
				server.DropSubscriptions(codes.Internal)
			}
		}
		written <- nil
	}()
	var got []eventstore.Recorded
	empty := 0
	for b, err := range s.Follow(ctx, 0, eventstore.FollowOptions{Batch: 9}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Events) == 0 {
			empty++
		}
		if got = append(got, b.Events...); len(got) >= total {
			break
		}
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if r.Revision != uint64(i) {
			t.Fatalf("event %d has revision %d", i, r.Revision)
		}
	}
	if empty > 2 {
		t.Errorf("%d empty batches", empty)
	}
	if s.Stats().Resubscribed == 0 {
		t.Error("no drop was seen")
	}
}

// TestFollowerSurvives a server that is killed and one that hangs, without any
// append that would notice it first.
func TestFollowerSurvives(t *testing.T) {
	t.Parallel()
	server, s, o := stand(t, esdbtest.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	seen := make(chan eventstore.Recorded)
	go func() {
		defer close(seen)
		for b, err := range s.Follow(ctx, 0, eventstore.FollowOptions{}) {
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range b.Events {
				seen <- r
			}
		}
	}()
	defer func() {
		cancel()
		for range seen { // let the follower end
		}
	}()
	for i, trouble := range []func(){
		func() {},
		func() { server.Kill(0); _ = server.Restart(0) },
		func() { server.Hang(0); time.Sleep(time.Second); server.Resume(0) },
		func() { server.DropSubscriptions(codes.Canceled) },
	} {
		trouble()
		server.Write(o.Namespace+".s", "x.v1", []byte("{}"), []byte("\x01\x00\x00\x00\x02{}"))
		select {
		case r := <-seen:
			if r.Revision != uint64(i) {
				t.Fatalf("trouble %d: revision %d", i, r.Revision)
			}
		case <-time.After(2 * time.Second):
			t.Fatalf("trouble %d: nothing came within 2 s", i)
		}
	}
}

// TestClientPanics: on a message it does not expect the client panics in the
// caller's goroutine. Ours lives on with a new client.
func TestClientPanics(t *testing.T) {
	t.Parallel()
	server, s, _ := stand(t, esdbtest.Options{})
	if _, err := s.Append(t.Context(), "s", eventstore.NoStream, names("s", 0, 3)); err != nil {
		t.Fatal(err)
	}
	server.Stray(2)
	got, err := s.ReadStream(t.Context(), "s", eventstore.ReadOptions{})
	if err != nil || len(got) != 3 {
		t.Errorf("%d events, %v", len(got), err)
	}
	if n := s.Stats().Sessions; n != 3 {
		t.Errorf("%d sessions, want a new one after each of two panics", n)
	}
}

// TestCloseWhileConnecting: a store may close at any moment of a reconnect, and
// leaves no client behind.
func TestCloseWhileConnecting(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{})
	for i := range 40 {
		s, err := eventstoredb.Open(t.Context(), quick(server.ConnectionString()))
		if err != nil {
			t.Fatal(err)
		}
		server.Next(esdbtest.Cut)
		go func() { _, _ = s.Append(context.Background(), "s", eventstore.NoStream, names("s", 0, 1)) }()
		time.Sleep(time.Duration(i) * 300 * time.Microsecond)
		closeStore(t, s)
	}
}

// TestPreferredNode: followers may read from another node, the truth comes from
// the leader.
func TestPreferredNode(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{Nodes: 3})
	s := open(t, quick(server.ConnectionString()+"&nodePreference=follower"))
	for i := range 10 {
		if _, err := s.Append(t.Context(), "s", eventstore.Expected(i-1), names("s", i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(storetest.Log(t, s)); n != 10 {
		t.Errorf("%d events followed", n)
	}
	if s.Stats().Sessions != 2 {
		t.Errorf("%d sessions, want one to the leader and one to a follower", s.Stats().Sessions)
	}
	storetest.CheckLog(t, s)
}

// TestRestoredFromOlderCopy: who goes on from a position that the log does not
// have is told, and does not wait for ever.
func TestRestoredFromOlderCopy(t *testing.T) {
	t.Parallel()
	_, s, _ := stand(t, esdbtest.Options{})
	at, err := s.Append(t.Context(), "s", eventstore.NoStream, names("s", 0, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []eventstore.Position{at.Position - 1, at.Position + 1, at.Position + 1000} {
		for _, err := range s.Follow(t.Context(), after, eventstore.FollowOptions{}) {
			wantKind(t, "follow from "+after.String(), err, domain.KindMismatch)
			break
		}
	}
}
