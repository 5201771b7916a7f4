package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rounds is how often the programs are killed.
func rounds(t testing.TB) int {
	t.Helper()
	text := os.Getenv("COUNTERFOIL_KILL_ROUNDS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("COUNTERFOIL_KILL_ROUNDS=%q is no number of rounds", text)
	}
	return n
}

// long tells whether the long versions of the tests are wanted.
func long(t testing.TB) bool { return rounds(t) >= 100 }

// seeded is the run's source of choices; the same seed makes the same ones.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("COUNTERFOIL_KILL_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	t.Logf("COUNTERFOIL_KILL_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// The size of a round.
const (
	roundOrders = 100
	roundConns  = 8
	killWithin  = 150 * time.Millisecond
)

// TestKill kills the API with -9 in the middle of a load of callbacks, starts
// it again, and reads the log: what was acknowledged is kept, every payment is
// credited at most once and each acknowledged one exactly once, and the log,
// its projections and its files are whole. One store goes through all rounds.
func TestKill(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.survive(t, seeded(t), rounds(t), func(api *daemon) { api.kill() })
}

// survive lets the API die in each round as die does it.
func (s *site) survive(t *testing.T, rng *rand.Rand, rounds int, die func(api *daemon)) {
	t.Helper()
	w := witness{counts: map[string]*count{}}
	j := newJournal()
	api, took := s.startAPI(t)
	starts := []time.Duration{took}
	for round := 0; round < rounds || (w.acked() == 0 && round < 5*rounds); round++ { // on a slow machine the first deaths come too soon
		w.orders = append(w.orders, s.newOrders(t, round)...)
		s.cutShort(t, rng, &w, s.load(t, rng, round, w.orders), func() { die(api) })
		api, took = s.startAPI(t)
		starts = append(starts, took)
		j.read(t, s)
		w.check(t, j)
		s.checkBalances(t, j)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	api.stop(t)
	s.checkStore(t, j)
	w.report(t, j, starts)
}

// newOrders places a round's payments.
func (s *site) newOrders(t *testing.T, round int) []order {
	t.Helper()
	some := orders(plain, fmt.Sprintf("K%03dP", round), roundOrders*3/4)
	some = append(some, orders(rsa, fmt.Sprintf("K%03dR", round), roundOrders/4)...)
	s.place(t, some)
	return some
}

// load is a round's callbacks in the order in which they are sent: each new
// order several times, by GET and POST, some as the same bytes again, one far
// beyond the limit above which repeats are no events, and old orders too.
func (s *site) load(t *testing.T, rng *rand.Rand, round int, all []order) []callback {
	t.Helper()
	var out []callback
	add := func(o order, times int) {
		c := s.paid(t, o, fmt.Sprintf("r%d-%d", round, len(out)), rng.IntN(2) == 0)
		for range times {
			out = append(out, c)
		}
	}
	fresh := all[len(all)-roundOrders:]
	for i, o := range fresh {
		for range 1 + rng.IntN(3) {
			add(o, 1+rng.IntN(2))
		}
		if i%10 == 0 {
			add(all[rng.IntN(len(all))], 1)
		}
	}
	add(fresh[0], 50)
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// cutShort sends the load over several connections and lets the API die at a
// random moment.
func (s *site) cutShort(t *testing.T, rng *rand.Rand, w *witness, load []callback, die func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var next atomic.Int64
	var senders sync.WaitGroup
	w.cut.Store(false)
	after := time.Duration(rng.Int64N(int64(killWithin)))
	for range roundConns {
		conn, err := dial(ctx, s.api, "")
		must(t, err)
		senders.Go(func() {
			defer conn.close()
			for {
				c := load[int(next.Add(1)-1)%len(load)]
				w.sent(c)
				got, err := conn.send(c.wire)
				if err != nil || !w.answered(c, got) {
					return
				}
			}
		})
	}
	time.Sleep(after)
	w.cut.Store(true)
	die()
	senders.Wait()
}

// witness knows what was sent and what was acknowledged, by token.
type witness struct {
	orders []order
	cut    atomic.Bool // the kill has begun: nothing read from now on counts

	mu     sync.Mutex
	counts map[string]*count
	wrong  []string
}

// count is what became of one callback, which may be sent several times.
type count struct {
	order       order
	sent, acked int
}

func (w *witness) sent(c callback) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.counts[c.token]
	if n == nil {
		n = &count{order: c.order}
		w.counts[c.token] = n
	}
	n.sent++
}

// answered notes an answer that was read whole. It is false once the kill has
// begun.
func (w *witness) answered(c callback, got answer) bool {
	if w.cut.Load() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if got != success {
		w.wrong = append(w.wrong, fmt.Sprintf("genuine callback %s of %s was answered %d %q", c.token, c.order.orderNo, got.status, got.body))
		return true
	}
	w.counts[c.token].acked++
	return true
}

// limit is how many equal deliveries of a payment are kept as events each;
// beyond it, an equal earlier one stands for them.
const limit = 32

// check holds what was acknowledged against the log.
func (w *witness) check(t *testing.T, j *journal) {
	t.Helper()
	for _, text := range w.wrong {
		t.Error(text)
	}
	acked := map[order]bool{}
	for token, n := range w.counts {
		h := j.of(n.order.stream())
		kept := h.kept[token]
		if kept < n.acked && h.notified < limit {
			t.Errorf("callback %s of %s was acknowledged %d times and is kept %d times", token, n.order.orderNo, n.acked, kept)
		}
		if kept > n.sent {
			t.Errorf("callback %s of %s was sent %d times and is kept %d times", token, n.order.orderNo, n.sent, kept)
		}
		acked[n.order] = acked[n.order] || n.acked > 0
	}
	for _, o := range w.orders {
		checkCredit(t, o, j.of(o.stream()), acked[o])
	}
}

// checkCredit: a payment is credited once if a callback of it is kept, as it
// was placed, and never otherwise.
func checkCredit(t testing.TB, o order, h *history, acked bool) {
	t.Helper()
	if h.next == 0 {
		t.Errorf("%s was placed and is not in the log", o.orderNo)
	}
	switch n := len(h.credited); {
	case n > 1:
		t.Errorf("%s was credited %d times", o.orderNo, n)
	case acked && n == 0:
		t.Errorf("%s was acknowledged and is not credited", o.orderNo)
	case h.notified > 0 && n == 0:
		t.Errorf("%s has %d kept callbacks and is not credited", o.orderNo, h.notified)
	case h.notified == 0 && n > 0:
		t.Errorf("%s was credited without a callback", o.orderNo)
	}
	if len(h.other) > 0 {
		t.Errorf("%s: nothing but callbacks of one trade came, and the log has %v", o.orderNo, h.other)
	}
	if h.notified > limit {
		t.Errorf("%s has %d callbacks as events, %d are the limit", o.orderNo, h.notified, limit)
	}
	for _, c := range h.credited {
		if c.Amount != o.money() || string(c.Account) != o.account || c.TradeNo != o.tradeNo {
			t.Errorf("%s was credited with %s to %s for trade %s", o.orderNo, c.Amount, c.Account, c.TradeNo)
		}
	}
}

// acked is how many callbacks were acknowledged before a death.
func (w *witness) acked() (n int) {
	for _, c := range w.counts {
		n += c.acked
	}
	return n
}

// report says what a run came to; a run in which nothing happened proves
// nothing.
func (w *witness) report(t *testing.T, j *journal, starts []time.Duration) {
	t.Helper()
	var sent, credited int
	for _, n := range w.counts {
		sent += n.sent
	}
	acked := w.acked()
	for _, h := range j.streams {
		credited += len(h.credited)
	}
	t.Logf("%d payments, %d callbacks sent, %d acknowledged before a kill, %d credited, %d events; the API starts in %s (median), %s (longest)",
		len(w.orders), sent, acked, credited, j.events, quantile(starts, 0.5), quantile(starts, 1))
	if acked == 0 || credited == 0 {
		t.Error("no callback was acknowledged before a kill")
	}
}
