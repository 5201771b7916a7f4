package reports

import (
	"context"
	"fmt"
	"iter"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// Event is a decoded event of the log.
type Event struct {
	Position eventstore.Position
	ID       domain.ID
	Stream   domain.Stream
	Recorded time.Time
	Fact     domain.Fact
	beside   bool // it tells something, and its money is counted elsewhere
}

// Events reads the log from its first event up to and with position until, or
// up to its head as it is when the reading gets there where until is 0. It ends
// after the first error.
func Events(ctx context.Context, log eventstore.Reader, until eventstore.Position) iter.Seq2[Event, error] {
	return stretch(ctx, log, 0, until)
}

// stretch is Events from behind a position.
func stretch(ctx context.Context, log eventstore.Reader, after, until eventstore.Position) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if until != 0 && after >= until {
			return
		}
		for batch, err := range log.Follow(ctx, after, eventstore.FollowOptions{}) {
			if err != nil {
				yield(Event{}, fmt.Errorf("read the log: %w", err))
				return
			}
			for _, r := range batch.Events {
				if until != 0 && r.Position > until {
					return
				}
				e, err := decode(r)
				if !yield(e, err) || err != nil {
					return
				}
			}
			if batch.CaughtUp || until != 0 && batch.Position >= until {
				return
			}
		}
		yield(Event{}, context.Cause(ctx))
	}
}

func decode(r eventstore.Recorded) (Event, error) {
	fact, err := domain.DecodeFact(r.Type, r.Data)
	if err != nil {
		return Event{}, fmt.Errorf("event at %s of %s: %w", r.Position, r.Stream, err)
	}
	meta, err := domain.DecodeMeta(r.Meta)
	if err != nil {
		return Event{}, fmt.Errorf("meta at %s of %s: %w", r.Position, r.Stream, err)
	}
	return Event{Position: r.Position, ID: r.ID, Stream: r.Stream, Recorded: domain.Instant(meta.RecordedAt), Fact: fact}, nil
}

// Bookings are the events that moved money. The notice that one rests on stands
// right before it in the log. What proof needs of the events on the way is
// noted there; it may be nil.
func Bookings(events iter.Seq2[Event, error], proof *Proof) iter.Seq2[Booking, error] {
	return bookings(events, nil, proof)
}

func bookings(events iter.Seq2[Event, error], from *reading, proof *Proof) iter.Seq2[Booking, error] {
	return func(yield func(Booking, error) bool) {
		var basis basis
		for e, err := range events {
			if err != nil {
				yield(Booking{}, err)
				return
			}
			proof.note(e, from.counted(e))
			basis.note(e)
			b, ok := Of(e.Fact, e.ID, e.Stream, e.Recorded)
			if !ok || !from.counts(e, b) {
				continue
			}
			b.Evidence = basis.of(e)
			if !yield(b, nil) {
				return
			}
		}
	}
}

// basis remembers the last notice, on which the events right behind it rest.
type basis struct {
	sha256 string
	stream domain.Stream
}

func (b *basis) note(e Event) {
	if n, ok := e.Fact.(domain.PaymentNotified); ok {
		b.sha256, b.stream = n.Evidence.SHA256, e.Stream
	}
}

// of is the hash of the evidence that e rests on; empty where it is not known.
func (b *basis) of(e Event) string {
	if o := originOf(e.Fact); o.sha256 != "" {
		return o.sha256
	}
	if b.stream == e.Stream {
		return b.sha256
	}
	return ""
}

// orderOf is the order number of the payment an event belongs to; empty where
// its stream names none.
func orderOf(e Event) string { return projections.OrderOf(e.Stream) }

// OfChannel are the bookings of one channel; all of them for "".
func OfChannel(bookings iter.Seq2[Booking, error], ch domain.ChannelID) iter.Seq2[Booking, error] {
	if ch == "" {
		return bookings
	}
	return func(yield func(Booking, error) bool) {
		for b, err := range bookings {
			if (err != nil || b.Channel == ch) && !yield(b, err) {
				return
			}
		}
	}
}
