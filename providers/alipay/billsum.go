package alipay

import (
	"strconv"
	"strings"

	"counterfoil/domain"
)

// discounts are what the merchant gave away in a row.
type discounts struct{ coupons, packets domain.Money }

// sum is what the rows of one direction come to.
type sum struct {
	count int
	total domain.Money
	given domain.Money // by coupons of the merchant's own
	more  domain.Money // and by his red packets
	seen  bool         // the foot named it, and it agreed
}

func (s *sum) add(b *bill, m domain.Money, given discounts) error {
	if s.count == 0 {
		zero := domain.NewMoney(0, domain.CNY)
		s.total, s.given, s.more = zero, zero, zero
	}
	s.count++
	for _, part := range [...]struct{ to, what *domain.Money }{{&s.total, &m}, {&s.given, &given.coupons}, {&s.more, &given.packets}} {
		if part.what.IsZero() {
			continue
		}
		total, err := part.to.Add(*part.what)
		if err != nil {
			return b.corrupt("makes the sum too large: %w", err)
		}
		*part.to = total
	}
	return nil
}

// footed is a sum as the foot writes it.
type footed struct {
	count int
	total domain.Money
	given int64 // fen that the merchant gave away
	gives bool  // the foot says how much
}

// agrees reports whether the rows come to what the foot says. Whether it counts
// red packets among what the merchant gave away is written nowhere.
func (s *sum) agrees(f footed) bool {
	if f.count != s.count || f.total.Minor() != s.total.Minor() {
		return false
	}
	return !f.gives || f.given == s.given.Minor() || f.given == s.given.Minor()+s.more.Minor()
}

// readSum reads "2笔，商家实收共14.60元，商家优惠共0.40元" and "1笔，共-0.60元".
func readSum(text string) (footed, error) {
	number, rest, ok := strings.Cut(text, "笔")
	n, err := strconv.ParseUint(number, 10, 31)
	if !ok || err != nil {
		return footed{}, domain.E(domain.KindCorrupt, "%.80q", text)
	}
	total, rest, err := nextAmount(rest)
	if err != nil {
		return footed{}, err
	}
	f := footed{count: int(n), total: total}
	if strings.Contains(rest, "商家优惠") {
		given, _, err := nextAmount(rest)
		if err != nil {
			return f, err
		}
		f.given, f.gives = given.Minor(), true
	}
	return f, nil
}

// nextAmount is the size of the amount between the next 共 and 元.
func nextAmount(text string) (m domain.Money, rest string, err error) {
	_, amount, found := strings.Cut(text, "共")
	amount, rest, ended := strings.Cut(amount, "元")
	if !found || !ended {
		return m, "", domain.E(domain.KindCorrupt, "%.80q", text)
	}
	m, err = domain.ParseMoney(unsigned(amount, outward), domain.CNY)
	return m, rest, err
}
