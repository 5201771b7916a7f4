package domain

import (
	"iter"
	"strings"
)

// Totals adds up money of several currencies, each for itself. The zero Totals
// is empty and ready. It is what proves that postings sum to zero.
type Totals struct {
	rows []Money // sorted by currency, each once
}

// Add adds m. Beyond the range of Money it is KindTooLarge, and no money at
// all is KindInvalid; then nothing has changed.
func (t *Totals) Add(m Money) error {
	if m.currency == "" {
		return E(KindInvalid, "money without a currency cannot be added up")
	}
	at, found := t.find(m.currency)
	if !found {
		t.rows = append(t.rows, Money{})
		copy(t.rows[at+1:], t.rows[at:])
		t.rows[at] = m
		return nil
	}
	sum, err := t.rows[at].Add(m)
	if err != nil {
		return err
	}
	t.rows[at] = sum
	return nil
}

// find is where c stands or belongs. Few currencies meet in one place, so it
// looks at them in turn.
func (t *Totals) find(c Currency) (at int, found bool) {
	for at < len(t.rows) && t.rows[at].currency < c {
		at++
	}
	return at, at < len(t.rows) && t.rows[at].currency == c
}

// Of is the total of one currency, 0 of it where none was added.
func (t *Totals) Of(c Currency) Money {
	if at, found := t.find(c); found {
		return t.rows[at]
	}
	return Money{0, c}
}

// IsZero reports whether the total of every currency is 0.
func (t *Totals) IsZero() bool {
	for _, m := range t.rows {
		if !m.IsZero() {
			return false
		}
	}
	return true
}

// All yields the total of each currency that was added, zero ones included, in
// the order of the codes.
func (t *Totals) All() iter.Seq[Money] {
	return func(yield func(Money) bool) {
		for _, m := range t.rows {
			if !yield(m) {
				return
			}
		}
	}
}

// String lists the totals that are not zero: "-7.30 CNY, 2.00 USD".
func (t *Totals) String() string {
	var parts []string
	for m := range t.All() {
		if !m.IsZero() {
			parts = append(parts, m.String())
		}
	}
	if len(parts) == 0 {
		return "zero"
	}
	return strings.Join(parts, ", ")
}
