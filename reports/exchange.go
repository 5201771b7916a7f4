package reports

import (
	"github.com/shopspring/decimal"

	"counterfoil/domain"
)

// Exchange is money that a provider changed between the currency that was
// charged and the one it settles in, booked once for each bill by difference.
// Both amounts are below zero where money went back.
type Exchange struct {
	Channel domain.ChannelID `json:"channel"`
	Day     domain.Day       `json:"day"` // of the bill
	From    domain.Money     `json:"from"`
	To      domain.Money     `json:"to"`
	Rate    string           `json:"rate,omitempty"` // To for one From, as booked
	Gain    domain.Money     `json:"gain,omitzero"`  // see finishExchanges; no money where it is not known
	Event   domain.ID        `json:"event"`
	Bill    string           `json:"bill"`
	Run     string           `json:"run"`
	SHA256  string           `json:"sha256"` // of the bill
}

// ratePlaces are the places of a rate: as many as Stripe states.
const ratePlaces = 8

func exchangeOf(b Booking, f domain.FXBooked) Exchange {
	return Exchange{
		Channel: b.Channel, Day: f.Day, From: f.From, To: f.To, Rate: rateOf(f.From.Decimal(), f.To.Decimal()), Event: b.Event,
		Bill: f.Bill, Run: f.Run, SHA256: f.SHA256,
	}
}

func rateOf(from, to decimal.Decimal) string {
	if from.IsZero() {
		return ""
	}
	return to.DivRound(from, ratePlaces).String()
}

// pairAt is a pair of currencies at one channel.
type pairAt struct {
	channel  domain.ChannelID
	from, to domain.Currency
}

// changed is what was changed and did not go back yet.
type changed struct{ from, to decimal.Decimal }

// finishExchanges works out what was won or lost by exchange. No provider says
// it: it is the difference between what money brought when it was changed and
// what it took to change it back, at the mean rate of what was changed before in
// the same report. A bill that says only another amount in one of the currencies
// is such a difference as a whole, where that is the settlement's.
func (f *folding) finishExchanges() {
	pools := map[pairAt]*changed{}
	for i := range f.r.Exchanges {
		x := &f.r.Exchanges[i]
		k := pairAt{x.Channel, x.From.Currency(), x.To.Currency()}
		if pools[k] == nil {
			pools[k] = &changed{}
		}
		if gain, known := pools[k].take(x.From.Decimal(), x.To.Decimal(), int32(k.to.Places())); known {
			if m, err := domain.MoneyFromDecimal(gain, k.to); err == nil { // else it is beyond the range of money
				x.Gain = m
			}
		}
	}
}

// take puts money into the pool or back out of it. What goes out is compared with
// what it brought.
func (c *changed) take(from, to decimal.Decimal, places int32) (gain decimal.Decimal, known bool) {
	switch {
	case from.IsZero():
		return to, true
	case from.IsPositive():
		c.from, c.to = c.from.Add(from), c.to.Add(to)
		return gain, false
	case c.from.LessThan(from.Neg()):
		*c = changed{} // it was changed before the report begins
		return gain, false
	}
	brought := c.to.Mul(from.Neg()).DivRound(c.from, places)
	c.from, c.to = c.from.Add(from), c.to.Sub(brought)
	return brought.Add(to), true
}

// ExchangeSum adds up the exchanges of a pair of currencies at a channel.
type ExchangeSum struct {
	Channel  domain.ChannelID
	Count    int
	From, To domain.Money
	Gain     domain.Money
	in       changed // what did not go back
}

// Rate is the mean rate of what was changed, without what was changed back.
func (s ExchangeSum) Rate() string { return rateOf(s.in.from, s.in.to) }

// ExchangeSums are the exchanges by channel and currencies.
func (p *page) ExchangeSums() []*ExchangeSum {
	var out []*ExchangeSum
	at := map[pairAt]*ExchangeSum{}
	for _, x := range p.Exchanges {
		k := pairAt{x.Channel, x.From.Currency(), x.To.Currency()}
		s := at[k]
		if s == nil {
			s = &ExchangeSum{
				Channel: k.channel, From: domain.NewMoney(0, k.from), To: domain.NewMoney(0, k.to), Gain: domain.NewMoney(0, k.to),
			}
			at[k] = s
			out = append(out, s)
		}
		s.add(x)
	}
	return out
}

func (s *ExchangeSum) add(x Exchange) {
	s.Count++
	if x.From.IsPositive() {
		s.in.from, s.in.to = s.in.from.Add(x.From.Decimal()), s.in.to.Add(x.To.Decimal())
	}
	if sum, err := s.From.Add(x.From); err == nil { // beyond the range of money: the count still tells
		s.From = sum
	}
	if sum, err := s.To.Add(x.To); err == nil {
		s.To = sum
	}
	if sum, err := s.Gain.Add(x.Gain); err == nil && x.Gain.Currency() != "" {
		s.Gain = sum
	}
}

func (r *Report) exchanges() Sheet {
	s := Sheet{Name: "Exchange", Zh: "币种兑换", Columns: []Column{
		{"Channel", "渠道", 16},
		{"Day", "账单日", 12},
		{"Charged", "收款金额", 16},
		{"Charge currency", "收款币种", 16},
		{"Settled", "结算金额", 16},
		{"Settlement currency", "结算币种", 18},
		{"Rate", "汇率", 14},
		{"Gain or loss", "汇兑损益", 14},
		{"Bill", "账单", 11},
		{"Run", "批次号", 40},
		{"Bill SHA-256", "账单哈希", 66},
		{"Event", "事件号", 38},
	}}
	for _, x := range r.Exchanges {
		s.Rows = append(s.Rows, []any{
			string(x.Channel), x.Day, x.From, string(x.From.Currency()), x.To, string(x.To.Currency()), exact(x.Rate), x.Gain, x.Bill, x.Run,
			x.SHA256, x.Event.String(),
		})
	}
	return s
}
