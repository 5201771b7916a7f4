package stage

import (
	"context"
	"testing"
	"time"
)

func TestASeriesEndsWhenItIsAccepted(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *Stage, h *shop) {
		h.status = func(n int) int { return map[bool]int{true: 500, false: 200}[n < 2] }
		d := message(s, "a")
		delivered, gaveUp := 0, 0
		d.Delivered, d.GaveUp = func() { delivered++ }, func() { gaveUp++ }
		s.Lane().Deliver(d, Fault{Class: Late, Delay: Duration(time.Second)})
		settle(t, s)
		equal(t, h.times(), time.Second, 61*time.Second)
		if delivered != 1 || gaveUp != 0 {
			t.Errorf("delivered %d times, given up %d times", delivered, gaveUp)
		}
	})
}

func TestASeriesGivesUp(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *Stage, h *shop) {
		h.status = func(int) int { return 500 }
		d := message(s, "a")
		gaveUp := 0
		d.GaveUp = func() { gaveUp++ }
		s.Lane().Deliver(d, Fault{})
		settle(t, s)
		equal(t, h.times(), 0, time.Minute, 3*time.Minute)
		if gaveUp != 1 {
			t.Errorf("given up %d times", gaveUp)
		}
	})
}

func TestAdvanceMovesWaitingTimes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *Stage, h *shop) {
		h.status = func(int) int { return 500 }
		books := s.Books()
		seen := time.Time{}
		s.OnAdvance(func(books time.Time) { seen = books })
		s.Lane().Deliver(message(s, "a"), Fault{Class: Late, Delay: Duration(time.Hour)})
		if err := s.Advance(time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		equal(t, h.times(), 0)
		if moved := s.Books().Sub(books); moved != time.Hour+time.Second || !seen.Equal(books.Add(time.Hour)) {
			t.Errorf("books moved by %s, the act saw %s", moved, seen)
		}
		if err := s.Advance(-1); err == nil {
			t.Error("time went backwards")
		}
	})
}

// Each common class, on a merchant who takes everything at once.
func TestManners(t *testing.T) {
	t.Parallel()
	for class, want := range map[Class][]time.Duration{
		None:       {0},
		Lost:       nil,
		Late:       {30 * time.Minute},
		Repeated:   {0, time.Second, 2 * time.Second, 3 * time.Second},
		Twice:      {0, time.Second},
		Concurrent: {0, 0, 0, 0},
		Reordered:  {3 * time.Minute},
		Slow:       {0},
	} {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *Stage, h *shop) {
				f, err := CommonClasses().Complete(Fault{Class: class})
				if err != nil {
					t.Fatal(err)
				}
				s.Lane().Deliver(message(s, "a"), f)
				settle(t, s)
				equal(t, h.times(), want...)
			})
		})
	}
}

func TestALaterMessageOvertakes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *Stage, h *shop) {
		lane := s.Lane()
		held := Fault{Class: Reordered, Delay: Duration(time.Hour)}
		lane.Deliver(message(s, "a"), held)
		lane.Deliver(message(s, "b"), held)
		time.Sleep(time.Minute)
		lane.Deliver(message(s, "c"), Fault{})
		settle(t, s)
		paths := ""
		for _, c := range h.seen {
			paths += c.path
		}
		if paths != "/c/b/a" {
			t.Errorf("came in the order %s", paths)
		}
	})
}

// A message of the same order does not let its own one go.
func TestWhatIsHeldWaitsForAnotherOrder(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *Stage, h *shop) {
		lane := s.Lane()
		lane.Deliver(message(s, "a"), Fault{Class: Reordered, Delay: Duration(time.Hour)})
		lane.Once(message(s, "a"))
		settle(t, s)
		equal(t, h.times(), 0, time.Hour)
	})
}

func TestOnceIsOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *Stage, h *shop) {
		h.status = func(int) int { return 500 }
		s.Lane().Once(message(s, "a"))
		settle(t, s)
		equal(t, h.times(), 0)
	})
}

// What was broken off by Stop counts, and the rest follows when the stage
// starts again.
func TestStopKeepsWhatIsDue(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *Stage, h *shop) {
		h.status = func(int) int { return 500 }
		s.Lane().Deliver(message(s, "a"), Fault{Class: Late, Delay: Duration(0)})
		time.Sleep(time.Second)
		s.Stop()
		time.Sleep(time.Minute)
		if s.Pending() == 0 {
			t.Error("nothing is due")
		}
		s.Start()
		settle(t, s)
		equal(t, h.times(), 0, 61*time.Second, 3*time.Minute)
	})
}

func TestAttemptsSayWhatCameOfThem(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *Stage, h *shop) {
		h.status = func(int) int { return 503 }
		got := s.Send(t.Context(), Delivery{Face: "f", Merchant: "m", Method: "POST", URL: "http://shop.example/", Body: "x"})
		if got.Accepted || got.Status != 503 || got.Trouble() == "" {
			t.Errorf("answer %+v", got)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if got := s.Send(gone, Delivery{Face: "g", Method: "GET", URL: "http://shop.example/"}); got.Status != 0 || got.Err == nil {
			t.Errorf("answer %+v", got)
		}
		all := s.Attempts(AttemptFilter{Face: "f"})
		if len(all) != 1 || all[0].Form != "x" || all[0].Status != 503 || s.AttemptCount() != 2 {
			t.Errorf("attempts %+v", all)
		}
	})
}

func TestChanceFollowsFromNames(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *Stage, _ *shop) {
		if s.Chance("a", "b").Uint64() != s.Chance("a", "b").Uint64() || s.Chance("a", "b").Uint64() == s.Chance("ab", "").Uint64() {
			t.Error("chance does not follow from the names")
		}
	})
}
