package domain

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/currency"
)

func TestParseCurrency(t *testing.T) {
	t.Parallel()
	for code, places := range map[string]int{
		"CNY": 2, "USD": 2, "EUR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "ISK": 0, "XOF": 0, "TWD": 2,
		"USDT": 6, "USDC": 6, "QUOTA": 0,
	} {
		c, err := ParseCurrency(code)
		if err != nil || c.String() != code || c.Places() != places || !c.Known() {
			t.Errorf("ParseCurrency(%s) = %v with %d places, %v; want %d places", code, c, c.Places(), err, places)
		}
	}
}

func TestParseCurrencyRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "cny", "Cny", "CNY ", " CNY", "CNY\x00", "CN", "RMB", "¥", "CNＹ", "С" + "NY", // Cyrillic С
		"XAU", "XAG", "XDR", "XTS", "XXX", "CLF", "USN", "CHE", "UYI", "HRK", "DEM", "BGN", "usdt", "BTC",
		strings.Repeat("CNY", 1000),
	} {
		c, err := ParseCurrency(s)
		if KindOf(err) != KindInvalid || err == nil || c != "" {
			t.Errorf("ParseCurrency(%.20q) = %q, %v", s, c, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("the error grows with the input: %d bytes", len(err.Error()))
		}
	}
}

func TestCurrencyText(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(map[string]Currency{"c": CNY})
	if err != nil || string(data) != `{"c":"CNY"}` {
		t.Errorf("%s, %v", data, err)
	}
	for _, c := range []Currency{"", "cny"} {
		if _, err := json.Marshal(c); err == nil {
			t.Errorf("%q can be written", c)
		}
	}
	c := USD
	if err := json.Unmarshal([]byte(`"cny"`), &c); err == nil || c != USD {
		t.Errorf("cny is read as %q, %v", c, err)
	}
	if err := json.Unmarshal([]byte(`"JPY"`), &c); err != nil || c != JPY {
		t.Errorf("JPY is read as %q, %v", c, err)
	}
}

func TestMaxPlaces(t *testing.T) {
	t.Parallel()
	if most := slices.Max(slices.Collect(maps.Values(minorDigits))); most != maxPlaces {
		t.Errorf("the table has up to %d places, the constant says %d", most, maxPlaces)
	}
}

// The witness is CLDR, through golang.org/x/text/currency. It rounds to what
// people see in shops, and its list is of 2017; every difference is listed
// here with its reason, and each must still be one.
const (
	shopDigits  = "CLDR gives the digits in daily use; ISO 4217, and bills, have a minor unit of two or three"
	newer       = "in ISO 4217 since the witness's list was made"
	withdrawn   = "withdrawn from ISO 4217 since the witness's list was made"
	secondMoney = "second currency of its country in CLDR, which lists one each; in ISO 4217"
	ours        = "our own table; not in ISO 4217"
)

var differencesFromCLDR = map[string]string{
	"AFN": shopDigits, "ALL": shopDigits, "AMD": shopDigits, "COP": shopDigits, "GYD": shopDigits,
	"IDR": shopDigits, "IQD": shopDigits, "IRR": shopDigits, "KPW": shopDigits, "LAK": shopDigits,
	"LBP": shopDigits, "MGA": shopDigits, "MMK": shopDigits, "MNT": shopDigits, "MUR": shopDigits,
	"PKR": shopDigits, "RSD": shopDigits, "SOS": shopDigits, "SYP": shopDigits, "TZS": shopDigits,
	"UZS": shopDigits, "YER": shopDigits,

	"MRU": newer, "VES": newer, "VED": newer, "SLE": newer, "ZWG": newer, "XCG": newer,
	"MRO": withdrawn, "VEF": withdrawn, "SLL": withdrawn, "HRK": withdrawn, "CUC": withdrawn,
	"ANG": withdrawn, "BGN": withdrawn,

	"SVC":  secondMoney,
	"USDT": ours, "USDC": ours, "QUOTA": ours,
}

func TestCurrenciesAgainstCLDR(t *testing.T) {
	t.Parallel()
	witness := map[string]int{}
	for it := currency.Query(); it.Next(); {
		digits, _ := currency.Standard.Rounding(it.Unit())
		witness[it.Unit().String()] = digits
	}
	if len(witness) < 140 {
		t.Fatalf("the witness knows %d currencies only", len(witness))
	}
	all := map[string]bool{}
	for code := range witness {
		all[code] = true
	}
	for c := range minorDigits {
		all[string(c)] = true
	}
	for _, code := range slices.Sorted(maps.Keys(all)) {
		digits, theirs := witness[code]
		c := Currency(code)
		agree := theirs == c.Known() && (!theirs || digits == c.Places())
		reason, listed := differencesFromCLDR[code]
		switch {
		case !agree && !listed:
			t.Errorf("%s: known %v with %d places here, %v with %d in CLDR", code, c.Known(), c.Places(), theirs, digits)
		case agree && listed:
			t.Errorf("%s is listed as a difference (%s) and is none", code, reason)
		}
	}
}
