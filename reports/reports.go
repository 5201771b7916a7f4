// Package reports writes the books for other programs and for people: plain
// text journals that hledger and beancount accept in their strict modes, and
// CSV. A report is a pure fold of the bookings it is given, so the same log up
// to the same place gives the same bytes.
package reports

import (
	"cmp"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
)

// Booking is one event that moved money.
type Booking struct {
	Date     domain.Day // value date
	Recorded time.Time
	Event    domain.ID
	Type     string
	Stream   domain.Stream
	Channel  domain.ChannelID // empty where the stream names none
	OrderNo  string
	TradeNo  string
	Ref      string // the refund's or the dispute's number
	Evidence string // SHA-256 of the evidence it rests on, where it is known
	Postings []domain.Posting
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
		Date: domain.Day(dates.ValueDate), Recorded: recorded, Event: event, Type: f.FactType(), Stream: stream, Postings: postings,
	}
	if rest, ok := strings.CutPrefix(string(stream), "payment-"); ok {
		channel, order, _ := strings.Cut(rest, ":")
		b.Channel = domain.ChannelID(channel)
		if !strings.HasPrefix(order, "~") && !strings.HasPrefix(order, "trade:") {
			b.OrderNo = order
		}
	}
	line, moved := domain.LineOf(f)
	if moved {
		b.TradeNo, b.Ref = line.TradeNo, line.RefundID+line.DisputeID
	}
	return b, true
}

// Files makes the files of a report. Names have no folder in them.
type Files interface {
	Create(name string) (io.WriteCloser, error)
}

// Range bounds a report by value dates, both ends included; empty is no bound.
type Range struct{ From, To domain.Day }

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
		if err := domain.CheckPostings(b.Postings); err != nil {
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
