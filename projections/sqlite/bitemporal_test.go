package sqlite

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// dated writes credits whose value dates come in no order, recorded at times
// that may run back.
func (l *testLog) dated(t *rapid.T, tb testing.TB, n int) {
	for i := range n {
		l.at = l.at.Add(time.Duration(rapid.IntRange(-2, 6).Draw(t, "hours")) * time.Hour)
		f := l.credited("epay-a", fmt.Sprint("T", i), rapid.SampledFrom([]domain.AccountID{"user:1", "user:2"}).Draw(t, "account"),
			domain.NewMoney(rapid.Int64Range(1, 500).Draw(t, "amount"), rapid.SampledFrom([]domain.Currency{domain.CNY, "USD"}).Draw(t, "currency")))
		f.Dates.ValueDate = string(domain.Day("2026-11-22").Add(rapid.IntRange(-3, 3).Draw(t, "day")))
		l.add(tb, domain.PaymentStream("epay-a", domain.OrderNo(fmt.Sprint("O", i))), f)
	}
}

// believed is a naive fold: entries up to p that belong to day or earlier.
func believed(t testing.TB, events []eventstore.Recorded, a domain.AccountID, p eventstore.Position, day domain.Day) map[domain.Currency]int64 {
	t.Helper()
	out := map[domain.Currency]int64{}
	for _, r := range events {
		fact, err := domain.DecodeFact(r.Type, r.Data)
		if err != nil {
			t.Fatal(err)
		}
		dates, _ := domain.DatesOf(fact)
		if r.Position > p || dates.ValueDate > string(day) {
			continue
		}
		for _, post := range domain.PostingsOf(fact) {
			if post.Wallet == a {
				out[post.Amount.Currency()] -= post.Amount.Minor()
			}
		}
	}
	return out
}

// positionOf is the last position before the running maximum of recorded_at
// passes at.
func positionOf(t testing.TB, events []eventstore.Recorded, at time.Time) (last eventstore.Position) {
	t.Helper()
	var latest time.Time
	for _, r := range events {
		m, err := domain.DecodeMeta(r.Meta)
		if err != nil {
			t.Fatal(err)
		}
		if m.RecordedAt.After(latest) {
			latest = m.RecordedAt
		}
		if latest.After(at) {
			return last
		}
		last = r.Position
	}
	return last
}

// What was believed at a moment about a day is the same by the rows as by a
// naive fold of the log, for every pair of the two times.
func TestBelievedThenAboutADay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := newLog()
		begun := l.at
		l.dated(rt, t, rapid.IntRange(1, 40).Draw(rt, "events"))
		events := l.all(t)
		d := openDB(t, path(t))
		fold(t, l, d, rapid.IntRange(1, 20).Draw(rt, "page"))
		day := domain.Day("2026-11-22").Add(rapid.IntRange(-5, 5).Draw(rt, "about"))
		p := rapid.SampledFrom(events).Draw(rt, "position").Position
		at := begun.Add(time.Duration(rapid.IntRange(-5, 200).Draw(rt, "then")) * time.Hour)
		head := events[len(events)-1].Position
		for _, a := range []domain.AccountID{"user:1", "user:2", "user:3"} {
			for _, c := range []struct {
				asOf projections.AsOf
				at   eventstore.Position
			}{
				{projections.AsOf{ValueDate: day}, head},
				{projections.AsOf{ValueDate: day, Position: p}, p},
				{projections.AsOf{ValueDate: day, Min: p}, head},
				{projections.AsOf{ValueDate: day, Time: at}, positionOf(t, events, at)},
			} {
				got, where, err := d.Balances(t.Context(), a, c.asOf)
				if err != nil {
					rt.Fatal(err)
				}
				want := believed(t, events, a, c.at, day)
				if len(got) != len(want) || believedOtherwise(got, want) {
					rt.Fatalf("%s %+v: %v, want %v", a, c.asOf, got, want)
				}
				if where != c.at && c.asOf.Time.IsZero() {
					rt.Fatalf("%+v answers for %s, want %s", c.asOf, where, c.at)
				}
			}
		}
	})
}

func believedOtherwise(got []projections.Balance, want map[domain.Currency]int64) bool {
	for _, b := range got {
		if minor, ok := want[b.Amount.Currency()]; !ok || minor != b.Amount.Minor() {
			return true
		}
	}
	return false
}
