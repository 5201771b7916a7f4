package projections

import (
	"math"
	"slices"
	"time"
)

// How the expectation of callbacks is learned.
const (
	// ExpectWeeks is how far back is looked.
	ExpectWeeks = 8
	// expectAfter is how long a channel must have had callbacks before its silence
	// means anything, and expectLeast how many.
	expectAfter = 7 * 24 * time.Hour
	expectLeast = 50
	// fullWeeks is from how many weeks on each hour of the week is learned by
	// itself; before, all days are taken for alike, but for how busy they are.
	fullWeeks = 3
	// quietLeast is the shortest silence that is told: no channel is so busy that
	// minutes mean something has broken.
	quietLeast = 10 * time.Minute
)

// Improbable is how many callbacks must be missing before a silence is told: as
// a Poisson process it has a chance of one in a million. Each callback begins a
// new silence, so one in ten thousand would be a false alarm every few days on a
// channel with a thousand payments a day.
var Improbable = -math.Log(1e-6)

const hoursOfWeek = 7 * 24

// Expectation is what a channel's silence means.
type Expectation struct {
	Since   time.Time // the last callback that told of a payment; zero for none
	Missing float64   // callbacks that should have come since
	Rate    float64   // callbacks to be expected in the present hour
	Learned bool      // enough history to say so
}

// Stopped reports whether a silence of such a length happens by chance less than
// once in a million.
func (e Expectation) Stopped(now time.Time) bool {
	return e.Learned && e.Missing >= Improbable && now.Sub(e.Since) >= quietLeast
}

// Expect learns from the hours in which a channel had callbacks, the earliest
// first, how many were to come since the last one. Hours of the week are those
// of zone, because shops sleep by the clock on their wall.
//
// It errs to the quiet side: of each hour of the week the middle half of the
// weeks counts, so that single days of outage or of sale teach nothing, and a
// channel that had fewer than usual in its last day is held to that, as on
// holidays.
func Expect(history []HourCount, now time.Time, zone *time.Location) Expectation {
	if len(history) == 0 {
		return Expectation{}
	}
	e := Expectation{Since: history[len(history)-1].Last}
	m := learn(history, zone)
	if m == nil {
		return e
	}
	level := m.level(history, e.Since)
	e.Learned, e.Missing = true, level*m.sum(e.Since, now)
	e.Rate = level * m.at(now)
	return e
}

// model is the rate of each hour of the week.
type model struct {
	zone *time.Location
	rate [hoursOfWeek]float64
}

// learn is nil where the history is too short or too thin. The hour of the last
// callback teaches nothing: the silence began in it.
func learn(history []HourCount, zone *time.Location) *model {
	end := history[len(history)-1].Hour
	begin := history[0].Hour
	if earliest := end.AddDate(0, 0, -7*ExpectWeeks); begin.Before(earliest) {
		begin = earliest
	}
	counts, all := map[int64]int{}, 0
	for _, h := range history {
		if !h.Hour.Before(begin) && h.Hour.Before(end) {
			counts[h.Hour.Unix()] = h.N
			all += h.N
		}
	}
	if end.Sub(begin) < expectAfter || all < expectLeast {
		return nil
	}
	m := &model{zone: zone}
	var slots [hoursOfWeek][]int
	for t := begin; t.Before(end); t = t.Add(time.Hour) {
		s := m.slot(t)
		slots[s] = append(slots[s], counts[t.Unix()])
	}
	alike := end.Sub(begin) < fullWeeks*7*24*time.Hour
	for s := range slots {
		samples := slots[s]
		if alike {
			samples = nil
			for other := s % 24; other < hoursOfWeek; other += 24 {
				samples = append(samples, slots[other]...)
			}
		}
		m.rate[s] = middle(samples)
	}
	if alike {
		m.quieten(&slots)
	}
	return m
}

// quieten holds a day of the week that had fewer callbacks than its hours on
// other days to that: a shop that is half as busy on Sundays is so on its second
// Sunday, too.
func (m *model) quieten(slots *[hoursOfWeek][]int) {
	for day := 0; day < hoursOfWeek; day += 24 {
		want, got := 0.0, 0
		for s := day; s < day+24; s++ {
			want += m.rate[s] * float64(len(slots[s]))
			for _, n := range slots[s] {
				got += n
			}
		}
		if float64(got) >= want {
			continue
		}
		for s := day; s < day+24; s++ {
			m.rate[s] *= float64(got) / want
		}
	}
}

func (m *model) slot(t time.Time) int {
	t = t.In(m.zone)
	return int(t.Weekday())*24 + t.Hour()
}

func (m *model) at(t time.Time) float64 { return m.rate[m.slot(t)] }

// sum is how many are to be expected between two moments.
func (m *model) sum(from, to time.Time) float64 {
	sum := 0.0
	for t := from; t.Before(to); {
		next := t.Truncate(time.Hour).Add(time.Hour)
		if next.After(to) {
			next = to
		}
		sum += m.at(t) * next.Sub(t).Hours()
		t = next
	}
	return sum
}

// level is how the last day before the silence compares with what was to be
// expected of it, between a tenth and all.
func (m *model) level(history []HourCount, since time.Time) float64 {
	begin := since.Add(-24 * time.Hour)
	want, got := m.sum(begin, since), 0
	for _, h := range history {
		if !h.Hour.Before(begin.Truncate(time.Hour)) {
			got += h.N
		}
	}
	if want == 0 {
		return 1
	}
	return min(1, max(0.1, float64(got)/want))
}

// middle is the mean of the middle half of the samples.
func middle(samples []int) float64 {
	if len(samples) == 0 {
		return 0
	}
	slices.Sort(samples)
	cut := len(samples) / 4
	kept := samples[cut : len(samples)-cut]
	sum := 0
	for _, n := range kept {
		sum += n
	}
	return float64(sum) / float64(len(kept))
}
