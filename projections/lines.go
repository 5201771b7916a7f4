package projections

import (
	"context"
	"iter"
	"strings"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// LineFilter selects the movements on one channel's account at its provider.
type LineFilter struct {
	Channel  domain.ChannelID
	From, To domain.Day // value dates, both ends included
	Until    eventstore.Position
}

// LineReader reads what bills are compared with.
type LineReader interface {
	// Lines yields the movements that were booked up to position Until, in the
	// order of the log. It reads page by page: no lock or snapshot is held
	// however long the reader takes, and what is booked meanwhile lies behind
	// Until. It ends after the first error.
	Lines(ctx context.Context, f LineFilter) iter.Seq2[domain.OurLine, error]
}

// BalanceReader reads what our books of a provider's balance tell of a day.
type BalanceReader interface {
	// BookDay is what a channel's account at its provider held when a day began
	// and what moved it on that day, by value date, of what was booked up to
	// position Until. It reads what was booked since two days before the day:
	// nothing is booked longer ahead of its value date.
	BookDay(ctx context.Context, ch domain.ChannelID, day domain.Day, until eventstore.Position) (map[domain.Currency]domain.BookDay, error)
}

// OrderOf is the order number that a payment's stream names; empty where it
// carries a substitute or a trade number.
func OrderOf(s domain.Stream) string {
	_, ref, _ := SplitPayment(s)
	if strings.HasPrefix(ref, "~") || strings.HasPrefix(ref, "trade:") {
		return ""
	}
	return ref
}

// lineOf is the movement that a bill must have of a posted fact; one without a
// kind where there is none.
func lineOf(f domain.Fact) domain.OurLine {
	line, ok := domain.LineOf(f)
	if !ok {
		return domain.OurLine{}
	}
	return line
}
