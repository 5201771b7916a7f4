package sqlite

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

func linesOf(t testing.TB, d *DB, f projections.LineFilter) []domain.OurLine {
	t.Helper()
	var out []domain.OurLine
	for l, err := range d.Lines(context.Background(), f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// dated are the dates of a fact on a day of November 2026.
func dated(day int) domain.Dates {
	at := time.Date(2026, 11, day, 4, 5, 6, 7000, time.UTC)
	return domain.Dates{OccurredAt: at, ReceivedAt: at, ValueDate: at.Format(time.DateOnly), Period: "2026-11"}
}

func november(day int) domain.Day { return domain.Day(fmt.Sprintf("2026-11-%02d", day)) }

// Every kind of movement comes with what a bill says of it, and what moves
// nothing at the provider does not come.
func TestLinesSayWhatABillSays(t *testing.T) {
	t.Parallel()
	l := newLog()
	s := domain.PaymentStream("a", "O1")
	credited := l.credited("a", "T1", "alice", cny(730))
	credited.Dates = dated(22)
	at := domain.Posting{Book: domain.BookPSP("a")}
	refunded := domain.PaymentRefunded{
		TradeNo: "T1", RefundID: "R1", RefundNo: "mine", Account: "alice", Amount: cny(30), Source: domain.SourceCallback, Basis: l.id(),
		Dates: dated(23), Postings: transfer(domain.Posting{Book: domain.BookWallet, Wallet: "alice"}, at, cny(30)), Rules: 1,
	}
	failed := domain.RefundFailed{
		TradeNo: "T1", RefundID: "R1", Amount: cny(30), Refund: l.id(), Basis: l.id(), Dates: dated(24),
		Postings: transfer(at, domain.Posting{Book: domain.BookWallet, Wallet: "alice"}, cny(30)), Rules: 1,
	}
	parked := domain.PaymentParked{
		TradeNo: "T2", Amount: cny(5), Reason: domain.ReasonUnknownOrder, Confirmed: true, Basis: l.id(), Dates: dated(22),
		Postings: transfer(at, domain.Posting{Book: domain.BookParked}, cny(5)), Rules: 1,
	}
	allocated := domain.PaymentAllocated{
		TradeNo: "T2", Account: "alice", Amount: cny(5), Dates: dated(22), Rules: 1,
		Postings: transfer(domain.Posting{Book: domain.BookParked}, domain.Posting{Book: domain.BookWallet, Wallet: "alice"}, cny(5)),
	}
	l.at = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	l.add(t, s, placed("a", "O1", "alice", cny(730)))
	one, two, three := l.add(t, s, credited), l.add(t, s, refunded), l.add(t, s, failed)
	four := l.add(t, domain.TradeStream("a", "T2"), parked)
	last := l.add(t, domain.TradeStream("a", "T2"), allocated)
	l.add(t, domain.PaymentStream("b", "O1"), l.credited("b", "T9", "alice", cny(730)))
	d := openDB(t, path(t))
	fold(t, l, d, 100)
	payment := domain.OurLine{
		Kind: domain.LinePayment, OrderNo: "O1", TradeNo: "T1", Amount: cny(730), State: domain.TradeCredited,
		ValueDate: november(22), At: dated(22).OccurredAt, Position: uint64(one),
	}
	refund, back, other := payment, payment, payment
	refund.Kind, refund.RefundID, refund.RefundNo, refund.Amount, refund.State = domain.LineRefund, "R1", "mine", cny(30), ""
	refund.ValueDate, refund.At, refund.Position = november(23), dated(23).OccurredAt, uint64(two)
	back.Kind, back.RefundID, back.Amount, back.State = domain.LineRefundFailed, "R1", cny(30), ""
	back.ValueDate, back.At, back.Position = november(24), dated(24).OccurredAt, uint64(three)
	other.OrderNo, other.TradeNo, other.Amount, other.State, other.Position = "", "T2", cny(5), domain.TradeParked, uint64(four)
	whole := projections.LineFilter{Channel: "a", From: november(22), To: november(24), Until: last}
	for name, c := range map[string]struct {
		change func(f *projections.LineFilter)
		want   []domain.OurLine
	}{
		"all":                 {func(*projections.LineFilter) {}, []domain.OurLine{payment, refund, back, other}},
		"one day":             {func(f *projections.LineFilter) { f.From, f.To = november(23), november(23) }, []domain.OurLine{refund}},
		"up to a position":    {func(f *projections.LineFilter) { f.Until = three - 1 }, []domain.OurLine{payment, refund}},
		"a day without any":   {func(f *projections.LineFilter) { f.From, f.To = november(25), november(26) }, nil},
		"an unknown channel":  {func(f *projections.LineFilter) { f.Channel = "none" }, nil},
		"days before the log": {func(f *projections.LineFilter) { f.From, f.To = "2020-01-01", "2020-01-02" }, nil},
	} {
		f := whole
		c.change(&f)
		if diff := cmp.Diff(c.want, linesOf(t, d, f), moneyByValue); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Whatever the window, its lines are those of a plain walk over the log, though
// days are mixed, they fill several pages and are of two currencies.
func TestLinesAreThoseOfTheLog(t *testing.T) {
	t.Parallel()
	const n = 2*linesPage + 10
	l := newLog()
	var days []int
	var positions []eventstore.Position
	for i := range n {
		l.at = time.Date(2026, 11, 25, 0, 0, i, 0, time.UTC)
		f := l.credited("a", fmt.Sprint("T", i), "alice", cny(int64(i+1)))
		f.Dates = dated(20 + (i*7919)%3)
		if i%100 == 0 {
			f.Amount = domain.NewMoney(5, domain.USD)
			f.Postings = transfer(f.Postings[0], f.Postings[1], f.Amount)
		}
		days = append(days, 20+(i*7919)%3)
		positions = append(positions, l.add(t, domain.PaymentStream("a", domain.OrderNo(fmt.Sprint("O", i))), f))
	}
	d := openDB(t, path(t))
	fold(t, l, d, 1000)
	rapid.Check(t, func(r *rapid.T) {
		from := rapid.IntRange(19, 22).Draw(r, "from")
		to := rapid.IntRange(from, 23).Draw(r, "to")
		until := rapid.IntRange(0, n-1).Draw(r, "until")
		var want, got []string
		for i, day := range days[:until+1] {
			if day >= from && day <= to {
				want = append(want, fmt.Sprint("T", i, " ", november(day)))
			}
		}
		f := projections.LineFilter{Channel: "a", From: november(from), To: november(to), Until: positions[until]}
		for _, line := range linesOf(t, d, f) {
			got = append(got, line.TradeNo+" "+string(line.ValueDate))
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatalf("lines (-want +got):\n%s", diff)
		}
	})
}

// Whoever stops listening, or whose context ends, gets no more.
func TestLinesStop(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.payments(t, 9000, 10)
	d := openDB(t, path(t))
	fold(t, l, d, 1000)
	f := projections.LineFilter{Channel: "epay-a", From: november(22), To: november(22), Until: 1 << 40}
	n := 0
	for range d.Lines(t.Context(), f) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d lines", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var last error
	n = 0
	for _, err := range d.Lines(ctx, f) {
		if last = err; err == nil {
			n++
		}
		stop()
	}
	if last == nil || n >= 3000 {
		t.Errorf("%d lines, error %v", n, last)
	}
}

// BenchmarkLines measures what a comparison reads of a channel's day.
func BenchmarkLines(b *testing.B) {
	l := newLog()
	l.payments(b, 150_000, 5_000)
	d := openDB(b, path(b))
	fold(b, l, d, 5000)
	n := 0
	for b.Loop() {
		n = len(linesOf(b, d, projections.LineFilter{Channel: "epay-a", From: november(22), To: november(22), Until: 1 << 40}))
	}
	if n != 50_000 {
		b.Fatalf("%d lines", n)
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}
