package tamperlog_test

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/tamperlog"
)

// BenchmarkShare seals a long log as a daemon does while callbacks come, and
// tells how much of one processor that takes, reading the log included.
func BenchmarkShare(b *testing.B) {
	path := filepath.Join(b.TempDir(), "events.db")
	must(b, esqlite.Create(path, esqlite.Options{}))
	store, err := esqlite.Open(b.Context(), path, esqlite.Options{MinFree: -1})
	must(b, err)
	defer func() { must(b, store.Close()) }()
	const streams, each = 4000, 50
	for n := range streams {
		var events []eventstore.Event
		for i := range each {
			events = append(events, eventstore.Event{
				ID: domain.NewV5(domain.ID{1}, fmt.Sprint(n, i)), Type: "payment.test.v1", Data: make([]byte, 700), Meta: make([]byte, 150),
			})
		}
		_, err := store.Append(b.Context(), domain.Stream(fmt.Sprintf("payment-a:%d", n)), eventstore.NoStream, events)
		must(b, err)
	}
	for _, share := range []float64{0, 1} {
		b.Run(fmt.Sprint(share), func(b *testing.B) {
			for b.Loop() {
				base := b.TempDir()
				dir, key := filepath.Join(base, "tree"), filepath.Join(base, "tree.key")
				must(b, tamperlog.Create(dir, key, "log"))
				s := tamperlog.NewSealer(store, tamperlog.Config{Dir: dir, KeyFile: key, Origin: "log", Share: share, Clock: time.Now})
				ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
				began, before := time.Now(), cpu(b)
				done := make(chan error, 1)
				go func() { done <- s.Run(ctx) }()
				for s.Status().Size < streams*each && ctx.Err() == nil {
					time.Sleep(5 * time.Millisecond)
				}
				took, used := time.Since(began), cpu(b)-before
				b.ReportMetric(float64(s.Status().Size)/took.Seconds(), "events/s")
				b.ReportMetric(used.Seconds()/took.Seconds(), "processors")
				b.ReportMetric(float64(used.Microseconds())/float64(s.Status().Size), "cpu-us/event")
				cancel()
				must(b, <-done)
			}
		})
	}
}

// cpu is what this process has used of all processors.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
