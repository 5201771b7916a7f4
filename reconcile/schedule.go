package reconcile

import (
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// Why a provider is asked about a payment. The word is part of the schedule's
// key: one payment may be asked about for several reasons.
const (
	whyUnsettled = "unsettled" // no money has come
	whyHeld      = "held"      // money waits for confirmation; asking never ends
	whyCredited  = "credited"  // settled: is it still so at the provider?
	whyRefused   = "refused"   // a callback that named it was refused
)

const (
	day = 24 * time.Hour

	// tailEnds is how long after its end an unpaid order is still asked about.
	tailEnds = 10 * day
)

// The waits between questions.
var (
	unsettledWaits = []time.Duration{2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 30 * time.Minute}
	tailWaits      = []time.Duration{time.Hour, 6 * time.Hour, day}
	heldWaits      = []time.Duration{
		10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
		15 * time.Minute, 30 * time.Minute, time.Hour, time.Hour, 2 * time.Hour, 6 * time.Hour, day,
	}
	creditedWaits = []time.Duration{time.Hour, day, 7 * day, 30 * day, 90 * day}
)

// pace turns the waits of the schedule into real ones: a test store may play a
// day in seconds.
type pace float64

func (p pace) of(d time.Duration) time.Duration { return time.Duration(float64(d) / float64(p)) }

// waitAt is the wait before the question after n earlier ones; the last wait
// stands for all further ones.
func waitAt(waits []time.Duration, n int) time.Duration { return waits[min(n, len(waits)-1)] }

// next schedules the question after one that was just asked at now; Done when
// nothing is left to ask.
func (p pace) next(a operations.Ask, v domain.Payment, now time.Time) operations.Ask {
	switch a.Why {
	case whyHeld:
		a.NextAt = now.Add(p.of(waitAt(heldWaits, a.Attempts-1)))
	case whyCredited:
		if a.Done = a.Attempts >= len(creditedWaits); !a.Done {
			a.NextAt = a.Since.Add(p.of(creditedWaits[a.Attempts]))
		}
	case whyRefused:
		a.Done = true
	default:
		p.nextUnsettled(&a, v, now)
	}
	return a
}

// nextUnsettled asks at growing intervals until the order's time is over, then
// once at its end, then along the tail.
func (p pace) nextUnsettled(a *operations.Ask, v domain.Payment, now time.Time) {
	end := v.Placed.ExpiresAt
	if now.Before(end) {
		a.NextAt = now.Add(p.of(waitAt(unsettledWaits, a.Attempts-1)))
		if a.NextAt.After(end) {
			a.NextAt = end.Add(time.Second)
		}
		return
	}
	since := now.Sub(end)
	wait := p.of(day)
	for i, w := range tailWaits {
		if i == len(tailWaits)-1 || since < p.of(w) {
			wait = p.of(w)
			break
		}
	}
	a.NextAt = now.Add(wait)
	a.Done = since >= p.of(tailEnds)
}
