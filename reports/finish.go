package reports

import (
	"cmp"
	"maps"
	"slices"

	"counterfoil/domain"
)

// finish puts everything in its order.
func (f *folding) finish() *Report {
	r := f.r
	for _, b := range f.books {
		r.Books = append(r.Books, *b)
	}
	slices.SortFunc(r.Books, compareBooks)
	for _, fl := range f.flows {
		r.Flows = append(r.Flows, *fl)
	}
	slices.SortFunc(r.Flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Amount.Currency(), b.Amount.Currency()))
	})
	f.finishDifferences()
	f.finishCorrections()
	f.finishExchanges()
	f.finishDays()
	return r
}

func (f *folding) finishDifferences() {
	r := f.r
	for _, d := range f.diffs {
		if !f.wanted(d) {
			continue
		}
		end := r.Head.AsOf
		if !d.Open {
			end = d.ResolvedAt
		}
		d.Age = AgeOf(end.Sub(d.FoundAt))
		r.Differences = append(r.Differences, *d)
	}
	slices.SortFunc(r.Differences, func(a, b Difference) int {
		return cmp.Or(openFirst(a, b), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Channel, b.Channel), a.FoundAt.Compare(b.FoundAt),
			slices.Compare(a.ID[:], b.ID[:]))
	})
	r.Open = openSums(r.Differences)
}

func openFirst(a, b Difference) int {
	switch {
	case a.Open == b.Open:
		return 0
	case a.Open:
		return -1
	}
	return 1
}

// wanted reports whether a difference belongs into the report: one of the
// scope's days, and older ones that are still open.
func (f *folding) wanted(d *Difference) bool {
	switch {
	case f.Scope.Run != "" && (d.FoundBy == f.Scope.Run || d.ResolvedBy == f.Scope.Run):
		return true
	case d.Open && f.Scope.Run == "":
		return f.Scope.where(d.Day) <= 0
	}
	return f.Scope.where(d.Day) == 0
}

// openSums counts what is open by kind, age and currency.
func openSums(ds []Difference) []OpenSum {
	type key struct {
		kind     domain.DiscrepancyKind
		age      Age
		currency domain.Currency
	}
	sums := map[key]*OpenSum{}
	for _, d := range ds {
		if !d.Open {
			continue
		}
		at := d.AtStake()
		k := key{d.Kind, d.Age, at.Currency()}
		if sums[k] == nil {
			sums[k] = &OpenSum{Kind: d.Kind, Age: d.Age, Amount: at}
			sums[k].Count = 1
			continue
		}
		sums[k].Count++
		if sum, err := sums[k].Amount.Add(at); err == nil { // beyond the range of money: the count still tells
			sums[k].Amount = sum
		}
	}
	out := make([]OpenSum, 0, len(sums))
	for _, k := range slices.SortedFunc(maps.Keys(sums), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(slices.Index(Ages(), a.age), slices.Index(Ages(), b.age)),
			cmp.Compare(a.currency, b.currency))
	}) {
		out = append(out, *sums[k])
	}
	return out
}

func (f *folding) finishCorrections() {
	for _, c := range f.fixes {
		day := domain.DayOf(c.ProposedAt, f.Zone)
		if !c.DecidedAt.IsZero() {
			day = domain.DayOf(c.DecidedAt, f.Zone)
		}
		open := c.State == domain.ProposalOpen && f.Scope.where(day) < 0
		if f.Scope.where(day) == 0 || open || f.Scope.Run != "" && c.ProposedBy == f.Scope.Run {
			f.r.Corrections = append(f.r.Corrections, *c)
		}
	}
}

// finishDays gives every day of the report its sums and what its newest
// comparisons counted. Counts stand once a day, with its first currency.
func (f *folding) finishDays() {
	matched := map[domain.Day]*DaySum{}
	for _, run := range f.r.Runs {
		if !run.Newest {
			continue
		}
		if matched[run.Day] == nil {
			matched[run.Day] = &DaySum{}
		}
		matched[run.Day].Matched += run.Matched
		matched[run.Day].Differing += run.Differing
	}
	moved := map[domain.Day]bool{}
	for k := range f.days {
		moved[k.day] = true
	}
	for d := range matched {
		if !moved[d] {
			f.daySum(d, domain.CNY) // nothing moved, and that was compared
		}
	}
	for _, s := range f.days {
		f.r.Days = append(f.r.Days, *s)
	}
	slices.SortFunc(f.r.Days, func(a, b DaySum) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Paid.Currency(), b.Paid.Currency()))
	})
	for i := range f.r.Days {
		d := &f.r.Days[i]
		if m := matched[d.Day]; m != nil {
			d.Matched, d.Differing = m.Matched, m.Differing
			delete(matched, d.Day)
		}
	}
}
