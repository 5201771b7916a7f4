package domain

import (
	"time"

	"github.com/shopspring/decimal"
)

// Day is a calendar day in a channel's zone, YYYY-MM-DD: days compare as text.
type Day string

// ParseDay reads YYYY-MM-DD; anything else is KindInvalid.
func ParseDay(text string) (Day, error) {
	if t, err := time.Parse(time.DateOnly, text); err != nil || t.Format(time.DateOnly) != text {
		return "", EField(KindInvalid, "day", "%.40q is not a day as YYYY-MM-DD", text)
	}
	return Day(text), nil
}

// DayOf is the day of t in zone.
func DayOf(t time.Time, zone *time.Location) Day { return Day(t.In(zone).Format(time.DateOnly)) }

// Start is the first moment of d in zone, also where clocks are set forward at
// midnight, so that the day begins at one, or back to it, so that it comes twice.
// A day that a zone has left out begins with the one after it.
func (d Day) Start(zone *time.Location) time.Time {
	midnight, _ := time.Parse(time.DateOnly, string(d))
	t := time.Date(midnight.Year(), midnight.Month(), midnight.Day(), 0, 0, 0, 0, zone)
	set, _ := t.ZoneBounds()
	if hour, minute, second := t.Clock(); t.Day() == midnight.Day() && hour+minute+second == 0 && (set.IsZero() || t.Sub(set) > 12*time.Hour) {
		return t // nearly always
	}
	return d.startByNoon(midnight, zone)
}

// startByNoon goes by the clock of the day's noon, at which none is set.
func (d Day) startByNoon(midnight time.Time, zone *time.Location) time.Time {
	at := func(like time.Time) time.Time { // midnight by the clock that is in force at a moment
		_, offset := like.In(zone).Zone()
		return midnight.Add(-time.Duration(offset) * time.Second).In(zone)
	}
	t := at(time.Date(midnight.Year(), midnight.Month(), midnight.Day(), 12, 0, 0, 0, zone))
	switch before := t.Add(-time.Second); {
	case DayOf(t, zone) < d:
		return at(t)
	case DayOf(before, zone) == d:
		return at(before)
	}
	return t
}

// Add is the day n days after d.
func (d Day) Add(n int) Day { return Day(d.Start(time.UTC).AddDate(0, 0, n).Format(time.DateOnly)) }

// LineKind says what a line of a bill is about.
type LineKind string

// What a line of a bill can be about.
const (
	LinePayment           LineKind = "payment"
	LineRefund            LineKind = "refund"
	LineRefundFailed      LineKind = "refund_failed" // refunded money came back
	LineFee               LineKind = "fee"           // a fee by itself, not part of another line
	LineDisputeWithdrawn  LineKind = "dispute_withdrawn"
	LineDisputeReinstated LineKind = "dispute_reinstated"
	LinePayout            LineKind = "payout"
	LinePayoutFailed      LineKind = "payout_failed"
	LineOther             LineKind = "other" // a movement we have no name for
)

// BillLine is one line of a provider's bill. Evidence of grade C or better: it
// compares, it never credits by itself.
type BillLine struct {
	Row            int             // in the bill, from 1, for people
	Kind           LineKind        //
	OrderNo        string          // the merchant's number; empty where the line names none
	TradeNo        string          // the provider's number of the payment
	RefundID       string          // with refund lines
	RefundNo       string          //
	DisputeID      string          // with dispute lines
	PayoutID       string          // with payout lines, or the payout that the line went into
	Into           string          // with payout lines: the payout that the line went into, its own where its lines name it
	ID             string          // the provider's number of the line itself, where it has one
	Amount         Money           // gross, never negative but for LineOther
	Fee            decimal.Decimal // up to 8 places, positive when we pay it, in FeeCurrency
	FeeCurrency    Currency        // the currency of Fee and Net
	Net            Money           // what moved on the balance, signed; zero Money where the bill does not say
	Discount       Money           // part of Amount that we bore and that never reached the balance; zero Money for none
	Balance        Money           // on the provider's side after the line; zero Money where the bill does not say
	Status         Status          //
	ProviderStatus string          // the provider's own word
	At             time.Time       // when it happened
	Account        AccountID       // as Notice.Account
}
