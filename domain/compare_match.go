package domain

import (
	"cmp"
	"slices"
)

// settle matches the lines of one trade number.
func (c *comparison) settle() error {
	ours, theirs := c.ours.group, c.theirs.group
	for i := range ours {
		if err := c.countOurs(&ours[i]); err != nil {
			return err
		}
	}
	for i := range theirs {
		if err := c.sum.addTheirs(&theirs[i]); err != nil {
			return err
		}
	}
	if len(ours) == 1 && len(theirs) == 1 && ours[0].Kind == LinePayment && theirs[0].Kind == LinePayment {
		return c.pair(&ours[0], &theirs[0]) // nearly all of them
	}
	slices.SortFunc(ours, compareOurs)
	slices.SortFunc(theirs, compareTheirs)
	return c.bySlot(ours, theirs)
}

// compareOurs orders the lines of one trade number by what they are and then by
// all that tells them apart, so that the order in which they came is forgotten.
// What people took back comes last: a bill that names no order means the other.
func compareOurs(a, b OurLine) int {
	last := func(o OurLine) int {
		if o.State == TradeReversed {
			return 1
		}
		return 0
	}
	return cmp.Or(
		compareSlots(a.slot(), b.slot()), cmp.Compare(a.Amount.currency, b.Amount.currency), cmp.Compare(a.Amount.minor, b.Amount.minor),
		cmp.Compare(last(a), last(b)), cmp.Compare(a.OrderNo, b.OrderNo), cmp.Compare(a.Position, b.Position),
	)
}

func compareTheirs(a, b BillLine) int {
	return cmp.Or(
		compareSlots(a.slot(), b.slot()), cmp.Compare(a.Amount.currency, b.Amount.currency),
		cmp.Compare(a.Amount.minor, b.Amount.minor), cmp.Compare(a.ID, b.ID), cmp.Compare(a.OrderNo, b.OrderNo),
		cmp.Compare(a.Row, b.Row),
	)
}

// slot is what a line can be matched by within its trade number.
type slot struct {
	kind LineKind
	ref  string
}

func compareSlots(a, b slot) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.ref, b.ref))
}

func (o *OurLine) slot() slot {
	return slot{o.Kind, refOf(o.Kind, o.RefundID, o.RefundNo, o.DisputeID)}
}

func (b *BillLine) slot() slot {
	return slot{b.Kind, refOf(b.Kind, b.RefundID, b.RefundNo, b.DisputeID)}
}

// bySlot walks both sorted groups slot by slot. Refunds that found no partner
// by the provider's number get a second chance by the merchant's.
func (c *comparison) bySlot(ours []OurLine, theirs []BillLine) error {
	var spareOurs []*OurLine
	var spareTheirs []*BillLine
	for len(ours) > 0 || len(theirs) > 0 {
		at := nextSlot(ours, theirs)
		var o []OurLine
		var t []BillLine
		o, ours = cut(ours, func(l *OurLine) bool { return l.slot() == at })
		t, theirs = cut(theirs, func(l *BillLine) bool { return l.slot() == at })
		switch {
		case len(t) == 0:
			spareOurs = appendRefs(spareOurs, o)
		case len(o) == 0:
			spareTheirs = appendRefs(spareTheirs, c.once(at, t))
		default:
			if err := c.slot(o, t); err != nil {
				return err
			}
		}
	}
	return c.spare(spareOurs, spareTheirs)
}

// once tells of lines that stand twice though we have none like them, and returns
// the others. Lines with numbers of their own may be parts.
func (c *comparison) once(at slot, theirs []BillLine) []BillLine {
	if at.kind != LinePayment && at.ref == "" || len(theirs) < 2 {
		return theirs
	}
	var out []BillLine
	seen := map[string]bool{}
	for i := range theirs {
		t := &theirs[i]
		if t.moved() && seen[t.ID] {
			c.tell(Difference{Kind: DuplicateTradeNo, State: DifferenceOpen, Theirs: t, Note: "listed more than once"})
			continue
		}
		seen[t.ID] = seen[t.ID] || t.moved()
		out = append(out, *t)
	}
	return out
}

func nextSlot(ours []OurLine, theirs []BillLine) slot {
	switch {
	case len(theirs) == 0:
		return ours[0].slot()
	case len(ours) == 0 || compareSlots(theirs[0].slot(), ours[0].slot()) < 0:
		return theirs[0].slot()
	}
	return ours[0].slot()
}

// cut splits off the leading lines that belong together.
func cut[T any](lines []T, same func(*T) bool) (head, rest []T) {
	n := 0
	for n < len(lines) && same(&lines[n]) {
		n++
	}
	return lines[:n], lines[n:]
}

func appendRefs[T any](to []*T, lines []T) []*T {
	for i := range lines {
		to = append(to, &lines[i])
	}
	return to
}

// slot matches lines that mean the same movement by their numbers. Equal
// amounts find each other first, those of one order before others, so that of
// two lines the odd one is left over;
// what is left over on one side stands there twice.
func (c *comparison) slot(ours []OurLine, theirs []BillLine) error {
	if len(ours) == 1 && len(theirs) > 1 {
		if split, err := addsUp(ours[0].Amount, theirs); err != nil || split {
			c.split(&ours[0], theirs)
			return err
		}
	}
	named, ours, theirs := pairNamed(ours, theirs)
	pairs, spareOurs, spareTheirs := pairUp(ours, theirs)
	pairs = append(named, pairs...)
	for len(spareOurs) > 0 && len(spareTheirs) > 0 && len(pairs) == 0 {
		pairs = append(pairs, pairing{spareOurs[0], spareTheirs[0]})
		spareOurs, spareTheirs = spareOurs[1:], spareTheirs[1:]
	}
	for _, p := range pairs {
		if err := c.pair(p.ours, p.theirs); err != nil {
			return err
		}
	}
	for _, o := range spareOurs {
		c.tell(Difference{Kind: DuplicateTradeNo, State: DifferenceOpen, Ours: o, Note: "booked more than once"})
	}
	for _, t := range spareTheirs {
		c.tell(Difference{Kind: DuplicateTradeNo, State: DifferenceOpen, Theirs: t, Note: "listed more than once"})
	}
	return nil
}

type pairing struct {
	ours   *OurLine
	theirs *BillLine
}

// pairNamed pairs lines of equal amount that name one order, where a number
// stands in our books or on the bill more than once, and leaves the others.
func pairNamed(ours []OurLine, theirs []BillLine) (pairs []pairing, restOurs []OurLine, restTheirs []BillLine) {
	if len(ours) < 2 && len(theirs) < 2 {
		return nil, ours, theirs
	}
	restTheirs = slices.Clone(theirs)
	for i := range ours {
		j := slices.IndexFunc(restTheirs, func(t BillLine) bool {
			return t.OrderNo != "" && t.OrderNo == ours[i].OrderNo && t.Amount == ours[i].Amount
		})
		if j < 0 {
			restOurs = append(restOurs, ours[i])
			continue
		}
		t := restTheirs[j]
		pairs, restTheirs = append(pairs, pairing{&ours[i], &t}), slices.Delete(restTheirs, j, j+1)
	}
	return pairs, restOurs, restTheirs
}

// pairUp pairs lines of equal amount; both sides are sorted by amount.
func pairUp(ours []OurLine, theirs []BillLine) (pairs []pairing, spareOurs []*OurLine, spareTheirs []*BillLine) {
	for len(ours) > 0 && len(theirs) > 0 {
		a, b := ours[0].Amount, theirs[0].Amount
		switch order := cmp.Or(cmp.Compare(a.currency, b.currency), cmp.Compare(a.minor, b.minor)); {
		case order == 0:
			pairs = append(pairs, pairing{&ours[0], &theirs[0]})
			ours, theirs = ours[1:], theirs[1:]
		case order < 0:
			spareOurs, ours = append(spareOurs, &ours[0]), ours[1:]
		default:
			spareTheirs, theirs = append(spareTheirs, &theirs[0]), theirs[1:]
		}
	}
	return pairs, appendRefs(spareOurs, ours), appendRefs(spareTheirs, theirs)
}

// addsUp reports whether lines with numbers of their own are parts of m.
func addsUp(m Money, parts []BillLine) (bool, error) {
	sum := NewMoney(0, m.currency)
	for i := range parts {
		if parts[i].ID == "" || !parts[i].moved() || parts[i].Amount.currency != m.currency {
			return false, nil
		}
		var err error
		if sum, err = sum.Add(parts[i].Amount); err != nil {
			return false, err
		}
	}
	return sum == m && !sameIDs(parts), nil
}

// sameIDs reports whether two lines have one number.
func sameIDs(parts []BillLine) bool {
	ids := make([]string, len(parts))
	for i := range parts {
		ids[i] = parts[i].ID
	}
	slices.Sort(ids)
	return len(slices.Compact(ids)) < len(parts)
}

// split is a movement of ours that the bill lists in parts.
func (c *comparison) split(o *OurLine, parts []BillLine) {
	c.sum.Matched++
	c.sum.Split++
	c.crossing(o, &parts[0])
}

// spare is what found no partner by its number. A bill that leaves the numbers
// of refunds out can only mean those of the same payment and amount.
func (c *comparison) spare(ours []*OurLine, theirs []*BillLine) error {
	for _, t := range theirs {
		i := slices.IndexFunc(ours, func(o *OurLine) bool {
			if o.Kind != t.Kind || o.Kind == LinePayment {
				return false
			}
			if t.slot().ref == "" {
				return o.Amount == t.Amount
			}
			return t.RefundNo != "" && o.RefundNo == t.RefundNo && (o.RefundID == "" || t.RefundID == "")
		})
		if i < 0 {
			c.lacking(t)
			continue
		}
		if err := c.pair(ours[i], t); err != nil {
			return err
		}
		ours = slices.Delete(ours, i, i+1)
	}
	for _, o := range ours {
		c.unlisted(o)
	}
	return nil
}
