package domain

import (
	"maps"
	"slices"

	"github.com/shopspring/decimal"
)

// Compared counts what a comparison went through.
type Compared struct {
	Ours    SideSum // our lines of the bill's day; not those of its neighbours
	Theirs  SideSum // all lines of the bill
	Matched int64   // lines of ours that the bill agrees with
	Split   int64   // of these, listed by the bill in several parts
	Noted   int64   // lines of the bill that move no money or have no counterpart in payments
	Waiting int64   // lines of ours that a later bill may have
	Settled int64   // lines of ours that were found on the bill of another day

	ToleratedTimes int64 // pairs whose times differ within the tolerance
	ToleratedFees  int64 // fees off the rate within the tolerance

	fees      []feeSum
	tolerated []feeSum
	kinds     map[DiscrepancyKind]int64 // open differences
}

// SideSum counts the lines of one side and adds up their amounts.
type SideSum struct {
	Lines    int64
	Payments Totals
	Refunds  Totals // and what went away for disputes, less what came back of both
}

// add counts a line.
func (s *SideSum) add(k LineKind, m Money) error {
	s.Lines++
	if m.currency == "" {
		return nil
	}
	switch k {
	case LinePayment:
		return s.Payments.Add(m)
	case LineRefund, LineDisputeWithdrawn:
		return s.Refunds.Add(m)
	case LineRefundFailed, LineDisputeReinstated:
		return s.Refunds.Add(m.Neg())
	case LineFee, LinePayout, LinePayoutFailed, LineOther:
	}
	return nil
}

// feeSum adds up fees of one currency. Most have few digits, so they are added
// as whole numbers of 1e-8; what does not fit goes to the decimal.
type feeSum struct {
	currency Currency
	small    int64
	rest     decimal.Decimal
}

const feePlaces = 8

func addFee(sums []feeSum, c Currency, fee decimal.Decimal) []feeSum {
	i := slices.IndexFunc(sums, func(s feeSum) bool { return s.currency == c })
	if i < 0 {
		sums = append(sums, feeSum{currency: c})
		i = len(sums) - 1
	}
	sums[i].add(fee)
	return sums
}

func (s *feeSum) add(fee decimal.Decimal) {
	shift := feePlaces + int(fee.Exponent())
	if shift >= 0 && shift+fee.NumDigits() <= 17 {
		v := fee.CoefficientInt64()
		for range shift {
			v *= 10
		}
		if sum, ok := addMinor(s.small, v); ok {
			s.small = sum
			return
		}
	}
	s.rest = s.rest.Add(fee)
}

func (s feeSum) total() decimal.Decimal { return s.rest.Add(decimal.New(s.small, -feePlaces)) }

func totals(sums []feeSum) map[Currency]decimal.Decimal {
	out := make(map[Currency]decimal.Decimal, len(sums))
	for _, s := range sums {
		out[s.currency] = s.total()
	}
	return out
}

// addTheirs counts a line of the bill.
func (s *Compared) addTheirs(b *BillLine) error {
	if b.FeeCurrency != "" && !b.Fee.IsZero() && !b.Kind.disputed() {
		s.fees = addFee(s.fees, b.FeeCurrency, b.Fee)
	}
	if !b.moved() {
		s.Theirs.Lines++
		return nil
	}
	return s.Theirs.add(b.Kind, b.Amount)
}

func (s *Compared) tolerateFee(c Currency, off decimal.Decimal) {
	s.ToleratedFees++
	s.tolerated = addFee(s.tolerated, c, off)
}

// count counts a difference.
func (s *Compared) count(d Difference) {
	switch d.State {
	case DifferenceWaiting:
		s.Waiting++
	case DifferenceSettled:
		s.Settled++
	case DifferenceOpen:
		if s.kinds == nil {
			s.kinds = map[DiscrepancyKind]int64{}
		}
		s.kinds[d.Kind]++
	}
}

// Fees are the fees of the bill by currency.
func (s *Compared) Fees() map[Currency]decimal.Decimal { return totals(s.fees) }

// Tolerated is by how much fees were off the rate within the tolerance, added
// up with their signs.
func (s *Compared) Tolerated() map[Currency]decimal.Decimal { return totals(s.tolerated) }

// Open counts the open differences by kind.
func (s *Compared) Open() map[DiscrepancyKind]int64 { return maps.Clone(s.kinds) }

// OpenCount is the number of open differences.
func (s *Compared) OpenCount() int64 {
	var n int64
	for _, k := range s.kinds {
		n += k
	}
	return n
}
