package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/projections"
)

// past are projections that know when callbacks came.
type past struct {
	projections.Reader
	hours []projections.HourCount
	err   error
}

func (p past) Arrivals(context.Context, domain.ChannelID, time.Time) ([]projections.HourCount, error) {
	return p.hours, p.err
}

// A channel whose callbacks have stopped fails, one that goes on is well, and
// one without a past is not judged.
func TestRhythm(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC)
	var hours []projections.HourCount
	for at := now.AddDate(0, 0, -21).Truncate(time.Hour); at.Before(now); at = at.Add(time.Hour) {
		hours = append(hours, projections.HourCount{Hour: at, N: 30, Last: at.Add(29 * time.Minute)})
	}
	for name, c := range map[string]struct {
		rows projections.Reader
		now  time.Time
		want Result
		seen string
	}{
		"goes on":     {past{hours: hours}, now, OK, "30.0 in the present hour"},
		"stopped":     {past{hours: hours}, now.Add(time.Hour), Fail, "were to be expected"},
		"no past":     {past{hours: hours[:20]}, now.Add(time.Hour), "", ""},
		"unreadable":  {past{err: errors.New("disk gone")}, now, Fail, "disk gone"},
		"not open":    {nil, now, "", ""},
		"none at all": {past{}, now, "", ""},
	} {
		e := newExaminer(Installation{Rows: c.rows, Clock: func() time.Time { return c.now }})
		got := e.rhythm(t.Context(), Channel{ID: "epay-a"})
		if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || got[0].Result != c.want || !strings.Contains(got[0].Seen, c.seen)) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
