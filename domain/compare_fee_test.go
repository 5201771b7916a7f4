package domain

import (
	"testing"

	"github.com/shopspring/decimal"
)

// The fee of a dispute stands in the books with the dispute. Counted among the
// bill's fees it would be booked twice, once from the notice and once from the
// bill.
func TestDisputeFeesAreNotTheBills(t *testing.T) {
	t.Parallel()
	i := agreed("4200001", 730)
	paid := i.theirs[0].Fee
	d := i.theirs[0]
	d.Kind, d.DisputeID, d.Status, d.Fee = LineDisputeWithdrawn, "d1", StatusWithdrawn, decimal.New(1500, -2)
	back := d
	back.Kind, back.Status, back.Fee = LineDisputeReinstated, StatusReinstated, decimal.New(-1500, -2)
	i.theirs = append(i.theirs, d, back, d)
	_, sum := compareAll(t, i.ours, i.theirs, billPolicy())
	if got := sum.Fees()[CNY]; !got.Equal(paid) {
		t.Errorf("fees %s, want %s", got, paid)
	}
	var tally BillTally
	for _, line := range i.theirs {
		if err := tally.Add(&line); err != nil {
			t.Fatal(err)
		}
	}
	if got := tally.Charges(); len(got) != 1 || got[0].Fees != paid.String() {
		t.Errorf("charged %+v, want %s", got, paid)
	}
}
