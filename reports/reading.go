package reports

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// reading is what a report is folded from: the log from its first event, or what
// the books held before a month and the part of the log that tells of it. Both
// give the same report. The rows that say where that part is are held against it:
// what they say was booked in the months must be what the events add up to.
type reading struct {
	log     eventstore.Reader
	base    Period // bookings before it stand in x.Opening; empty: the log is read from its first event
	last    Period
	channel domain.ChannelID // a report's, empty for all
	x       projections.Extract
	seen    map[bookAt]*[2]domain.Money // debits and credits of base to last, as they go by
}

// bookAt is a book in one currency, as projections.Moved has it.
type bookAt struct {
	book     string
	wallet   domain.AccountID
	channel  domain.ChannelID
	currency domain.Currency
}

// around is how long before a month and behind it decisions about it are looked
// for, whatever the zone of its days.
const around = 48 * time.Hour

// read begins a reading of some days, or of a run. Without an index, or where it
// knows nothing yet, the log is read from its first event.
func (s Source) read(ctx context.Context, scope Scope) (*reading, error) {
	days := scope.Range
	r := &reading{log: s.Log, channel: scope.Channel}
	if s.Index == nil || days.From == "" || scope.Run != "" && scope.told.IsZero() {
		return r, nil
	}
	to := cmp.Or(days.To, domain.Day("9999-12-01"))
	from, err := time.Parse(time.DateOnly, string(monthOf(days.From))+"-01")
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "period", "%.40q is no day", days.From)
	}
	until, err := time.Parse(time.DateOnly, string(to))
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "period", "%.40q is no day", to)
	}
	f := projections.ExtractFilter{
		From: string(monthOf(days.From)), To: string(monthOf(to)), Since: from.Add(-around), Until: until.Add(around),
	}
	if scope.Run != "" { // what it proposed stands where it ran, and what it settled may be of any day
		f.NewsSince, f.NewsUntil = scope.told.Add(-around), scope.told.Add(around)
		if f.NewsUntil.After(f.Until) {
			f.Until = f.NewsUntil
		}
	}
	if r.x, err = s.Index.Extract(ctx, f); err != nil {
		return nil, fmt.Errorf("find what was booked before %s: %w", f.From, err)
	}
	if r.x.At.Position != 0 {
		r.base, r.last, r.seen = Period(f.From), Period(f.To), map[bookAt]*[2]domain.Money{}
	}
	return r, nil
}

// opening are the postings before the base month, as one booking that lies
// before every other one. ok is false where there are none.
func (r *reading) opening() (b Booking, ok bool) {
	if r.base == "" {
		return b, false
	}
	b.Date, b.carried = domain.Day(r.base+"-01").Add(-1), true
	for _, m := range r.x.Opening {
		if r.channel == "" || m.Channel == r.channel {
			b.Postings = append(b.Postings, domain.Posting{Book: m.Book, Wallet: m.Wallet, Amount: m.Debit})
		}
	}
	return b, len(b.Postings) > 0
}

// events goes through the log, in the order of positions.
func (r *reading) events(ctx context.Context) iter.Seq2[Event, error] {
	if r.base == "" {
		return Events(ctx, r.log, 0)
	}
	return func(yield func(Event, error) bool) {
		besides, err := r.besides(ctx)
		if err != nil {
			yield(Event{}, err)
			return
		}
		after := func(e Event) bool { return e.Position > r.x.Until }
		split := slices.IndexFunc(besides, after)
		if split < 0 {
			split = len(besides)
		}
		for _, part := range []iter.Seq2[Event, error]{
			given(besides[:split]),
			stretch(ctx, r.log, r.x.After, min(r.x.Until, r.x.At.Position)),
			given(besides[split:]),
			r.held(),
			stretch(ctx, r.log, r.x.At.Position, 0),
		} {
			for e, err := range part {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

func given(events []Event) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// besides are the facts of single streams that lie outside the stretch: they
// tell of comparisons, differences and decisions, and their money counts
// elsewhere.
func (r *reading) besides(ctx context.Context) ([]Event, error) {
	var out []Event
	for _, s := range r.x.Streams {
		events, err := r.log.ReadStream(ctx, s, eventstore.ReadOptions{})
		if domain.KindOf(err) == domain.KindNotFound && err != nil {
			continue // no period was ever closed
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", s, err)
		}
		for _, recorded := range events {
			if p := recorded.Position; p > r.x.At.Position || p > r.x.After && p <= r.x.Until {
				continue
			}
			e, err := decode(recorded)
			if err != nil {
				return nil, err
			}
			e.beside = true
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Event) int { return cmp.Compare(a.Position, b.Position) })
	return out, nil
}

// counts reports whether a booking is to be added up: not if it stands in the
// opening balances. What it moves in the months is noted down.
func (r *reading) counts(e Event, b Booking) bool {
	if r == nil || r.base == "" || e.Position > r.x.At.Position {
		return true
	}
	month := monthOf(b.Date)
	if e.beside || month < r.base {
		return false
	}
	if month > r.last {
		return true
	}
	for _, p := range b.Postings {
		r.note(b.Channel, p)
	}
	return true
}

func (r *reading) note(ch domain.ChannelID, p domain.Posting) {
	k := bookAt{p.Book, "", ch, p.Amount.Currency()}
	if p.Wallet == domain.TestAccount {
		k.wallet = p.Wallet
	}
	sums := r.seen[k]
	if sums == nil {
		zero := domain.NewMoney(0, k.currency)
		sums = &[2]domain.Money{zero, zero}
		r.seen[k] = sums
	}
	side, amount := &sums[0], p.Amount
	if amount.IsNegative() {
		side, amount = &sums[1], amount.Neg()
	}
	if sum, err := side.Add(amount); err == nil { // beyond the range of money the report itself fails
		*side = sum
	}
}

// held sees, when the months have gone by, that they are those of the rows.
func (r *reading) held() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for _, m := range r.x.Moved {
			k := bookAt{m.Book, m.Wallet, m.Channel, m.Currency}
			if got := r.seen[k]; got == nil || got[0] != m.Debit || got[1] != m.Credit {
				yield(Event{}, r.disagree(m.Book))
				return
			}
			delete(r.seen, k)
		}
		for k := range r.seen {
			yield(Event{}, r.disagree(k.book))
			return
		}
	}
}

func (r *reading) disagree(book string) error {
	return domain.E(domain.KindCorrupt, "the projections do not have of %s what the log says was booked from %s to %s: rebuild them, or make the report from the log alone",
		book, r.base, r.last)
}

// head is where the report begins to count events.
func (r *reading) head(h *Head) {
	if r == nil || r.base == "" {
		return
	}
	at := r.x.At
	h.Position, h.Event, h.Events, h.AsOf = at.Position, at.Event, uint64(at.Events), at.Recorded // counts are never negative
}

// counted reports whether an event is in the head that the reading began with.
func (r *reading) counted(e Event) bool {
	return r != nil && r.base != "" && e.Position <= r.x.At.Position
}

// bookings are the reading's, after one with what lies before it.
func (r *reading) bookings(ctx context.Context, proof *Proof) iter.Seq2[Booking, error] {
	return OfChannel(func(yield func(Booking, error) bool) {
		if b, ok := r.opening(); ok {
			b.Channel = r.channel
			b.Postings = slices.DeleteFunc(b.Postings, func(p domain.Posting) bool { return p.Amount.IsZero() })
			if len(b.Postings) > 0 && !yield(b, nil) {
				return
			}
		}
		bookings(r.events(ctx), r, proof)(yield)
	}, r.channel)
}
