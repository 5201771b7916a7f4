package sqlite

import (
	"sync"
	"time"

	"counterfoil/domain"
)

// Bounds of the turns between processes.
const (
	longestStint = 100 * time.Millisecond
	rest         = 2 * time.Millisecond // longer than the others' pause, rounded up by the kernel's timers
)

// gate lets the committers of a process write one at a time, and leaves a gap
// for other processes in what would otherwise be one long stint.
type gate struct {
	mu    sync.Mutex // fair: hands over to whoever waited a millisecond
	begun time.Time  // of the stint
	left  time.Time
}

func (g *gate) enter() {
	g.mu.Lock()
	now := time.Now() //nolint:forbidigo // measures how long others were kept out, decides nothing that is stored
	switch {
	case now.Sub(g.left) > rest:
		g.begun = now
	case now.Sub(g.begun) > longestStint:
		time.Sleep(rest)
		g.begun = now.Add(rest)
	}
}

func (g *gate) leave() {
	g.left = time.Now() //nolint:forbidigo // as above
	g.mu.Unlock()
}

// health is what all committers of a store must know: whether a sync failed.
type health struct {
	mu      sync.Mutex
	unknown error // the first failed sync; stays
}

// note keeps the first error that left the disk unknown.
func (h *health) note(err error) {
	if err == nil || domain.KindOf(err) != domain.KindUnknown {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unknown == nil {
		h.unknown = err
	}
}

// failure is the failed sync, or nil.
func (h *health) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unknown
}
