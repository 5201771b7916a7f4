package demo

import (
	"maps"
	"slices"
	"strings"

	"counterfoil/domain"
)

// purse is money of several currencies. A demo cannot overflow it.
type purse map[domain.Currency]int64

func (p purse) add(m domain.Money) {
	if m.Minor() != 0 {
		p[m.Currency()] += m.Minor()
	}
}

func (p purse) take(m domain.Money) { p.add(m.Neg()) }

// of is what the purse holds of one currency.
func (p purse) of(c domain.Currency) domain.Money { return domain.NewMoney(p[c], c) }

// String lists what is there, by currency, and leaves nothing at all out.
func (p purse) String() string {
	var parts []string
	for _, c := range slices.Sorted(maps.Keys(p)) {
		if p[c] != 0 {
			parts = append(parts, p.of(c).String())
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}
