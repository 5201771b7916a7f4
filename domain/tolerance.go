package domain

import (
	"cmp"
	"strconv"
	"time"
)

// Tolerance is what a comparison with the channel's bills lets pass, and how
// much it may conclude. It is part of the settings, so that widening it takes
// two persons like every loosening.
type Tolerance struct {
	FeeRate    string `json:"fee_rate,omitempty"`      // decimal; empty does not look at fees
	FeeWithin  string `json:"fee_within,omitempty"`    // decimal: how far a fee may lie from the rate
	Cut        int    `json:"cut_seconds,omitempty"`   // how near the end of a day money may be on the next day's bill
	Apart      int    `json:"apart_seconds,omitempty"` // 0 does not look at times
	WaitDays   int    `json:"wait_days,omitempty"`     // for how many bills what only we have waits
	MaxItems   int    `json:"max_items,omitempty"`     // differences that one run may judge
	MaxPercent int    `json:"max_percent,omitempty"`   // of a day's lines

	MaxProposals       int `json:"max_proposals,omitempty"`        // corrections that one run may propose to people
	MaxProposalPercent int `json:"max_proposal_percent,omitempty"` // of a day's lines
}

// DefaultTolerance is that of a channel for which nothing else is said.
func DefaultTolerance() Tolerance {
	return Tolerance{
		FeeWithin: "0.01", Cut: 1800, WaitDays: 1, MaxItems: 5000, MaxPercent: 20, MaxProposals: 20, MaxProposalPercent: 5,
	}
}

// Bounded is t with the default for each bound that it does not name: settings
// that were recorded before a bound was part of them.
func (t Tolerance) Bounded() Tolerance {
	d := DefaultTolerance()
	t.MaxItems, t.MaxPercent = cmp.Or(t.MaxItems, d.MaxItems), cmp.Or(t.MaxPercent, d.MaxPercent)
	t.MaxProposals, t.MaxProposalPercent = cmp.Or(t.MaxProposals, d.MaxProposals), cmp.Or(t.MaxProposalPercent, d.MaxProposalPercent)
	return t
}

// text is every tolerance by the name of its setting.
func (t Tolerance) text() map[string]string {
	seconds := func(n int) string { return (time.Duration(n) * time.Second).String() }
	return map[string]string{
		"fee_rate": t.FeeRate, "fee_within": t.FeeWithin, "bill_cut": seconds(t.Cut), "bill_apart": seconds(t.Apart),
		"bill_wait_days": strconv.Itoa(t.WaitDays), "bills.max_items": bound(t.MaxItems), "bills.max_percent": bound(t.MaxPercent),
		"bills.max_proposals": bound(t.MaxProposals), "bills.max_proposal_percent": bound(t.MaxProposalPercent),
	}
}

// bound is a bound as text, empty where none is named.
func bound(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// looserBound reports a bound that is higher than it was, or is named no more.
func looserBound(was, is int) bool { return was > 0 && (is == 0 || is > was) }

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
		{"bill_apart", looserBound(was.Apart, is.Apart), func() { is.Apart = was.Apart }},
		{"bill_wait_days", is.WaitDays > was.WaitDays, func() { is.WaitDays = was.WaitDays }},
		{"bills.max_items", looserBound(was.MaxItems, is.MaxItems), func() { is.MaxItems = was.MaxItems }},
		{"bills.max_percent", looserBound(was.MaxPercent, is.MaxPercent), func() { is.MaxPercent = was.MaxPercent }},
		{"bills.max_proposals", looserBound(was.MaxProposals, is.MaxProposals), func() { is.MaxProposals = was.MaxProposals }},
		{"bills.max_proposal_percent", looserBound(was.MaxProposalPercent, is.MaxProposalPercent), func() {
			is.MaxProposalPercent = was.MaxProposalPercent
		}},
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
