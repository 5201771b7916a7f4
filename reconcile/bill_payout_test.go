package reconcile

import (
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// A bill that was fetched before a payout was made names none of the lines that
// went into it, however final its lines were then: such a payout is not judged.
func TestPayoutsOfLinesThatNameThemLaterAreNotJudged(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 10, 6, 4, 0, 0, 0, time.UTC)
	cny := func(minor int64) domain.Money { return domain.NewMoney(minor, domain.CNY) }
	run := func(day domain.Day, started time.Time, payouts ...domain.PayoutSum) operations.BillRun {
		return operations.BillRun{Day: day, StartedAt: started, Final: true, Payouts: payouts}
	}
	made := domain.PayoutSum{ID: "po_1", Stated: cny(300)}
	part := func(minor int64) domain.PayoutSum { return domain.PayoutSum{ID: "po_1", Parts: cny(minor), Lines: 1} }
	earlier := domain.PayoutSum{ID: "po_0", Stated: cny(50), Parts: cny(50), Lines: 1}
	old, again := at.Add(-time.Hour), at.Add(48*time.Hour)
	for name, c := range map[string]struct {
		third, fourth, fifth operations.BillRun // the days before the payout
		want                 bool
	}{
		"fetched before":                    {run("2026-10-03", again), run("2026-10-04", again), run("2026-10-05", old), false},
		"fetched again":                     {run("2026-10-03", again), run("2026-10-04", again), run("2026-10-05", again, part(100)), true},
		"an idle day, and one from before":  {run("2026-10-03", old), run("2026-10-04", again), run("2026-10-05", again, part(100)), false},
		"since the payout before it":        {run("2026-10-03", old), run("2026-10-04", again, earlier), run("2026-10-05", again, part(100)), true},
		"the day of the payout before, old": {run("2026-10-03", old), run("2026-10-04", old, earlier), run("2026-10-05", again, part(100)), false},
	} {
		around := map[domain.Day]operations.BillRun{
			c.third.Day: c.third, c.fourth.Day: c.fourth, c.fifth.Day: c.fifth,
			"2026-10-06": run("2026-10-06", at.Add(24*time.Hour), made, part(200)),
		}
		if p, _, known := payoutOf(comparedBills{days: around}, "po_1"); known != c.want {
			t.Errorf("%s: known %t: %+v", name, known, p)
		}
	}
}
