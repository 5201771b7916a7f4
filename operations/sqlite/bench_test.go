package sqlite

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

func benchStream(i int64) domain.Stream {
	return domain.PaymentStream("epay-main", domain.OrderNo(fmt.Sprintf("ORDER-%x", uint64(i)*0x9e3779b97f4a7c15)))
}

// benchKeys makes n keys, many in a commit.
func benchKeys(b *testing.B, s *Store, n int64) {
	b.Helper()
	var next atomic.Int64
	b.SetParallelism(256)
	done := make(chan error, 256)
	for range cap(done) {
		go func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				if _, err := s.EnsureDataKey(b.Context(), benchStream(i)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDataKey reads distinct keys of 20,000, as callbacks do.
func BenchmarkDataKey(b *testing.B) {
	const keys = 20_000
	s := openFile(b, newFile(b))
	defer s.Close()
	benchKeys(b, s, keys)
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			var next atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.DataKey(b.Context(), benchStream(1+next.Add(7919)%keys)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkEnsureDataKey makes distinct keys, each synced before it is returned.
func BenchmarkEnsureDataKey(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s := openFile(b, newFile(b))
			defer s.Close()
			var next atomic.Int64
			b.SetParallelism(max(1, callers/2)) // times GOMAXPROCS, which is 2 where the targets hold
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.EnsureDataKey(b.Context(), benchStream(next.Add(1))); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkLogCallback logs rows with random order numbers as fast as they are
// written: a full queue is waited for, so that the time is that of a row from
// call to commit.
func BenchmarkLogCallback(b *testing.B) {
	s := openFile(b, newFile(b))
	defer s.Close()
	for i := range b.N {
		c := operations.Callback{
			Channel: "epay-main", ReceivedAt: fixedClock().Add(time.Duration(i) * time.Microsecond), Remote: "203.0.113.7:4711",
			Method: "GET", Outcome: domain.OutcomeCredited, OrderNo: string(benchStream(int64(i))), TradeNo: "2026031422001",
			Amount: domain.NewMoney(730, domain.CNY), Reply: domain.Reply{Status: 200, ContentType: "text/plain", Body: "success"},
			BodySHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		}
		for !s.log.add(c) {
			time.Sleep(100 * time.Microsecond)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if s.Dropped() > 0 {
		b.Fatalf("%d rows dropped", s.Dropped())
	}
}
