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

	told time.Time // of a run, when the log was told of it; zero where that is not known
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
	Balances  []domain.BillBalance   `json:"balances,omitempty"` // as the bill states them, and our books of them
	SHA256    string                 `json:"sha256"`             // of the bill
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

// Correction is what was put right, by whom and why.
type Correction struct {
	Event      domain.ID            `json:"event"` // the proposal, or the heal
	Action     string               `json:"action"`
	State      domain.ProposalState `json:"state"`
	Auto       bool                 `json:"auto"` // by rule, on the provider's word
	Channel    domain.ChannelID     `json:"channel"`
	OrderNo    string               `json:"order_no"`
	TradeNo    string               `json:"trade_no"`
	Account    domain.AccountID     `json:"account,omitempty"`
	From       domain.AccountID     `json:"from,omitempty"`
	Amount     domain.Money         `json:"amount,omitzero"`
	ProposedBy string               `json:"proposed_by"` // a person, or the run
	ProposedAt time.Time            `json:"proposed_at"`
	Reason     string               `json:"reason"`
	SecondedBy string               `json:"seconded_by,omitempty"` // the first person's yes to what a run proposed
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
	By      string           `json:"by"`               // the run, or the person
	SHA256  string           `json:"sha256,omitempty"` // of the bill, or of the bank's statement
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
	Exchanges   []Exchange   `json:"exchanges"`
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
			return Scope{Run: run, Channel: c.Channel, Range: Range{From: c.Day, To: c.Day}, told: e.Recorded}, nil
		}
	}
	return Scope{}, domain.E(domain.KindNotFound, "the log knows no complete run %.64q", run)
}
