// Package reports writes the books for other programs and for people: plain
// text journals that hledger and beancount accept in their strict modes, and
// the report of a month or of one comparison as a workbook, CSV, JSON and a page
// to print. A report is a pure fold of the log's events up to a place: the same
// log up to the same place gives the same report, and the report names the place
// and the root of the tree that proves it.
package reports

import (
	"cmp"
	"io"
	"iter"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/projections"
)

// Booking is one event that moved money.
type Booking struct {
	Date     domain.Day // the day it stands in the books: its value date, or the first day of its period when that lies later
	Value    domain.Day // value date: when the money moved
	Recorded time.Time
	Event    domain.ID
	Type     string
	Stream   domain.Stream
	Channel  domain.ChannelID // empty where the stream names none
	OrderNo  string
	TradeNo  string
	Ref      string // the refund's, the dispute's or the draw's number
	Evidence string // SHA-256 of the evidence it rests on, where it is known
	Postings []domain.Posting

	carried bool // no event: what lies before a month, added up over all wallets
}

// Of is the booking of an event; ok is false for facts that move no money. The
// stream names channel and order where it is a payment's.
func Of(f domain.Fact, event domain.ID, stream domain.Stream, recorded time.Time) (b Booking, ok bool) {
	postings := domain.PostingsOf(f)
	if len(postings) == 0 {
		return b, false
	}
	dates, _ := domain.DatesOf(f)
	b = Booking{
		Date: bookDay(dates), Value: domain.Day(dates.ValueDate), Recorded: recorded, Event: event, Type: f.FactType(), Stream: stream,
		Channel: projections.ChannelOf(stream), OrderNo: projections.OrderOf(stream), Postings: postings,
	}
	line, moved := domain.LineOf(f)
	if moved {
		b.TradeNo, b.Ref = line.TradeNo, line.RefundID+line.DisputeID
	}
	switch f := f.(type) {
	case domain.AccountDrawn:
		b.Ref = string(f.Number)
	case domain.DrawReversed:
		b.Ref = string(f.Number)
	default: // the stream or the line names it
	}
	return b, true
}

// bookDay is the day that the books count a fact on. A closed month takes
// nothing more: what belongs to it by its value date stands on the first day of
// the month it was booked in.
func bookDay(d domain.Dates) domain.Day {
	if d.Period > string(monthOf(domain.Day(d.ValueDate))) {
		return domain.Day(d.Period + "-01")
	}
	return domain.Day(d.ValueDate)
}

// Files makes the files of a report. Names have no folder in them.
type Files interface {
	Create(name string) (io.WriteCloser, error)
}

// Range bounds a report by the days of its bookings, both ends included; empty
// is no bound.
type Range struct {
	From domain.Day `json:"from"`
	To   domain.Day `json:"to"`
}

// where says whether a date lies before, in or behind the range.
func (r Range) where(d domain.Day) int {
	switch {
	case r.From != "" && d < r.From:
		return -1
	case r.To != "" && d > r.To:
		return 1
	}
	return 0
}

// BookTestWallet is what reports call the test account's part of the wallets: it
// stands beside what customers have, in no total with it.
const BookTestWallet = "liabilities:wallet-test"

// bookName is the book of a posting as reports show it.
func bookName(p domain.Posting) string {
	if p.Book == domain.BookWallet && p.Wallet == domain.TestAccount {
		return BookTestWallet
	}
	return p.Book
}

// balances adds up postings by book; wallets are one book here.
type balances map[string]*domain.Totals

func (b balances) add(book string, m domain.Money) error {
	t := b[book]
	if t == nil {
		t = &domain.Totals{}
		b[book] = t
	}
	return t.Add(m)
}

// held is what a book holds in one currency.
type held struct {
	book   string
	amount domain.Money
}

// all are the balances in order of book and currency, zero ones too.
func (b balances) all() []held {
	var out []held
	for book, totals := range b {
		for m := range totals.All() {
			out = append(out, held{book, m})
		}
	}
	slices.SortFunc(out, func(a, b held) int {
		return cmp.Or(cmp.Compare(a.book, b.book), cmp.Compare(a.amount.Currency(), b.amount.Currency()))
	})
	return out
}

// Summary is what a journal came to.
type Summary struct {
	Bookings int
	Files    []string
	Closing  []Closing // in order of book and currency
}

// Closing is a book's balance at the end of a journal: + debit, − credit.
type Closing struct {
	Book   string
	Amount domain.Money
}

func (b balances) closing() []Closing {
	var out []Closing
	for _, h := range b.all() {
		out = append(out, Closing{h.book, h.amount})
	}
	return out
}

// chosen goes through the bookings of a range: before gets what lies before it,
// in what lies in it.
func chosen(bookings iter.Seq2[Booking, error], r Range, before, in func(Booking) error) error {
	for b, err := range bookings {
		if err != nil {
			return err
		}
		if err := domain.CheckPostings(b.Postings); err != nil && !b.carried {
			return err
		}
		switch r.where(b.Date) {
		case -1:
			err = before(b)
		case 0:
			err = in(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
