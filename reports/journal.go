package reports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"counterfoil/domain"
)

// dialect is what hledger and beancount write in ways of their own.
type dialect interface {
	extension() string
	// head is the main file: declarations, then the months' files.
	head(w *bufio.Writer, j *journal, months []string)
	// opening is what the books held before the first day.
	opening(w *bufio.Writer, day domain.Day, before balances)
	booking(w *bufio.Writer, b Booking)
	// closing asserts what the books hold after the last day.
	closing(w *bufio.Writer, day domain.Day, after balances)
}

// equityOpening balances what the books held before a journal begins.
const equityOpening = "equity:opening"

// journal is a journal while it is written: a file a month, so that years stay
// quick to check, and a main file that includes them.
type journal struct {
	dialect dialect
	files   Files
	months  map[string]*month
	sum     balances
	first   domain.Day
	last    domain.Day
	count   int
	opened  bool // something stood in the books before
}

type month struct {
	file io.WriteCloser
	w    *bufio.Writer
}

// Hledger writes the journal that `hledger check --strict` accepts. Its closing
// assertions are the balances of the bookings.
func Hledger(files Files, bookings iter.Seq2[Booking, error], r Range) (Summary, error) {
	return write(files, bookings, r, hledger{})
}

// Beancount writes the journal that `bean-check` accepts.
func Beancount(files Files, bookings iter.Seq2[Booking, error], r Range) (Summary, error) {
	return write(files, bookings, r, beancount{})
}

func write(files Files, bookings iter.Seq2[Booking, error], r Range, d dialect) (s Summary, err error) {
	j := &journal{dialect: d, files: files, months: map[string]*month{}, sum: balances{}}
	defer func() { err = errors.Join(err, j.close()) }()
	before := balances{}
	err = chosen(bookings, r, func(b Booking) error { return addAll(before, b) }, j.add)
	if err != nil {
		return s, err
	}
	if err := j.begin(before, r); err != nil {
		return s, err
	}
	return j.finish()
}

func addAll(to balances, b Booking) error {
	for _, p := range b.Postings {
		if err := to.add(p.Book, p.Amount); err != nil {
			return fmt.Errorf("add up %s: %w", b.Event, err)
		}
	}
	return nil
}

// add writes a booking into its month's file.
func (j *journal) add(b Booking) error {
	if _, err := domain.ParseDay(string(b.Date)); err != nil {
		return fmt.Errorf("booking %s: %w", b.Event, err)
	}
	m, err := j.month(b.Date)
	if err != nil {
		return err
	}
	if j.first == "" || b.Date < j.first {
		j.first = b.Date
	}
	j.last = max(j.last, b.Date)
	j.count++
	j.dialect.booking(m.w, b)
	return addAll(j.sum, b)
}

func (j *journal) month(d domain.Day) (*month, error) {
	name := string(d[:7])
	if m := j.months[name]; m != nil {
		return m, nil
	}
	f, err := j.files.Create(name + j.dialect.extension())
	if err != nil {
		return nil, err
	}
	m := &month{f, bufio.NewWriterSize(f, 64<<10)}
	j.months[name] = m
	return m, nil
}

// begin brings what the books held before into the sums. It stands on the
// range's first day, or on the first booking's.
func (j *journal) begin(before balances, r Range) error {
	if r.From != "" {
		j.first = r.From
	}
	for _, h := range before.all() {
		if h.amount.IsZero() {
			continue
		}
		j.opened = true
		if err := errors.Join(j.sum.add(h.book, h.amount), j.sum.add(equityOpening, h.amount.Neg())); err != nil {
			return err
		}
	}
	if !j.opened {
		return nil
	}
	j.last = max(j.last, j.first)
	f, err := j.files.Create("opening" + j.dialect.extension())
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	j.dialect.opening(w, j.first, before)
	return errors.Join(w.Flush(), f.Close())
}

// finish writes the closing assertions and the main file.
func (j *journal) finish() (Summary, error) {
	names := make([]string, 0, len(j.months)+2)
	for name := range j.months {
		names = append(names, name+j.dialect.extension())
	}
	slices.Sort(names)
	if j.opened {
		names = slices.Insert(names, 0, "opening"+j.dialect.extension())
	}
	if j.last != "" {
		names = append(names, "closing"+j.dialect.extension())
	}
	main := "main" + j.dialect.extension()
	err := j.whole(main, func(w *bufio.Writer) { j.dialect.head(w, j, names) })
	if j.last != "" {
		err = errors.Join(err, j.whole(names[len(names)-1], func(w *bufio.Writer) { j.dialect.closing(w, j.last, j.sum) }))
	}
	return Summary{Bookings: j.count, Files: append([]string{main}, names...), Closing: j.sum.closing()}, err
}

// whole writes one file.
func (j *journal) whole(name string, fill func(*bufio.Writer)) error {
	f, err := j.files.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fill(w)
	return errors.Join(w.Flush(), f.Close())
}

func (j *journal) close() error {
	var errs []error
	for _, m := range j.months {
		errs = append(errs, m.w.Flush(), m.file.Close())
	}
	return errors.Join(errs...)
}

// word is the last part of a fact's name without its version: what happened.
func word(typ string) string {
	typ, _, _ = strings.Cut(typ, ".v")
	return strings.ReplaceAll(typ, ".", " ")
}

// currencies are those in use, in order.
func (b balances) currencies() []domain.Currency {
	var out []domain.Currency
	for _, totals := range b {
		for m := range totals.All() {
			out = append(out, m.Currency())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// books are those in use, in order.
func (b balances) books() []string {
	out := make([]string, 0, len(b))
	for book := range b {
		out = append(out, book)
	}
	slices.Sort(out)
	return out
}
