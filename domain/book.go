package domain

import (
	"cmp"
	"slices"
)

// BookFact is a fact of the books beside the payments: of bills, payouts,
// draws and periods.
//
//sumtype:decl
type BookFact interface {
	Fact
	ofBooks()
}

func (FeesBooked) ofBooks()     {}
func (DiscountBooked) ofBooks() {}
func (FXBooked) ofBooks()       {}
func (MovementBooked) ofBooks() {}
func (PayoutSent) ofBooks()     {}
func (PayoutArrived) ofBooks()  {}
func (PayoutFailed) ofBooks()   {}

// BookedBill is what one bill says was charged and exchanged, in sums over all
// of the bill. What an earlier import said and this one does not is taken back.
type BookedBill struct {
	Day       Day
	Bill      string // its kind; each kind of bill is booked by itself
	Run       string
	SHA256    string // of the bill
	Charges   []Charge
	Exchanges []Exchange

	// NoDiscounts says that this import knows nothing of discounts: what is
	// booked of them stays.
	NoDiscounts bool
}

// Charge is what a bill charged in one currency. The sums are decimals with at
// most 8 places, positive when we pay; empty means that the bill does not say.
type Charge struct {
	Currency  Currency
	Fees      string
	Discounts string
	Moved     Money // what left the balance for the fees, where lines state net amounts; zero Money for the rounded sum
}

// Exchange is money that left one currency and arrived in another one.
type Exchange struct {
	From Money // gross, of the currency that was charged
	To   Money // of the currency that is settled in
}

// Booked is what a call of the books came to.
type Booked struct {
	Facts     []Fact     // booked now, none when all was booked before
	Differing []Movement // booked before with another amount: nothing was moved for them
}

// Book is what is booked of a channel's bill day: the fold of its book stream.
// The zero Book is empty and ready.
type Book struct {
	fees      map[chargeKey]charged
	discounts map[chargeKey]Money
	exchanged map[exchangeKey]Exchange
	lines     map[string]Money
}

// chargeKey and exchangeKey name what each import says anew.
type chargeKey struct {
	bill     string
	currency Currency
}

type exchangeKey struct {
	bill     string
	from, to Currency
}

// charged is what is booked of a bill's fees.
type charged struct{ moved, fee Money }

// Apply folds a fact of the book stream into b. A fact of another stream is
// KindCorrupt.
func (b *Book) Apply(f Fact) error {
	switch f := f.(type) {
	case FeesBooked:
		fee, err := rounded(f.Exact, f.Total.currency)
		if err != nil {
			return err
		}
		set(&b.fees, chargeKey{f.Bill, f.Total.currency}, charged{f.Total, fee})
	case DiscountBooked:
		set(&b.discounts, chargeKey{f.Bill, f.Total.currency}, f.Total)
	case FXBooked:
		set(&b.exchanged, exchangeKey{f.Bill, f.TotalFrom.currency, f.TotalTo.currency}, Exchange{f.TotalFrom, f.TotalTo})
	case MovementBooked:
		set(&b.lines, f.Line, f.Amount)
	default:
		return E(KindCorrupt, "a book holds a %s", f.FactType())
	}
	return nil
}

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// Bill says what is to be booked for a bill: the differences to what is booked
// of that kind of bill, in order of the currencies, none when it is all booked.
// A sum that is none is KindInvalid, one beyond the range of money KindTooLarge.
func (b *Book) Bill(c Context, bill BookedBill) ([]Fact, error) {
	if _, err := ParseDay(string(bill.Day)); err != nil {
		return nil, err
	}
	if bill.Bill == "" || bill.Run == "" {
		return nil, EField(KindInvalid, "bill", "a bill is booked by its kind and run")
	}
	charges, err := b.charges(bill)
	if err != nil {
		return nil, err
	}
	var facts []Fact
	for _, ch := range charges {
		some, err := b.charge(c, bill, ch)
		if err != nil {
			return nil, err
		}
		facts = append(facts, some...)
	}
	exchanges, err := b.exchanges(bill)
	if err != nil {
		return nil, err
	}
	for _, x := range exchanges {
		f, due, err := b.exchange(c, bill, x)
		if err != nil {
			return nil, err
		}
		if due {
			facts = append(facts, f)
		}
	}
	return facts, nil
}

// charges are the bill's with those that it does not name any more, sorted.
func (b *Book) charges(bill BookedBill) ([]Charge, error) {
	out := slices.Clone(bill.Charges)
	said := map[Currency]bool{}
	for _, ch := range bill.Charges {
		if said[ch.Currency] {
			return nil, EField(KindInvalid, "charges", "%s stands in them twice", ch.Currency)
		}
		said[ch.Currency] = true
	}
	for currency := range b.currencies(bill.Bill) {
		if !said[currency] {
			out = append(out, Charge{Currency: currency, Fees: "0", Discounts: "0"})
		}
	}
	slices.SortFunc(out, func(x, y Charge) int { return cmp.Compare(x.Currency, y.Currency) })
	return out, nil
}

// currencies are those in which charges are booked of a kind of bill.
func (b *Book) currencies(bill string) map[Currency]bool {
	out := map[Currency]bool{}
	for k := range b.fees {
		if k.bill == bill {
			out[k.currency] = true
		}
	}
	for k := range b.discounts {
		if k.bill == bill {
			out[k.currency] = true
		}
	}
	return out
}

func (b *Book) charge(c Context, bill BookedBill, ch Charge) ([]Fact, error) {
	var facts []Fact
	if ch.Fees != "" {
		f, due, err := b.fee(c, bill, ch)
		if err != nil {
			return nil, err
		}
		if due {
			facts = append(facts, f)
		}
	}
	if ch.Discounts != "" && !bill.NoDiscounts {
		f, due, err := b.discount(c, bill, ch)
		if err != nil {
			return nil, err
		}
		if due {
			facts = append(facts, f)
		}
	}
	return facts, nil
}

// fee books fees by difference: what they come to, what left the balance, and
// between them what the provider rounded.
func (b *Book) fee(c Context, bill BookedBill, ch Charge) (f FeesBooked, due bool, err error) {
	now := charged{moved: ch.Moved}
	if now.fee, err = rounded(ch.Fees, ch.Currency); err != nil {
		return f, false, err
	}
	if now.moved.currency == "" {
		now.moved = now.fee
	}
	before, ok := b.fees[chargeKey{bill.Bill, ch.Currency}]
	if !ok {
		zero := NewMoney(0, ch.Currency)
		before = charged{zero, zero}
	}
	moved, err := now.moved.Sub(before.moved)
	if err != nil {
		return f, false, err
	}
	fee, err := now.fee.Sub(before.fee)
	if err != nil {
		return f, false, err
	}
	rest, err := moved.Sub(fee)
	if err != nil {
		return f, false, err
	}
	return FeesBooked{
		Channel: c.Channel.Channel, Day: bill.Day, Bill: bill.Bill, Amount: moved, Total: now.moved, Exact: ch.Fees,
		Run: bill.Run, SHA256: bill.SHA256, Dates: c.billDates(bill.Day),
		Postings: feePostings(c.Channel.Channel, moved, fee, rest), Rules: RulesVersion,
	}, !moved.IsZero() || !fee.IsZero(), nil
}

func (b *Book) discount(c Context, bill BookedBill, ch Charge) (f DiscountBooked, due bool, err error) {
	total, err := rounded(ch.Discounts, ch.Currency)
	if err != nil {
		return f, false, err
	}
	before, ok := b.discounts[chargeKey{bill.Bill, ch.Currency}]
	if !ok {
		before = NewMoney(0, ch.Currency)
	}
	m, err := total.Sub(before)
	if err != nil || m.IsZero() {
		return f, false, err
	}
	return DiscountBooked{
		Channel: c.Channel.Channel, Day: bill.Day, Bill: bill.Bill, Amount: m, Total: total, Exact: ch.Discounts,
		Run: bill.Run, SHA256: bill.SHA256, Dates: c.billDates(bill.Day),
		Postings: transfer(Posting{Book: BookDiscount(c.Channel.Channel)}, Posting{Book: BookPSP(c.Channel.Channel)}, m),
		Rules:    RulesVersion,
	}, true, nil
}
