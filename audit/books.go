package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/projections"
)

// books are the running balances of a replay: one for each book, wallet and
// currency.
type books map[projections.LedgerKey]domain.Money

// post adds the postings of a fact.
func (b books) post(f domain.Fact) error {
	for _, p := range domain.PostingsOf(f) {
		k := projections.LedgerKey{Book: p.Book, Wallet: p.Wallet, Currency: p.Amount.Currency()}
		if err := b.add(k, p.Amount); err != nil {
			return err
		}
	}
	return nil
}

func (b books) add(k projections.LedgerKey, m domain.Money) error {
	was, ok := b[k]
	if !ok {
		b[k] = m
		return nil
	}
	sum, err := was.Add(m)
	if err != nil {
		return fmt.Errorf("sum of %s %s: %w", k.Book, k.Wallet, err)
	}
	b[k] = sum
	return nil
}

func (b books) clone() books { return maps.Clone(b) }

// merge adds all of other.
func (b books) merge(other books) error {
	for k, m := range other {
		if err := b.add(k, m); err != nil {
			return err
		}
	}
	return nil
}

// totals are the sums by book, in order.
func (b books) totals() ([]BookTotal, error) {
	sums := books{}
	for k, m := range b {
		k.Wallet = ""
		if err := sums.add(k, m); err != nil {
			return nil, err
		}
	}
	out := make([]BookTotal, 0, len(sums))
	for k, m := range sums {
		out = append(out, BookTotal{Book: k.Book, Total: m})
	}
	slices.SortFunc(out, func(x, y BookTotal) int {
		if c := strings.Compare(x.Book, y.Book); c != 0 {
			return c
		}
		return strings.Compare(string(x.Total.Currency()), string(y.Total.Currency()))
	})
	return out, nil
}

// grade adds up what rests on evidence of one grade.
type grade struct {
	Notices, Events int64
	Money           domain.Totals
	over            error // a sum beyond the range of Money
}

func (g *grade) add(m domain.Money) {
	g.Events++
	g.sum(m)
}

func (g *grade) sum(m domain.Money) {
	if err := g.Money.Add(m); err != nil {
		g.over = err
	}
}

type grades map[domain.Grade]*grade

func (g grades) of(name domain.Grade) *grade {
	if g[name] == nil {
		g[name] = &grade{}
	}
	return g[name]
}

func (g grades) merge(other grades) {
	for name, o := range other {
		sum := g.of(name)
		sum.Notices += o.Notices
		sum.Events += o.Events
		for m := range o.Money.All() {
			sum.sum(m)
		}
		if o.over != nil {
			sum.over = o.over
		}
	}
}

// list is every grade in order.
func (g grades) list() []GradeTotal {
	out := make([]GradeTotal, 0, len(g))
	for _, name := range slices.Sorted(maps.Keys(g)) {
		out = append(out, GradeTotal{
			Grade: name, Notices: g[name].Notices, Events: g[name].Events, Money: slices.Collect(g[name].Money.All()),
		})
	}
	return out
}
