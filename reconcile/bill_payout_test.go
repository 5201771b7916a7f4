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
	for name, c := range map[string]struct {
		before time.Time // when the bill of the 5th was fetched
		want   bool
	}{
		"fetched before": {at.Add(-time.Hour), false},
		"fetched again":  {at.Add(48 * time.Hour), true},
	} {
		around := map[domain.Day]operations.BillRun{
			"2026-10-04": run("2026-10-04", at.Add(48*time.Hour)),
			"2026-10-05": run("2026-10-05", c.before, part(100)),
			"2026-10-06": run("2026-10-06", at.Add(24*time.Hour), made, part(200)),
		}
		if name == "fetched before" {
			around["2026-10-05"] = run("2026-10-05", c.before)
		}
		if p, _, known := payoutOf(around, "po_1"); known != c.want {
			t.Errorf("%s: known %t: %+v", name, known, p)
		}
	}
}
