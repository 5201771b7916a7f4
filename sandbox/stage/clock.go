package stage

import (
	"sync"
	"time"
)

// China is the zone of book dates: most of the providers played here run there.
// A face whose provider counts in UTC converts.
var China = time.FixedZone("CST", 8*60*60)

// clock keeps the three times of the package comment.
type clock struct {
	now func() time.Time

	mu    sync.Mutex
	speed float64
	ahead time.Duration // added to the books by Advance
	since time.Time     // wall time at which passed held
	gone  time.Duration // waiting time gone by at since
}

func newClock(now func() time.Time, speed float64) *clock {
	return &clock{now: now, speed: speed, since: now()}
}

// wall is the real time: what signed timestamps say.
func (c *clock) wall() time.Time { return c.now() }

// books is the time that the books are kept in, in China.
func (c *clock) books() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Add(c.ahead).In(China)
}

// passed is the waiting time gone by since the start.
func (c *clock) passed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passedLocked()
}

func (c *clock) passedLocked() time.Duration {
	return c.gone + time.Duration(float64(c.now().Sub(c.since))*c.speed)
}

// until is the real time left before the waiting time reaches due. It is
// rounded up, so that a timer of this length never fires a moment too early.
func (c *clock) until(due time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := due - c.passedLocked()
	if left <= 0 {
		return 0
	}
	return time.Duration(float64(left)/c.speed) + 1
}

// setSpeed changes the pace from now on.
func (c *clock) setSpeed(speed float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone, c.since = c.passedLocked(), c.now()
	c.speed = speed
}

// advance moves the books and the waiting times forward by d.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
	c.gone += d
}

// ClockState is how a stage's times stand.
type ClockState struct {
	Wall   time.Time `json:"wall"`   // what signed timestamps say
	Books  time.Time `json:"books"`  // what books and bills say, in China
	Speed  float64   `json:"speed"`  // waiting time per real time
	Passed string    `json:"passed"` // waiting time gone by since the start
}

func (c *clock) state() ClockState {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	return ClockState{
		Wall:   now.UTC(),
		Books:  now.Add(c.ahead).In(China),
		Speed:  c.speed,
		Passed: c.passedLocked().Round(time.Millisecond).String(),
	}
}
