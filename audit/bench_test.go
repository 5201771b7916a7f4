package audit_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/ledger"
)

// BenchmarkVerify checks a log of 20,000 paid orders, each placed, notified
// with evidence of grade B, and credited.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	w.sell(20_000)
	for b.Loop() {
		began, before := time.Now(), cpu(b)
		rep := w.verify()
		b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1e3/float64(rep.Events), "cpu-us/event")
		if !rep.OK() {
			b.Fatal(rep.Findings)
		}
		b.ReportMetric(float64(rep.Events)/time.Since(began).Seconds(), "events/s")
	}
}

// BenchmarkVerifyWithoutEvidence is the same log with all data keys destroyed:
// hashes, decisions and balances alone.
func BenchmarkVerifyWithoutEvidence(b *testing.B) {
	w := newWorld(b)
	w.sell(20_000)
	w.close()
	exec(b, raw(b, w.file("operations.db")), "DELETE FROM data_keys")
	w.open()
	for b.Loop() {
		began, before := time.Now(), cpu(b)
		rep := w.verify()
		b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1e3/float64(rep.Events), "cpu-us/event")
		b.ReportMetric(float64(rep.Events)/time.Since(began).Seconds(), "events/s")
	}
}

// cpu is what this process has used of all processors.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sell places and pays n orders.
func (w *world) sell(n int) {
	w.t.Helper()
	var g errgroup.Group
	g.SetLimit(64)
	ctx := context.Background()
	for i := range n {
		order, trade := fmt.Sprintf("S%07d", i), fmt.Sprintf("2026112200000%07d", i)
		read := w.read(trusting, order, trade, "7.30")
		g.Go(func() error {
			_, _, err := w.ledger.Place(ctx, domain.Order{
				Channel: trusting, OrderNo: domain.OrderNo(order), Account: domain.AccountID(fmt.Sprintf("user:%d", i%500)),
				Amount: domain.NewMoney(730, domain.CNY), ExpiresAt: w.now.Add(time.Hour),
			}, ledger.Personal{}, ledger.By{Actor: "key:test", Cause: "request"})
			if err == nil {
				_, err = w.ledger.Notify(ctx, read.Notices[0], read.Evidence, w.channels[trusting].Reply)
			}
			return err
		})
	}
	must(w.t, g.Wait())
	w.fold()
}
