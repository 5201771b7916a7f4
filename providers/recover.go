package providers

import (
	"context"
	"iter"
	"time"
)

// Recoverer is a Channel whose provider can tell which of its callbacks did not
// arrive: the way back after an outage, and the sweep of a provider that knows
// no order numbers.
type Recoverer interface {
	// Missed yields what the provider has not been able to deliver up to at, the
	// oldest first, as answers of grade C. They are snapshots of the past, so
	// only what cannot be untrue later is told: money that came or went, never
	// its absence. after is the Cursor of an earlier answer, or empty for as far
	// back as the provider remembers; asking again from the start is harmless.
	//
	// Delivery and Run of the notices are the caller's to set. An error about one
	// message is yielded in its place and does not end the walk, so that one that
	// cannot be read hides no other; when the list itself fails, that error is the
	// last.
	Missed(ctx context.Context, after string, at time.Time) iter.Seq2[Answer, error]
}
