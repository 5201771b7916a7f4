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
