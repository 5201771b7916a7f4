package sqlite

import (
	"context"
	"fmt"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// payments writes n credited payments of three channels and many accounts:
// placed, then notified and credited together.
func (l *testLog) payments(t testing.TB, n, accounts int) {
	t.Helper()
	if l.serial == 0 {
		l.add(t, domain.LedgerStream, domain.LedgerOpened{Ledger: l.id(), Mode: domain.ModeTest})
	}
	first := int(l.serial)
	for i := range n {
		ch := domain.ChannelID([]string{"epay-a", "epay-b", "epay-c"}[i%3])
		order := fmt.Sprintf("202611220045%012d", first+i)
		acc := domain.AccountID(fmt.Sprintf("user:%d", (first+i*7919)%accounts))
		trade := fmt.Sprintf("2026112222001%015d", (first+i*7919)%1_000_000_007)
		s := domain.PaymentStream(ch, domain.OrderNo(order))
		m := domain.NewMoney(int64(730+i%1000), domain.CNY)
		l.at = l.at.Add(137 * 1000)
		l.add(t, s, placed(ch, domain.OrderNo(order), acc, m))
		l.add(t, s, l.notified(ch, order, trade, m, domain.OutcomeCredited), l.credited(ch, trade, acc, m))
	}
}

// BenchmarkFold measures a rebuild: events per second from nothing, with the
// default page and with the rebuild's.
func BenchmarkFold(b *testing.B) {
	l := newLog()
	l.payments(b, 20_000, 5_000)
	events := float64(len(l.all(b)))
	for _, page := range []int{20, 1000, 5000} {
		b.Run(fmt.Sprintf("page=%d", page), func(b *testing.B) {
			for b.Loop() {
				d, err := Open(path(b), Config{})
				if err != nil {
					b.Fatal(err)
				}
				fold(b, l, d, page)
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkDecode is the share of a fold that is spent on JSON.
func BenchmarkDecode(b *testing.B) {
	l := newLog()
	l.payments(b, 300, 100)
	events := l.all(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		e := events[n%len(events)]
		if _, err := domain.DecodeFact(e.Type, e.Data); err != nil {
			b.Fatal(err)
		}
		if _, err := domain.DecodeMeta(e.Meta); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkBalances measures reads of current balances: kept in memory, and
// read from the file.
func BenchmarkBalances(b *testing.B) {
	l := newLog()
	l.payments(b, 2_000, 1_000)
	for name, keep := range map[string]int{"kept": 50_000, "file": 1} {
		b.Run(name, func(b *testing.B) {
			d, err := Open(path(b), Config{Accounts: keep})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			fold(b, l, d, 1000)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					a := domain.AccountID(fmt.Sprintf("user:%d", i%1000))
					if _, _, err := d.Balances(context.Background(), a, projections.AsOf{}); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
		})
	}
}

// BenchmarkAsOf measures balances as of a position.
func BenchmarkAsOf(b *testing.B) {
	l := newLog()
	l.payments(b, 20_000, 1_000)
	d, err := Open(path(b), Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	fold(b, l, d, 1000)
	head, _ := l.Head(context.Background())
	for i := 0; b.Loop(); i++ {
		p := 1 + eventstore.Position(i*7919)%head
		a := domain.AccountID(fmt.Sprintf("user:%d", i%1000))
		if _, _, err := d.Balances(context.Background(), a, projections.AsOf{Position: p}); err != nil {
			b.Fatal(err)
		}
	}
}
