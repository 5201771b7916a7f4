package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
)

// connections is how many callbacks are under way at once in the benchmarks.
const connections = 64

// payload is an event of a payment's size: some facts, some context, and for a
// notice the evidence.
func payload(id uint64, typ string, sealed int) eventstore.Event {
	e := eventstore.Event{Type: typ, Data: make([]byte, 350), Meta: make([]byte, 160)}
	e.ID = domain.ID{1, byte(id >> 56), byte(id >> 48), byte(id >> 40), byte(id >> 32), byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}
	if sealed > 0 {
		e.Sealed = make([]byte, sealed)
		rand.NewChaCha8([32]byte{byte(id)}).Read(e.Sealed)
	}
	for i := range e.Data {
		e.Data[i] = 'a' + byte(id+uint64(i))%26
	}
	return e
}

func stream(n uint64) domain.Stream { return domain.Stream(fmt.Sprintf("payment-epay:2026%012d", n)) }

// parallel runs do b.N times on as many goroutines as there are connections.
func parallel(b *testing.B, do func(n uint64)) {
	b.Helper()
	before := processor()
	took := make([]time.Duration, b.N)
	onAll(connections, uint64(b.N), func(n uint64) {
		began := time.Now()
		do(n)
		took[n-1] = time.Since(began)
	})
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
	b.ReportMetric(float64((processor()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// processor is the time that all threads of the process have run: on a machine
// that is not idle it says more than the clock.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func mustAppend(b *testing.B, s *sqlite.Store, at eventstore.Expected, n uint64, events ...eventstore.Event) {
	if _, err := s.Append(context.Background(), stream(n), at, events); err != nil {
		b.Error(err)
	}
}

// BenchmarkAppend64: two events with evidence, each on a new stream.
func BenchmarkAppend64(b *testing.B) {
	s := create(b, sqlite.Options{})
	b.ReportAllocs()
	b.ResetTimer()
	parallel(b, func(n uint64) {
		mustAppend(b, s, eventstore.NoStream, n, payload(n, "payment.notified.v1", 600), payload(n+1<<40, "payment.credited.v1", 0))
	})
}

// BenchmarkAppend1: the same by one connection, so that each waits for its own
// sync.
func BenchmarkAppend1(b *testing.B) {
	s := create(b, sqlite.Options{})
	b.ResetTimer()
	for n := range uint64(b.N) {
		mustAppend(b, s, eventstore.NoStream, n, payload(n, "payment.notified.v1", 600), payload(n+1<<40, "payment.credited.v1", 0))
	}
}

// BenchmarkCallback64: what the store does for a callback. A stream with the
// placed payment is read, then two events are appended; a follower takes all.
func BenchmarkCallback64(b *testing.B) {
	s := create(b, sqlite.Options{})
	place(b, s, uint64(b.N))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for range s.Follow(ctx, 0, eventstore.FollowOptions{}) {
		}
	}()
	b.ReportAllocs()
	b.ResetTimer()
	parallel(b, func(n uint64) {
		events, err := s.ReadStream(ctx, stream(n), eventstore.ReadOptions{})
		if err != nil || len(events) != 1 {
			b.Error(len(events), err)
		}
		mustAppend(b, s, 0, n, payload(n, "payment.notified.v1", 600), payload(n+1<<40, "payment.credited.v1", 0))
	})
}

// place fills a store with n payments of one event each.
func place(b *testing.B, s *sqlite.Store, n uint64) {
	b.Helper()
	onAll(connections, n, func(i uint64) { mustAppend(b, s, eventstore.NoStream, i, payload(i+2<<40, "payment.placed.v1", 0)) })
}

func BenchmarkReadStream(b *testing.B) {
	const payments = 20_000
	s := create(b, sqlite.Options{})
	place(b, s, payments)
	b.ReportAllocs()
	b.ResetTimer()
	parallel(b, func(n uint64) {
		if _, err := s.ReadStream(context.Background(), stream(1+n*7919%payments), eventstore.ReadOptions{}); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkFollow(b *testing.B) {
	const payments = 20_000
	s := create(b, sqlite.Options{})
	place(b, s, payments)
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; {
		for batch, err := range s.Follow(context.Background(), 0, eventstore.FollowOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			left -= len(batch.Events)
			if batch.CaughtUp || left <= 0 {
				break
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkScale: callbacks on fresh payments when the store holds few and many
// others, with order numbers that ascend and that are random. The many are
// 200,000, or as many as COUNTERFOIL_BENCH_PAYMENTS says. Run it with a fixed
// count, such as -benchtime 40000x: every other run fills the stores again.
func BenchmarkScale(b *testing.B) {
	many := uint64(200_000)
	if n, err := strconv.ParseUint(os.Getenv("COUNTERFOIL_BENCH_PAYMENTS"), 10, 64); err == nil {
		many = n
	}
	for _, numbers := range []struct {
		name string
		of   func(uint64) domain.Stream
	}{{"ordered", stream}, {"random", randomStream}} {
		for _, size := range []uint64{10_000, many} {
			b.Run(fmt.Sprintf("%s/%d", numbers.name, size), func(b *testing.B) { benchScale(b, numbers.of, size) })
		}
	}
}

// randomStream spreads order numbers evenly, each n to one of its own.
func randomStream(n uint64) domain.Stream {
	return domain.Stream(fmt.Sprintf("payment-epay:%016x", n*0x9e3779b97f4a7c15))
}

func benchScale(b *testing.B, of func(uint64) domain.Stream, size uint64) {
	if b.N == 1 {
		return // the trial run of package testing is not worth filling a store
	}
	s := create(b, sqlite.Options{})
	add := func(n uint64, at eventstore.Expected, events ...eventstore.Event) {
		if _, err := s.Append(context.Background(), of(n), at, events); err != nil {
			b.Error(err)
		}
	}
	placed := func(n uint64) eventstore.Event { return payload(n+2<<40, "payment.placed.v1", 0) }
	both := func(n uint64) []eventstore.Event {
		return []eventstore.Event{payload(n, "payment.notified.v1", 600), payload(n+1<<40, "payment.credited.v1", 0)}
	}
	onAll(8*connections, size, func(n uint64) { add(n, eventstore.NoStream, append(both(n), placed(n))...) })
	onAll(connections, uint64(b.N), func(n uint64) { add(size+n, eventstore.NoStream, placed(size+n)) })
	b.ResetTimer()
	parallel(b, func(n uint64) {
		if _, err := s.ReadStream(context.Background(), of(size+n), eventstore.ReadOptions{}); err != nil {
			b.Error(err)
		}
		add(size+n, 0, both(size+n)...)
	})
}

// onAll calls do with 1 to n from several goroutines.
func onAll(goroutines int, n uint64, do func(uint64)) {
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				do(i)
			}
		})
	}
	wg.Wait()
}
