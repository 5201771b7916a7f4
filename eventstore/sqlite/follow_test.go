package sqlite_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
)

// TestLoneEvent: after a silence a follower hears of another process's event
// within Rest, and not sooner than it looks; of one in a run of them within Poll.
func TestLoneEvent(t *testing.T) {
	at := path(t, create(t, sqlite.Options{}))
	synctest.Test(t, func(t *testing.T) {
		o := sqlite.Options{Poll: 5 * time.Millisecond, Rest: 30 * time.Millisecond}
		here, there := open(t, at, o), open(t, at, o)
		time.Sleep(time.Second) // nobody follows: nobody looks
		heard := make(chan time.Time, 10)
		go func() {
			for b, err := range here.Follow(t.Context(), 0, eventstore.FollowOptions{}) {
				if err != nil {
					t.Error(err)
					return
				}
				for range b.Events {
					heard <- time.Now()
				}
			}
		}()
		late := func(silence time.Duration, n int) (most time.Duration) {
			for i := range n {
				time.Sleep(silence + time.Duration(i)*time.Millisecond) // at another moment between two looks each time
				told := time.Now()
				mustWrite(t, there, domain.Stream("s"+silence.String()+strconv.Itoa(i)), eventstore.NoStream, "1")
				most = max(most, (<-heard).Sub(told))
			}
			return most
		}
		if d := late(5*time.Second, 30); d < 20*time.Millisecond || d > 35*time.Millisecond {
			t.Errorf("lone events came up to %s late, want about 30 ms", d)
		}
		if d := late(50*time.Millisecond, 30); d > 10*time.Millisecond {
			t.Errorf("events in a run came up to %s late, want 5 ms and what lingers", d)
		}
	})
}
