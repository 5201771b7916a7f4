package reconcile

import (
	"fmt"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// play asks until the schedule is done or n questions were asked, and returns
// the times of the questions since noon.
func play(p pace, a operations.Ask, v domain.Payment, said func(at time.Duration) string, n int) (at []time.Duration, done bool) {
	now := a.NextAt
	for range n {
		at = append(at, now.Sub(noon))
		a.LastSaid = said(now.Sub(noon))
		if a = p.next(a, v, now); a.Done {
			return at, true
		}
		now = a.NextAt
	}
	return at, false
}

func always(word string) func(time.Duration) string {
	return func(time.Duration) string { return word }
}

func minutes(ms ...int) []time.Duration {
	out := make([]time.Duration, len(ms))
	for i, m := range ms {
		out[i] = time.Duration(m) * time.Minute
	}
	return out
}

func open(end time.Duration) domain.Payment {
	return domain.Payment{Placed: domain.PaymentPlaced{OrderNo: "O", PlacedAt: noon, ExpiresAt: noon.Add(end)}}
}

func TestScheduleTables(t *testing.T) {
	t.Parallel()
	const h = 60
	tail := func(end int) []int { // minutes
		at := []int{end, end + h, end + 7*h}
		for d := 1; d <= 10; d++ {
			at = append(at, end+7*h+d*24*h)
		}
		return at
	}
	for _, test := range []struct {
		name string
		why  string
		from time.Duration // first question
		end  time.Duration // of the order
		said string
		n    int
		want []time.Duration
		done bool
	}{
		{"unsettled until its end", whyUnsettled, 2 * time.Minute, 2 * time.Hour, "waiting", 7, minutes(2, 4, 8, 16, 31, 61, 91), false},
		{"tail", whyUnsettled, 2 * time.Hour, 2 * time.Hour, saidUnknown, 100, minutes(tail(2 * h)...), true},
		{"held for ever", whyHeld, 0, time.Hour, saidUnknown, 14, []time.Duration{
			0, 10 * time.Second, 30 * time.Second, 70 * time.Second, 130 * time.Second, 250 * time.Second, 550 * time.Second,
			1450 * time.Second, 3250 * time.Second, 6850 * time.Second, 10450 * time.Second, 17650 * time.Second,
			39250 * time.Second, 125650 * time.Second,
		}, false},
		{"credited", whyCredited, time.Hour, time.Hour, "paid", 100, minutes(h, 24*h, 7*24*h, 30*24*h, 90*24*h), true},
		{"refused", whyRefused, 0, time.Hour, "waiting", 100, minutes(0), true},
		{"refused and unanswered", whyRefused, 0, time.Hour, saidNothing, 100, minutes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), true},
	} {
		for _, p := range []pace{1, 60} {
			t.Run(fmt.Sprint(test.name, " at ", p), func(t *testing.T) {
				t.Parallel()
				a := operations.Ask{Why: test.why, Since: noon, NextAt: noon.Add(p.of(test.from))}
				got, done := play(p, a, open(p.of(test.end)), always(test.said), test.n)
				same := len(got) == len(test.want) && done == test.done
				for i := 0; same && i < len(got); i++ {
					same = (got[i] - p.of(test.want[i])).Abs() < time.Microsecond
				}
				if !same {
					t.Errorf("asked at\n %v (done %t), want at pace 1\n %v (%t)", got, done, test.want, test.done)
				}
			})
		}
	}
}

// The question at the order's end is asked right after it, not a wait later.
func TestAskedAtTheEnd(t *testing.T) {
	t.Parallel()
	a := operations.Ask{Why: whyUnsettled, Since: noon, Attempts: 4}
	now := noon.Add(119 * time.Minute)
	if got := pace(1).next(a, open(2*time.Hour), now).NextAt; got != noon.Add(2*time.Hour+time.Second) {
		t.Errorf("next at %s", got)
	}
}

// An order that stays open for a year is not asked about every half hour.
func TestLongOrdersAreAskedAboutSeldom(t *testing.T) {
	t.Parallel()
	a := operations.Ask{Why: whyUnsettled, Since: noon, NextAt: noon.Add(2 * time.Minute)}
	at, _ := play(1, a, open(365*day), always("waiting"), 1000)
	open := 0
	for _, d := range at {
		if d < 365*day {
			open++
		}
	}
	if open < 365 || open > 400 {
		t.Errorf("%d questions in a year", open)
	}
}

// Silence ends nothing: a gateway that is down when the last question is due
// is asked again.
func TestSilenceIsNeverTheLastWord(t *testing.T) {
	t.Parallel()
	back := func(after time.Duration, then string) func(time.Duration) string {
		return func(at time.Duration) string {
			if at < after {
				return saidNothing
			}
			return then
		}
	}
	a := operations.Ask{Why: whyUnsettled, Since: noon, NextAt: noon.Add(time.Hour)}
	at, done := play(1, a, open(time.Hour), back(20*day, saidUnknown), 1000)
	if last := at[len(at)-1]; !done || last < 20*day || last > 21*day {
		t.Errorf("unsettled: the last question was at %s, done %t", last, done)
	}
	a = operations.Ask{Why: whyCredited, Since: noon, NextAt: noon.Add(time.Hour)}
	// A provider that does not find an order it took money for says as little.
	for _, nothing := range []string{saidNothing, saidUnknown} {
		at, done = play(1, a, open(time.Hour), func(at time.Duration) string {
			if at < 2*day {
				return nothing
			}
			return "paid"
		}, 1000)
		// 1 h to 2 d in vain, then one answer for all that was missed, then the rest.
		rest := at[len(at)-3:]
		if !done || rest[0] != 7*day || rest[1] != 30*day || rest[2] != 90*day {
			t.Errorf("credited, %s: asked at %v, done %t", nothing, at, done)
		}
		for i := 1; i < len(at); i++ {
			if at[i]-at[i-1] < time.Hour {
				t.Errorf("credited, %s: asked at %s and %s", nothing, at[i-1], at[i])
			}
		}
		at, done = play(1, a, open(time.Hour), always(nothing), 1000)
		if last := at[len(at)-1]; !done || last < 180*day || len(at) > 100 {
			t.Errorf("credited, %s: %d questions in vain, the last at %s, done %t", nothing, len(at), last, done)
		}
	}
}

func TestNeeded(t *testing.T) {
	t.Parallel()
	held := domain.Payment{Trades: []domain.Trade{{TradeNo: "T", State: domain.TradeHeld}, {TradeNo: "P", State: domain.TradeParked}}}
	for _, test := range []struct {
		why, trade string
		want       bool
	}{
		{whyHeld, "T", true},
		{whyHeld, "P", false},
		{whyHeld, "gone", false},
		{whyUnsettled, "", true},
		{whyRefused, "", true},
		{whyCredited, "", false},
	} {
		if got := needed(operations.Ask{Why: test.why, TradeNo: test.trade}, held); got != test.want {
			t.Errorf("%s %q: needed %t", test.why, test.trade, got)
		}
	}
}

// What is claimed at once can be asked within the claim, however slow.
func TestClaimFitsItsTime(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{Queries: 8, AskPerSecond: 10}, {Queries: 256, AskPerSecond: 0.1}, {Queries: 1, AskPerSecond: 1e4}, {Queries: 64, AskPerSecond: 2}} {
		s := &Sweeper{cfg: cfg}
		n := s.claim()
		rounds := (n + cfg.Queries - 1) / cfg.Queries
		took := time.Duration(rounds)*queryWithin + time.Duration(float64(n-1)/cfg.AskPerSecond*float64(time.Second))
		if n < 1 || took > claimFor {
			t.Errorf("%+v claims %d, which may take %s", cfg, n, took)
		}
	}
}
