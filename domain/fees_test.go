package domain_test

import (
	"testing"

	"pgregory.net/rapid"

	"counterfoil/domain"
)

func feeBill(fees string) domain.FeeBill {
	return domain.FeeBill{Day: "2026-03-14", Bill: "trade", Run: "run-1", SHA256: "ab12", Fees: fees, In: domain.CNY}
}

// TestFees: each import books the difference to what is booked, in whole units.
func TestFees(t *testing.T) {
	t.Parallel()
	var book domain.FeeBook
	for i, c := range []struct {
		fees   string
		booked int64
	}{
		{"0", 0},
		{"9.99600", 1000}, // 9.996: ten yuan moved
		{"9.99600", 0},    // imported again
		{"12.34", 234},    // a changed bill
		{"9.99400", -235}, // and changed again
		{"-0.01", -1000},  // the provider gave more back than it took
	} {
		f, due, err := book.Book(desk(), feeBill(c.fees))
		if err != nil || due != (c.booked != 0) {
			t.Fatalf("import %d of %s: due %t, %v", i, c.fees, due, err)
		}
		if !due {
			continue
		}
		if f.Amount.Minor() != c.booked || f.Exact != c.fees || f.Dates.ValueDate != "2026-03-14" {
			t.Errorf("import %d of %s books %+v", i, c.fees, f)
		}
		storable(t, facts(f))
		book = book.Apply(f)
	}
	other := feeBill("3")
	other.Bill = "fund_flow"
	if f, due, err := book.Book(desk(), other); err != nil || !due || f.Amount.Minor() != 300 {
		t.Errorf("another kind of bill: %+v, %t, %v", f, due, err)
	}
	for _, fees := range []string{"", "-", ".5", "5.", "1e3", "0x10", " 1", "1.123456789", "+1", "--1", "1.2.3", "١", "99999999999999999999.00"} {
		if _, due, err := book.Book(desk(), feeBill(fees)); err == nil || due {
			t.Errorf("%q was booked", fees)
		}
	}
}

// TestFeesR5: whatever the imports say, what is booked in the end is the last
// bill's sum, and the postings sum to zero.
func TestFeesR5(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var book domain.FeeBook
		sum := domain.NewMoney(0, domain.CNY)
		for _, minor := range rapid.SliceOfN(rapid.Int64Range(-1_000_000, 1_000_000), 1, 8).Draw(t, "imports") {
			want := domain.NewMoney(minor, domain.CNY)
			f, due, err := book.Book(desk(), feeBill(want.Amount()))
			if err != nil {
				t.Fatal(err)
			}
			if due {
				if err := domain.CheckPostings(f.Postings); err != nil {
					t.Fatal(err)
				}
				if sum, err = sum.Add(f.Amount); err != nil {
					t.Fatal(err)
				}
				book = book.Apply(f)
			}
			if sum != want {
				t.Fatalf("booked are %s of %s", sum, want)
			}
		}
	})
}
