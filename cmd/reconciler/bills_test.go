package main

import (
	"testing"
	"time"
)

// A schedule means the channel's hours, wherever the daemon stands.
func TestBillScheduleIsInTheChannelsZone(t *testing.T) {
	t.Parallel()
	at, err := billSchedule("30 9 * * *", "Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for now, want := range map[string]string{
		"2026-11-22T00:00:00Z": "2026-11-22T01:30:00Z",
		"2026-11-22T01:30:00Z": "2026-11-23T01:30:00Z",
	} {
		from, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if next := at.Next(from).UTC().Format(time.RFC3339); next != want {
			t.Errorf("after %s comes %s, want %s", now, next, want)
		}
	}
	for _, spec := range []string{"", "30 9 * *", "61 9 * * *", "CRON_TZ=UTC 30 9 * * *"} {
		if _, err := billSchedule(spec, "Asia/Shanghai"); err == nil {
			t.Errorf("%q is taken for a schedule", spec)
		}
	}
}

// Bills are looked for at once when the daemon begins, and then on schedule.
func TestBillsAreLookedForAtStart(t *testing.T) {
	t.Parallel()
	at, err := billSchedule("0 9 * * *", "Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	s := &atStart{Schedule: at}
	begin := time.Date(2026, 3, 13, 12, 0, 0, 0, time.UTC)
	if got := s.Next(begin); got.Sub(begin) > time.Second {
		t.Errorf("begun at %s, first at %s", begin, got)
	}
	if got, want := s.Next(begin), time.Date(2026, 3, 14, 1, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("then at %s, want %s", got, want)
	}
}
