// Package lookout says how often to look for what nobody tells: that another
// process has committed to a file. Each look wakes an idle process, which costs
// it far more than the look itself, so looks grow rarer while nothing is found.
package lookout

import "time"

// share is the part of a silence that may pass before it is noticed that it has
// ended: looks come 40 times while a silence doubles, so who is busy is looked
// after as often as ever.
const share = 40

// Pace is the time between looks. A Pace is for one goroutine.
type Pace struct {
	Busy time.Duration // while something is found
	Rest time.Duration // the longest, after a silence 40 times as long

	silence time.Duration
}

// Next is how long to wait before the next look, after one that found something
// or nothing: a fortieth of the silence, within Busy and Rest.
func (p *Pace) Next(found bool) time.Duration {
	if found {
		p.silence = 0
	}
	wait := max(p.Busy, min(p.silence/share, p.Rest))
	p.silence += wait
	return wait
}

// Resting reports whether looks are rarer than while something is found.
func (p *Pace) Resting() bool { return p.silence/share > p.Busy && p.Rest > p.Busy }
