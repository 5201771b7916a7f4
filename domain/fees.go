package domain

import (
	"math/big"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Stored names of what a bill charged. Never change one.
const (
	TypeFeesBooked     = "fees.booked.v1"
	TypeDiscountBooked = "discount.booked.v1"
)

// FeesBooked books what a provider charged by one bill: only the difference to
// what was booked for that bill before, so that a second import books nothing
// and a changed bill what changed. Amount is negative where less was charged.
type FeesBooked struct {
	Channel  ChannelID `json:"channel"`
	Day      Day       `json:"day"`  // of the bill, in the channel's zone
	Bill     string    `json:"bill"` // its kind
	Amount   Money     `json:"amount"`
	Total    Money     `json:"total"` // what has left the balance for the bill with this one
	Exact    string    `json:"exact"` // the bill's sum with all its places
	Run      string    `json:"run"`
	SHA256   string    `json:"sha256"` // of the bill
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// DiscountBooked books what a provider gave to payers at our cost, by
// difference like FeesBooked: it stands in the gross amounts and never reached
// the balance.
type DiscountBooked struct {
	Channel  ChannelID `json:"channel"`
	Day      Day       `json:"day"`
	Bill     string    `json:"bill"`
	Amount   Money     `json:"amount"`
	Total    Money     `json:"total"` // what is booked for the bill with this one
	Exact    string    `json:"exact"` // the bill's sum with all its places
	Run      string    `json:"run"`
	SHA256   string    `json:"sha256"`
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// FactType is TypeFeesBooked.
func (FeesBooked) FactType() string { return TypeFeesBooked }

// FactType is TypeDiscountBooked.
func (DiscountBooked) FactType() string { return TypeDiscountBooked }

// One run books the charges of a bill once in each currency.
func (f FeesBooked) key() string { return f.Run + "/" + f.Bill + "/" + string(f.Total.currency) }

func (f DiscountBooked) key() string { return f.Run + "/" + f.Bill + "/" + string(f.Total.currency) }

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

// rounded is a sum of charges in whole units of c, half away from zero: a
// provider charges each payment by itself, and what it rounded there has moved.
// A sum beyond the range of money is KindTooLarge.
func rounded(exact string, c Currency) (Money, error) {
	sum, err := parseFees(exact)
	if err != nil {
		return Money{}, err
	}
	if !c.Known() {
		return Money{}, EField(KindInvalid, "currency", "currency %s is not one we know", quote(string(c)))
	}
	return MoneyFromDecimal(sum.Round(int32(c.Places())), c) // at most 8 places
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

// BookDiscount is what the provider of a channel gave to payers at our cost.
func BookDiscount(ch ChannelID) string { return "expenses:discount:" + string(ch) }

// BookFeeRounding is what left balances for fees beside what the bills' sums
// come to: providers round the fee of each payment.
const BookFeeRounding = "expenses:fee:rounding"

// feePostings: the provider kept fee and rest of the money it holds for us, the
// rest being what it rounded.
func feePostings(ch ChannelID, moved, fee, rest Money) []Posting {
	return nonZero(
		Posting{Book: BookFee(ch), Amount: fee},
		Posting{Book: BookFeeRounding, Amount: rest},
		Posting{Book: BookPSP(ch), Amount: moved.Neg()},
	)
}

// nonZero leaves out postings of nothing.
func nonZero(ps ...Posting) []Posting {
	var out []Posting
	for _, p := range ps {
		if !p.Amount.IsZero() {
			out = append(out, p)
		}
	}
	return out
}
