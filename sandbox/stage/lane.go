package stage

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Lane is the callbacks of one merchant: within it one can be held back until
// a later one has overtaken it. Make it with Stage.Lane.
type Lane struct {
	stage *Stage
	mu    sync.Mutex
	held  []*Series
}

// Lane makes an empty lane.
func (s *Stage) Lane() *Lane { return &Lane{stage: s} }

// Deliver starts a series in the manner of a fault, which Classes.Complete has
// filled in. Classes that are not in CallbackClasses make it a plain one.
func (l *Lane) Deliver(d *Series, f Fault) {
	d.stage, d.lane = l.stage, l
	delay := time.Duration(f.Delay)
	switch f.Class {
	case Lost:
		return
	case Late:
		l.stage.jobs.after(delay, d.Run)
		return
	case Reordered:
		l.hold(d, delay)
		return
	case NoRetry:
		d.first, d.noRetry = BreakingOff, true
	case Closed:
		d.first = BreakingOff
	case ReplyLost:
		d.first = HangingUp
	case Slow:
		d.first, d.over = Dribbled, delay
	case Concurrent:
		d.burst = f.Copies
	case Twice:
		d.Then(func(context.Context) { d.Copy(string(Twice), 1, true) })
	case Repeated:
		// After the first one has its answer, at whatever speed.
		d.Then(func(context.Context) { d.Copy(string(Repeated), f.Copies, true) })
	default:
	}
	l.stage.jobs.after(0, d.Run)
}

// Once starts a series that is not repeated, whatever the answer: a person at
// the provider pressed a button.
func (l *Lane) Once(d *Series) {
	d.stage, d.lane, d.noRetry = l.stage, l, true
	l.stage.jobs.after(0, d.Run)
}

// Join makes a series one of the lane without starting it: for a face that
// calls Run itself, after messages of its own.
func (l *Lane) Join(d *Series) *Series {
	d.stage, d.lane = l.stage, l
	return d
}

// Then adds an act after the first attempt of the series.
func (d *Series) Then(act func(context.Context)) { d.then = append(d.then, act) }

// Copy sends the message n times more, a second of waiting time apart.
func (d *Series) Copy(kind string, n int, genuine bool) {
	for i := range n {
		shot := Shot{Kind: kind, Genuine: genuine, Try: i + 1}
		d.stage.jobs.after(time.Duration(i+1)*time.Second, func(ctx context.Context) { d.Send(ctx, shot) })
	}
}

// hold keeps a series back until a later one has gone out, or for at most a
// while.
func (l *Lane) hold(d *Series, atMost time.Duration) {
	l.mu.Lock()
	l.held = append(l.held, d)
	l.mu.Unlock()
	l.stage.jobs.after(atMost, func(ctx context.Context) {
		if l.unhold(d) {
			d.Run(ctx)
		}
	})
}

// unhold takes d off the held ones; false when it went already.
func (l *Lane) unhold(d *Series) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.held, d)
	if at < 0 {
		return false
	}
	l.held = slices.Delete(l.held, at, at+1)
	return true
}

// release lets the held ones go, the newest first, now that a message about
// something else has gone out.
func (l *Lane) release(overtaker *Series) {
	var held, own []*Series
	l.mu.Lock()
	for _, d := range l.held {
		if d.Of == overtaker.Of {
			own = append(own, d)
		} else {
			held = append(held, d)
		}
	}
	l.held = own
	l.mu.Unlock()
	if len(held) == 0 {
		return
	}
	l.stage.jobs.after(0, func(ctx context.Context) {
		for _, d := range slices.Backward(held) {
			d.Run(ctx)
		}
	})
}
