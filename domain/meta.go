package domain

import "time"

// Meta is the part of an event's envelope that is ours and not the fact's.
type Meta struct {
	RecordedAt time.Time `json:"recorded_at"`     // our clock when the decision was taken, microseconds, UTC
	Actor      string    `json:"actor"`           // who: "channel:<id>", "key:<id>", "reconciler", "system", "person:<id>"
	Cause      string    `json:"cause,omitempty"` // delivery id, request id or run id
	Trace      string    `json:"trace,omitempty"` // W3C trace id when the caller sent one
	Software   string    `json:"software"`        // name and version that wrote it
}

// Instant is t as every stored time is kept: UTC, microseconds.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// inCalendar reports whether t has a stored form: years of four digits, UTC.
// Year 0 is refused with those below it: no clock means it.
func inCalendar(t time.Time) bool {
	year := t.UTC().Year()
	return year > 0 && year < 10_000
}
