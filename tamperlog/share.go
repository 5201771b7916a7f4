package tamperlog

import (
	"context"
	"syscall"
	"time"
)

// mostRest is the longest pause after one batch, so that a head is never far.
const mostRest = time.Second

// elsewhere is how much more it is to read an event than to hash and add it,
// for stores that read on other threads.
const elsewhere = 2

// used is the processor time that the calling thread has taken. Its goroutine
// must be locked to it. The clock on the wall would count the turns of others,
// which on a busy machine are most of it.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(ours, &u); err != nil {
		return 0 // there is no such error; a share of nothing is no limit
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rest pauses in proportion to the work since the last rest: that of this
// thread, comparing and signing among it, and the reading of the batch.
func (r *session) rest(ctx context.Context, n news) {
	now := used()
	worked := now - r.spent
	r.spent = now
	if n.batch.Leaves == nil {
		worked += elsewhere * worked
	} else {
		worked += n.read
	}
	if len(n.batch.Events) > 0 && r.share < 1 {
		pause(ctx, restFor(worked, r.share))
	}
}

// restFor is how long work must be followed by rest to be a share of the time.
func restFor(worked time.Duration, share float64) time.Duration {
	return min(mostRest, time.Duration(float64(worked)*(1/share-1)))
}
