package stripe

import (
	"strings"

	"counterfoil/domain"
)

// Digits after the point in Stripe's amounts (Stripe, "Supported currencies").
// All currencies that are not listed have two.
//
// ISK and UGX have none in ISO 4217, and still come with two zeros: both were
// changed and kept their old form. MGA is divided by five, so Stripe counts
// whole ariary; ISO says two digits. HUF and TWD are whole in payouts only, and
// written with two digits there as well.
var digits = map[domain.Currency]int{ //nolint:exhaustive // all others have two
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "JPY": 0, "KMF": 0, "KRW": 0, "MGA": 0, "PYG": 0, "RWF": 0,
	"VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3,
	"ISK": 2, "UGX": 2,
}

const plainDigits = 2

// unit says how Stripe counts a currency.
type unit struct {
	currency domain.Currency
	digits   int
}

// unitOf is the unit of a currency. One that has not two digits by ISO and that
// no list of Stripe's names could be counted either way: KindInvalid.
func unitOf(c domain.Currency) (unit, error) {
	if _, err := domain.ParseCurrency(string(c)); err != nil {
		return unit{}, err
	}
	n, listed := digits[c]
	if !listed {
		n = plainDigits
	}
	if !listed && c.Places() != plainDigits {
		return unit{}, domain.E(domain.KindInvalid, "currency %s is not one that Stripe counts", c)
	}
	return unit{c, n}, nil
}

// unitNamed is the unit of a code as Stripe writes it, in small letters.
func unitNamed(code string) (unit, error) {
	upper := strings.ToUpper(code)
	if upper == code || strings.ToLower(upper) != code {
		return unit{}, domain.E(domain.KindInvalid, "currency %.10q is not a code in small letters", code)
	}
	return unitOf(domain.Currency(upper))
}

// money is a count of the unit, of either sign. KindInvalid where our smallest
// unit is larger and there is a part below it, or the amount is absurd.
func (u unit) money(count int64) (domain.Money, error) {
	for range u.currency.Places() - u.digits {
		count *= 10
	}
	for range u.digits - u.currency.Places() {
		if count%10 != 0 {
			return domain.Money{}, domain.E(domain.KindInvalid, "amount %d of %s has a part below its unit", count, u.currency)
		}
		count /= 10
	}
	if count > domain.MaxParsed || count < -domain.MaxParsed {
		return domain.Money{}, domain.E(domain.KindInvalid, "amount %d of %s is absurdly large", count, u.currency)
	}
	return domain.NewMoney(count, u.currency), nil
}

// Money is a count of Stripe's in the currency of a code in small letters; it
// undoes Count. KindInvalid for a currency that is not known, and for what has
// no form here.
func Money(count int64, code string) (domain.Money, error) {
	u, err := unitNamed(code)
	if err != nil {
		return domain.Money{}, err
	}
	return u.money(count)
}

// Count is an amount as Stripe counts it, with its code. KindInvalid for what
// Stripe does not take: three-decimal currencies are rounded to tens.
func Count(m domain.Money) (count int64, code string, err error) {
	u, err := unitOf(m.Currency())
	if err != nil {
		return 0, "", err
	}
	count = m.Minor()
	for range u.currency.Places() - u.digits {
		if count%10 != 0 {
			return 0, "", domain.E(domain.KindInvalid, "amount %s has a part that Stripe does not count", m)
		}
		count /= 10
	}
	for range u.digits - u.currency.Places() {
		count *= 10
	}
	if u.digits == 3 && count%10 != 0 {
		return 0, "", domain.E(domain.KindInvalid, "amount %s: the third digit must be 0 at Stripe", m)
	}
	return count, strings.ToLower(string(u.currency)), nil
}
