package domain_test

import (
	"testing"
	"time"

	"counterfoil/domain"
)

// Days and periods touch in every zone: none begins on the day before it, nor
// after its own first moment, whenever clocks are set.
func TestDaysTouch(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", // set in the night, or never
		"America/Santiago", "America/Asuncion", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut", // forward at midnight
		"America/Havana", "America/Scoresbysund", "Atlantic/Azores", "Asia/Amman", "Asia/Gaza", // or back to it
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for d := domain.Day("2005-01-01"); d < "2031-01-01"; d = d.Add(1) {
			start := d.Start(zone)
			if domain.DayOf(start, zone) != d || domain.DayOf(start.Add(-time.Second), zone) != d.Add(-1) {
				t.Errorf("%s begins in %s at %s", d, name, start)
			}
		}
		for p := "2005-01"; p < "2031-01"; p = domain.NextPeriod(p) {
			if end := domain.PeriodEnd(p, zone); !end.Equal(domain.Day(domain.NextPeriod(p) + "-01").Start(zone)) {
				t.Errorf("%s ends in %s at %s", p, name, end)
			}
		}
	}
	zone, err := time.LoadLocation("Pacific/Apia")
	if err != nil {
		t.Fatal(err)
	}
	if left, next := domain.Day("2011-12-30").Start(zone), domain.Day("2011-12-31").Start(zone); !left.Equal(next) {
		t.Errorf("the day that Samoa left out begins at %s, the next one at %s", left, next)
	}
}
