package crash

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// floodConns is how many connections a flood comes from.
const floodConns = 16

// floodSize is how many requests a flood has.
func floodSize(t testing.TB) int64 {
	if long(t) {
		return 200_000
	}
	return 20_000
}

// TestReplayFlood: a payer sends the signed return address again and again. The
// log keeps the first deliveries and grows no more, everyone is answered, and
// meanwhile another payment is credited.
func TestReplayFlood(t *testing.T) {
	s := newSite(t, setup{})
	api, _ := s.startAPI(t)
	some := orders(plain, "F", 2)
	s.place(t, some)
	w := witness{orders: some, counts: map[string]*count{}}
	replayed := s.paid(t, some[0], "replayed", false)
	before := memory(t, api, "VmRSS")
	rate := s.flood(t, func(int) []byte { return replayed.wire }, success, func() {
		s.deliver(t, &w, some[1], "honest", success)
	})
	grown := memory(t, api, "VmRSS") - before
	j := newJournal()
	j.read(t, s)
	h := j.of(some[0].stream())
	t.Logf("%d replays at %.0f/s, %d kept as events, memory %+d KB", floodSize(t), rate, h.notified, grown)
	if h.notified > limit || len(h.credited) != 1 {
		t.Errorf("%d replays are events and %d credits; want %d at most, and one", h.notified, len(h.credited), limit)
	}
	if grown > 64<<10 {
		t.Errorf("replays cost %d KB of memory", grown)
	}
	w.check(t, &journal{streams: j.streams})
	s.checkBalances(t, j)
	api.stop(t)
	s.checkStore(t, j)
}

// TestForgedFlood: callbacks whose signatures do not hold leave no trace in the
// log, take no memory, and keep no honest one waiting.
func TestForgedFlood(t *testing.T) {
	s := newSite(t, setup{})
	api, _ := s.startAPI(t)
	some := orders(plain, "G", 2)
	s.place(t, some)
	w := witness{orders: some, counts: map[string]*count{}}
	j := newJournal()
	j.read(t, s)
	events := j.events
	before := memory(t, api, "VmRSS")
	forged := make([][]byte, 512)
	for i := range forged {
		forged[i] = s.forged(some[0], fmt.Sprint("forged-", i)).wire
	}
	rate := s.flood(t, func(i int) []byte { return forged[i%len(forged)] }, answer{400, "fail"}, func() {
		s.deliver(t, &w, some[1], "honest", success)
	})
	grown := memory(t, api, "VmRSS") - before
	j.read(t, s)
	t.Logf("%d forged callbacks at %.0f/s, memory %+d KB", floodSize(t), rate, grown)
	if n := j.events - events; n != 2 { // the honest callback and its credit
		t.Errorf("the log grew by %d events, want 2", n)
	}
	if grown > 64<<10 {
		t.Errorf("forged callbacks cost %d KB of memory", grown)
	}
	w.check(t, j)
	api.stop(t)
	s.checkStore(t, j)
}

// flood sends its requests over floodConns connections, each to be
// answered with want; honest runs in the middle of it. It is the rate per
// second.
func (s *site) flood(t *testing.T, request func(i int) []byte, want answer, honest func()) float64 {
	t.Helper()
	var senders sync.WaitGroup
	var next, wrong atomic.Int64
	size := floodSize(t)
	half := make(chan struct{})
	reached := sync.OnceFunc(func() { close(half) })
	began := time.Now()
	for range floodConns {
		conn, err := dial(t.Context(), s.api, "127.0.7.1")
		must(t, err)
		senders.Go(func() {
			defer conn.close()
			for i := next.Add(1) - 1; i < size; i = next.Add(1) - 1 {
				if i == size/2 {
					reached()
				}
				got, err := conn.send(request(int(i)))
				if err != nil || got != want {
					if wrong.Add(1) == 1 {
						t.Errorf("request %d was answered %d %q, %v; want %d %q", i, got.status, got.body, err, want.status, want.body)
					}
				}
				if err != nil {
					break
				}
			}
			reached()
		})
	}
	<-half
	honest()
	senders.Wait()
	return float64(size) / time.Since(began).Seconds()
}
