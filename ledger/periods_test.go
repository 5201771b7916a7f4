package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"

	"pgregory.net/rapid"
)

// april is when March is over everywhere.
var april = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

// facts are all facts of the log with their envelopes.
func (w *world) facts(t failer) []Entry {
	t.Helper()
	var out []Entry
	for b, err := range w.store.Follow(context.Background(), 0, eventstore.FollowOptions{}) {
		if err != nil {
			t.Fatalf("follow: %v", err)
		}
		for _, r := range b.Events {
			e, err := Decode(r)
			if err != nil {
				t.Fatalf("decode: %v", err)
			}
			out = append(out, e)
		}
		if b.CaughtUp {
			break
		}
	}
	return out
}

// basis sums up what the log dates into a period and before.
func (w *world) basis(t failer, period string) Basis {
	return func(context.Context) (b domain.CloseBasis, err error) {
		sums := map[string]domain.PeriodTotal{}
		facts := w.facts(t)
		for _, e := range facts {
			dates, ok := domain.DatesOf(e.Fact)
			if !ok {
				continue
			}
			if b.First == "" || dates.Period < b.First {
				b.First = dates.Period
			}
			for _, p := range domain.PostingsOf(e.Fact) {
				addTotal(sums, p, dates.Period, period)
			}
		}
		for _, s := range sums {
			b.Totals = append(b.Totals, s)
		}
		slices.SortFunc(b.Totals, func(x, y domain.PeriodTotal) int {
			return cmp.Or(cmp.Compare(x.Book, y.Book), cmp.Compare(x.Closing.Currency(), y.Closing.Currency()))
		})
		b.Events = uint64(len(facts))
		return b, nil
	}
}

func addTotal(sums map[string]domain.PeriodTotal, p domain.Posting, in, period string) {
	if in > period {
		return
	}
	k := p.Book + " " + string(p.Amount.Currency())
	s, ok := sums[k]
	if !ok {
		zero := domain.NewMoney(0, p.Amount.Currency())
		s = domain.PeriodTotal{Book: p.Book, Opening: zero, Closing: zero}
	}
	s.Closing, _ = s.Closing.Add(p.Amount)
	if in < period {
		s.Opening, _ = s.Opening.Add(p.Amount)
	}
	sums[k] = s
}

func (w *world) propose(t failer, l *Ledger, period, who string) error {
	_, _, err := l.ProposeClose(context.Background(), domain.CloseAsk{Period: period, Reason: "done", By: who}, nil, w.basis(t, period), desk)
	return err
}

func (w *world) approve(t failer, l *Ledger, period, who string) error {
	_, err := l.ApproveClose(context.Background(), period, who, "", nil, w.basis(t, period), desk)
	return err
}

// credit credits an order of March.
func (w *world) credit(t failer, l *Ledger, n int) domain.PaymentCredited {
	t.Helper()
	no := fmt.Sprintf("A%d", n)
	o := order(no)
	o.ExpiresAt = w.clock.now().Add(time.Hour)
	w.place(t, l, o)
	q := w.callback(n, main, no, "T"+no, ten)
	q.OccurredAt = noon
	for _, f := range must(t, l, q, domain.OutcomeCredited).Verdict.Facts {
		if c, ok := f.(domain.PaymentCredited); ok {
			return c
		}
	}
	t.Fatalf("no credit")
	return domain.PaymentCredited{}
}

// TestCloseBetweenProcesses: from the effect of a proposal on, a process that
// was not told books March's late money in April; before, in March.
func TestCloseBetweenProcesses(t *testing.T) {
	w := parallel(t)
	one, other := w.process(t), w.process(t)
	w.credit(t, other, 1)
	w.clock.add(april.Sub(noon))
	w.credit(t, other, 2) // it knows of no closing now
	if err := w.propose(t, one, "2026-03", "li"); err != nil {
		t.Fatal(err)
	}
	if c := w.credit(t, other, 3); c.Dates.Period != "2026-03" {
		t.Errorf("before the effect booked in %s", c.Dates.Period)
	}
	if err := w.propose(t, one, "2026-03", "li"); err != nil { // with the credit
		t.Fatal(err)
	}
	w.clock.add(domain.PeriodGrace)
	if c := w.credit(t, other, 4); c.Dates.Period != "2026-04" || c.Dates.ValueDate != "2026-03-14" {
		t.Errorf("after the effect booked in %+v", c.Dates)
	}
	wantKind(t, w.approve(t, other, "2026-03", "wang"), domain.KindConflict) // too fresh
	w.clock.add(domain.PeriodSettle)
	wantKind(t, w.approve(t, other, "2026-03", "li"), domain.KindDenied)
	if err := w.approve(t, other, "2026-03", "wang"); err != nil {
		t.Fatal(err)
	}
	if c := w.credit(t, one, 5); c.Dates.Period != "2026-04" {
		t.Errorf("after the close booked in %s", c.Dates.Period)
	}
	p, err := one.Periods(context.Background())
	if err != nil || !p.IsClosed("2026-03") || len(p.Last.Basis.Zones) != 1 || p.Last.Basis.Zones[0] != "Asia/Shanghai" {
		t.Errorf("periods %+v, %v", p, err)
	}
	checkLog(t, w)
}

// TestTwoApproveAtOnce: of two persons in two processes one closes the period.
func TestTwoApproveAtOnce(t *testing.T) {
	w := parallel(t)
	ledgers := []*Ledger{w.process(t), w.process(t)}
	w.credit(t, ledgers[0], 1)
	w.clock.add(april.Sub(noon))
	if err := w.propose(t, ledgers[0], "2026-03", "li"); err != nil {
		t.Fatal(err)
	}
	w.clock.add(domain.PeriodGrace + domain.PeriodSettle)
	var closed atomic.Int32
	var wg sync.WaitGroup
	for i, who := range []string{"wang", "zhou", "wu", "zheng"} {
		wg.Go(func() {
			switch err := w.approve(t, ledgers[i%2], "2026-03", who); {
			case err == nil:
				closed.Add(1)
			case domain.KindOf(err) != domain.KindConflict:
				t.Errorf("%s: %v", who, err)
			}
		})
	}
	wg.Wait()
	if n := checkLog(t, w).count(domain.PeriodsStream, domain.TypePeriodClosed); n != 1 || closed.Load() != 1 {
		t.Errorf("closed %d times, and %d persons were told that they did", n, closed.Load())
	}
}

// blind is a log whose periods cannot be read now.
type blind struct {
	Store
	now atomic.Bool
}

func (b *blind) ReadStream(ctx context.Context, s domain.Stream, o eventstore.ReadOptions) ([]eventstore.Recorded, error) {
	if b.now.Load() && s == domain.PeriodsStream {
		return nil, domain.E(domain.KindUnavailable, "the periods cannot be read")
	}
	return b.Store.ReadStream(ctx, s, o)
}

// TestPeriodsUnknown: who cannot know which periods are open books nothing,
// and whoever has looked a moment ago goes on.
func TestPeriodsUnknown(t *testing.T) {
	w := parallel(t)
	b := &blind{Store: w.log}
	l, err := Open(context.Background(), b, w.keys, w.config())
	if err != nil {
		t.Fatal(err)
	}
	l.channels = w.process(t).channels
	w.credit(t, l, 1)
	b.now.Store(true)
	w.clock.add(domain.PeriodKnown)
	w.credit(t, l, 2)
	w.clock.add(time.Microsecond)
	before := len(w.facts(t))
	_, err = notify(l, w.callback(9, main, "A9", "T9", ten))
	wantKind(t, err, domain.KindUnavailable)
	if after := len(w.facts(t)); after != before {
		t.Errorf("%d events were kept", after-before)
	}
	b.now.Store(false)
	must(t, l, w.callback(9, main, "A9", "T9", ten), domain.OutcomeParked)
}

// TestPeriodsModel: whatever processes book and people decide, with appends
// that fail or are lost, each fact is dated into the period that was open for
// all by its envelope, and closed periods hold what they were closed with.
func TestPeriodsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		ledgers := []*Ledger{w.process(t), w.process(t)}
		w.credit(t, ledgers[0], 0)
		w.clock.add(april.Sub(noon))
		people := rapid.SampledFrom([]string{"li", "wang"})
		months := rapid.SampledFrom([]string{"2026-03", "2026-03", "2026-04"})
		n := 0
		for range rapid.IntRange(5, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, 1).Draw(t, "process")
			l := ledgers[i]
			switch rapid.SampledFrom([]string{"credit", "book", "time", "propose", "approve", "approve", "reject", "fail", "restart"}).Draw(t, "step") {
			case "credit":
				n++
				q := w.callback(n, main, "B"+fmt.Sprint(n), "T"+fmt.Sprint(n), ten) // parked: nobody placed it
				q.OccurredAt = rapid.SampledFrom([]time.Time{noon, april, w.clock.now()}).Draw(t, "paid")
				_, _ = notify(l, q)
			case "book":
				n++
				_, _ = l.BookBill(context.Background(), main, domain.BookedBill{
					Day: "2026-03-14", Bill: "trade", Run: fmt.Sprint("run-", n), Charges: []domain.Charge{{Currency: domain.CNY, Fees: fmt.Sprint(n % 3)}},
				}, desk)
			case "restart":
				w.log.Next() // a process that starts meets no fault of ours
				next, err := Open(context.Background(), w.store, w.keys, w.config())
				if err != nil {
					t.Fatal(err)
				}
				next.store, next.channels = w.log, l.channels
				ledgers[i] = next
			case "time":
				w.clock.add(rapid.SampledFrom([]time.Duration{time.Second, 4 * time.Second, 12 * time.Second, 40 * 24 * time.Hour}).Draw(t, "time"))
			case "propose":
				_ = w.propose(t, l, months.Draw(t, "month"), people.Draw(t, "who"))
			case "approve":
				_ = w.approve(t, l, months.Draw(t, "month"), people.Draw(t, "who"))
			case "reject":
				_, _ = l.RejectClose(context.Background(), months.Draw(t, "month"), people.Draw(t, "who"), "no", desk)
			default:
				w.log.Next(rapid.SampledFrom([]memory.Fault{memory.Unavailable, memory.Lost, memory.Written}).Draw(t, "fault"))
			}
		}
		checkPeriods(t, w)
	})
}

// checkPeriods holds every fact against the periods' facts.
func checkPeriods(t failer, w *world) {
	t.Helper()
	var p domain.Periods
	facts := w.facts(t)
	for _, e := range facts {
		if e.Stream != domain.PeriodsStream {
			continue
		}
		var err error
		if p, err = p.Apply(e.Fact); err != nil {
			t.Fatalf("fold: %v", err)
		}
	}
	for _, e := range facts {
		if dates, ok := domain.DatesOf(e.Fact); ok {
			if want := max(dates.ValueDate[:7], p.OldestOpen(e.Meta.RecordedAt)); dates.Period != want {
				t.Errorf("%s of %s, recorded at %s, stands in %s, not in %s", e.Type, dates.ValueDate, e.Meta.RecordedAt, dates.Period, want)
			}
		}
	}
	for _, q := range p.Proposals {
		if q.Closed == nil {
			continue
		}
		b, err := w.basis(t, q.Ask.Period)(context.Background())
		if err != nil || !slices.Equal(b.Totals, q.Closed.Basis.Totals) {
			t.Errorf("%s was closed with %+v and holds %+v, %v", q.Ask.Period, q.Closed.Basis.Totals, b.Totals, err)
		}
	}
}
