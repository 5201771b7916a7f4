package tamperlog

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/eventstore"
)

// What a batch took, its reading included, is followed by as much rest as
// leaves sealing its share of one processor.
func TestSealingRests(t *testing.T) {
	t.Parallel()
	leaves := make([][32]byte, 1)
	for name, c := range map[string]struct {
		share       float64
		n           news
		least, most time.Duration
	}{
		"8 in 100":        {0.08, news{read: 40 * time.Millisecond}, 460 * time.Millisecond, 700 * time.Millisecond},
		"a half":          {0.5, news{read: 40 * time.Millisecond}, 40 * time.Millisecond, 100 * time.Millisecond},
		"a long batch":    {0.08, news{read: time.Hour}, mostRest, mostRest},
		"no limit":        {1, news{read: time.Hour}, 0, 0},
		"nothing to seal": {0.08, news{}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				if c.n.read > 0 {
					c.n.batch = eventstore.Batch{Events: make([]eventstore.Recorded, 1), Leaves: leaves}
				}
				r := &session{share: c.share, spent: used()}
				began := time.Now()
				r.rest(t.Context(), c.n)
				if got := time.Since(began); got < c.least || got > c.most {
					t.Errorf("rested %s, want %s to %s", got, c.least, c.most)
				}
			})
		})
	}
}

// A leaf is found by its position, whether it is on the disk or waits for it,
// and looking writes nothing.
func TestLeavesThatWaitForTheDiskAreFound(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	must(t, Create(base+"/tree", base+"/tree.key", "log"))
	w, err := openWriter(base + "/tree")
	must(t, err)
	defer func() { must(t, w.Close()) }()
	for n := range 20 {
		if n == 12 {
			must(t, w.flush())
		}
		e := recorded(n)
		w.add(&e, leafOf(e))
	}
	for n := range 25 {
		at := recorded(n).Position
		for p, want := range map[eventstore.Position]bool{at: n < 20, at + 1: false} {
			got, err := w.has(p)
			must(t, err)
			if got != want {
				t.Errorf("position %s of event %d: found %v, want %v", p, n, got, want)
			}
		}
	}
	if w.unsaved() != 8 {
		t.Errorf("%d leaves wait for the disk, want the 8 that did before", w.unsaved())
	}
}
