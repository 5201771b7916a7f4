package reports

import (
	"encoding/hex"
	"iter"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/projections"
)

// Options shape a report.
type Options struct {
	Scope      Scope
	Zone       *time.Location // of days and times; nil means UTC
	Software   string
	Unfinished []Unfinished // comparisons of the scope that could not be finished
	Sealed     uint64       // events that the signed tree covers
	Root       []byte       // of that tree

	from *reading // nil: every event counts
}

// Make folds the log into a report. Every booking of the scope is handed to
// each on the way, so that a writer of rows needs no second pass; each may be
// nil. Memory grows with differences, corrections and days, not with payments.
func Make(events iter.Seq2[Event, error], o Options, each func(Booking) error) (*Report, error) {
	f := newFolding(o, each)
	if err := f.begin(); err != nil {
		return nil, err
	}
	for e, err := range events {
		if err == nil {
			err = f.add(e)
		}
		if err != nil {
			return nil, err
		}
	}
	return f.finish(), nil
}

// folding is a report while it is made.
type folding struct {
	Options
	r     *Report
	each  func(Booking) error
	basis basis

	books  map[bookOf]*Book
	flows  map[flowOf]*Flow
	days   map[dayOf]*DaySum
	diffs  map[domain.ID]*Difference
	fixes  []*Correction
	asked  map[domain.ID]*Correction // by proposal
	credit Booking                   // the last credit: a heal names it right behind
}

type bookOf struct {
	book     string
	currency domain.Currency
}

type flowOf struct {
	what     string
	currency domain.Currency
}

type dayOf struct {
	day      domain.Day
	currency domain.Currency
}

func newFolding(o Options, each func(Booking) error) *folding {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if each == nil {
		each = func(Booking) error { return nil }
	}
	r := &Report{
		Scope: o.Scope, Zone: o.Zone.String(), Software: o.Software, Unfinished: o.Unfinished, zone: o.Zone,
		Head: Head{Sealed: o.Sealed, Root: hex.EncodeToString(o.Root)},
	}
	if o.Sealed == 0 {
		r.Head.Root = "" // the root of nothing proves nothing
	}
	return &folding{
		Options: o, r: r, each: each, books: map[bookOf]*Book{}, flows: map[flowOf]*Flow{}, days: map[dayOf]*DaySum{},
		diffs: map[domain.ID]*Difference{}, asked: map[domain.ID]*Correction{},
	}
}

// begin takes over what lies before the reading.
func (f *folding) begin() error {
	if f.from == nil {
		return nil
	}
	f.from.head(&f.r.Head)
	before, _ := f.from.opening()
	for _, p := range before.Postings {
		if err := f.post(p, false); err != nil {
			return err
		}
	}
	return nil
}

// add folds one event.
func (f *folding) add(e Event) error {
	h := &f.r.Head
	if !f.from.counted(e) {
		h.Position, h.Event = e.Position, e.ID
		h.Events++
		if e.Recorded.After(h.AsOf) {
			h.AsOf = e.Recorded
		}
	}
	if opened, ok := e.Fact.(domain.LedgerOpened); ok {
		h.Ledger, h.Mode = opened.Ledger, opened.Mode
	}
	if closed, ok := e.Fact.(domain.PeriodClosed); ok && closed.Period == string(f.Scope.Period) {
		f.r.Closed = &Close{ProposedBy: closed.ProposedBy, ApprovedBy: closed.By, At: e.Recorded, Event: e.ID}
	}
	f.basis.note(e)
	if b, ok := Of(e.Fact, e.ID, e.Stream, e.Recorded); ok {
		b.Evidence = f.basis.of(e)
		if strings.HasPrefix(b.Type, "payment.credited.") {
			f.credit = b
		}
		if f.from.counts(e, b) {
			if err := f.book(b, e.Fact); err != nil {
				return err
			}
		}
	}
	if f.about(projections.ChannelOf(e.Stream)) {
		f.tell(e)
	}
	return nil
}

// about reports whether the report is about a channel.
func (f *folding) about(ch domain.ChannelID) bool {
	return f.Scope.Channel == "" || f.Scope.Channel == ch
}

// book adds a booking up.
func (f *folding) book(b Booking, fact domain.Fact) error {
	if err := domain.CheckPostings(b.Postings); err != nil {
		return err
	}
	where := f.Scope.where(b.Date)
	if !f.about(b.Channel) || where > 0 {
		return nil
	}
	for _, p := range b.Postings {
		if err := f.post(p, where == 0); err != nil {
			return err
		}
	}
	if where < 0 {
		return nil
	}
	f.r.Bookings++
	if err := f.flow(b); err != nil {
		return err
	}
	if err := f.kept(b, fact); err != nil {
		return err
	}
	return f.each(b)
}

// post moves a book's balance: its opening one, or what came and went.
func (f *folding) post(p domain.Posting, within bool) (err error) {
	k := bookOf{bookName(p), p.Amount.Currency()}
	b := f.books[k]
	if b == nil {
		zero := domain.NewMoney(0, k.currency)
		b = &Book{Book: k.book, Opening: zero, Debits: zero, Credits: zero, Closing: zero}
		f.books[k] = b
	}
	to := &b.Opening
	switch {
	case within && p.Amount.IsNegative():
		to = &b.Credits
	case within:
		to = &b.Debits
	}
	if *to, err = to.Add(p.Amount); err != nil {
		return err
	}
	b.Closing, err = b.Closing.Add(p.Amount)
	return err
}

// flow counts a booking by its kind and day.
func (f *folding) flow(b Booking) error {
	what := word(b.Type)
	sums := map[domain.Currency]domain.Money{}
	for _, p := range b.Postings {
		if p.Amount.IsNegative() {
			continue
		}
		c := p.Amount.Currency()
		sum, err := domain.NewMoney(sums[c].Minor(), c).Add(p.Amount)
		if err != nil {
			return err
		}
		sums[c] = sum
	}
	for c, sum := range sums {
		k := flowOf{what, c}
		if f.flows[k] == nil {
			f.flows[k] = &Flow{What: what, Amount: domain.NewMoney(0, c)}
		}
		f.flows[k].Count++
		var err error
		if f.flows[k].Amount, err = f.flows[k].Amount.Add(sum); err != nil {
			return err
		}
	}
	return f.day(b)
}

// day adds what moved at the provider to its day.
func (f *folding) day(b Booking) (err error) {
	for _, p := range b.Postings {
		s := f.daySum(b.Date, p.Amount.Currency())
		switch at := strings.HasPrefix(p.Book, "assets:psp:"); {
		case at && (strings.HasPrefix(b.Type, "payment.credited.") || strings.HasPrefix(b.Type, "payment.parked.")):
			s.Paid, err = s.Paid.Add(p.Amount)
		case at && wentBack(b.Type):
			s.Back, err = s.Back.Sub(p.Amount)
		case chargeKind(p.Book) != "":
			s.Charged, err = s.Charged.Add(p.Amount)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func wentBack(typ string) bool {
	return strings.HasPrefix(typ, "payment.refunded.") || strings.HasPrefix(typ, "refund.") || strings.HasPrefix(typ, "dispute.")
}

func (f *folding) daySum(d domain.Day, c domain.Currency) *DaySum {
	k := dayOf{d, c}
	if f.days[k] == nil {
		zero := domain.NewMoney(0, c)
		f.days[k] = &DaySum{Day: d, Paid: zero, Back: zero, Charged: zero}
	}
	return f.days[k]
}

// kept notes what providers kept, changed and paid out.
func (f *folding) kept(b Booking, fact domain.Fact) error {
	from := originOf(fact)
	for _, p := range b.Postings {
		kind := chargeKind(p.Book)
		if kind == "" {
			continue
		}
		c := Charge{Kind: kind, Channel: b.Channel, Day: b.Value, Event: b.Event, Amount: p.Amount}
		if from.bill != "" {
			c.Day, c.Exact, c.Bill, c.Run, c.SHA256 = from.day, from.exact, from.bill, from.run, from.sha256
		}
		f.r.Charges = append(f.r.Charges, c)
	}
	if x, ok := fact.(domain.FXBooked); ok {
		f.r.Exchanges = append(f.r.Exchanges, exchangeOf(b, x))
	}
	if b.Stream.Category() != "payout" || len(b.Postings) == 0 {
		return nil
	}
	_, stage, _ := strings.Cut(word(b.Type), " ")
	f.r.Payouts = append(f.r.Payouts, Payout{
		Channel: b.Channel, ID: from.payout, Stage: stage, Day: b.Value, Event: b.Event, Amount: abs(b.Postings[0].Amount), By: from.by,
		SHA256: b.Evidence,
	})
	return nil
}

// chargeKind is what a book of a provider's charges is called; empty for other
// books.
func chargeKind(book string) string {
	for _, kind := range []string{"fee", "discount", "dispute-fee"} {
		if strings.HasPrefix(book, "expenses:"+kind+":") {
			return kind
		}
	}
	return ""
}
