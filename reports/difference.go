package reports

import (
	"time"

	"counterfoil/domain"
)

// Difference is an item in which the books and a provider do not agree.
type Difference struct {
	ID         domain.ID              `json:"id"`
	Kind       domain.DiscrepancyKind `json:"kind"`
	Channel    domain.ChannelID       `json:"channel"`
	Day        domain.Day             `json:"day"`
	Line       domain.LineKind        `json:"line"`
	OrderNo    string                 `json:"order_no"`
	TradeNo    string                 `json:"trade_no"`
	Ref        string                 `json:"ref"`
	Ours       domain.Money           `json:"ours,omitzero"`
	Theirs     domain.Money           `json:"theirs,omitzero"`
	FoundAt    time.Time              `json:"found_at"`
	FoundBy    string                 `json:"found_by"` // run
	Open       bool                   `json:"open"`
	ResolvedAt time.Time              `json:"resolved_at,omitzero"`
	ResolvedBy string                 `json:"resolved_by,omitempty"` // run or person
	How        string                 `json:"how,omitempty"`
	Age        Age                    `json:"age"` // of an open one when the report ends, of a resolved one when it was resolved
}

// AtStake is how much money the difference is about: by how much the sides
// differ, or all of it where only one of them knows it.
func (d Difference) AtStake() domain.Money {
	switch {
	case d.Ours.Currency() == "":
		return abs(d.Theirs)
	case d.Theirs.Currency() == "":
		return abs(d.Ours)
	}
	diff, err := d.Ours.Sub(d.Theirs)
	if err != nil || diff.IsZero() {
		return abs(d.Theirs) // another currency, or the same sum in another state
	}
	return abs(diff)
}

func abs(m domain.Money) domain.Money {
	if m.IsNegative() {
		return m.Neg()
	}
	return m
}

// Age is how long something has been open, in steps that people act on.
type Age string

// The ages. A bound belongs to the younger one.
const (
	AgeHour  Age = "0-1h"
	AgeDay   Age = "1-24h"
	AgeThree Age = "1-3d"
	AgeWeek  Age = "3-7d"
	AgeOlder Age = ">7d"
)

// Ages are all ages, the youngest first.
func Ages() []Age { return []Age{AgeHour, AgeDay, AgeThree, AgeWeek, AgeOlder} }

// AgeOf is the age of something that has been open for d.
func AgeOf(d time.Duration) Age {
	const day = 24 * time.Hour
	switch {
	case d <= time.Hour:
		return AgeHour
	case d <= day:
		return AgeDay
	case d <= 3*day:
		return AgeThree
	case d <= 7*day:
		return AgeWeek
	}
	return AgeOlder
}
