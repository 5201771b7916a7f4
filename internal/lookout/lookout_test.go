package lookout_test

import (
	"testing"
	"time"

	"counterfoil/internal/lookout"
)

// looks is how many looks a pace takes in a silence.
func looks(p *lookout.Pace, silence time.Duration) (n int) {
	for ; silence > 0; n++ {
		silence -= p.Next(false)
	}
	return n
}

// TestSilenceIsCheap: a minute of silence costs hardly more looks than one in
// every Rest, and no look comes later than that.
func TestSilenceIsCheap(t *testing.T) {
	t.Parallel()
	p := lookout.Pace{Busy: 5 * time.Millisecond, Rest: 30 * time.Millisecond}
	if n := looks(&p, time.Minute); n < 2000 || n > 2100 {
		t.Errorf("%d looks in a minute of silence, want hardly more than 2,000", n)
	}
	if d := p.Next(false); d != 30*time.Millisecond || !p.Resting() {
		t.Errorf("after a minute: %s", d)
	}
}

// TestBusy: what goes on is looked after every Busy: at once after a find, and
// in pauses that are no longer than 40 of them.
func TestBusy(t *testing.T) {
	t.Parallel()
	p := lookout.Pace{Busy: 5 * time.Millisecond, Rest: 30 * time.Millisecond}
	looks(&p, time.Minute)
	if d := p.Next(true); d != 5*time.Millisecond || p.Resting() {
		t.Fatalf("after a find: %s", d)
	}
	for range 39 {
		if d := p.Next(false); d != 5*time.Millisecond {
			t.Fatalf("in a short pause: %s", d)
		}
	}
}

// TestLateByAShare: a silence's end is noticed after a fortieth of it at most,
// or Busy.
func TestLateByAShare(t *testing.T) {
	t.Parallel()
	p := lookout.Pace{Busy: 5 * time.Millisecond, Rest: 30 * time.Millisecond}
	for silence := time.Duration(0); silence < 5*time.Second; {
		d := p.Next(false)
		if d > max(p.Busy, silence/40) {
			t.Fatalf("after %s: %s", silence, d)
		}
		silence += d
	}
}

// TestNoRest: without a Rest beyond it every pause is Busy.
func TestNoRest(t *testing.T) {
	t.Parallel()
	p := lookout.Pace{Busy: time.Hour, Rest: time.Second}
	for range 100 {
		if d := p.Next(false); d != time.Hour || p.Resting() {
			t.Fatal(d)
		}
	}
}
