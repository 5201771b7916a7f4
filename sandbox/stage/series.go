package stage

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Series is the deliveries of one message: attempts on a schedule until one is
// accepted. A Lane starts it.
type Series struct {
	Of   string // what it is about, a trade number; see Lane
	Kind string // of its shots; empty means "callback"
	// Retries is when each attempt is due, as waiting time after the first one;
	// the first entry is 0 and the number of entries the number of attempts.
	Retries []time.Duration
	// Send makes, signs and sends the message anew and reports whether the answer
	// ends the series. It is called by one goroutine after another, but in a
	// burst by several at once.
	Send      func(ctx context.Context, shot Shot) bool
	Delivered func() // once, when an attempt was accepted; may be nil
	GaveUp    func() // once, when the last one was not; may be nil

	first   Manner
	over    time.Duration
	burst   int // copies of the first at the same moment; 0 means 1
	noRetry bool
	then    []func(context.Context) // after the first attempt

	stage *Stage
	lane  *Lane
	start time.Duration // waiting time of the first attempt
	try   int           // attempts made
}

// Deliveries makes a schedule of pauses into the Retries of a Series: each
// attempt so long after the one before it.
func Deliveries(pauses ...time.Duration) []time.Duration {
	due := make([]time.Duration, 1, len(pauses)+1)
	for i, p := range pauses {
		due = append(due, due[i]+p)
	}
	return due
}

// Run makes the next attempt and plans the one after it.
func (d *Series) Run(ctx context.Context) {
	if d.try == 0 {
		d.start = d.stage.Passed()
	}
	d.try++
	accepted := d.attempt(ctx)
	if d.try == 1 {
		d.lane.release(d)
		for _, act := range d.then {
			act(ctx)
		}
	}
	switch {
	case accepted:
		call(d.Delivered)
	case ctx.Err() != nil:
		// Stopped in the middle: the attempt counts, and its successor is due.
		d.again()
	case d.noRetry || d.try >= len(d.Retries):
		call(d.GaveUp)
	default:
		d.again()
	}
}

func call(act func()) {
	if act != nil {
		act()
	}
}

func (d *Series) again() {
	if d.try < len(d.Retries) {
		d.stage.jobs.at(d.start+d.Retries[d.try], d.Run)
	}
}

// attempt sends the message, the first time possibly in a bad manner.
func (d *Series) attempt(ctx context.Context) bool {
	shot := Shot{Kind: d.kind(), Genuine: true, Try: d.try}
	if d.try > 1 {
		return d.Send(ctx, shot)
	}
	shot.Manner, shot.Over = d.first, d.over
	if d.burst < 2 {
		return d.Send(ctx, shot)
	}
	return d.salvo(ctx, shot)
}

func (d *Series) kind() string {
	if d.Kind == "" {
		return "callback"
	}
	return d.Kind
}

// salvo sends copies that leave together; it reports whether one was accepted.
func (d *Series) salvo(ctx context.Context, shot Shot) bool {
	var all sync.WaitGroup
	var accepted atomic.Bool
	gate := make(chan struct{})
	for range d.burst {
		all.Go(func() {
			<-gate
			if d.Send(ctx, shot) {
				accepted.Store(true)
			}
		})
	}
	close(gate)
	all.Wait()
	return accepted.Load()
}
