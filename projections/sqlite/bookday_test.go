package sqlite

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Whatever the day and the place in the log, what the book tells of a day is
// what a plain walk over the log adds up, though days are mixed and most of the
// log lies long before.
func TestBookDayIsThatOfTheLog(t *testing.T) {
	t.Parallel()
	l := newLog()
	type booked struct {
		day   int
		what  domain.PartKind
		fen   int64
		place eventstore.Position
	}
	var all []booked
	for i := range 240 {
		recorded := 1 + i/10
		l.at = time.Date(2026, 11, recorded, 5, 0, i, 0, time.UTC)
		day, fen := max(1, recorded-(i*7919)%4), int64(i+1)
		b := booked{day: day, what: domain.PartPayment, fen: fen}
		if i%3 == 0 {
			b.what, b.fen = domain.PartFee, -fen
			f := domain.FeesBooked{
				Channel: "a", Day: november(day), Bill: "trade", Run: fmt.Sprint("run-", i), Amount: cny(fen), Total: cny(fen), Exact: cny(fen).Amount(), Dates: dated(day), Rules: 1,
				Postings: transfer(domain.Posting{Book: domain.BookFee("a")}, domain.Posting{Book: domain.BookPSP("a")}, cny(fen)),
			}
			b.place = l.add(t, domain.BookStream("a", november(day)), f)
		} else {
			f := l.credited("a", fmt.Sprint("T", i), "alice", cny(fen))
			f.Dates = dated(day)
			b.place = l.add(t, domain.PaymentStream("a", domain.OrderNo(fmt.Sprint("O", i))), f)
		}
		all = append(all, b)
	}
	d := openDB(t, path(t))
	fold(t, l, d, 50)
	rapid.Check(t, func(r *rapid.T) {
		day := rapid.IntRange(1, 26).Draw(r, "day")
		until := all[rapid.IntRange(0, len(all)-1).Draw(r, "until")].place
		opening, moved := cny(0), map[domain.PartKind]domain.Money{}
		for _, b := range all {
			switch {
			case b.place > until || b.day > day:
			case b.day < day:
				opening = cny(opening.Minor() + b.fen)
			default:
				moved[b.what] = cny(moved[b.what].Minor() + b.fen)
			}
		}
		got, err := d.BookDay(t.Context(), "a", november(day), until)
		if want := map[domain.Currency]domain.BookDay{domain.CNY: {Opening: opening, Moved: moved}}; err != nil || !reflect.DeepEqual(got, want) {
			r.Fatalf("%+v, %v, want %+v", got, err, want)
		}
	})
	if got, err := d.BookDay(t.Context(), "none", november(3), all[9].place); err != nil || len(got) != 0 {
		t.Errorf("a channel without a book: %+v, %v", got, err)
	}
}
