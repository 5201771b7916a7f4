package projections

import (
	"strconv"
	"strings"

	"counterfoil/domain"
)

// What marks can say beside the states of money.
const (
	markDispute   domain.TradeState = "dispute"    // money that is away until a dispute is decided
	markTakenBack domain.TradeState = "taken_back" // it settled the order, and is parked since that was taken back
)

// markLetters are the states a Mark can have and how they are stored.
var markLetters = map[domain.TradeState]byte{
	domain.TradeHeld: 'h', domain.TradeSuspect: 's', domain.TradeParked: 'p', domain.TradeCredited: 'c',
	domain.TradeAllocated: 'a', domain.TradeSeen: 'n', markDispute: 'd',
	domain.TradeReversed: 'r', domain.TradeWrittenOff: 'w', markTakenBack: 't',
}

var markStates = map[byte]domain.TradeState{
	'h': domain.TradeHeld, 's': domain.TradeSuspect, 'p': domain.TradeParked, 'c': domain.TradeCredited,
	'a': domain.TradeAllocated, 'n': domain.TradeSeen, 'd': markDispute,
	'r': domain.TradeReversed, 'w': domain.TradeWrittenOff, 't': markTakenBack,
}

// MarksText is ms as adapters store them: for each the letter of its state, the
// length of its number, ":", the number, the amount in minor units, a blank and
// the currency; where some was refunded "/" and that money in the same form;
// and ";". Empty for none.
func MarksText(ms []Mark) string {
	var b []byte
	for _, m := range ms {
		b = strconv.AppendInt(append(b, markLetters[m.State]), int64(len(m.TradeNo)), 10)
		b = appendMinor(append(append(b, ':'), m.TradeNo...), m.Amount)
		if m.Refunded != (domain.Money{}) {
			b = appendMinor(append(b, '/'), m.Refunded)
		}
		b = append(b, ';')
	}
	return string(b)
}

func appendMinor(b []byte, m domain.Money) []byte {
	b = strconv.AppendInt(b, m.Minor(), 10)
	return append(append(b, ' '), m.Currency()...)
}

// ParseMarks reads what MarksText wrote; anything else is KindCorrupt.
func ParseMarks(s string) ([]Mark, error) {
	var ms []Mark
	for rest := s; rest != ""; {
		m, tail, ok := parseMark(rest)
		if !ok {
			return nil, domain.E(domain.KindCorrupt, "stored marks %q cannot be read", s)
		}
		ms, rest = append(ms, m), tail
	}
	return ms, nil
}

func parseMark(s string) (m Mark, rest string, ok bool) {
	state, known := markStates[s[0]]
	size, tail, colon := strings.Cut(s[1:], ":")
	n, err := strconv.Atoi(size)
	if !known || !colon || err != nil || n < 0 || n > len(tail) {
		return Mark{}, "", false
	}
	sums, rest, end := strings.Cut(tail[n:], ";")
	amount, refunded, some := strings.Cut(sums, "/")
	m = Mark{TradeNo: tail[:n], State: state}
	m.Amount, ok = parseMinor(amount)
	if some && ok {
		m.Refunded, ok = parseMinor(refunded)
	}
	return m, rest, ok && end
}

func parseMinor(s string) (domain.Money, bool) {
	minor, currency, blank := strings.Cut(s, " ")
	v, err := strconv.ParseInt(minor, 10, 64)
	if !blank || err != nil {
		return domain.Money{}, false
	}
	if currency == "" {
		return domain.Money{}, true
	}
	return domain.NewMoney(v, domain.Currency(currency)), true
}
