package domain

import "math"

// Amount is the amount with exactly the unit's digits after the point: "7.30",
// "-0.05", "700" for yen.
func (m Money) Amount() string {
	var buf [maxAmountText]byte
	return string(m.AppendAmount(buf[:0]))
}

// String is the amount and the currency: "7.30 CNY".
func (m Money) String() string {
	if m == (Money{}) {
		return "no money"
	}
	var buf [maxAmountText]byte
	b := append(m.AppendAmount(buf[:0]), ' ')
	return string(append(b, m.currency...))
}

// AppendAmount appends Amount to b.
func (m Money) AppendAmount(b []byte) []byte {
	var digits [24]byte
	at, places := len(digits), m.currency.Places()
	rest := magnitude(m.minor)
	for n := 0; n <= places || rest > 0; n++ {
		if n == places && n > 0 {
			at--
			digits[at] = '.'
		}
		at--
		digits[at] = byte('0' + rest%10)
		rest /= 10
	}
	if m.minor < 0 {
		at--
		digits[at] = '-'
	}
	return append(b, digits[at:]...)
}

// magnitude is |n|, also where n has no opposite.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// parseForeign reads the grammar of ParseMoney. The fault, if any, completes
// the sentence "amount x …".
func parseForeign(s string, places int) (minor int64, fault string) {
	if len(s) > maxAmountText {
		return 0, "is too long"
	}
	whole, fraction, hasPoint := cutPoint(s)
	units, ok := parseWhole(whole, 13)
	if !ok {
		return 0, "is not a plain decimal number"
	}
	if hasPoint && (fraction == "" || len(fraction) > 8) {
		return 0, "must have 1 to 8 digits after the point"
	}
	for i := range max(places, len(fraction)) {
		digit := byte('0')
		if i < len(fraction) {
			digit = fraction[i]
		}
		switch {
		case digit < '0' || digit > '9':
			return 0, "is not a plain decimal number"
		case i < places:
			units = units*10 + int64(digit-'0')
		case digit != '0':
			return 0, "has digits below the unit"
		}
		if units > MaxParsed { // before the next digit could overflow it
			return 0, "is absurdly large"
		}
	}
	return units, ""
}

// parseWhole reads 0 or a number without leading zero of at most most digits
// (which may be 18).
func parseWhole(s string, most int) (int64, bool) {
	if s == "" || len(s) > most || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// cutPoint is strings.Cut at the first point.
func cutPoint(s string) (whole, fraction string, hasPoint bool) {
	for i := range len(s) {
		if s[i] == '.' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// parseCanonical reads what AppendAmount writes at this number of places.
func parseCanonical(s string, places int) (int64, bool) {
	negative := s != "" && s[0] == '-'
	if negative {
		s = s[1:]
	}
	wholeLen := len(s)
	if places > 0 {
		wholeLen -= places + 1
	}
	// 19 digits hold every int64, and every 19 digits fit in a uint64.
	if wholeLen < 1 || wholeLen+places > 19 || (s[0] == '0' && wholeLen > 1) {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		if i == wholeLen {
			if s[i] != '.' {
				return 0, false
			}
			continue
		}
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	if n > math.MaxInt64 || (negative && n == 0) {
		return 0, false
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), true
}
