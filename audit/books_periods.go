package audit

import (
	"fmt"

	"counterfoil/domain"
)

// turnoverKey names what one book moved in one period; all wallets are one.
type turnoverKey struct {
	book     string
	currency domain.Currency
	period   string
}

// turnover are sums of postings by period.
type turnover map[turnoverKey]domain.Money

// post adds the postings of a fact to its period.
func (t turnover) post(f domain.Fact) error {
	postings := domain.PostingsOf(f)
	if len(postings) == 0 {
		return nil
	}
	dates, _ := domain.DatesOf(f)
	for _, p := range postings {
		if err := t.add(turnoverKey{p.Book, p.Amount.Currency(), dates.Period}, p.Amount); err != nil {
			return err
		}
	}
	return nil
}

func (t turnover) add(k turnoverKey, m domain.Money) error {
	was, ok := t[k]
	if !ok {
		t[k] = m
		return nil
	}
	sum, err := was.Add(m)
	if err != nil {
		return fmt.Errorf("what %s moved in %s: %w", k.book, k.period, err)
	}
	t[k] = sum
	return nil
}

// total is what a book held at a period's beginning and end.
func (t turnover) total(book string, c domain.Currency, period string) (domain.PeriodTotal, error) {
	zero := domain.NewMoney(0, c)
	sum := domain.PeriodTotal{Book: book, Opening: zero, Closing: zero}
	var err error
	for k, m := range t {
		if k.book != book || k.currency != c || k.period > period {
			continue
		}
		if sum.Closing, err = sum.Closing.Add(m); err != nil {
			return sum, err
		}
		if k.period < period {
			if sum.Opening, err = sum.Opening.Add(m); err != nil {
				return sum, err
			}
		}
	}
	return sum, nil
}

// closedTotals holds the totals of each closed period against all that the log
// dates into it and before: nothing may have come since.
func (w *walk) closedTotals(rep *Report) {
	if len(w.closings.closed) == 0 || w.deps.Opened != nil {
		return // a bundle holds a part of the log
	}
	all := turnover{}
	for _, s := range w.shards {
		for k, m := range s.turnover {
			if err := all.add(k, m); err != nil {
				rep.add(Finding{Check: CheckBalances, Text: err.Error()})
				return
			}
		}
	}
	for _, c := range w.closings.closed {
		rep.checked(CheckBalances, int64(len(c.Basis.Totals)))
		if text := all.differs(c.PeriodClosed); text != "" {
			rep.add(Finding{
				Position: c.at.Position, Stream: c.at.Stream, Revision: c.at.Revision, Check: CheckBalances,
				Text: c.Period + " was closed with other totals than the log gives: " + text,
			})
		}
	}
}

// differs names the first book whose totals are not those a period was closed
// with, empty for none.
func (t turnover) differs(c domain.PeriodClosed) string {
	type place struct {
		book     string
		currency domain.Currency
	}
	told := map[place]bool{}
	for _, want := range c.Basis.Totals {
		currency := want.Closing.Currency()
		told[place{want.Book, currency}] = true
		have, err := t.total(want.Book, currency, c.Period)
		if err != nil {
			return err.Error()
		}
		if have != want {
			return fmt.Sprintf("%s went from %s to %s, and %s to %s stands there", want.Book, have.Opening, have.Closing, want.Opening, want.Closing)
		}
	}
	for k, m := range t {
		if k.period <= c.Period && !told[place{k.book, k.currency}] && !m.IsZero() {
			return fmt.Sprintf("%s moved %s in %s, and no total stands there", k.book, m, k.period)
		}
	}
	return ""
}
