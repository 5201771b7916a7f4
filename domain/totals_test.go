package domain

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTotals(t *testing.T) {
	t.Parallel()
	var totals Totals
	if !totals.IsZero() || totals.String() != "zero" || totals.Of(CNY) != NewMoney(0, CNY) {
		t.Errorf("empty totals are %v", &totals)
	}
	for _, m := range []Money{NewMoney(730, CNY), NewMoney(5, USD), NewMoney(1, "AUD"), NewMoney(-700, CNY), NewMoney(-1, "AUD")} {
		if err := totals.Add(m); err != nil {
			t.Fatal(err)
		}
	}
	want := []Money{NewMoney(0, "AUD"), NewMoney(30, CNY), NewMoney(5, USD)}
	if got := slices.Collect(totals.All()); !slices.Equal(got, want) {
		t.Errorf("totals %v, want %v", got, want)
	}
	if totals.IsZero() || totals.String() != "0.30 CNY, 0.05 USD" {
		t.Errorf("totals are %v", &totals)
	}
	for range totals.All() {
		break // must not panic
	}
}

func TestTotalsRefuse(t *testing.T) {
	t.Parallel()
	var totals Totals
	if err := totals.Add(Money{}); KindOf(err) != KindInvalid || err == nil {
		t.Errorf("no money: %v", err)
	}
	if err := totals.Add(NewMoney(math.MaxInt64, CNY)); err != nil {
		t.Fatal(err)
	}
	if err := totals.Add(NewMoney(1, CNY)); KindOf(err) != KindTooLarge {
		t.Errorf("overflow: %v", err)
	}
	if got := totals.Of(CNY); got != NewMoney(math.MaxInt64, CNY) {
		t.Errorf("a refused sum left %v", got)
	}
}

// Each currency's total is the sum by math/big, and zero together exactly when
// each is.
func TestTotalsAgainstBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var totals Totals
		want := map[Currency]*big.Int{}
		for _, m := range rapid.SliceOf(anyMoney()).Draw(t, "money") {
			sum := want[m.Currency()]
			if sum == nil {
				sum = new(big.Int)
				want[m.Currency()] = sum
			}
			next := new(big.Int).Add(sum, big.NewInt(m.Minor()))
			fits := new(big.Int).Abs(next).Cmp(big.NewInt(math.MaxInt64)) <= 0
			if err := totals.Add(m); (err == nil) != fits {
				t.Fatalf("%v + %v: %v", sum, m, err)
			}
			if fits {
				sum.Set(next)
			}
		}
		zero := true
		for c, sum := range want {
			zero = zero && sum.Sign() == 0
			if totals.Of(c).Minor() != sum.Int64() {
				t.Fatalf("%s: %v, want %v", c, totals.Of(c), sum)
			}
		}
		if totals.IsZero() != zero {
			t.Fatalf("IsZero is %v: %v", !zero, &totals)
		}
		if got := slices.Collect(totals.All()); len(got) != len(want) ||
			!slices.IsSortedFunc(got, func(a, b Money) int { return compareCodes(a, b) }) {
			t.Fatalf("not each once in order: %v", got)
		}
	})
}

func compareCodes(a, b Money) int {
	if a.Currency() < b.Currency() {
		return -1
	}
	return 1
}
