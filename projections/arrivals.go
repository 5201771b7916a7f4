package projections

import (
	"context"
	"time"

	"counterfoil/domain"
)

// HourCount is how many payments a channel's callbacks told of for the first
// time in one hour. A gateway that repeats one callback for ever counts once.
type HourCount struct {
	Hour time.Time // its beginning
	N    int
	Last time.Time // of the hour's last one
}

// ArrivalReader reads when callbacks came.
type ArrivalReader interface {
	// Arrivals are the hours since a time in which a channel had any, the earliest
	// first.
	Arrivals(ctx context.Context, ch domain.ChannelID, since time.Time) ([]HourCount, error)
}

// ArrivalRow adds to an hour's count.
type ArrivalRow struct {
	Channel domain.ChannelID
	HourCount
}

// arrive counts the first callback of a payment; pay is as that left it.
func (f *folder) arrive(pay *PaymentRow, n domain.PaymentNotified) {
	if n.Source != domain.SourceCallback || pay.Notices > 1 {
		return
	}
	at := domain.Instant(n.ReceivedAt)
	hour := at.Truncate(time.Hour)
	if last := len(f.out.Arrivals) - 1; last >= 0 {
		if a := &f.out.Arrivals[last]; a.Channel == pay.Channel && a.Hour.Equal(hour) {
			a.N++
			a.Last = later(a.Last, at)
			return
		}
	}
	f.out.Arrivals = append(f.out.Arrivals, ArrivalRow{pay.Channel, HourCount{Hour: hour, N: 1, Last: at}})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
