package alerts

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/projections"
)

// hours are a channel's past.
type hours struct {
	got []projections.HourCount
	err error
}

func (h *hours) Arrivals(_ context.Context, ch domain.ChannelID, since time.Time) ([]projections.HourCount, error) {
	var out []projections.HourCount
	for _, c := range h.got {
		if ch == "epay-a" && !c.Hour.Before(since) {
			out = append(out, c)
		}
	}
	return out, h.err
}

// weeks are hours of 60 callbacks from eight to midnight, up to a moment.
func weeks(n int, until time.Time) *hours {
	h := &hours{}
	for at := until.AddDate(0, 0, -7*n).Truncate(time.Hour); at.Before(until); at = at.Add(time.Hour) {
		if at.Hour() < 8 {
			continue
		}
		last := at.Add(59 * time.Minute)
		if last.After(until) {
			last = until
		}
		h.got = append(h.got, projections.HourCount{Hour: at, N: 60, Last: last})
	}
	return h
}

// watching is a watch over a channel's past, and its gauge.
func (w *world) watching(h *hours) (*Watch, func() float64) {
	w.t.Helper()
	reg := prometheus.NewRegistry()
	watch, err := New(Deps{Rows: w.rows, Ops: w.ops, Arrivals: h, Logger: w.watch().Logger, Metrics: reg, Clock: w.clock}, w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return watch, func() float64 {
		families, err := reg.Gather()
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "counterfoil_expected_callbacks" {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		w.t.Fatal("there is no gauge")
		return 0
	}
}

// Callbacks that stop at noon are told within a quarter of an hour, once in six
// hours; those that stop at midnight not before the morning.
func TestStoppedCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	watch, missing := w.watching(weeks(4, noon))
	w.now = noon.Add(12 * time.Minute)
	w.want(nil, watch)
	if m := missing(); m < 11 || m > 13 {
		t.Errorf("after 12 minutes %g are missing", m)
	}
	w.now = noon.Add(15 * time.Minute)
	w.want([]string{"callbacks_stopped"}, watch, watch)

	midnight := time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	night := newWorld(t)
	watch, missing = night.watching(weeks(4, midnight))
	night.now = midnight.Add(8 * time.Hour)
	night.want(nil, watch)
	if m := missing(); m > 1.1 {
		t.Errorf("in the night %g are missing", m)
	}
	night.now = midnight.Add(8*time.Hour + 20*time.Minute)
	night.want([]string{"callbacks_stopped"}, watch)
}

func TestStoppedNeedsHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, h := range []*hours{{}, {got: weeks(1, noon).got[100:]}} {
		watch, _ := w.watching(h)
		w.now = noon.AddDate(0, 0, 3)
		w.want(nil, watch)
	}
	broken, _ := w.watching(&hours{err: errors.New("disk gone")})
	if err := broken.Check(t.Context()); err == nil {
		t.Error("a projection that cannot be read is no error")
	}
}
