package projections

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"counterfoil/domain"
)

var moneyByValue = cmp.Comparer(func(a, b domain.Money) bool { return a == b })

// TestMarksComeBack: whatever bytes a trade number has.
func TestMarksComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		mark := rapid.Custom(func(t *rapid.T) Mark {
			m := Mark{
				TradeNo: rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "1:2;", ";h1:", "p"})).Draw(t, "trade"),
				State: rapid.SampledFrom([]domain.TradeState{
					domain.TradeHeld, domain.TradeSuspect, domain.TradeParked, domain.TradeCredited, domain.TradeAllocated,
					domain.TradeSeen, markDispute, domain.TradeReversed, domain.TradeWrittenOff, markTakenBack,
				}).Draw(t, "state"),
			}
			if c := rapid.SampledFrom([]domain.Currency{"", domain.CNY, domain.JPY}).Draw(t, "currency"); c != "" {
				m.Amount = domain.NewMoney(rapid.Int64Range(-1<<62, 1<<62).Draw(t, "minor"), c)
			}
			if rapid.Bool().Draw(t, "refunded") {
				m.Refunded = domain.NewMoney(rapid.Int64Range(-1<<62, 1<<62).Draw(t, "back"), domain.CNY)
			}
			return m
		})
		want := rapid.SliceOfN(mark, 0, 4).Draw(t, "marks")
		got, err := ParseMarks(MarksText(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]Mark{}, want...), append([]Mark{}, got...), moneyByValue); diff != "" {
			t.Fatalf("marks (-written +read):\n%s", diff)
		}
	})
}

func TestMarksRefuseDamage(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"x1:a1 CNY;", "h", "h1", "h9:a1 CNY;", "h-1:a1 CNY;", "h1:a1 CNY", "h1:a1;", "h1:ax CNY;", "h1:a1 CNY/;", "h1:a1 CNY/1;"} {
		if _, err := ParseMarks(s); domain.KindOf(err) != domain.KindCorrupt {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestCacheForgetsTheUnused: what is asked for again and again stays, the
// whole never grows beyond twice its size.
func TestCacheForgetsTheUnused(t *testing.T) {
	t.Parallel()
	c := newCache[int, int](10)
	c.put(-1, 42)
	for i := range 1000 {
		c.put(i, i)
		if v, ok := c.get(-1); !ok || v != 42 {
			t.Fatalf("the value in use was forgotten after %d others", i)
		}
		if n := len(c.young) + len(c.old); n > 20 {
			t.Fatalf("%d values kept", n)
		}
	}
	if _, ok := c.get(0); ok {
		t.Error("a value that nobody asked for is still there")
	}
}
