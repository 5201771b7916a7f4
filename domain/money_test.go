package domain

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

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

func TestParseMoney(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in    string
		c     Currency
		minor int64
	}{
		{"0", CNY, 0},
		{"0.00", CNY, 0},
		{"0.01", CNY, 1},
		{"7.3", CNY, 730},
		{"7.30", CNY, 730},
		{"7.3000", CNY, 730},
		{"7.30000000", CNY, 730},
		{"1", CNY, 100},
		{"10", CNY, 1000},
		{"9999999999999", CNY, 999_999_999_999_900},
		{"9999999999999.99", CNY, MaxParsed},
		{"700", JPY, 700},
		{"700.00", JPY, 700},
		{"9999999999999", JPY, 9_999_999_999_999},
		{"1.234", "KWD", 1234},
		{"999999999999.999", "KWD", MaxParsed},
		{"1.234567", USDT, 1_234_567},
		{"1.23456700", USDT, 1_234_567},
		{"999999999.999999", USDT, MaxParsed},
	}
	for _, tt := range tests {
		m, err := ParseMoney(tt.in, tt.c)
		if err != nil || m != NewMoney(tt.minor, tt.c) {
			t.Errorf("ParseMoney(%s, %s) = %v, %v; want %d minor units", tt.in, tt.c, m, err, tt.minor)
		}
	}
}

// hostileAmounts are spellings that some parser somewhere takes for a number.
var hostileAmounts = []string{
	"", " ", ".", "-", "+", "-0", "-0.00", "-1", "+1", "--1", ".5", "5.", "0.", "00", "00012", "01", "0.0.0", "1..2",
	"1e9", "1E+2", "1e-2", "1e2147483647", "1e10000000", "0e0", "0x10", "0X1p-2", "0b1", "0o7", "1f",
	"NaN", "nan", "Inf", "+Inf", "-Inf", "Infinity", "null", "true", "1_0", "1,000", "1,00", "1'000", "1 000",
	" 1", "1 ", "\t1", "1\n", "1\r\n", "1\x00", "\x001", "1\x00.00", "\u00a01", "1\u200b", "\ufeff1",
	"\u0661", "\uff11", "1\uff0e00", "\u06f1\u06f0", "\u09e7", "\U0001d7cf", "\u00bd", "\u4e03", "一", "\u22121", "1\u066b5",
	"7.301", "7.300000001", "7.000000000", "0.001", "1.234567891", "¥1", "1元", "1CNY", "$1", "1%", "(1)", "1/2", "1;2", "1=2", "1&money=2",
	"9223372036854775807", "9223372036854775808", "18446744073709551616", "10000000000000", "99999999999999",
	"10000000000000.00", "1." + strings.Repeat("0", 40), "0." + strings.Repeat("1", 40), strings.Repeat("9", 40),
	strings.Repeat("0", 41), strings.Repeat("1", 1000), "\xff", "1\xc0\xae5", "'1'", `"1"`,
}

func TestParseMoneyRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range hostileAmounts {
		m, err := ParseMoney(s, CNY)
		if err == nil || KindOf(err) != KindInvalid || m != (Money{}) {
			t.Errorf("ParseMoney(%.50q) = %v, %v", s, m, err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("the error grows with the input: %d bytes", len(err.Error()))
		}
	}
	for _, tt := range []struct {
		in string
		c  Currency
	}{
		{"700.01", JPY},
		{"0.5", QUOTA},
		{"1.2345678", USDT},
		{"1.2345", "KWD"},
		{"1000000000", USDT},
		{"9999999999999.99", USDT},
		{"9999999999999", USDT},
		{"9223372036854.775807", USDT},
		{"1000000000000", "KWD"},
		{"1", ""},
		{"1", "cny"},
		{"1", "XAU"},
	} {
		if m, err := ParseMoney(tt.in, tt.c); KindOf(err) != KindInvalid || err == nil {
			t.Errorf("ParseMoney(%s, %s) = %v, %v", tt.in, tt.c, m, err)
		}
	}
}

func TestParseMinor(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int64{"0": 0, "1": 1, "730": 730, "999999999999999": MaxParsed} {
		if m, err := ParseMinor(s, CNY); err != nil || m != NewMoney(want, CNY) {
			t.Errorf("ParseMinor(%s) = %v, %v", s, m, err)
		}
	}
	for _, s := range append([]string{"1.0", "0.0", "1000000000000000", "7.3"}, hostileAmounts...) {
		if len(s) <= 15 && strings.Trim(s, "0123456789") == "" && s != "" && s[0] != '0' {
			continue // plain digits: minor units, if not an amount
		}
		if m, err := ParseMinor(s, CNY); err == nil || KindOf(err) != KindInvalid {
			t.Errorf("ParseMinor(%.50q) = %v, %v", s, m, err)
		}
	}
	if _, err := ParseMinor("1", "XXX"); KindOf(err) != KindInvalid || err == nil {
		t.Error("an unknown currency passes")
	}
}

func TestParseSigned(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    string
		c     Currency
		minor int64
	}{
		{"0.00", CNY, 0},
		{"-0.05", CNY, -5},
		{"7.30", CNY, 730},
		{"-700", JPY, -700},
		{"0", JPY, 0},
		{"92233720368547758.07", CNY, math.MaxInt64},
		{"-92233720368547758.07", CNY, -math.MaxInt64},
		{"9223372036854775807", QUOTA, math.MaxInt64},
		{"-9223372036854.775807", USDT, -math.MaxInt64},
	} {
		if m, err := ParseSigned(tt.in, tt.c); err != nil || m != NewMoney(tt.minor, tt.c) {
			t.Errorf("ParseSigned(%s, %s) = %v, %v", tt.in, tt.c, m, err)
		}
	}
	refused := append([]string{
		"7.3", "7.300", "7", "-0.00", "--7.30", "-", "-.30", ".30", "07.30", "00.30", "-07.30", "7,30", "730", "7.3x", "x.30",
		"92233720368547758.08", "-92233720368547758.08", "99999999999999999.99", "184467440737095516.16", "100000000000000000.00",
	}, hostileAmounts...)
	for _, s := range refused {
		if m, err := ParseSigned(s, CNY); s != "10000000000000.00" && (err == nil || KindOf(err) != KindInvalid) {
			t.Errorf("ParseSigned(%.50q) = %v, %v", s, m, err)
		}
	}
	for _, s := range []string{"9223372036854775808", "-9223372036854775808", "18446744073709551617", "99999999999999999999", "-0", "1.", "1.0"} {
		if m, err := ParseSigned(s, QUOTA); err == nil {
			t.Errorf("ParseSigned(%s, QUOTA) = %v", s, m)
		}
	}
	if _, err := ParseSigned("1.00", "XXX"); err == nil {
		t.Error("an unknown currency passes")
	}
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
		}
	}
}

func TestMoneyJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyMoney().Draw(t, "money")
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back Money
		if err := json.Unmarshal(data, &back); err != nil || back != m {
			t.Fatalf("%s is read as %v, %v", data, back, err)
		}
	})
	data, err := json.Marshal(NewMoney(730, CNY))
	if want := `{"amount":"7.30","currency":"CNY"}`; err != nil || string(data) != want {
		t.Errorf("%s, %v; want %s", data, err, want)
	}
	if _, err := json.Marshal(Money{}); err == nil {
		t.Error("no money can be written")
	}
	var m Money
	if err := m.UnmarshalJSON([]byte(" {\n\t\"currency\" : \"JPY\" ,\r\"amount\" : \"-7\" } ")); err != nil || m != NewMoney(-7, JPY) {
		t.Errorf("members in another order with blanks: %v, %v", m, err)
	}
}

func TestMoneyJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		``, `null`, `{}`, `[]`, `"7.30"`, `7.30`, `{"amount":"7.30"}`, `{"currency":"CNY"}`,
		`{"amount":7.30,"currency":"CNY"}`, `{"amount":null,"currency":"CNY"}`, `{"amount":"7.30","currency":null}`,
		`{"Amount":"7.30","currency":"CNY"}`, `{"amount":"7.30","CURRENCY":"CNY"}`, `{"\u0061mount":"7.30","currency":"CNY"}`,
		`{"amount":"7.30","currency":"CNY","x":"1"}`, `{"amount":"7.30","amount":"7.30"}`, `{"currency":"CNY","currency":"CNY"}`,
		`{"amount":"7.30","currency":"CNY","currency":"CNY"}`, `{"amount":"7.30","currency":"CNY",}`,
		`{"amount":"7.30","currency":"CNY"}x`, `{"amount":"7.30","currency":"CNY"}{}`, `{"amount":"7.30","currency":"CNY"`,
		`{"amount":"7.30" "currency":"CNY"}`, `{"amount","7.30","currency":"CNY"}`, `{,"amount":"7.30","currency":"CNY"}`,
		`{"amount":"7.30","currency":"CNY}`, `{"amount":"7.3","currency":"CNY"}`, `{"amount":"7.300","currency":"CNY"}`,
		`{"amount":"-0.00","currency":"CNY"}`, `{"amount":"1e2","currency":"CNY"}`, `{"amount":"7.30","currency":"cny"}`,
		`{"amount":"7.30","currency":"XAU"}`, `{"amount":"\u0037.30","currency":"CNY"}`, `{"amount":"","currency":"CNY"}`,
		`{"amount":"` + strings.Repeat("1", 100) + `","currency":"CNY"}`,
	} {
		m := NewMoney(1, USD)
		if err := m.UnmarshalJSON([]byte(in)); err == nil || KindOf(err) != KindInvalid || m != NewMoney(1, USD) {
			t.Errorf("%s is read as %v, %v", in, m, err)
		}
		if err := json.Unmarshal([]byte(in), &m); err == nil {
			t.Errorf("encoding/json reads %s as %v", in, m)
		}
	}
}

// A megabyte of digits must cost no more than a line of them.
func TestParseMoneyIsBounded(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	parsers := map[string]func(string, Currency) (Money, error){
		"ParseMoney": ParseMoney, "ParseSigned": ParseSigned, "ParseMinor": ParseMinor,
	}
	for name, parse := range parsers {
		short := testing.AllocsPerRun(100, func() { _, _ = parse(long[:41], CNY) })
		grown := testing.AllocsPerRun(100, func() { _, _ = parse(long, CNY) })
		if grown > short {
			t.Errorf("%s: %v allocations for a megabyte, %v for 41 bytes", name, grown, short)
		}
		// Reading the megabyte even once takes over 100 µs. The best of many
		// rounds is free of what else the machine does.
		best := time.Hour
		for range 200 {
			start := time.Now()
			_, _ = parse(long, CNY)
			best = min(best, time.Since(start))
		}
		if best > 50*time.Microsecond {
			t.Errorf("%s: %v for a megabyte of digits", name, best)
		}
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, s := range append([]string{"7.30", "7.3000", "0", "9999999999999.99"}, hostileAmounts...) {
		f.Add(s, "CNY")
		f.Add(s, "JPY")
		f.Add(s, "USDT")
	}
	f.Fuzz(func(t *testing.T, s, code string) {
		c := Currency(code)
		m, err := ParseMoney(s, c)
		if err != nil {
			if KindOf(err) != KindInvalid || m != (Money{}) || len(err.Error()) > 400 {
				t.Fatalf("%q, %q: %v, %v", s, code, m, err)
			}
			return
		}
		if m.Minor() < 0 || m.Minor() > MaxParsed || m.Currency() != c {
			t.Fatalf("%q gives %v", s, m)
		}
		// The grammar is so narrow that the decimal library is safe here, and
		// a witness.
		want, err := decimal.NewFromString(s)
		if err != nil || !want.Equal(m.Decimal()) {
			t.Fatalf("%q gives %v, the decimal library %v, %v", s, m, want, err)
		}
		if back, err := ParseSigned(m.Amount(), c); err != nil || back != m {
			t.Fatalf("%v is read back as %v, %v", m, back, err)
		}
	})
}

func FuzzParseSigned(f *testing.F) {
	for _, s := range append([]string{"-0.05", "7.30", "-92233720368547758.07"}, hostileAmounts...) {
		f.Add(s, "CNY")
		f.Add(s, "QUOTA")
	}
	f.Fuzz(func(t *testing.T, s, code string) {
		m, err := ParseSigned(s, Currency(code))
		if err == nil && m.Amount() != s {
			t.Fatalf("%q is not what %v is written as", s, m)
		}
		minor, err := ParseMinor(s, Currency(code))
		if err == nil && big.NewInt(minor.Minor()).String() != s {
			t.Fatalf("%q is read as %d minor units", s, minor.Minor())
		}
	})
}

func FuzzMoneyJSON(f *testing.F) {
	f.Add([]byte(`{"amount":"7.30","currency":"CNY"}`))
	f.Add([]byte(` {"currency":"JPY","amount":"-7"} `))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Money
		err := m.UnmarshalJSON(data)
		if err != nil {
			return
		}
		var witness struct{ Amount, Currency string }
		if err := json.Unmarshal(data, &witness); err != nil {
			t.Fatalf("%q accepted, but: %v", data, err)
		}
		if witness.Amount != m.Amount() || witness.Currency != string(m.Currency()) {
			t.Fatalf("%q is %v, encoding/json says %v", data, m, witness)
		}
	})
}

func BenchmarkParseMoney(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMoney("7.30", CNY); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMoneyJSON(b *testing.B) {
	data := NewMoney(730, CNY).AppendJSON(nil)
	b.ReportAllocs()
	for b.Loop() {
		var m Money
		if err := m.UnmarshalJSON(data); err != nil {
			b.Fatal(err)
		}
	}
}
