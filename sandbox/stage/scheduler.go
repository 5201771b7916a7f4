package stage

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// job is work that becomes due at a waiting time.
type job struct {
	due time.Duration
	seq uint64 // order among jobs of one instant
	run func(context.Context)
}

type jobQueue []job

func (q jobQueue) Len() int { return len(q) }
func (q jobQueue) Less(i, j int) bool {
	if q[i].due != q[j].due {
		return q[i].due < q[j].due
	}
	return q[i].seq < q[j].seq
}
func (q jobQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *jobQueue) Push(x any)   { *q = append(*q, x.(job)) }

// Pop takes the last job off, as container/heap asks.
func (q *jobQueue) Pop() any {
	last := len(*q) - 1
	j := (*q)[last]
	(*q)[last] = job{}
	*q = (*q)[:last]
	return j
}

// scheduler runs jobs when they are due, at most so many at once.
type scheduler struct {
	clock *clock
	slots chan struct{}
	wake  chan struct{}

	mu    sync.Mutex
	queue jobQueue
	seq   uint64
	open  int             // jobs queued or running
	quiet []chan struct{} // closed when open reaches 0
}

func newScheduler(c *clock, workers int) *scheduler {
	return &scheduler{clock: c, slots: make(chan struct{}, workers), wake: make(chan struct{}, 1)}
}

// after queues run for when d of waiting time has passed.
func (s *scheduler) after(d time.Duration, run func(context.Context)) {
	s.at(s.clock.passed()+d, run)
}

// at queues run for the waiting time due.
func (s *scheduler) at(due time.Duration, run func(context.Context)) {
	s.mu.Lock()
	s.seq++
	s.open++
	heap.Push(&s.queue, job{due, s.seq, run})
	s.mu.Unlock()
	s.poke()
}

// poke makes the loop look at clock and queue again.
func (s *scheduler) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// loop starts due jobs until ctx ends, and returns when the last one it
// started has returned. The other jobs stay queued.
func (s *scheduler) loop(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		j, wait, ok := s.next()
		if ok {
			s.start(ctx, &running, j)
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// next takes the first due job, or says how long to wait for one.
func (s *scheduler) next() (j job, wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return job{}, time.Hour, false
	}
	if wait = s.clock.until(s.queue[0].due); wait > 0 {
		return job{}, wait, false
	}
	return heap.Pop(&s.queue).(job), 0, true
}

// start runs j as soon as a worker is free.
func (s *scheduler) start(ctx context.Context, running *sync.WaitGroup, j job) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		s.at(j.due, j.run)
		s.finish()
		return
	}
	running.Go(func() {
		defer func() { <-s.slots; s.finish() }()
		j.run(ctx)
	})
}

func (s *scheduler) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.open > 0 {
		return
	}
	for _, c := range s.quiet {
		close(c)
	}
	s.quiet = nil
}

// settled waits until no job is queued or running.
func (s *scheduler) settled(ctx context.Context) error {
	s.mu.Lock()
	if s.open == 0 {
		s.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	s.quiet = append(s.quiet, done)
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pending is how many jobs are queued or running.
func (s *scheduler) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}
