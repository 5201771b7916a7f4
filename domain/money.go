package domain

import (
	"math"

	"github.com/shopspring/decimal"
)

// MaxParsed is the greatest amount, in minor units, that foreign text may
// name: ten thousand billion yuan. What is larger is an error or an attack.
// Sums of our own may grow past it, up to what an int64 holds.
const MaxParsed int64 = 999_999_999_999_999

// maxAmountText is the longest amount looked at, in bytes. The grammar allows
// 22; whatever is longer is refused before it is read.
const maxAmountText = 40

// Money is an amount in minor units (fen, cents) of one currency. Two Money
// are the same exactly when == says so. The zero Money is no money at all: it
// has no currency and adds to nothing.
//
// The amounts are symmetric, -(2^63-1) to 2^63-1, so that every one of them
// has an opposite.
type Money struct {
	minor    int64
	currency Currency
}

// NewMoney is minor units of c. It takes what the program itself counted;
// foreign text comes in by ParseMoney or ParseMinor. The one int64 without an
// opposite is a programmer's mistake and panics.
func NewMoney(minor int64, c Currency) Money {
	if minor == math.MinInt64 {
		panic("domain: money of math.MinInt64 minor units has no opposite")
	}
	return Money{minor, c}
}

// ParseMoney reads an amount that somebody else wrote, in whole units with at
// most 8 digits after the point:
//
//	(0|[1-9][0-9]{0,12})(\.[0-9]{1,8})?
//
// in ASCII, nothing else: no sign, blank, exponent, separator or leading zero.
// Digits beyond the unit must be zero: 7.3000 CNY is 7.30. Anything else, and
// more than MaxParsed, is KindInvalid. Time and memory do not depend on the
// length of the text.
func ParseMoney(amount string, c Currency) (Money, error) {
	if !c.Known() {
		return Money{}, E(KindInvalid, "currency %s is not one we know", quote(string(c)))
	}
	minor, fault := parseForeign(amount, c.Places())
	if fault != "" {
		return Money{}, E(KindInvalid, "amount %s %s", quote(amount), fault)
	}
	return Money{minor, c}, nil
}

// ParseSigned reads an amount as Amount writes it, and only that: exactly the
// unit's digits after the point, "-" before a negative one, never "-0.00". It
// is for what we stored ourselves; KindInvalid for all else.
func ParseSigned(amount string, c Currency) (Money, error) {
	if !c.Known() {
		return Money{}, E(KindInvalid, "currency %s is not one we know", quote(string(c)))
	}
	minor, ok := parseCanonical(amount, c.Places())
	if !ok {
		return Money{}, E(KindInvalid, "amount %s is not in the stored form of %s", quote(amount), string(c))
	}
	return Money{minor, c}, nil
}

// ParseMinor reads a count of minor units that somebody else wrote, "730" for
// 7.30 CNY:
//
//	0|[1-9][0-9]{0,14}
//
// KindInvalid for all else.
func ParseMinor(s string, c Currency) (Money, error) {
	if !c.Known() {
		return Money{}, E(KindInvalid, "currency %s is not one we know", quote(string(c)))
	}
	minor, ok := parseWhole(s, 15)
	if !ok {
		return Money{}, E(KindInvalid, "amount %s is not a count of minor units", quote(s))
	}
	return Money{minor, c}, nil
}

// MoneyFromDecimal is d units of c. It does not round: a d with a part below
// the minor unit is KindInvalid, and one beyond the range of Money is
// KindTooLarge.
func MoneyFromDecimal(d decimal.Decimal, c Currency) (Money, error) {
	if !c.Known() {
		return Money{}, E(KindInvalid, "currency %s is not one we know", quote(string(c)))
	}
	// Bounds first: a decimal of a few bytes can stand for a number of a
	// billion digits, which must never be written out.
	if d.Exponent() < -40 || d.Exponent() > 18 || d.Coefficient().BitLen() > 256 {
		return Money{}, E(KindTooLarge, "decimal is beyond the range of money")
	}
	shifted := d.Shift(int32(c.Places()))
	if !shifted.IsInteger() {
		return Money{}, E(KindInvalid, "amount %s has a part below the unit of %s", quote(d.String()), string(c))
	}
	minor := shifted.BigInt()
	if !minor.IsInt64() || minor.Int64() == math.MinInt64 {
		return Money{}, E(KindTooLarge, "amount %s is beyond the range of money", quote(d.String()))
	}
	return Money{minor.Int64(), c}, nil
}

// Minor is the amount in minor units.
func (m Money) Minor() int64 { return m.minor }

// Currency is the currency, "" for no money.
func (m Money) Currency() Currency { return m.currency }

// IsZero reports an amount of 0, of a currency or of none. Because of this
// name, encoding/json's omitzero leaves out 0.00 CNY too.
func (m Money) IsZero() bool { return m.minor == 0 }

// IsPositive reports an amount above 0.
func (m Money) IsPositive() bool { return m.minor > 0 }

// IsNegative reports an amount below 0.
func (m Money) IsNegative() bool { return m.minor < 0 }

// Neg is the opposite amount.
func (m Money) Neg() Money { return Money{-m.minor, m.currency} }

// Add is m + o. Other currencies are KindMismatch, a sum beyond the range of
// Money KindTooLarge.
func (m Money) Add(o Money) (Money, error) {
	if err := m.sameCurrency(o); err != nil {
		return Money{}, err
	}
	sum, ok := addMinor(m.minor, o.minor)
	if !ok {
		return Money{}, E(KindTooLarge, "%s + %s is beyond the range of money", m, o)
	}
	return Money{sum, m.currency}, nil
}

// Sub is m - o, with the errors of Add.
func (m Money) Sub(o Money) (Money, error) { return m.Add(o.Neg()) }

// Cmp is -1, 0 or 1 as m is less than, equal to or more than o. Amounts of
// different currencies have no order: KindMismatch.
func (m Money) Cmp(o Money) (int, error) {
	if err := m.sameCurrency(o); err != nil {
		return 0, err
	}
	switch {
	case m.minor < o.minor:
		return -1, nil
	case m.minor > o.minor:
		return 1, nil
	}
	return 0, nil
}

// Decimal is the amount in whole units, for rates, fees and formatting.
func (m Money) Decimal() decimal.Decimal {
	return decimal.New(m.minor, -int32(m.currency.Places()))
}

func (m Money) sameCurrency(o Money) error {
	if m.currency != o.currency {
		return E(KindMismatch, "%s and %s are of different currencies", m, o)
	}
	return nil
}

// addMinor is a + b within the symmetric range of Money.
func addMinor(a, b int64) (int64, bool) {
	sum := a + b
	overflown := (a > 0 && b > 0 && sum < 0) || (a < 0 && b < 0 && sum >= 0)
	return sum, !overflown && sum != math.MinInt64
}
