package stripe

import (
	"math/big"
	"slices"
	"strings"

	"counterfoil/domain"
)

// fxPerMille is what Stripe keeps where it changes money.
const fxPerMille = 20

// worth is what one unit of a currency is worth, in millionths of a dollar. The
// others are worth half a dollar.
var worth = map[domain.Currency]int64{ //nolint:exhaustive // see above
	"USD": 1_000_000, "EUR": 1_083_400, "GBP": 1_270_500, "CNY": 139_100, "HKD": 128_000, "JPY": 6_400, "KRW": 730, "SGD": 741_000,
	"KWD": 3_250_000, "BHD": 2_652_000, "CHF": 1_120_000, "ISK": 7_200, "TWD": 31_000,
}

const (
	oneMillion = 1_000_000
	elseWorth  = oneMillion / 2
	sways      = 10_000 // millionths by which a rate goes up and down
)

// change is an amount in another currency, at the rate of the moment, which
// follows from the names. The caller holds f.mu.
func (f *Face) change(s sum, code string, names ...string) (changed sum, rate string) {
	from, to := s.money(), sum{0, code}.money().Currency()
	sway := f.stage.Chance(append(names, Name, "rate")...).Int64N(2*sways+1) - sways
	r := big.NewInt(worthOf(from.Currency()))
	r.Mul(r, big.NewInt(oneMillion+sway)).Div(r, big.NewInt(worthOf(to))) // of one unit, in millionths
	minor := new(big.Int).Mul(big.NewInt(from.Minor()), r)
	for range to.Places() {
		minor.Mul(minor, big.NewInt(10))
	}
	scale := big.NewInt(oneMillion)
	for range from.Currency().Places() {
		scale.Mul(scale, big.NewInt(10))
	}
	minor.Quo(minor, scale)
	least := int64(1)
	if to.Places() == 3 {
		least = 10 // Stripe counts no less
	}
	whole := minor.Int64() / least * least // of at most 10^15 units times a rate of at most 5,000
	if whole == 0 {
		whole = least * int64(from.Decimal().Sign())
	}
	changed, err := sumOf(domain.NewMoney(whole, to))
	if err != nil {
		panic("stripe: changed money has no form: " + err.Error())
	}
	perCount := new(big.Rat).SetFrac(new(big.Int).Mul(r, unitOf(to)), new(big.Int).Mul(big.NewInt(oneMillion), unitOf(from.Currency())))
	return changed, perCount.FloatString(8)
}

// unitOf is one unit of a currency as Stripe counts it: its rates are of counts.
func unitOf(c domain.Currency) *big.Int {
	minor := int64(1)
	for range c.Places() {
		minor *= 10
	}
	s, err := sumOf(domain.NewMoney(minor, c))
	if err != nil {
		panic("stripe: one unit has no form: " + err.Error())
	}
	return big.NewInt(s.count)
}

func worthOf(c domain.Currency) int64 {
	if w := worth[c]; w > 0 {
		return w
	}
	return elseWorth
}

// settlesIn is the code of the currency in which a payment reaches the balance:
// empty for its own.
func (a *account) settlesIn(placed string, exchanged bool) string {
	other := func(c domain.Currency) bool { return c != "" && strings.ToLower(string(c)) != placed }
	if other(a.Settlement) {
		return strings.ToLower(string(a.Settlement))
	}
	if !exchanged {
		return ""
	}
	all := []domain.Currency{a.Currency, domain.USD, "EUR"}
	return strings.ToLower(string(all[slices.IndexFunc(all, other)])) // a payment has one currency only
}
