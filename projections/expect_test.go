package projections

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var east = time.FixedZone("Asia/Shanghai", 8*60*60)

// shop is a channel whose payments come by the hour of its day.
type shop struct {
	rng   *rand.Rand
	busy  float64 // callbacks in a busy hour
	hours []HourCount
}

// rate is that of a shop which sleeps from midnight to eight and is half as busy
// on Sundays.
func (s *shop) rate(t time.Time) float64 {
	t = t.In(east)
	if t.Hour() < 8 {
		return 0
	}
	rate := s.busy * (0.5 + 0.5*math.Sin(math.Pi*float64(t.Hour()-8)/16))
	if t.Weekday() == time.Sunday {
		rate /= 2
	}
	return rate
}

// minute lets a minute pass: callbacks come by chance.
func (s *shop) minute(t time.Time, factor float64) {
	n := s.poisson(s.rate(t) * factor / 60)
	if n == 0 {
		return
	}
	hour := t.Truncate(time.Hour)
	if len(s.hours) == 0 || !s.hours[len(s.hours)-1].Hour.Equal(hour) {
		s.hours = append(s.hours, HourCount{Hour: hour})
	}
	h := &s.hours[len(s.hours)-1]
	h.N += n
	h.Last = t
}

func (s *shop) poisson(mean float64) (n int) {
	for p := s.rng.Float64(); p > math.Exp(-mean); p *= s.rng.Float64() {
		n++
	}
	return n
}

func newShop(t *rapid.T, days int) (*shop, time.Time) {
	s := &shop{
		rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), busy: rapid.Float64Range(20, 400).Draw(t, "busy"),
	}
	now := time.Date(2026, 9, 1, 0, 0, 0, 0, east)
	for end := now.AddDate(0, 0, days); now.Before(end); now = now.Add(time.Minute) {
		s.minute(now, 1)
	}
	return s, now
}

// missing is how many callbacks truly were to come between two moments.
func (s *shop) missing(from, to time.Time, factor float64) (n float64) {
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		n += s.rate(t) * factor / 60
	}
	return n
}

// A rhythm of days and nights is no alarm, minute for minute, and neither is a
// day of sale. What chance alone brings about once in thousands of silences is
// none of the model's doing: it may not take a silence for much rarer than it is.
func TestAlarmIsQuietWhileAllIsWell(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, now := newShop(t, rapid.IntRange(8, 40).Draw(t, "days"))
		factor := rapid.SampledFrom([]float64{1, 1, 1.5, 3}).Draw(t, "sale")
		for end := now.Add(36 * time.Hour); now.Before(end); now = now.Add(time.Minute) {
			s.minute(now, factor)
			if now.Minute()%7 != 0 {
				continue
			}
			e := Expect(s.hours, now, east)
			if truly := s.missing(e.Since, now, factor); e.Stopped(now) && truly < 0.6*Improbable {
				t.Fatalf("%s: alarm for %+v, truly %.1f are missing", now, e, truly)
			}
		}
	})
}

// A day of the week that is quieter than others is known for that as soon as it
// was seen once.
func TestQuietDayOfTheWeek(t *testing.T) {
	t.Parallel()
	var hours []HourCount
	begin := time.Date(2026, 9, 4, 0, 0, 0, 0, east) // a Friday
	for h := begin; h.Before(begin.AddDate(0, 0, 9).Add(12 * time.Hour)); h = h.Add(time.Hour) {
		n := 20
		if h.Weekday() == time.Sunday {
			n = 10
		}
		hours = append(hours, HourCount{Hour: h, N: n, Last: h.Add(59 * time.Minute)})
	}
	noon := hours[len(hours)-1].Hour.Add(time.Hour)
	if e := Expect(hours, noon, east); noon.Weekday() != time.Sunday || e.Rate != 10 {
		t.Errorf("on a %s %+v", noon.Weekday(), e)
	}
	if m := learn(hours, east); m.at(noon.Add(-24*time.Hour)) != 20 {
		t.Errorf("on Saturday %v an hour", m.at(noon.Add(-24*time.Hour)))
	}
}

// Callbacks that stop at noon are told within half an hour by a channel with 40
// an hour, sooner by busier ones, and stay told until they come again.
func TestStopAtNoonIsTold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, now := newShop(t, rapid.IntRange(8, 40).Draw(t, "days"))
		for end := now.Add(12 * time.Hour); now.Before(end); now = now.Add(time.Minute) {
			s.minute(now, 1)
		}
		rate := s.rate(now)
		// Twice what a perfect model would need: the learned rate is on the quiet side.
		within := max(quietLeast, time.Duration(2*Improbable/rate*float64(time.Hour))) + 10*time.Minute
		told := false
		for end := now.Add(within); now.Before(end) && !told; now = now.Add(time.Minute) {
			told = Expect(s.hours, now, east).Stopped(now)
		}
		if !told {
			t.Fatalf("at %.0f an hour nothing was told in %s: %+v", rate, within, Expect(s.hours, now, east))
		}
		if later := now.Add(time.Hour); !Expect(s.hours, later, east).Stopped(later) {
			t.Fatal("it is not told an hour later")
		}
		for end := now.Add(10 * time.Minute); now.Before(end); now = now.Add(time.Minute) {
			s.minute(now, 3)
		}
		if e := Expect(s.hours, now, east); s.hours[len(s.hours)-1].Last.After(now.Add(-5*time.Minute)) && e.Stopped(now) {
			t.Fatalf("they come again, and it is told: %+v", e)
		}
	})
}

// The night of a shop that sleeps is no alarm, however long it is looked at.
func TestDeadNightIsNoAlarm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, now := newShop(t, rapid.IntRange(8, 30).Draw(t, "days"))
		for end := now.Add(8*time.Hour - time.Minute); now.Before(end); now = now.Add(5 * time.Minute) {
			if e := Expect(s.hours, now, east); e.Stopped(now) {
				t.Fatalf("%s: %+v", now, e)
			}
		}
	})
}

// A channel without history, with days only or with a handful of callbacks stays
// quiet whatever it does.
func TestNewChannelIsQuiet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, now := newShop(t, rapid.IntRange(0, 6).Draw(t, "days"))
		now = now.Add(time.Duration(rapid.IntRange(0, 24*30).Draw(t, "silent")) * time.Hour)
		if e := Expect(s.hours, now, east); e.Learned || e.Stopped(now) {
			t.Fatalf("%+v", e)
		}
	})
	rare := []HourCount{}
	at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for i := range expectLeast - 1 {
		rare = append(rare, HourCount{Hour: at.AddDate(0, 0, i), N: 1, Last: at.AddDate(0, 0, i)})
	}
	if now := at.AddDate(0, 6, 0); Expect(rare, now, time.UTC).Stopped(now) || Expect(nil, now, time.UTC).Learned {
		t.Error("a handful of callbacks raises an alarm")
	}
}

// An outage of a day in the history teaches nothing: the same hours of the other
// weeks do.
func TestOutageInHistoryTeachesNothing(t *testing.T) {
	t.Parallel()
	var whole, holed []HourCount
	begin := time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC)
	for h := range 6 * 7 * 24 {
		at := begin.Add(time.Duration(h) * time.Hour)
		c := HourCount{Hour: at, N: 60, Last: at.Add(59 * time.Minute)}
		whole = append(whole, c)
		if day := h / 24; day != 30 && day != 17 {
			holed = append(holed, c)
		}
	}
	now := begin.AddDate(0, 0, 6*7).Add(30 * time.Minute)
	a, b := Expect(whole, now, time.UTC), Expect(holed, now, time.UTC)
	if a != b || math.Abs(a.Missing-31) > 1 || a.Rate != 60 {
		t.Errorf("%+v, with outages %+v", a, b)
	}
}
