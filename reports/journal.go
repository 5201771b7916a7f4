package reports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
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
	// closing asserts what the books hold after a day.
	closing(w *bufio.Writer, day domain.Day, after balances)
	// proof says what the journal was written from.
	proof(w *bufio.Writer, day domain.Day, p *Proof, bills []BillHash)
}

// equityOpening balances what the books held before a journal begins.
const equityOpening = "equity:opening"

// journal is a journal while it is written: a file a month, so that years stay
// quick to check, and a main file that includes them.
type journal struct {
	dialect dialect
	files   Files
	months  map[Period]*month
	sum     balances
	before  balances // what the books held before the range
	asked   Range
	tied    *Proof
	first   domain.Day
	last    domain.Day
	count   int
	opened  bool // something stood in the books before
}

type month struct {
	file io.WriteCloser
	w    *bufio.Writer
	sum  balances // what it moved
}

// Hledger writes the journal that `hledger check --strict` accepts. At the end
// of every month and of the journal it asserts what the books hold. proof is
// what the bookings noted down on their way; it may be nil.
func Hledger(files Files, bookings iter.Seq2[Booking, error], r Range, proof *Proof) (Summary, error) {
	return write(files, bookings, r, proof, hledger{})
}

// Beancount writes the journal that `bean-check` accepts; otherwise it is as
// Hledger.
func Beancount(files Files, bookings iter.Seq2[Booking, error], r Range, proof *Proof) (Summary, error) {
	return write(files, bookings, r, proof, beancount{})
}

func write(files Files, bookings iter.Seq2[Booking, error], r Range, proof *Proof, d dialect) (s Summary, err error) {
	if proof != nil && proof.Sealed == 0 {
		proof.Root = "" // the root of nothing proves nothing
	}
	j := &journal{dialect: d, files: files, months: map[Period]*month{}, sum: balances{}, asked: r, tied: proof}
	defer func() { err = errors.Join(err, j.close()) }()
	before := balances{}
	err = chosen(bookings, r, func(b Booking) error { return addAll(before, b) }, j.add)
	if err != nil {
		return s, err
	}
	if err := j.begin(before, r); err != nil {
		return s, err
	}
	if err := j.assertMonths(); err != nil {
		return s, err
	}
	return j.finish()
}

func addAll(to balances, b Booking) error {
	for _, p := range b.Postings {
		if err := to.add(bookName(p), p.Amount); err != nil {
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
	return errors.Join(addAll(m.sum, b), addAll(j.sum, b))
}

func (j *journal) month(d domain.Day) (*month, error) {
	name := monthOf(d)
	if m := j.months[name]; m != nil {
		return m, nil
	}
	f, err := j.files.Create(string(name) + j.dialect.extension())
	if err != nil {
		return nil, err
	}
	m := &month{f, bufio.NewWriterSize(f, 64<<10), balances{}}
	j.months[name] = m
	return m, nil
}

// begin brings what the books held before into the sums. It stands on the
// range's first day, or on the first booking's.
func (j *journal) begin(before balances, r Range) error {
	if r.From != "" {
		j.first = r.From
	}
	j.before = balances{}
	for _, h := range before.all() {
		if h.amount.IsZero() {
			continue
		}
		j.opened = true
		for _, to := range []balances{j.sum, j.before} {
			if err := errors.Join(to.add(h.book, h.amount), to.add(equityOpening, h.amount.Neg())); err != nil {
				return err
			}
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

// assertMonths ends every month's file with what the books hold after it, so
// that a month can be checked against the closed one of the books.
func (j *journal) assertMonths() error {
	after := j.before
	for _, name := range slices.Sorted(maps.Keys(j.months)) {
		m := j.months[name]
		for _, h := range m.sum.all() {
			if err := after.add(h.book, h.amount); err != nil {
				return err
			}
		}
		j.dialect.closing(m.w, name.Range().To, after)
		if j.tied != nil {
			j.dialect.proof(m.w, name.Range().To, nil, j.tied.bills(name.Range()))
		}
	}
	return nil
}

// finish writes the closing assertions and the main file.
func (j *journal) finish() (Summary, error) {
	names := make([]string, 0, len(j.months)+2)
	for name := range j.months {
		names = append(names, string(name)+j.dialect.extension())
	}
	slices.Sort(names)
	if j.opened {
		names = slices.Insert(names, 0, "opening"+j.dialect.extension())
	}
	if j.last != "" {
		names = append(names, "closing"+j.dialect.extension())
	}
	main := "main" + j.dialect.extension()
	err := j.whole(main, func(w *bufio.Writer) {
		j.dialect.head(w, j, names)
		if j.tied != nil && j.last != "" {
			j.dialect.proof(w, j.last, j.tied, nil)
		}
	})
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

// tagsOf are a booking's particulars by their names, empty ones too. value is
// told where the books count it on another day.
func tagsOf(b Booking) [][2]string {
	value := ""
	if b.Value != b.Date {
		value = string(b.Value)
	}
	return [][2]string{
		{"channel", string(b.Channel)}, {"order", b.OrderNo}, {"trade", b.TradeNo}, {"ref", b.Ref}, {"value", value}, {"evidence", b.Evidence},
	}
}
