package reconcile

import (
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"counterfoil/domain"
)

// ParseRate reads a rate or a tolerance as people write it, 0.006: digits, a
// point, at most 8 digits behind it; empty is 0. KindInvalid for all else.
func ParseRate(s string) (decimal.Decimal, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	digits := whole + fraction
	n, err := strconv.ParseUint(digits, 10, 60)
	switch {
	case s == "":
		return decimal.Decimal{}, nil
	case err != nil || whole == "" || len(fraction) > 8 || strings.HasSuffix(s, ".") || strings.ContainsAny(digits, "+-_"):
		return decimal.Decimal{}, domain.E(domain.KindInvalid, "%.40q is not a number such as 0.006", s)
	}
	return decimal.New(int64(n), -int32(len(fraction))), nil // 60 bits, 8 places
}
