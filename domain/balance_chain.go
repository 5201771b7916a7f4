package domain

import (
	"maps"
	"slices"
	"time"
)

// BillBalance is what a bill says of the balance in one currency: what it began
// with, and what the day's movements brought it to. What is off from our book at
// the day's end is what was off before, and the parts.
type BillBalance struct {
	Currency Currency `json:"currency"`
	Opening  Money    `json:"opening"` // when the day began
	Closing  Money    `json:"closing"` // at its end
	In       Money    `json:"in"`      // all that came
	Out      Money    `json:"out"`     // all that went, positive

	Held   bool          `json:"held,omitempty"`  // it was held against our book, as follows
	Book   Money         `json:"book,omitzero"`   // what our book of it held at the day's end; zero Money for nothing
	Before Money         `json:"before,omitzero"` // by how much more the bill began with than our book; zero Money where they were equal
	Parts  []BalancePart `json:"parts,omitempty"` // what moved differently in the day, by kind
}

// BalanceBreak is a line whose balance does not follow from the one before it.
type BalanceBreak struct {
	Row    int
	Stated Money // by the line
	Want   Money // by the line before it and the movements between them
}

// maxBreaks bounds the breaks that are told: where the balance does not follow
// at all, the first few lines say so.
const maxBreaks = 20

// balanceChain follows the balance of one currency through a bill. Most bills
// list the oldest movement first, some the newest: both directions are followed,
// and the one that the times of its lines tell, or where they are equal the one
// that breaks less, is the bill's.
type balanceChain struct {
	begin, end   time.Time // of the first line and the last one
	in, out      Money
	moved        map[PartKind]Money
	known        bool // a balance was stated
	first, last  Money
	before       Money // the movements up to the first balance, its own line's included
	firstNet     Money // of the line that states the first balance
	lastNet      Money // of the line that stated the last one
	since        Money // the movements behind the last balance
	old, newest  []BalanceBreak
	olds, newers int
}

// chained takes the next line of a bill.
func chained(chains map[Currency]*balanceChain, b *BillLine) error {
	if b.Net.currency == "" {
		return nil
	}
	c := chains[b.Net.currency]
	if c == nil {
		zero := NewMoney(0, b.Net.currency)
		c = &balanceChain{in: zero, out: zero, before: zero, since: zero, firstNet: zero, lastNet: zero}
		chains[b.Net.currency] = c
	}
	return c.add(b)
}

func (c *balanceChain) add(b *BillLine) (err error) {
	if c.end = b.At; c.begin.IsZero() {
		c.begin = b.At
	}
	if b.Net.IsNegative() {
		c.out, err = c.out.Sub(b.Net)
	} else {
		c.in, err = c.in.Add(b.Net)
	}
	if err == nil {
		err = c.part(b)
	}
	if err != nil {
		return err
	}
	if !c.known {
		if c.before, err = c.before.Add(b.Net); err != nil {
			return err
		}
	}
	if b.Balance.currency != b.Net.currency {
		if c.known {
			c.since, err = c.since.Add(b.Net)
		}
		return err
	}
	if c.known {
		err = c.follow(b)
	} else {
		c.known, c.first, c.firstNet = true, b.Balance, b.Net
	}
	c.last, c.lastNet, c.since = b.Balance, b.Net, NewMoney(0, b.Net.currency)
	return err
}

// follow holds a balance against the one before it, in both directions.
func (c *balanceChain) follow(b *BillLine) error {
	want, err := c.last.Add(c.since)
	if err == nil {
		want, err = want.Add(b.Net)
	}
	if err != nil {
		return err
	}
	if want != b.Balance {
		c.olds++
		c.old = kept(c.old, BalanceBreak{b.Row, b.Balance, want})
	}
	if want, err = c.last.Sub(c.lastNet); err == nil {
		want, err = want.Sub(c.since)
	}
	if err != nil {
		return err
	}
	if want != b.Balance {
		c.newers++
		c.newest = kept(c.newest, BalanceBreak{b.Row, b.Balance, want})
	}
	return nil
}

func kept(all []BalanceBreak, b BalanceBreak) []BalanceBreak {
	if len(all) == maxBreaks {
		return all
	}
	return append(all, b)
}

// oldestFirst reports whether the bill begins with its oldest movement.
func (c *balanceChain) oldestFirst() bool {
	if !c.begin.Equal(c.end) {
		return c.begin.Before(c.end)
	}
	return c.olds <= c.newers
}

// ends are the balances at the bill's beginning and end.
func (c *balanceChain) ends() (opening, closing Money, err error) {
	if c.oldestFirst() {
		if opening, err = c.first.Sub(c.before); err == nil {
			closing, err = c.last.Add(c.since)
		}
		return opening, closing, err
	}
	if closing, err = c.first.Add(c.before); err == nil {
		closing, err = closing.Sub(c.firstNet)
	}
	if err == nil {
		opening, err = c.last.Sub(c.lastNet)
	}
	if err == nil {
		opening, err = opening.Sub(c.since)
	}
	return opening, closing, err
}

// Balances are what the bill says of the balance, in order of the currencies;
// none of a currency whose balance no line states.
func (t *BillTally) Balances() ([]BillBalance, error) {
	var out []BillBalance
	for _, cur := range slices.Sorted(maps.Keys(t.chains)) {
		c := t.chains[cur]
		if !c.known {
			continue
		}
		opening, closing, err := c.ends()
		if err != nil {
			return nil, err
		}
		out = append(out, BillBalance{Currency: cur, Opening: opening, Closing: closing, In: c.in, Out: c.out})
	}
	return out, nil
}

// Breaks are the lines whose balance does not follow from the line before, the
// first of each currency.
func (t *BillTally) Breaks() []BalanceBreak {
	var out []BalanceBreak
	for _, cur := range slices.Sorted(maps.Keys(t.chains)) {
		if c := t.chains[cur]; c.oldestFirst() {
			out = append(out, c.old...)
		} else {
			out = append(out, c.newest...)
		}
	}
	return out
}
