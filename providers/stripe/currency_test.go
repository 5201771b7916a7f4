package stripe

import (
	"strings"
	"testing"

	"counterfoil/domain"
)

// TestUnits holds the lists of Stripe's page against our table, code by code.
func TestUnits(t *testing.T) {
	t.Parallel()
	lists := map[int]string{
		0: "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF",
		3: "BHD JOD KWD OMR TND",
		2: "ISK UGX HUF TWD CNY USD EUR GBP HKD SGD AUD CAD CHF SEK NOK DKK BRL INR MXN THB IDR MYR PHP PLN CZK AED SAR ZAR",
	}
	listed := 0
	for want, codes := range lists {
		for code := range strings.FieldsSeq(codes) {
			u, err := unitNamed(strings.ToLower(code))
			if err != nil || u.digits != want || string(u.currency) != code {
				t.Errorf("%s has %+v, %v; want %d digits", code, u, err, want)
			}
			if _, ok := digits[domain.Currency(code)]; ok {
				listed++
			}
		}
	}
	if listed != len(digits) {
		t.Errorf("the table has %d codes, the lists know %d of them", len(digits), listed)
	}
	for _, code := range []string{"", "CNY", "Cny", "xyz", "iqd", "lyd", "usdt", "quota", "cny ", "ｃｎｙ", strings.Repeat("a", 1000)} {
		if u, err := unitNamed(code); err == nil {
			t.Errorf("%.20q is %+v", code, u)
		}
	}
}

// TestCounts: what Stripe counts, and what it is in our units; there and back.
func TestCounts(t *testing.T) {
	t.Parallel()
	for _, s := range []struct {
		code  string
		count int64
		want  string
	}{
		{"cny", 730, "7.30 CNY"},
		{"jpy", 1000, "1000 JPY"},
		{"krw", 1, "1 KRW"},
		{"kwd", 1230, "1.230 KWD"},
		{"isk", 100000, "1000 ISK"},
		{"ugx", 500000, "5000 UGX"},
		{"mga", 5000, "5000.00 MGA"},
		{"huf", 12300, "123.00 HUF"},
		{"usd", -1500, "-15.00 USD"},
		{"usd", 0, "0.00 USD"},
	} {
		u, err := unitNamed(s.code)
		if err != nil {
			t.Fatal(err)
		}
		m, err := u.money(s.count)
		if err != nil || m.String() != s.want {
			t.Errorf("%d %s = %s, %v; want %s", s.count, s.code, m, err, s.want)
		}
		if count, code, err := Count(m); err != nil || count != s.count || code != s.code {
			t.Errorf("Count(%s) = %d %s, %v", m, count, code, err)
		}
	}
	for code, count := range map[string]int64{"isk": 100050, "ugx": 1, "mga": 99_999_999_999_999, "cny": 1_000_000_000_000_000} {
		u, err := unitNamed(code)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := u.money(count); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%d %s = %s, %v", count, code, m, err)
		}
	}
	for _, m := range []domain.Money{
		domain.NewMoney(1231, "KWD"), domain.NewMoney(50, "MGA"), domain.NewMoney(1, domain.USDT), {}, domain.NewMoney(1, domain.QUOTA),
	} {
		if count, code, err := Count(m); err == nil {
			t.Errorf("Count(%s) = %d %s", m, count, code)
		}
	}
}
