package domain

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// anyCurrency has every number of places that there is.
func anyCurrency() *rapid.Generator[Currency] {
	return rapid.SampledFrom([]Currency{CNY, USD, JPY, "KWD", USDT, QUOTA})
}

func anyMinor() *rapid.Generator[int64] {
	edge := rapid.SampledFrom([]int64{0, 1, -1, 99, 100, math.MaxInt64, math.MaxInt64 - 1, -math.MaxInt64, MaxParsed})
	return rapid.OneOf(edge, rapid.Int64Range(-math.MaxInt64, math.MaxInt64))
}

func anyMoney() *rapid.Generator[Money] {
	return rapid.Custom(func(t *rapid.T) Money {
		return NewMoney(anyMinor().Draw(t, "minor"), anyCurrency().Draw(t, "currency"))
	})
}

func TestAmountAndString(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		m              Money
		amount, string string
	}{
		{NewMoney(730, CNY), "7.30", "7.30 CNY"},
		{NewMoney(-5, CNY), "-0.05", "-0.05 CNY"},
		{NewMoney(0, CNY), "0.00", "0.00 CNY"},
		{NewMoney(100, CNY), "1.00", "1.00 CNY"},
		{NewMoney(700, JPY), "700", "700 JPY"},
		{NewMoney(-1, JPY), "-1", "-1 JPY"},
		{NewMoney(0, JPY), "0", "0 JPY"},
		{NewMoney(1, USDT), "0.000001", "0.000001 USDT"},
		{NewMoney(math.MaxInt64, CNY), "92233720368547758.07", "92233720368547758.07 CNY"},
		{NewMoney(-math.MaxInt64, QUOTA), "-9223372036854775807", "-9223372036854775807 QUOTA"},
		{Money{}, "0", "no money"},
	} {
		if got := tt.m.Amount(); got != tt.amount {
			t.Errorf("Amount %s, want %s", got, tt.amount)
		}
		if got := tt.m.String(); got != tt.string {
			t.Errorf("String %s, want %s", got, tt.string)
		}
	}
}

func TestAmountParsesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyMoney().Draw(t, "money")
		back, err := ParseSigned(m.Amount(), m.Currency())
		if err != nil || back != m {
			t.Fatalf("%v is read back as %v, %v", m, back, err)
		}
		foreign, err := ParseMoney(m.Amount(), m.Currency())
		switch representable := m.Minor() >= 0 && m.Minor() <= MaxParsed && len(m.Amount()) <= 16; {
		case err == nil && foreign != m:
			t.Fatalf("%v is parsed as %v", m, foreign)
		case err != nil && representable && m.Minor() < 1_000_000_000_000:
			t.Fatalf("%v: %v", m, err)
		}
		if got := m.Decimal().StringFixed(int32(m.Currency().Places())); got != m.Amount() {
			t.Fatalf("decimal says %s, amount %s", got, m.Amount())
		}
		if back, err := MoneyFromDecimal(m.Decimal(), m.Currency()); err != nil || back != m {
			t.Fatalf("%v comes back from its decimal as %v, %v", m, back, err)
		}
	})
}

// The sum is right whenever it fits, by math/big, and refused whenever it does
// not; what was added can be taken away again.
func TestAddAndSubAgainstBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyMinor().Draw(t, "a"), anyMinor().Draw(t, "b")
		checkArithmetic(t, "+", NewMoney(a, CNY).Add, a, b, new(big.Int).Add(big.NewInt(a), big.NewInt(b)))
		checkArithmetic(t, "-", NewMoney(a, CNY).Sub, a, b, new(big.Int).Sub(big.NewInt(a), big.NewInt(b)))
		sum, err := NewMoney(a, CNY).Add(NewMoney(b, CNY))
		if err != nil {
			return
		}
		if back, err := sum.Sub(NewMoney(b, CNY)); err != nil || back.Minor() != a {
			t.Fatalf("%d + %d - %d = %v, %v", a, b, b, back, err)
		}
	})
}

func checkArithmetic(t *rapid.T, op string, do func(Money) (Money, error), a, b int64, want *big.Int) {
	got, err := do(NewMoney(b, CNY))
	fits := new(big.Int).Abs(want).Cmp(big.NewInt(math.MaxInt64)) <= 0
	switch {
	case fits && (err != nil || got != NewMoney(want.Int64(), CNY)):
		t.Fatalf("%d %s %d = %v, %v; want %v", a, op, b, got, err, want)
	case !fits && KindOf(err) != KindTooLarge:
		t.Fatalf("%d %s %d = %v, %v; want it refused", a, op, b, got, err)
	}
}

func TestAddRefusesOverflow(t *testing.T) {
	t.Parallel()
	const most = math.MaxInt64
	for _, tt := range []struct {
		a, b int64
		ok   bool
	}{
		{most, 0, true},
		{most, 1, false},
		{most, most, false},
		{most - 1, 1, true},
		{most, -most, true},
		{-most, 0, true},
		{-most, -1, false},
		{-most, -most, false},
		{-most, -2, false},
		{1 << 62, 1 << 62, false},
		{-1 << 62, -1 << 62, false},
		{1 << 62, 1<<62 - 1, true},
	} {
		_, err := NewMoney(tt.a, CNY).Add(NewMoney(tt.b, CNY))
		if (err == nil) != tt.ok || (err != nil && KindOf(err) != KindTooLarge) {
			t.Errorf("%d + %d: %v", tt.a, tt.b, err)
		}
	}
}

func TestCurrenciesDoNotMix(t *testing.T) {
	t.Parallel()
	cny, usd := NewMoney(100, CNY), NewMoney(100, USD)
	_, addErr := cny.Add(usd)
	_, subErr := cny.Sub(usd)
	_, cmpErr := cny.Cmp(usd)
	_, noneErr := cny.Add(Money{})
	for name, err := range map[string]error{"Add": addErr, "Sub": subErr, "Cmp": cmpErr, "Add no money": noneErr} {
		if err == nil || KindOf(err) != KindMismatch {
			t.Errorf("%s: %v", name, err)
		}
	}
	if cny == usd || cny != NewMoney(100, CNY) {
		t.Error("== does not tell currencies apart")
	}
}

func TestComparing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b int64
		want int
	}{{1, 2, -1}, {2, 2, 0}, {3, 2, 1}, {-math.MaxInt64, math.MaxInt64, -1}} {
		if got, err := NewMoney(tt.a, CNY).Cmp(NewMoney(tt.b, CNY)); err != nil || got != tt.want {
			t.Errorf("Cmp(%d, %d) = %d, %v", tt.a, tt.b, got, err)
		}
	}
	for minor, want := range map[int64][3]bool{-5: {true, false, false}, 0: {false, true, false}, 5: {false, false, true}} {
		m := NewMoney(minor, CNY)
		if got := [3]bool{m.IsNegative(), m.IsZero(), m.IsPositive()}; got != want {
			t.Errorf("%v is negative, zero, positive: %v", m, got)
		}
		if neg := m.Neg(); neg.Minor() != -minor || neg.Currency() != CNY {
			t.Errorf("the opposite of %v is %v", m, neg)
		}
	}
}

func TestNewMoneyRefusesTheLoneMinimum(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("an amount without opposite was made")
		}
	}()
	NewMoney(math.MinInt64, CNY)
}

func TestMoneyFromDecimal(t *testing.T) {
	t.Parallel()
	huge := new(big.Int).Lsh(big.NewInt(1), 3_000_000)
	for _, tt := range []struct {
		d    decimal.Decimal
		c    Currency
		want int64
		kind Kind // 0: it must work
	}{
		{decimal.New(730, -2), CNY, 730, 0},
		{decimal.New(73, -1), CNY, 730, 0},
		{decimal.New(7_300_000, -6), CNY, 730, 0},
		{decimal.New(-5, -2), CNY, -5, 0},
		{decimal.New(7, 2), JPY, 700, 0},
		{decimal.New(math.MaxInt64, -2), CNY, math.MaxInt64, 0},
		{decimal.New(7301, -3), CNY, 0, KindInvalid},
		{decimal.New(5, -1), JPY, 0, KindInvalid},
		{decimal.New(1, 0), "XXX", 0, KindInvalid},
		{decimal.New(math.MaxInt64, -1), CNY, 0, KindTooLarge},
		{decimal.New(math.MinInt64, -2), CNY, 0, KindTooLarge},
		{decimal.New(1, 1_000_000_000), CNY, 0, KindTooLarge},
		{decimal.New(1, -1_000_000_000), CNY, 0, KindTooLarge},
		{decimal.New(0, 1_000_000_000), CNY, 0, KindTooLarge},
		{decimal.NewFromBigInt(huge, 0), CNY, 0, KindTooLarge},
	} {
		got, err := MoneyFromDecimal(tt.d, tt.c)
		switch {
		case tt.kind == 0 && (err != nil || got != NewMoney(tt.want, tt.c)):
			t.Errorf("%v, %v; want %d", got, err, tt.want)
		case tt.kind != 0 && (err == nil || KindOf(err) != tt.kind || got != Money{}):
			t.Errorf("%v, %v; want %v", got, err, tt.kind)
		case tt.d.Coefficient().BitLen() > 256 && strings.ContainsAny(err.Error(), "0123456789"):
			t.Errorf("a decimal of %d bits was written out", tt.d.Coefficient().BitLen())
		}
	}
}
