package domain

import (
	"strconv"
	"time"
)

// Tolerance is what a comparison with the channel's bills lets pass, and how
// much it may conclude. It is part of the settings, so that widening it takes
// two persons like every loosening.
type Tolerance struct {
	FeeRate    string `json:"fee_rate,omitempty"`   // decimal; empty does not look at fees
	FeeWithin  string `json:"fee_within,omitempty"` // decimal: how far a fee may lie from the rate
	Cut        int    `json:"cut_seconds,omitempty"`
	Apart      int    `json:"apart_seconds,omitempty"` // 0 does not look at times
	WaitDays   int    `json:"wait_days,omitempty"`
	MaxItems   int    `json:"max_items,omitempty"`   // differences that one run may judge
	MaxPercent int    `json:"max_percent,omitempty"` // of a day's lines
}

// text is every tolerance by the name of its setting.
func (t Tolerance) text() map[string]string {
	seconds := func(n int) string { return (time.Duration(n) * time.Second).String() }
	return map[string]string{
		"fee_rate": t.FeeRate, "fee_within": t.FeeWithin, "bill_cut": seconds(t.Cut), "bill_apart": seconds(t.Apart),
		"bill_wait_days": strconv.Itoa(t.WaitDays), "bills.max_items": strconv.Itoa(t.MaxItems),
		"bills.max_percent": strconv.Itoa(t.MaxPercent),
	}
}

// tolerance: settings that never said theirs have nothing to hold to.
func (h *holder) tolerance() {
	if h.old.Tolerance == nil {
		return
	}
	if h.now.Tolerance == nil {
		h.say("tolerance", "", "recorded")
		h.now.Tolerance = h.old.Tolerance
		return
	}
	was, is := *h.old.Tolerance, *h.now.Tolerance
	names, before := is.text(), was.text()
	for _, one := range []struct {
		name   string
		looser bool
		hold   func()
	}{
		{"fee_rate", looserRate(was.FeeRate, is.FeeRate), func() { is.FeeRate = was.FeeRate }},
		{"fee_within", looserRate(was.FeeWithin, is.FeeWithin), func() { is.FeeWithin = was.FeeWithin }},
		{"bill_cut", is.Cut > was.Cut, func() { is.Cut = was.Cut }},
		{"bill_apart", was.Apart > 0 && (is.Apart == 0 || is.Apart > was.Apart), func() { is.Apart = was.Apart }},
		{"bill_wait_days", is.WaitDays > was.WaitDays, func() { is.WaitDays = was.WaitDays }},
		{"bills.max_items", is.MaxItems > was.MaxItems, func() { is.MaxItems = was.MaxItems }},
		{"bills.max_percent", is.MaxPercent > was.MaxPercent, func() { is.MaxPercent = was.MaxPercent }},
	} {
		if one.looser {
			h.say(one.name, names[one.name], before[one.name])
			one.hold()
		}
	}
	if is != *h.now.Tolerance {
		h.now.Tolerance = &is
	}
}
