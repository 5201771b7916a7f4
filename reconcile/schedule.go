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
	whyRefund    = "refund"    // refunds of a trade wait for the provider's word, or for their payment
	whyDispute   = "dispute"   // as whyRefund, disputes
	whyUnmatched = "unmatched" // a notice named no order: which one has this trade?
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

// Waits for questions that could not be asked as planned.
const (
	leftAlone    = time.Hour   // the channel is not configured in this process
	afterSilence = time.Minute // the provider did not answer others of the run
	refusedTries = 10          // unanswered questions after which a refused callback is let go
)

// pace turns the waits of the schedule into real ones: a test store may play a
// day in seconds.
type pace float64

func (p pace) of(d time.Duration) time.Duration { return time.Duration(float64(d) / float64(p)) }

// waitAt is the wait before the question after n earlier ones; the last wait
// stands for all further ones.
func waitAt(waits []time.Duration, n int) time.Duration { return waits[min(n, len(waits)-1)] }

// next schedules the question after one that was just asked at now, counting
// it; Done when nothing is left to ask. a.LastSaid is the answer. A question
// that was not answered never is the last one: absence proves nothing.
func (p pace) next(a operations.Ask, v domain.Payment, now time.Time) operations.Ask {
	answered := a.LastSaid != saidNothing
	switch a.Why {
	case whyHeld, whyRefund, whyDispute, whyUnmatched:
		a.NextAt = now.Add(p.of(waitAt(heldWaits, a.Attempts)))
		a.Attempts++
	case whyCredited:
		p.nextCredited(&a, answered && a.LastSaid != saidUnknown, now)
	case whyRefused:
		a.Attempts++
		a.NextAt = now.Add(p.of(refusedEvery))
		a.Done = answered || a.Attempts >= refusedTries
	default:
		p.nextUnsettled(&a, v, answered, now)
	}
	return a
}

// nextCredited counts answers: without one the same question is asked again,
// at waits that grow with the credit's age, until twice the last wait is over.
// That the provider does not find what it took money for is no answer.
func (p pace) nextCredited(a *operations.Ask, answered bool, now time.Time) {
	age := now.Sub(a.Since)
	if !answered {
		a.NextAt = now.Add(max(p.of(time.Hour), age/10))
		a.Done = age >= p.of(2*creditedWaits[len(creditedWaits)-1])
		return
	}
	for a.Attempts++; a.Attempts < len(creditedWaits); a.Attempts++ {
		a.NextAt = a.Since.Add(p.of(creditedWaits[a.Attempts]))
		if a.NextAt.After(now) {
			return
		}
	}
	a.Done = true
}

// nextUnsettled asks at growing intervals until the order's time is over, then
// once at its end, then along the tail.
func (p pace) nextUnsettled(a *operations.Ask, v domain.Payment, answered bool, now time.Time) {
	end := v.Placed.ExpiresAt
	if now.Before(end) {
		wait := p.of(waitAt(unsettledWaits, a.Attempts))
		wait = max(wait, min(now.Sub(a.Since)/4, p.of(day))) // an order may stay open for months
		a.Attempts++
		if a.NextAt = now.Add(wait); a.NextAt.After(end) {
			a.NextAt = end.Add(time.Second)
		}
		return
	}
	a.Attempts++
	since := now.Sub(end)
	wait := p.of(day)
	for _, w := range tailWaits {
		if since < p.of(w) {
			wait = p.of(w)
			break
		}
	}
	if !answered {
		wait = min(wait, max(p.of(time.Hour), since/10))
	}
	a.NextAt = now.Add(wait)
	a.Done = answered && since >= p.of(tailEnds)
}
