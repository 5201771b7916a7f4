package month

import (
	"context"
	"sync"
	"time"

	"counterfoil/sandbox/stage"
)

// clock is the time of everybody: ours, the providers', and of their books. It
// stands still until it is set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

// Now is the time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.at) {
		c.at = t
	}
}

// day is a day of the month by its number.
func day(n int) time.Time { return time.Date(2026, 10, n, 0, 0, 0, 0, stage.China) }

// The times of a day at which the shop sells: on both sides of midnight in
// China and, at eight in the morning there, in UTC.
var slots = []time.Duration{
	time.Minute, 3 * time.Hour, 8*time.Hour - time.Minute, 8*time.Hour + time.Minute, 11 * time.Hour, 14 * time.Hour,
	18 * time.Hour, 22 * time.Hour, 24*time.Hour - 90*time.Second,
}

// Slots of a day by what they are good for.
const (
	morning   = 4
	noon      = 5
	evening   = 6
	lastThing = 8
)

// slotTime is when a slot of the month is, counted from its first one.
func slotTime(at int) time.Time { return day(1 + at/len(slots)).Add(slots[at%len(slots)]) }

// slotOf is a slot by day and place.
func slotOf(dayNo, place int) int { return (dayNo-1)*len(slots) + place }

// workers is how many messages the providers send at once.
const workers = 16

// moveTo moves the clock and lets everything happen that falls due.
func (w *world) moveTo(t time.Time) {
	w.clock.set(t)
	w.do(w.box.Advance(0)) // wakes what is due now
	w.settle()
}

// settle waits until nothing is due, under way, or being answered. What waits
// for a later time goes on waiting.
func (w *world) settle() {
	for quiet := 0; quiet < 2; quiet++ {
		sent, pending := w.box.AttemptCount(), w.box.Pending()
		w.barrier()
		if w.box.AttemptCount() != sent || w.box.Pending() != pending || w.inside.Load() != 0 {
			quiet = -1
		}
	}
}

// barrier holds every worker of the stage at once: when the last one arrives,
// whatever was due before has been done.
func (w *world) barrier() {
	var arrived sync.WaitGroup
	leave := make(chan struct{})
	arrived.Add(workers)
	for range workers {
		w.box.After(0, func(context.Context) {
			arrived.Done()
			<-leave
		})
	}
	arrived.Wait()
	close(leave)
}
