package projections

import (
	"strconv"
	"strings"

	"counterfoil/domain"
)

// markLetters are the states a Mark can have and how they are stored.
var markLetters = map[domain.TradeState]byte{ //nolint:exhaustive // the other states give a payment no state
	domain.TradeHeld: 'h', domain.TradeSuspect: 's', domain.TradeParked: 'p',
}

var markStates = map[byte]domain.TradeState{
	'h': domain.TradeHeld, 's': domain.TradeSuspect, 'p': domain.TradeParked,
}

// MarksText is ms as adapters store them: for each the letter of its state, the
// length of its trade number, ":", the number, the amount in minor units, a
// blank, the currency and ";". Empty for none.
func MarksText(ms []Mark) string {
	var b []byte
	for _, m := range ms {
		b = strconv.AppendInt(append(b, markLetters[m.State]), int64(len(m.TradeNo)), 10)
		b = append(append(b, ':'), m.TradeNo...)
		b = strconv.AppendInt(b, m.Amount.Minor(), 10)
		b = append(append(append(b, ' '), m.Amount.Currency()...), ';')
	}
	return string(b)
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
	amount, rest, end := strings.Cut(tail[n:], ";")
	minor, currency, blank := strings.Cut(amount, " ")
	v, err := strconv.ParseInt(minor, 10, 64)
	if !end || !blank || err != nil {
		return Mark{}, "", false
	}
	m = Mark{TradeNo: tail[:n], State: state}
	if currency != "" {
		m.Amount = domain.NewMoney(v, domain.Currency(currency))
	}
	return m, rest, true
}
