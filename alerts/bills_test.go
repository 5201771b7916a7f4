package alerts

import (
	"slices"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// A bill that stays incomplete for half a day is told, one that only a person
// can judge at once, and one that was compared again not at all.
func TestBillsThatGetNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(id string, ch domain.ChannelID, day domain.Day, state operations.RunState, cause operations.BillCause, ago time.Duration) {
		t.Helper()
		if err := w.ops.PutBillRun(t.Context(), operations.BillRun{
			ID: id, Channel: ch, Day: day, Bill: "trade", State: state, Cause: cause, StartedAt: w.now.Add(-ago),
		}); err != nil {
			t.Fatal(err)
		}
	}
	wantBills := func(want ...string) {
		t.Helper()
		found, err := w.watch().bills(t.Context())
		var got []string
		for _, a := range found {
			got = append(got, a.Channel)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("told of %v (%v), want %v", got, err, want)
		}
	}
	put("1", "late", "2026-03-13", operations.RunIncomplete, operations.CauseBillMissing, billLate)
	put("2", "late", "2026-03-13", operations.RunIncomplete, operations.CauseBillMissing, time.Hour)
	put("3", "young", "2026-03-13", operations.RunIncomplete, operations.CauseBillMissing, billLate-time.Minute)
	put("4", "mended", "2026-03-13", operations.RunIncomplete, operations.CauseBillMissing, 2*billLate)
	put("5", "mended", "2026-03-13", operations.RunComplete, "", time.Hour)
	put("6", "again", "2026-03-12", operations.RunIncomplete, operations.CauseBillMissing, 3*billLate)
	put("7", "again", "2026-03-12", operations.RunComplete, "", 2*billLate)
	put("8", "again", "2026-03-12", operations.RunIncomplete, operations.CauseProviderDown, time.Hour)
	put("9", "person", "2026-03-13", operations.RunIncomplete, operations.CauseTooMany, time.Minute)
	put("10", "old", "2026-01-13", operations.RunIncomplete, operations.CauseTooMany, 2*billWeek)
	wantBills("late", "person")
	w.now = w.now.Add(time.Hour)
	wantBills("late", "person", "young")
}

// Open differences are told once a channel, with their number.
func TestOpenDiscrepanciesAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var found []operations.Discrepancy
	for i, trade := range []string{"T1", "T2"} {
		found = append(found, operations.Discrepancy{
			ID: domain.NewV5(domain.ID{1}, trade), Channel: "wx", Day: "2026-03-13", Bill: "trade", Kind: domain.OnlyOurs,
			State: operations.DiscrepancyOpen, Item: domain.ItemKey{Kind: domain.LinePayment, TradeNo: trade},
			FoundAt: w.now.Add(time.Duration(i) * time.Hour), FoundRun: "r",
		})
	}
	if err := w.ops.CloseBill(t.Context(), operations.BillResult{
		Run:   operations.BillRun{ID: "r", Channel: "wx", Day: "2026-03-13", Bill: "trade", State: operations.RunComplete},
		Found: found,
	}); err != nil {
		t.Fatal(err)
	}
	got, err := w.watch().discrepancies(t.Context())
	if err != nil || len(got) != 1 || got[0].Channel != "wx" || !got[0].Since.Equal(w.now) || got[0].Text[:1] != "2" {
		t.Errorf("told %+v, %v", got, err)
	}
	for _, d := range found {
		if _, err := w.ops.ResolveDiscrepancy(t.Context(), d.ID, "anna", "agreed", w.now); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := w.watch().discrepancies(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("told %+v, %v", got, err)
	}
}
