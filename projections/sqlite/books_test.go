package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// discounted is a discount of a day: the simplest booking that is dated.
func discounted(n int, period string, m domain.Money) domain.DiscountBooked {
	day := domain.Day(period + "-07")
	return domain.DiscountBooked{
		Channel: "a", Day: day, Bill: "trade", Amount: m, Total: m, Exact: m.Amount(), Run: fmt.Sprint("run-", n),
		Dates:    domain.Dates{ValueDate: string(day), Period: period},
		Postings: transfer(domain.Posting{Book: domain.BookDiscount("a")}, domain.Posting{Book: domain.BookPSP("a")}, m), Rules: 1,
	}
}

// TestTrial: the trial balance of each period, now and as of each place in the
// log, is what its entries sum to, whatever pages the log is folded in.
func TestTrial(t *testing.T) {
	t.Parallel()
	l := newLog()
	rng := rand.New(rand.NewPCG(7, 7))
	l.random(t, rng, 60)
	periods := []string{"2025-12", "2026-01", "2026-03", ""}
	for i := range 12 {
		m := domain.NewMoney(rng.Int64N(500)-250, pick(rng, domain.CNY, domain.USD))
		if !m.IsZero() {
			l.add(t, domain.Stream(fmt.Sprintf("book-a:%d", i)), discounted(i, periods[i%3], m))
		}
	}
	events := l.all(t)
	for _, page := range []int{1, 7, 1000} {
		d := openDB(t, path(t))
		fold(t, l, d, page)
		for _, period := range periods {
			for _, e := range events[rng.IntN(20):] {
				got, err := d.Trial(t.Context(), projections.TrialFilter{Period: period, AsOf: e.Position})
				if err != nil || got.Position != e.Position {
					t.Fatalf("as of %s: position %s, %v", e.Position, got.Position, err)
				}
				if want := summed(t, events, period, e.Position); !slices.Equal(got.Rows, want) {
					t.Fatalf("page %d, period %q as of %s:\n%v\nwant\n%v", page, period, e.Position, got.Rows, want)
				}
			}
		}
		now, err := d.Trial(t.Context(), projections.TrialFilter{})
		last := events[len(events)-1].Position
		if err != nil || now.First != "2025-12" || now.Events != int64(len(events)) || !slices.Equal(now.Rows, summed(t, events, "", last)) {
			t.Errorf("page %d: now %+v, %v", page, now, err)
		}
	}
}

// TestTrialApart: payments that try a channel stand in a row of their own where
// that is asked for, now and as of each place in the log; both rows together are
// the one that everybody else sees.
func TestTrialApart(t *testing.T) {
	t.Parallel()
	l := newLog()
	for i, account := range []domain.AccountID{"alice", domain.TestAccount, "bob", domain.TestAccount} {
		no := fmt.Sprint("O", i)
		l.add(t, domain.PaymentStream("a", domain.OrderNo(no)), l.credited("a", no, account, cny(int64(1)<<i)))
	}
	events := l.all(t)
	d := openDB(t, path(t))
	fold(t, l, d, 2)
	for i, want := range []struct{ wallets, test int64 }{{-1, 0}, {-1, -2}, {-5, -2}, {-5, -10}} {
		for _, period := range []string{"", someDates.Period} {
			f := projections.TrialFilter{Period: period, AsOf: events[i].Position, Apart: true}
			got := map[bool]int64{}
			apart, err := d.Trial(t.Context(), f)
			for _, r := range apart.Rows {
				if r.Book == domain.BookWallet {
					got[r.Test] = r.Closing.Minor()
				}
			}
			if err != nil || got[false] != want.wallets || got[true] != want.test {
				t.Errorf("as of event %d: %v, %v, want %v", i, got, err, want)
			}
			f.Apart = false
			whole, err := d.Trial(t.Context(), f)
			for _, r := range whole.Rows {
				if r.Test || r.Book == domain.BookWallet && r.Closing.Minor() != want.wallets+want.test {
					t.Errorf("as of event %d: %+v, %v", i, r, err)
				}
			}
		}
	}
}

// summed is the trial balance by adding up postings one by one.
func summed(t *testing.T, events []eventstore.Recorded, period string, upTo eventstore.Position) []projections.TrialRow {
	t.Helper()
	sums := turnovers{}
	for _, e := range events {
		f, err := domain.DecodeFact(e.Type, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		dates, _ := domain.DatesOf(f)
		for _, p := range domain.PostingsOf(f) {
			if e.Position > upTo {
				continue
			}
			k := projections.TurnoverKey{Book: p.Book, Currency: p.Amount.Currency(), Period: dates.Period}
			r, ok := sums[k]
			if !ok {
				r.Debit, r.Credit = domain.NewMoney(0, k.Currency), domain.NewMoney(0, k.Currency)
			}
			if p.Amount.IsPositive() {
				r.Debit, err = r.Debit.Add(p.Amount)
			} else {
				r.Credit, err = r.Credit.Sub(p.Amount)
			}
			if err != nil {
				t.Fatal(err)
			}
			sums[k] = r
		}
	}
	rows, err := sums.trial(period)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestPayoutRows: a payout has one row with every stage it reached, in whatever
// order its bills came.
func TestPayoutRows(t *testing.T) {
	t.Parallel()
	l := newLog()
	legs := func(debit, credit string) []domain.Posting {
		return transfer(domain.Posting{Book: debit}, domain.Posting{Book: credit}, cny(500))
	}
	dates := domain.Dates{ValueDate: "2026-03-01", Period: "2026-03"}
	sent := func(ch domain.ChannelID, id string) domain.PayoutSent {
		return domain.PayoutSent{Channel: ch, PayoutID: id, Amount: cny(500), Day: "2026-03-01", Run: "r", Dates: dates, Postings: legs("assets:transit", "assets:psp:a"), Rules: 1}
	}
	failed := domain.PayoutFailed{Channel: "a", PayoutID: "po_2", Amount: cny(500), Day: "2026-03-01", Run: "r", Dates: dates, Postings: legs("assets:psp:a", "assets:transit"), Rules: 1}
	arrived := domain.PayoutArrived{Channel: "a", PayoutID: "po_1", Amount: cny(500), By: "li", Reason: "x", Dates: dates, Postings: legs("assets:bank", "assets:transit"), Rules: 1}
	l.add(t, domain.PayoutStream("a", "po_1"), sent("a", "po_1"))
	l.add(t, domain.PayoutStream("a", "po_2"), failed, sent("a", "po_2"))
	l.add(t, domain.PayoutStream("b", "po_1"), sent("b", "po_1"))
	l.add(t, domain.PayoutStream("a", "po_1"), arrived)
	for _, page := range []int{1, 100} {
		d := openDB(t, path(t))
		fold(t, l, d, page)
		all, err := d.Payouts(t.Context(), projections.PayoutFilter{})
		if err != nil || len(all) != 3 {
			t.Fatalf("%+v, %v", all, err)
		}
		one, err := d.Payout(t.Context(), "a", "po_1")
		if err != nil || one.State() != projections.PayoutArrived || one.Arrived.By != "li" || one.Sent == nil || one.Amount() != cny(500) {
			t.Errorf("%+v, %v", one, err)
		}
		for _, c := range []struct {
			f    projections.PayoutFilter
			want int
		}{
			{projections.PayoutFilter{Channel: "a"}, 2},
			{projections.PayoutFilter{State: projections.PayoutSent}, 1},
			{projections.PayoutFilter{State: projections.PayoutFailed}, 1},
			{projections.PayoutFilter{State: projections.PayoutArrived, Channel: "b"}, 0},
			{projections.PayoutFilter{Before: all[0].Position}, 2},
			{projections.PayoutFilter{Limit: 1}, 1},
		} {
			if rows, err := d.Payouts(t.Context(), c.f); err != nil || len(rows) != c.want {
				t.Errorf("%+v: %d rows, %v", c.f, len(rows), err)
			}
		}
		if _, err := d.Payout(t.Context(), "b", "po_2"); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("unknown payout: %v", err)
		}
	}
}

// TestPeriodRows: a proposal has one row that tells what became of it.
func TestPeriodRows(t *testing.T) {
	t.Parallel()
	l := newLog()
	ask := func(n byte, period string) domain.PeriodClosing {
		return domain.PeriodClosing{Proposal: domain.NewV5(domain.ID{n}, "closing"), Period: period, By: "li", Reason: "done", EffectiveAt: l.at, Rules: 1}
	}
	one, two, three := ask(1, "2026-03"), ask(2, "2026-03"), ask(3, "2026-03")
	closed := domain.PeriodClosed{Proposal: three.Proposal, Period: "2026-03", ProposedBy: "li", By: "wang", Reason: "checked", Rules: 1}
	l.add(t, domain.PeriodsStream, one, two)
	l.add(t, domain.PeriodsStream, domain.PeriodRejected{Proposal: two.Proposal, Period: "2026-03", By: "wang", Reason: "no", EffectiveAt: l.at})
	l.add(t, domain.PeriodsStream, three, closed)
	l.add(t, domain.PeriodsStream, ask(4, "2026-04"))
	var digests []string
	for _, page := range []int{1, 2, 100} {
		d := openDB(t, path(t))
		fold(t, l, d, page)
		rows, err := d.Periods(context.Background(), projections.PeriodFilter{Period: "2026-03"})
		if err != nil || len(rows) != 3 {
			t.Fatalf("%+v, %v", rows, err)
		}
		for i, want := range []domain.PeriodState{domain.PeriodShut, domain.PeriodDenied, domain.PeriodSuperseded} {
			if rows[i].State != want {
				t.Errorf("row %d is %s, want %s", i, rows[i].State, want)
			}
		}
		if rows[0].DecidedBy != "wang" || rows[0].Closed == nil || rows[0].Reason != "checked" || rows[1].Reason != "no" || rows[0].DecidedAt.IsZero() {
			t.Errorf("%+v", rows)
		}
		if rows, err := d.Periods(context.Background(), projections.PeriodFilter{State: domain.PeriodProposed}); err != nil || len(rows) != 1 {
			t.Errorf("open: %d rows, %v", len(rows), err)
		}
		digests = append(digests, mustDigest(t, d).SHA256)
	}
	if len(slices.Compact(digests)) != 1 {
		t.Errorf("digests differ by page: %v", digests)
	}
}
