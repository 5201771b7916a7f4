package domain

import (
	"cmp"
	"slices"
)

// TypeFXBooked is stored; never change it.
const TypeFXBooked = "fx.booked.v1"

// FXBooked books what a bill says was exchanged between the currency that was
// charged and the one that is settled in, by difference like FeesBooked. What
// it cost stands in no book: it is the rest between the two in
// equity:conversion.
type FXBooked struct {
	Channel   ChannelID `json:"channel"`
	Day       Day       `json:"day"`
	Bill      string    `json:"bill"`
	From      Money     `json:"from"` // left the balance of its currency
	To        Money     `json:"to"`   // arrived on the balance of its currency
	TotalFrom Money     `json:"total_from"`
	TotalTo   Money     `json:"total_to"` // what is booked for the bill with this one
	Run       string    `json:"run"`
	SHA256    string    `json:"sha256"`
	Dates     Dates     `json:"dates"`
	Postings  []Posting `json:"postings"`
	Rules     int       `json:"rules"`
}

// FactType is TypeFXBooked.
func (FXBooked) FactType() string { return TypeFXBooked }

// One run books the exchange between two currencies once.
func (f FXBooked) key() string {
	return f.Run + "/" + f.Bill + "/" + string(f.TotalFrom.currency) + "/" + string(f.TotalTo.currency)
}

// BookConversion stands between the currencies: what went into an exchange and
// what came out of it.
const BookConversion = "equity:conversion"

// exchanges are the bill's, one for each pair of currencies, with those that it
// does not name any more, sorted.
func (b *Book) exchanges(bill BookedBill) ([]Exchange, error) {
	sums := map[exchangeKey]Exchange{}
	for _, x := range bill.Exchanges {
		k := exchangeKey{bill.Bill, x.From.currency, x.To.currency}
		if !k.from.Known() || !k.to.Known() || k.from == k.to {
			return nil, EField(KindInvalid, "exchanges", "%s to %s is no exchange", x.From, x.To)
		}
		sum, ok := sums[k]
		if !ok {
			sums[k] = x
			continue
		}
		var err error
		if sum.From, err = sum.From.Add(x.From); err != nil {
			return nil, err
		}
		if sum.To, err = sum.To.Add(x.To); err != nil {
			return nil, err
		}
		sums[k] = sum
	}
	for k := range b.exchanged {
		if _, said := sums[k]; k.bill == bill.Bill && !said {
			sums[k] = Exchange{NewMoney(0, k.from), NewMoney(0, k.to)}
		}
	}
	out := make([]Exchange, 0, len(sums))
	for _, x := range sums {
		out = append(out, x)
	}
	slices.SortFunc(out, func(x, y Exchange) int {
		return cmp.Or(cmp.Compare(x.From.currency, y.From.currency), cmp.Compare(x.To.currency, y.To.currency))
	})
	return out, nil
}

func (b *Book) exchange(c Context, bill BookedBill, x Exchange) (f FXBooked, due bool, err error) {
	before, ok := b.exchanged[exchangeKey{bill.Bill, x.From.currency, x.To.currency}]
	if !ok {
		before = Exchange{NewMoney(0, x.From.currency), NewMoney(0, x.To.currency)}
	}
	from, err := x.From.Sub(before.From)
	if err != nil {
		return f, false, err
	}
	to, err := x.To.Sub(before.To)
	if err != nil {
		return f, false, err
	}
	return FXBooked{
		Channel: c.Channel.Channel, Day: bill.Day, Bill: bill.Bill, From: from, To: to, TotalFrom: x.From, TotalTo: x.To,
		Run: bill.Run, SHA256: bill.SHA256, Dates: c.billDates(bill.Day),
		Postings: fxPostings(c.Channel.Channel, from, to), Rules: RulesVersion,
	}, !from.IsZero() || !to.IsZero(), nil
}

// fxPostings: from left one currency's balance, to arrived on another's.
func fxPostings(ch ChannelID, from, to Money) []Posting {
	return nonZero(
		Posting{Book: BookPSP(ch), Amount: from.Neg()},
		Posting{Book: BookConversion, Amount: from},
		Posting{Book: BookConversion, Amount: to.Neg()},
		Posting{Book: BookPSP(ch), Amount: to},
	)
}
