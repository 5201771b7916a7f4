package domain

import (
	"math"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

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

// A megabyte of digits must cost no more than a line of them.
func TestParseMoneyIsBounded(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	parsers := map[string]func(string, Currency) (Money, error){
		"ParseMoney": ParseMoney, "ParseSigned": ParseSigned, "ParseMinor": ParseMinor,
	}
	for name, parse := range parsers {
		// Bytes, not allocations: the race detector empties fmt's pools at
		// random, which adds one now and then. A copy of the megabyte shows.
		if grown := bytesPerRun(100, func() { _, _ = parse(long, CNY) }); grown > 4<<10 {
			t.Errorf("%s: %d bytes allocated for a megabyte", name, grown)
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

func BenchmarkParseMoney(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMoney("7.30", CNY); err != nil {
			b.Fatal(err)
		}
	}
}

// bytesPerRun is how many bytes f allocates.
func bytesPerRun(runs uint64, f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}
