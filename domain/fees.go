package domain

import (
	"math/big"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// TypeFeesBooked is stored; never change it.
const TypeFeesBooked = "fees.booked.v1"

// FeesBooked books what a provider charged by one bill: only the difference to
// what was booked for that bill before, so that a second import books nothing
// and a changed bill what changed. Amount is negative where less was charged.
type FeesBooked struct {
	Channel  ChannelID `json:"channel"`
	Day      Day       `json:"day"`  // of the bill, in the channel's zone
	Bill     string    `json:"bill"` // its kind
	Amount   Money     `json:"amount"`
	Total    Money     `json:"total"` // what is booked for the bill with this one
	Exact    string    `json:"exact"` // the bill's sum with all its places; less than a unit is never booked
	Run      string    `json:"run"`
	SHA256   string    `json:"sha256"` // of the bill
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// FactType is TypeFeesBooked.
func (FeesBooked) FactType() string { return TypeFeesBooked }

// One run books the fees of a bill once in each currency.
func (f FeesBooked) key() string { return f.Run + "/" + f.Bill + "/" + string(f.Total.currency) }

// FeeBill is what one bill says was charged.
type FeeBill struct {
	Day    Day
	Bill   string
	Run    string
	SHA256 string
	Fees   string // decimal, at most 8 places; positive when we pay
	In     Currency
}

// FeeBook is what is booked of a channel's bill day: the fold of its book
// stream.
type FeeBook struct{ totals map[feeOf]Money }

type feeOf struct {
	bill     string
	currency Currency
}

// Apply is the book after f.
func (b FeeBook) Apply(f FeesBooked) FeeBook {
	next := FeeBook{totals: map[feeOf]Money{}}
	for k, m := range b.totals {
		next.totals[k] = m
	}
	next.totals[feeOf{f.Bill, f.Total.currency}] = f.Total
	return next
}

// Book says what is to be booked for a bill, and whether anything is. The sum
// is taken in whole units of the currency, rounded half away from zero: a
// provider charges each payment by itself, and what it rounded there has moved.
// A sum beyond the range of money is KindTooLarge.
func (b FeeBook) Book(c Context, bill FeeBill) (f FeesBooked, due bool, err error) {
	fees, err := parseFees(bill.Fees)
	if err != nil {
		return f, false, err
	}
	minor := fees.Shift(int32(bill.In.Places())).Round(0) // at most 8 places
	if !minor.BigInt().IsInt64() {
		return f, false, EField(KindTooLarge, "fees", "%s %s is beyond the range of money", bill.Fees, bill.In)
	}
	total := NewMoney(minor.IntPart(), bill.In)
	before, ok := b.totals[feeOf{bill.Bill, bill.In}]
	if !ok {
		before = NewMoney(0, bill.In)
	}
	m, err := total.Sub(before)
	if err != nil || m.IsZero() {
		return f, false, err
	}
	return FeesBooked{
		Channel: c.Channel.Channel, Day: bill.Day, Bill: bill.Bill, Amount: m, Total: total, Exact: bill.Fees,
		Run: bill.Run, SHA256: bill.SHA256, Dates: c.billDates(bill.Day), Postings: feePostings(c.Channel.Channel, m), Rules: RulesVersion,
	}, true, nil
}

// maxFees bounds the digits of a sum of fees.
const maxFees = 30

// parseFees reads a sum of fees as Compared writes it: digits, with at most 8
// places, perhaps below zero.
func parseFees(text string) (decimal.Decimal, error) {
	digits := strings.TrimPrefix(text, "-")
	whole, places, dotted := strings.Cut(digits, ".")
	if len(text) > maxFees || whole == "" || !all(whole, isDigit) || !all(places, isDigit) || dotted == (places == "") || len(places) > feePlaces {
		return decimal.Decimal{}, EField(KindInvalid, "fees", "%s is no sum of fees", quote(text))
	}
	n, _ := new(big.Int).SetString(whole+places, 10)
	if digits != text {
		n.Neg(n)
	}
	return decimal.NewFromBigInt(n, -int32(len(places))), nil // at most 8
}

// billDates are those of what a bill says of a whole day: its last second.
func (c Context) billDates(day Day) Dates {
	end := day.Add(1).Start(c.Zone).Add(-time.Second)
	d := c.dates(Notice{OccurredAt: end, ReceivedAt: c.Now})
	d.Estimated = true
	return d
}

// BookFee is what the provider of a channel charges.
func BookFee(ch ChannelID) string { return "expenses:fee:" + string(ch) }

// feePostings: the provider kept m of the money it holds for us.
func feePostings(ch ChannelID, m Money) []Posting {
	return transfer(Posting{Book: BookFee(ch)}, Posting{Book: BookPSP(ch)}, m)
}
