package domain

import (
	"maps"
	"slices"
)

// PartKind says what moved a balance: a kind of line, or what only books know.
type PartKind string

// What moves a balance.
const (
	PartPayment           PartKind = "payment" // less the discounts that we bore
	PartRefund            PartKind = "refund"
	PartRefundFailed      PartKind = "refund_failed"
	PartFee               PartKind = "fee"
	PartDisputeWithdrawn  PartKind = "dispute_withdrawn"
	PartDisputeReinstated PartKind = "dispute_reinstated"
	PartPayout            PartKind = "payout"
	PartPayoutFailed      PartKind = "payout_failed"
	PartOther             PartKind = "other"
	PartExchange          PartKind = "exchange"   // between the currency that was charged and the one that is settled in
	PartOpening           PartKind = "opening"    // taken over from other books
	PartCorrection        PartKind = "correction" // by people, of money that no bill lists
)

// BalancePart is what one kind of movement did to a balance in a day, by the
// bill and in our book of it.
type BalancePart struct {
	What PartKind `json:"what"`
	Bill Money    `json:"bill"` // signed: what came is positive
	Book Money    `json:"book"` // the same in our book, by value date
}

// BookDay is what our book of a balance tells of a day in one currency.
type BookDay struct {
	Opening Money
	Moved   map[PartKind]Money // by value date, signed
}

// PartOf is the kind under which a fact that moves a balance counts; line is
// that of LineOf, empty where it has none. Discounts count with the payments
// that they lessen.
func PartOf(typ string, line LineKind) PartKind {
	if line != "" {
		return PartKind(line)
	}
	switch typ {
	case TypeFeesBooked:
		return PartFee
	case TypeDiscountBooked:
		return PartPayment
	case TypeFXBooked:
		return PartExchange
	case TypePayoutSent:
		return PartPayout
	case TypePayoutFailed:
		return PartPayoutFailed
	case TypeOpeningBooked:
		return PartOpening
	case TypeMovementBooked:
		return PartOther
	}
	return PartCorrection
}

// Off is by how much more the bill says than our book held at the day's end;
// zero Money where the two were not held against one another, or where that is
// beyond the range of money.
func (b *BillBalance) Off() Money { return lessOf(b.Closing, b.InBook()) }

// InBook is what our book of the balance held at the day's end; zero Money where
// the two were not held against one another.
func (b *BillBalance) InBook() Money {
	if b.Held && b.Book.IsZero() {
		return NewMoney(0, b.Currency) // it is read back as no money
	}
	return b.Book
}

// unlessZero is m as it is read back: 0 of a currency is not stored.
func unlessZero(m Money) Money {
	if m.IsZero() {
		return Money{}
	}
	return m
}

// lessOf is a − b; zero Money where it cannot be told.
func lessOf(a, b Money) Money {
	if off, err := a.Sub(b); err == nil {
		return off
	}
	return Money{}
}

// Against holds the balances that a bill states against our books of the day,
// and tells by what moved them where the two differ. It is a figure and no
// difference of its own: what it is made of is told line by line.
func (t *BillTally) Against(stated []BillBalance, books map[Currency]BookDay) error {
	for i := range stated {
		b := &stated[i]
		zero := NewMoney(0, b.Currency)
		day, ok := books[b.Currency]
		if !ok {
			day.Opening = zero
		}
		book := day.Opening
		for _, m := range day.Moved {
			var err error
			if book, err = book.Add(m); err != nil {
				return err
			}
		}
		b.Held, b.Book, b.Before = true, unlessZero(book), unlessZero(lessOf(b.Opening, day.Opening))
		b.Parts = parts(zero, t.chains[b.Currency].moved, day.Moved)
	}
	return nil
}

// parts are the kinds of movements that came to different sums, by name.
func parts(zero Money, bill, book map[PartKind]Money) []BalancePart {
	all := maps.Clone(bill)
	if all == nil {
		all = map[PartKind]Money{}
	}
	maps.Copy(all, book)
	var out []BalancePart
	for _, what := range slices.Sorted(maps.Keys(all)) {
		p := BalancePart{What: what, Bill: zero, Book: zero}
		if m, ok := bill[what]; ok {
			p.Bill = m
		}
		if m, ok := book[what]; ok {
			p.Book = m
		}
		if p.Bill != p.Book {
			out = append(out, p)
		}
	}
	return out
}

// part adds what a line moved to its kind. A fee that the line names beside its
// amount counts as a fee, and money that was changed on the way as exchange, as
// both are booked.
func (c *balanceChain) part(b *BillLine) error {
	what, net := PartKind(b.Kind), b.Net
	if b.Kind != LineFee && !b.Kind.disputed() && b.FeeCurrency != "" && !b.Fee.IsZero() {
		if fee, known, err := b.feeMoved(); err != nil {
			return err
		} else if known {
			if err := c.moves(PartFee, fee.Neg()); err != nil {
				return err
			}
			if net, err = net.Add(fee); err != nil {
				return err
			}
		}
	}
	if b.Amount.currency != b.Net.currency && b.Kind.way() != 0 {
		what = PartExchange
	}
	return c.moves(what, net)
}

func (c *balanceChain) moves(what PartKind, m Money) error {
	if c.moved == nil {
		c.moved = map[PartKind]Money{}
	}
	sum, ok := c.moved[what]
	if !ok {
		c.moved[what] = m
		return nil
	}
	sum, err := sum.Add(m)
	c.moved[what] = sum
	return err
}
