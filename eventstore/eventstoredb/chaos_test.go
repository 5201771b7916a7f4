package eventstoredb_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
	"counterfoil/eventstore/eventstoredb/esdbtest"
	"counterfoil/eventstore/storetest"
)

// recovery is how soon after the server's return the writers must go on.
const recovery = 2 * time.Second

// TestChaos writes from 32 goroutines through a cluster that is killed, hung
// and failed over 20 times: every event stands there exactly once, in order, a
// follower sees just that, and TestMain finds no goroutine left.
func TestChaos(t *testing.T) {
	t.Parallel()
	leaderMoves(t)
	total := 10_000
	if testing.Short() {
		total = 2_000
	}
	server := play(t, esdbtest.Options{Nodes: 3})
	o := quick(server.ConnectionString())
	o.Wait = 30 * time.Second
	s := open(t, o)
	c := &chaos{server: server, store: s, total: total}
	var wg sync.WaitGroup
	wg.Go(func() { c.disturb(t) })
	followed := make(chan map[domain.Stream]int, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	go func() { followed <- c.follow(ctx, t) }()
	for w := range writers {
		wg.Go(func() { c.write(t, w) })
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	c.check(t, o)
	seen := <-followed
	for w := range writers {
		if n := seen[streamOf(w)]; n != c.each(w) {
			t.Errorf("the follower saw %d events of %s", n, streamOf(w))
		}
	}
	storetest.CheckLog(t, s)
	t.Logf("slowest recovery %s; %+v", c.slowest, s.Stats())
}

const (
	writers  = 32
	troubles = 20
)

type chaos struct {
	server  *esdbtest.Server
	store   *eventstoredb.Store
	total   int
	done    atomic.Int64
	slowest time.Duration
}

// each is how many events a writer's stream gets.
func (c *chaos) each(writer int) int {
	if writer < c.total%writers {
		return c.total/writers + 1
	}
	return c.total / writers
}

func streamOf(writer int) domain.Stream { return domain.Stream(fmt.Sprintf("w-%d", writer)) }

func (c *chaos) write(t *testing.T, writer int) {
	stream := streamOf(writer)
	for i := range c.each(writer) {
		got, err := c.store.Append(context.Background(), stream, eventstore.Expected(i-1), names(string(stream), i, 1))
		if err != nil || got.Revision != uint64(i) {
			t.Errorf("%s, append %d: %+v, %v", stream, i, got, err)
			c.done.Add(int64(c.total)) // so that nobody waits for the rest
			return
		}
		c.done.Add(1)
	}
}

// disturb spreads the troubles over the run.
func (c *chaos) disturb(t *testing.T) {
	for i := range troubles {
		for c.done.Load() < int64(c.total*i/(troubles+1)) {
			time.Sleep(time.Millisecond)
		}
		leader := c.server.Leader()
		switch i % 5 {
		case 0: // the leader is killed, another leads
			c.server.Kill(leader)
			c.server.Lead((leader + 1) % 3)
			c.recovered(t, "failover")
			c.restart(t, leader)
		case 1: // the whole installation is killed
			c.each3(c.server.Kill)
			time.Sleep(300 * time.Millisecond)
			c.each3(func(n int) { c.restart(t, n) })
			c.recovered(t, "kill")
		case 2: // the leader hangs
			c.server.Hang(leader)
			time.Sleep(700 * time.Millisecond)
			c.server.Resume(leader)
			c.recovered(t, "hang")
		case 3: // the leader hangs, another leads
			c.server.Hang(leader)
			c.server.Lead((leader + 1) % 3)
			c.recovered(t, "hung failover")
			c.server.Resume(leader)
		case 4: // lost replies and connections
			c.server.Next(esdbtest.CutAfter, esdbtest.AbortedAfter, esdbtest.Cut, esdbtest.Unavailable, esdbtest.SilentAfter)
			c.server.DropSubscriptions(codes.Unavailable)
			c.recovered(t, "faults")
		}
	}
}

func (c *chaos) each3(do func(int)) {
	for n := range 3 {
		do(n)
	}
}

func (c *chaos) restart(t *testing.T, n int) {
	if err := c.server.Restart(n); err != nil {
		t.Error(err)
	}
}

// recovered waits until the writers have gone round twice: appends that were
// already on their way when the trouble came do not count as recovery.
func (c *chaos) recovered(t *testing.T, trouble string) {
	begin, enough := time.Now(), min(c.done.Load()+2*writers, int64(c.total))
	for c.done.Load() < enough && time.Since(begin) < 30*time.Second {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(begin)
	c.slowest = max(c.slowest, took)
	if took > recovery {
		t.Errorf("after %s the writers went on after %s", trouble, took)
	}
}

// follow counts the events of each stream, which must come in order.
func (c *chaos) follow(ctx context.Context, t *testing.T) map[domain.Stream]int {
	seen := make(map[domain.Stream]int)
	all := 0
	for b, err := range c.store.Follow(ctx, 0, eventstore.FollowOptions{}) {
		if err != nil {
			t.Errorf("follower: %v", err)
			return nil
		}
		for _, r := range b.Events {
			if r.Revision != uint64(seen[r.Stream]) {
				t.Errorf("follower: %s has %d after %d events", r.Stream, r.Revision, seen[r.Stream])
			}
			seen[r.Stream]++
			all++
		}
		if all >= c.total {
			break
		}
	}
	return seen
}

// check looks at what the server holds, not at what the store says.
func (c *chaos) check(t *testing.T, o eventstoredb.Options) {
	next := make(map[string]int)
	for _, e := range c.server.Log(o.Namespace + ".") {
		short := e.Stream[len(o.Namespace)+1:]
		want := names(short, next[short], 1)[0].ID
		if e.ID != [16]byte(want) || e.Revision != uint64(next[short]) {
			t.Fatalf("%s: event %d is %x at %d", short, next[short], e.ID, e.Revision)
		}
		next[short]++
	}
	for w := range writers {
		if n := next[string(streamOf(w))]; n != c.each(w) {
			t.Errorf("%s has %d events", streamOf(w), n)
		}
	}
}
