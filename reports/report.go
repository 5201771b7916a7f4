package reports

import (
	"cmp"
	"iter"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Period is a month of the books, YYYY-MM.
type Period string

// ParsePeriod reads YYYY-MM; anything else is KindInvalid.
func ParsePeriod(s string) (Period, error) {
	if _, err := domain.ParseDay(s + "-01"); err != nil {
		return "", domain.EField(domain.KindInvalid, "period", "%.40q is not a month as YYYY-MM", s)
	}
	return Period(s), nil
}

// Range is the period's days.
func (p Period) Range() Range {
	first := domain.Day(p + "-01")
	next := monthOf(first.Add(31))
	return Range{From: first, To: domain.Day(next + "-01").Add(-1)}
}

func monthOf(d domain.Day) Period { return Period(d[:min(len(d), 7)]) }

// Scope says what a report is about: a month, or one comparison with a bill;
// every channel, or one.
type Scope struct {
	Period  Period           `json:"period,omitempty"`
	Run     string           `json:"run,omitempty"`
	Channel domain.ChannelID `json:"channel,omitempty"`
	Range
}

// Head is the place of the log that a report goes up to, and the root that
// proves it. A tree may not cover the last events yet: Sealed says how many it
// covers.
type Head struct {
	Position eventstore.Position `json:"position"`
	Event    domain.ID           `json:"event"`
	Events   uint64              `json:"events"`
	AsOf     time.Time           `json:"as_of"` // running maximum of recorded_at: what ages are reckoned from
	Ledger   domain.ID           `json:"ledger"`
	Mode     domain.Mode         `json:"mode"`
	Sealed   uint64              `json:"sealed,omitempty"`
	Root     string              `json:"root,omitempty"` // hex, of the signed tree over the first Sealed events
}

// Run is one complete comparison of a bill with the books.
type Run struct {
	ID        string                 `json:"id"`
	Channel   domain.ChannelID       `json:"channel"`
	Day       domain.Day             `json:"day"`
	Bill      string                 `json:"bill"`
	Import    int                    `json:"import"`
	At        time.Time              `json:"at"`
	Newest    bool                   `json:"newest"` // no later import of this bill: the one that counts
	Ours      int                    `json:"ours"`
	Theirs    int                    `json:"theirs"`
	Matched   int                    `json:"matched"`
	Waiting   int                    `json:"waiting"`
	Settled   int                    `json:"settled"`
	Tolerated int                    `json:"tolerated"`
	Differing int                    `json:"differing"`
	Healed    int                    `json:"healed"`
	Totals    []domain.ComparedTotal `json:"totals"`
	Kinds     []domain.KindCount     `json:"kinds"`
	SHA256    string                 `json:"sha256"` // of the bill
	Size      int                    `json:"size"`
	Position  eventstore.Position    `json:"position"` // of the fact
}

// Unfinished is a comparison that could not be finished. The log does not tell
// of these: nothing was concluded. They are handed in.
type Unfinished struct {
	ID      string           `json:"id"`
	Channel domain.ChannelID `json:"channel"`
	Day     domain.Day       `json:"day"`
	Bill    string           `json:"bill"`
	Cause   string           `json:"cause"`
	Note    string           `json:"note"`
	At      time.Time        `json:"at"`
}

// Difference is an item in which the books and a provider do not agree.
type Difference struct {
	ID         domain.ID              `json:"id"`
	Kind       domain.DiscrepancyKind `json:"kind"`
	Channel    domain.ChannelID       `json:"channel"`
	Day        domain.Day             `json:"day"`
	Line       domain.LineKind        `json:"line"`
	OrderNo    string                 `json:"order_no"`
	TradeNo    string                 `json:"trade_no"`
	Ref        string                 `json:"ref"`
	Ours       domain.Money           `json:"ours,omitzero"`
	Theirs     domain.Money           `json:"theirs,omitzero"`
	FoundAt    time.Time              `json:"found_at"`
	FoundBy    string                 `json:"found_by"` // run
	Open       bool                   `json:"open"`
	ResolvedAt time.Time              `json:"resolved_at,omitzero"`
	ResolvedBy string                 `json:"resolved_by,omitempty"` // run or person
	How        string                 `json:"how,omitempty"`
	Age        Age                    `json:"age"` // of an open one when the report ends, of a resolved one when it was resolved
}

// AtStake is how much money the difference is about: by how much the sides
// differ, or all of it where only one of them knows it.
func (d Difference) AtStake() domain.Money {
	switch {
	case d.Ours.Currency() == "":
		return abs(d.Theirs)
	case d.Theirs.Currency() == "":
		return abs(d.Ours)
	}
	diff, err := d.Ours.Sub(d.Theirs)
	if err != nil || diff.IsZero() {
		return abs(d.Theirs) // another currency, or the same sum in another state
	}
	return abs(diff)
}

func abs(m domain.Money) domain.Money {
	if m.IsNegative() {
		return m.Neg()
	}
	return m
}

// Age is how long something has been open, in steps that people act on.
type Age string

// The ages. A bound belongs to the younger one.
const (
	AgeHour  Age = "0-1h"
	AgeDay   Age = "1-24h"
	AgeThree Age = "1-3d"
	AgeWeek  Age = "3-7d"
	AgeOlder Age = ">7d"
)

// Ages are all ages, the youngest first.
func Ages() []Age { return []Age{AgeHour, AgeDay, AgeThree, AgeWeek, AgeOlder} }

// AgeOf is the age of something that has been open for d.
func AgeOf(d time.Duration) Age {
	const day = 24 * time.Hour
	switch {
	case d <= time.Hour:
		return AgeHour
	case d <= day:
		return AgeDay
	case d <= 3*day:
		return AgeThree
	case d <= 7*day:
		return AgeWeek
	}
	return AgeOlder
}

// Correction is what was put right, by whom and why.
type Correction struct {
	Event      domain.ID            `json:"event"` // the proposal, or the heal
	Action     string               `json:"action"`
	State      domain.ProposalState `json:"state"`
	Auto       bool                 `json:"auto"` // by rule, on the provider's word
	Channel    domain.ChannelID     `json:"channel"`
	OrderNo    string               `json:"order_no"`
	TradeNo    string               `json:"trade_no"`
	Account    domain.AccountID     `json:"account"`
	From       domain.AccountID     `json:"from,omitempty"`
	Amount     domain.Money         `json:"amount,omitzero"`
	ProposedBy string               `json:"proposed_by"` // a person, or the run
	ProposedAt time.Time            `json:"proposed_at"`
	Reason     string               `json:"reason"`
	DecidedBy  string               `json:"decided_by,omitempty"`
	DecidedAt  time.Time            `json:"decided_at,omitzero"`
	Words      string               `json:"words,omitempty"` // of who decided
	proposal   domain.ID
}

// Charge is what a provider kept, booked once for each bill: a fee or a
// discount.
type Charge struct {
	Kind    string           `json:"kind"` // fee, discount, dispute-fee
	Channel domain.ChannelID `json:"channel"`
	Day     domain.Day       `json:"day"`
	Event   domain.ID        `json:"event"`
	Amount  domain.Money     `json:"amount"`
	Exact   string           `json:"exact,omitempty"` // the bill's sum with all its places
	Bill    string           `json:"bill,omitempty"`
	Run     string           `json:"run,omitempty"`
	SHA256  string           `json:"sha256,omitempty"`
}

// Payout is a stage of money on its way from the provider to the bank.
type Payout struct {
	Channel domain.ChannelID `json:"channel"`
	ID      string           `json:"id"`
	Stage   string           `json:"stage"` // sent, arrived or failed
	Day     domain.Day       `json:"day"`
	Event   domain.ID        `json:"event"`
	Amount  domain.Money     `json:"amount"`
}

// Book is what a book held, what came and went, and what it holds.
type Book struct {
	Book    string       `json:"book"`
	Opening domain.Money `json:"opening"`
	Debits  domain.Money `json:"debits"`
	Credits domain.Money `json:"credits"` // below zero
	Closing domain.Money `json:"closing"`
}

func compareBooks(a, b Book) int {
	return cmp.Or(cmp.Compare(a.Book, b.Book), cmp.Compare(a.Opening.Currency(), b.Opening.Currency()))
}

// Flow adds up the bookings of one kind.
type Flow struct {
	What   string       `json:"what"` // the fact's name without its version
	Count  int          `json:"count"`
	Amount domain.Money `json:"amount"`
}

// DaySum is what one day came to in one currency.
type DaySum struct {
	Day       domain.Day   `json:"day"`
	Paid      domain.Money `json:"paid"`    // came in at providers
	Back      domain.Money `json:"back"`    // went back to payers, disputes too
	Charged   domain.Money `json:"charged"` // fees and discounts
	Matched   int          `json:"matched"`
	Differing int          `json:"differing"`
}

// OpenSum counts open differences of one kind and age.
type OpenSum struct {
	Kind   domain.DiscrepancyKind `json:"kind"`
	Age    Age                    `json:"age"`
	Count  int                    `json:"count"`
	Amount domain.Money           `json:"amount,omitzero"` // at stake
}

// Close says who closed the period. It takes no bookings any more.
type Close struct {
	ProposedBy string    `json:"proposed_by"`
	ApprovedBy string    `json:"approved_by"`
	At         time.Time `json:"at"`
	Event      domain.ID `json:"event"`
}

// Report is what a month, or one comparison, came to.
type Report struct {
	Scope       Scope        `json:"scope"`
	Zone        string       `json:"zone"` // of its days and times
	Software    string       `json:"software"`
	Head        Head         `json:"head"`
	Closed      *Close       `json:"closed,omitempty"` // nil while the period is open
	Runs        []Run        `json:"runs"`
	Unfinished  []Unfinished `json:"unfinished"`
	Open        []OpenSum    `json:"open"`
	Differences []Difference `json:"differences"`
	Corrections []Correction `json:"corrections"`
	Charges     []Charge     `json:"charges"`
	Payouts     []Payout     `json:"payouts"`
	Flows       []Flow       `json:"flows"`
	Books       []Book       `json:"books"`
	Days        []DaySum     `json:"days"`
	Bookings    int          `json:"bookings"`

	zone *time.Location
}

// Counted adds up the comparisons that count: the newest of each bill.
func (r *Report) Counted() (sum Run) {
	for _, run := range r.Runs {
		if !run.Newest {
			continue
		}
		sum.Ours += run.Ours
		sum.Theirs += run.Theirs
		sum.Matched += run.Matched
		sum.Waiting += run.Waiting
		sum.Settled += run.Settled
		sum.Tolerated += run.Tolerated
		sum.Differing += run.Differing
		sum.Healed += run.Healed
	}
	return sum
}

// OpenCount is how many differences are open.
func (r *Report) OpenCount() int {
	n := 0
	for _, o := range r.Open {
		n += o.Count
	}
	return n
}

// FindRun is the scope of a run: its channel and day. A run that the log does
// not know is KindNotFound; one that was not finished concluded nothing and
// stands in no log.
func FindRun(events iter.Seq2[Event, error], run string) (Scope, error) {
	for e, err := range events {
		if err != nil {
			return Scope{}, err
		}
		if c, ok := e.Fact.(domain.ReconciliationCompared); ok && c.Run == run {
			return Scope{Run: run, Channel: c.Channel, Range: Range{From: c.Day, To: c.Day}}, nil
		}
	}
	return Scope{}, domain.E(domain.KindNotFound, "the log knows no complete run %.64q", run)
}
