package audit_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/providers"
	"counterfoil/providers/epay"
	"counterfoil/tamperlog"
)

// rounds measures do, which looks at events each time, and the processor time
// that it takes: both mean something on a machine that others use, too.
func rounds(b *testing.B, do func() int64) (rate float64) {
	b.Helper()
	var events int64
	var took, used time.Duration
	for b.Loop() {
		began, before := time.Now(), cpu(b)
		events += do()
		took, used = took+time.Since(began), used+cpu(b)-before
	}
	rate = float64(events) / took.Seconds()
	b.ReportMetric(rate, "events/s")
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(events), "cpu-us/event")
	return rate
}

// BenchmarkVerify checks a log of 20,000 paid orders, each placed, notified
// with evidence of grade B, and credited: in every respect; hashes, replay and
// balances alone, with all evidence withheld and no look at the file's pages;
// and beside them, of the same log in the same run, the bare scan that both are
// held against.
func BenchmarkVerify(b *testing.B) {
	asTheCommand(b)
	w := newWorld(b)
	w.sell(20_000)
	var scan float64
	b.Run("scan", func(b *testing.B) { scan = rounds(b, func() int64 { return w.scan(b) }) })
	b.Run("everything", func(b *testing.B) { rounds(b, func() int64 { return verified(b, w.verify()) }) })
	b.Run("replay", func(b *testing.B) {
		rate := rounds(b, func() int64 { return verified(b, w.verify(withheld, func(d *audit.Deps) { d.Inspect = nil })) })
		b.ReportMetric(100*rate/scan, "%-of-scan")
	})
}

// withheld leaves all evidence sealed.
func withheld(d *audit.Deps) {
	err := domain.E(domain.KindNotFound, "withheld")
	d.Keys, d.Opened = nil, func(context.Context, eventstore.Recorded) ([]byte, error) { return nil, err }
}

func verified(b *testing.B, rep audit.Report) int64 {
	b.Helper()
	if !rep.OK() {
		b.Fatal(rep.Findings)
	}
	return rep.Events
}

// scan reads the log with its sealed parts as the store hands it out, hashed,
// and does nothing with it.
func (w *world) scan(b *testing.B) (n int64) {
	b.Helper()
	for batch, err := range w.events.Follow(b.Context(), 0, eventstore.FollowOptions{Sealed: true}) {
		must(b, err)
		if n += int64(len(batch.Events)); batch.CaughtUp {
			break
		}
	}
	return n
}

// BenchmarkReplay streams the history of 20,000 paid orders through a filter.
func BenchmarkReplay(b *testing.B) {
	w := newWorld(b)
	w.sell(20_000)
	for name, f := range map[string]audit.ReplayFilter{
		"all": {}, "type": {Types: []string{domain.TypePaymentCredited}}, "account": {Account: "user:7"},
		"instants": {Since: w.now.Add(-time.Hour), Until: w.now.Add(time.Hour)},
	} {
		b.Run(name, func(b *testing.B) {
			rounds(b, func() int64 {
				done, err := audit.Replay(b.Context(), w.events, f, func(eventstore.Recorded) error { return nil }, nil)
				must(b, err)
				return done.Read
			})
		})
	}
}

// BenchmarkVerifyRSA verifies the evidence of RSA callbacks again on every
// processor: the channel's own check of the kept bytes, and the whole
// verification of their log, replay and all. Each is held against the bare
// primitive on as many signatures, in turns with it; ratios are medians of all
// pairs, with their quartiles.
func BenchmarkVerifyRSA(b *testing.B) {
	asTheCommand(b)
	w := newWorld(b)
	const orders = 5000
	w.sellOn(signed, orders)
	kept := make([]domain.Evidence, 256)
	for i := range kept {
		kept[i] = w.evidenceOf(signed, fmt.Sprintf("S%07d", i))
	}
	gateway, _ := keyPairs()
	key, err := epay.ParsePrivateKey(gateway.Private)
	must(b, err)
	digest := sha256.Sum256([]byte("signed"))
	sign, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	must(b, err)
	bare := func() {
		everywhere(b, orders, func(int) error { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], sign) })
	}
	b.Run("evidence", func(b *testing.B) {
		against(b, orders, bare, func() {
			everywhere(b, orders, func(i int) error { _, err := w.channels[signed].Reverify(kept[i%len(kept)]); return err })
		})
	})
	b.Run("log", func(b *testing.B) {
		against(b, orders, bare, func() { verified(b, w.verify(func(d *audit.Deps) { d.Inspect = nil })) })
	})
}

// against measures do in turns with bare, both of n signatures.
func against(b *testing.B, n int, bare, do func()) {
	b.Helper()
	var ratios []float64
	var took, used time.Duration
	for turn := 0; b.Loop(); turn++ {
		var times [2]time.Duration
		for _, ours := range [2]bool{turn%2 == 0, turn%2 != 0} {
			began, before := time.Now(), cpu(b)
			if !ours {
				bare()
				times[0] = time.Since(began)
				continue
			}
			do()
			times[1] = time.Since(began)
			took, used = took+times[1], used+cpu(b)-before
		}
		ratios = append(ratios, 100*times[0].Seconds()/times[1].Seconds())
	}
	quartiles(b, ratios, "%-of-bare")
	b.ReportMetric(float64(len(ratios)*n)/took.Seconds(), "signatures/s")
	b.ReportMetric(used.Seconds()/took.Seconds(), "processors")
	b.ReportMetric(used.Seconds()*1e6/float64(len(ratios)*n), "cpu-us/signature")
}

// everywhere checks n times, on all processors.
func everywhere(b *testing.B, n int, check func(i int) error) {
	b.Helper()
	var g errgroup.Group
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if err := check(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(b, g.Wait())
}

// BenchmarkSealing tells what sealing costs callbacks when one process does
// both, which is the worst case: installed, the reconciler seals in a process
// of its own (`counterfoil bench --only sealing`). One installation takes
// callbacks in turns, sealed in every other one with the product's settings,
// but for a head every five seconds, which is about one for each second that is
// sealed, ten times as often. What the turns without it
// left over is caught up in those with it, so that sealing is always busy.
// Ratios are medians of all pairs, with their quartiles.
func BenchmarkSealing(b *testing.B) {
	w := newWorld(b)
	const callbacks = 6000
	log := &gate{Reader: w.events}
	s := tamperlog.NewSealer(log, tamperlog.Config{
		Dir: w.file("tree"), KeyFile: w.file("tree.key"), Origin: tamperlog.Origin(w.ledger.ID()), Every: 5 * time.Second, Clock: time.Now,
	})
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var times, cpus []float64
	var sealing, all time.Duration
	sealed := uint64(0)
	for turn := 0; b.Loop(); turn++ {
		var took, used [2]time.Duration
		for _, seals := range [2]int{turn % 2, 1 - turn%2} {
			b.StopTimer()
			log.set(false)
			deliver := w.rush(trusting, 2*turn+seals, callbacks)
			log.set(seals == 1)
			before, from := cpu(b), s.Status().Size
			b.StartTimer()
			took[seals] = deliver()
			used[seals] = cpu(b) - before
			sealed += s.Status().Size - from
		}
		times = append(times, took[1].Seconds()/took[0].Seconds())
		cpus = append(cpus, used[1].Seconds()/used[0].Seconds())
		sealing, all = sealing+took[1], all+took[0]+took[1]
	}
	must(b, s.Ready(ctx))
	stop()
	log.set(true)
	must(b, <-done)
	quartiles(b, times, "time-sealed/plain")
	quartiles(b, cpus, "cpu-sealed/plain")
	b.ReportMetric(float64(len(times)*2*callbacks)/all.Seconds(), "callbacks/s")
	b.ReportMetric(float64(sealed)/sealing.Seconds(), "sealed/s")
}

// gate is a log whose followers wait while it is shut.
type gate struct {
	eventstore.Reader
	mu   sync.Mutex
	shut chan struct{} // closed when the gate opens; nil while it is open
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case open && g.shut != nil:
		close(g.shut)
		g.shut = nil
	case !open && g.shut == nil:
		g.shut = make(chan struct{})
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

func (g *gate) Follow(ctx context.Context, after eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	return func(yield func(eventstore.Batch, error) bool) {
		for batch, err := range g.Reader.Follow(ctx, after, o) {
			if g.pass(); !yield(batch, err) {
				return
			}
		}
	}
}

// quartiles reports the middle of ratios, and how far they spread.
func quartiles(b *testing.B, ratios []float64, what string) {
	b.Helper()
	slices.Sort(ratios)
	n := len(ratios)
	b.ReportMetric(ratios[n/2], what)
	b.ReportMetric(ratios[n/4], what+"-q1")
	b.ReportMetric(ratios[n*3/4], what+"-q3")
}

// rush places n orders and is what delivers their callbacks, 64 at a time.
func (w *world) rush(ch domain.ChannelID, turn, n int) func() time.Duration {
	w.t.Helper()
	reads := make([]providers.Read, n)
	orders := make([]string, n)
	for i := range reads {
		orders[i] = fmt.Sprintf("R%05d%07d", turn, i)
		reads[i] = w.read(ch, orders[i], "2026112200000"+orders[i], "7.30")
	}
	many := func(do func(i int) error) {
		var g errgroup.Group
		g.SetLimit(64)
		for i := range n {
			g.Go(func() error { return do(i) })
		}
		must(w.t, g.Wait())
	}
	many(func(i int) error { return w.order(ch, orders[i], i) })
	return func() time.Duration {
		began := time.Now()
		many(func(i int) error {
			_, err := w.ledger.Notify(context.Background(), reads[i].Notices[0], reads[i].Evidence, w.channels[ch].Reply)
			return err
		})
		return time.Since(began)
	}
}

// order places the i-th of many orders.
func (w *world) order(ch domain.ChannelID, orderNo string, i int) error {
	_, _, err := w.ledger.Place(context.Background(), domain.Order{
		Channel: ch, OrderNo: domain.OrderNo(orderNo), Account: domain.AccountID(fmt.Sprintf("user:%d", i%500)),
		Amount: domain.NewMoney(730, domain.CNY), ExpiresAt: w.now.Add(time.Hour),
	}, ledger.Personal{}, ledger.By{Actor: "key:test", Cause: "request"})
	return err
}

// asTheCommand lets garbage gather as `counterfoil verify` does.
func asTheCommand(b *testing.B) {
	b.Helper()
	percent, limit := debug.SetGCPercent(800), debug.SetMemoryLimit(384<<20)
	b.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
}

// cpu is what this process has used of all processors.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sell places and pays n orders by callbacks of grade B.
func (w *world) sell(n int) { w.sellOn(trusting, n) }

func (w *world) sellOn(ch domain.ChannelID, n int) {
	w.t.Helper()
	var g errgroup.Group
	g.SetLimit(64)
	ctx := context.Background()
	for i := range n {
		order, trade := fmt.Sprintf("S%07d", i), fmt.Sprintf("2026112200000%07d", i)
		read := w.read(ch, order, trade, "7.30")
		g.Go(func() error {
			err := w.order(ch, order, i)
			if err == nil {
				_, err = w.ledger.Notify(ctx, read.Notices[0], read.Evidence, w.channels[ch].Reply)
			}
			return err
		})
	}
	must(w.t, g.Wait())
	w.fold()
}
