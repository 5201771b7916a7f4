package operations

import (
	"context"
	"time"

	"counterfoil/domain"
)

// BillCause says why a bill run could not be finished: a closed vocabulary.
// Nothing is concluded and nothing corrected from such a run.
type BillCause string

// Why a bill run is incomplete.
const (
	CauseProviderDown BillCause = "provider_down" // no answer, or a broken one
	CauseBillMissing  BillCause = "bill_missing"  // the provider has not made it yet
	CauseBillBroken   BillCause = "bill_broken"   // cut short, unreadable, of another day or merchant, a wrong hash or total
	CauseBillDoubled  BillCause = "bill_doubled"  // lines stand in it twice
	CauseTooLarge     BillCause = "too_large"     // beyond what is taken in
	CauseTooMany      BillCause = "too_many"      // more differences than one run may judge
	CauseUnanswered   BillCause = "unanswered"    // questions about single payments had no answer
	CauseStopped      BillCause = "stopped"       // the process was told to end
	CauseOurs         BillCause = "ours"          // our own stores could not be read or written
)

// BillTotal is what one currency came to on both sides.
type BillTotal struct {
	Currency      domain.Currency `json:"currency"`
	OurPayments   domain.Money    `json:"our_payments"`
	TheirPayments domain.Money    `json:"their_payments"`
	OurRefunds    domain.Money    `json:"our_refunds"` // and disputes, less what came back
	TheirRefunds  domain.Money    `json:"their_refunds"`
	Fees          string          `json:"fees"`      // decimal, positive when we pay
	Tolerated     string          `json:"tolerated"` // by how much fees were off the rate, within the tolerance
}

// BillRun is one comparison of a bill with the books.
type BillRun struct {
	Seq       int64            `json:"-"` // assigned by the store, increasing
	ID        string           `json:"id"`
	Channel   domain.ChannelID `json:"channel"`
	Day       domain.Day       `json:"day"`
	Bill      string           `json:"bill"` // the kind of bill, or "answers" where the provider makes none
	Holder    string           `json:"holder"`
	State     RunState         `json:"state"`
	Cause     BillCause        `json:"cause"` // with RunIncomplete
	Note      string           `json:"note"`  // the cause in words
	StartedAt time.Time        `json:"started_at"`
	EndedAt   time.Time        `json:"ended_at"`

	Import   int    `json:"import"` // which different bill of the day this is, from 1; 0 while none was had
	SHA256   string `json:"sha256"` // of its bytes, by which the archive has it
	Size     int64  `json:"size"`
	Empty    bool   `json:"empty"` // the provider says that the day had nothing
	Final    bool   `json:"final"` // the provider will not change it
	Position uint64 `json:"position"`

	OurLines       int64                            `json:"our_lines"`
	TheirLines     int64                            `json:"their_lines"`
	Matched        int64                            `json:"matched"`
	Split          int64                            `json:"split"`
	Noted          int64                            `json:"noted"`
	Waiting        int64                            `json:"waiting"`
	Settled        int64                            `json:"settled"`
	ToleratedTimes int64                            `json:"tolerated_times"`
	ToleratedFees  int64                            `json:"tolerated_fees"`
	Differing      int64                            `json:"differing"`
	Healed         int64                            `json:"healed"`
	Asked          int64                            `json:"asked"`
	Unanswered     int64                            `json:"unanswered"`
	Kinds          map[domain.DiscrepancyKind]int64 `json:"kinds"` // open differences
	Totals         []BillTotal                      `json:"totals"`
	Rows           int64                            `json:"rows"` // lines of the bill read so far, while it runs

	Name      string               `json:"name,omitempty"`       // with MediaType and Claimed as the provider named the file
	MediaType string               `json:"media_type,omitempty"` //
	Claimed   string               `json:"claimed,omitempty"`    //
	Against   string               `json:"against,omitempty"`    // of a fund flow: the SHA256 of the trade bill it was compared with
	Balances  []domain.BillBalance `json:"balances,omitempty"`   // as the bill states them
	Payouts   []domain.PayoutSum   `json:"payouts,omitempty"`    // that the bill or its lines name
	Proposed  int64                `json:"proposed,omitempty"`   // corrections proposed to people
	Progress  BillProgress         `json:"progress,omitzero"`    // while it runs
}

// BillPhase says what a run is at.
type BillPhase string

// The phases of a run, in their order.
const (
	PhaseFetching  BillPhase = "fetching"  // from the provider into the archive
	PhaseReading   BillPhase = "reading"   // of the bill's lines, sorted on the way
	PhaseComparing BillPhase = "comparing" // of both sides, sorted
	PhaseAsking    BillPhase = "asking"    // the provider about what differs
	PhaseBooking   BillPhase = "booking"   // of what the bill says was charged
)

// BillProgress is how far a running comparison has come. Done and Of are bytes
// while the bill is fetched and read, lines while it is compared and questions
// while it asks; Of is 0 where nobody knows.
type BillProgress struct {
	Phase BillPhase `json:"phase"`
	Done  int64     `json:"done"`
	Of    int64     `json:"of"`
	Since time.Time `json:"since"` // the phase's beginning
	At    time.Time `json:"at"`    // of this note
	Rate  float64   `json:"rate"`  // lines of the bill a second
}

// Left is how long the phase takes from p.At on at the speed so far; ok is false
// where that cannot be told yet.
func (p BillProgress) Left() (left time.Duration, ok bool) {
	took := p.At.Sub(p.Since)
	if p.Of <= 0 || p.Done <= 0 || took <= 0 {
		return 0, false
	}
	rest := max(0, p.Of-p.Done)
	return time.Duration(float64(took) / float64(p.Done) * float64(rest)), true
}

// BillRunFilter selects bill runs, newest first.
type BillRunFilter struct {
	Channel  domain.ChannelID
	Bill     string
	From, To domain.Day // both included; empty is no bound
	State    RunState
	Before   int64 // Seq cursor; 0 means from the newest
	Limit    int   // 1..1000
}

// DiscrepancyState says whether somebody has to look.
type DiscrepancyState string

// A discrepancy is open until a later bill, a correction or a person resolves
// it.
const (
	DiscrepancyOpen     DiscrepancyState = "open"
	DiscrepancyResolved DiscrepancyState = "resolved"
)

// BillOrder stands in the place of a kind of bill for what a single order shows,
// by its callbacks or by the provider's answers.
const BillOrder = "order"

// Discrepancy is one item in which the books and a bill do not agree. Its id is
// made of channel, item and kind, never of a day or run: the same difference
// found again is the same row. That of a single order is its event's.
type Discrepancy struct {
	Seq     int64                  `json:"-"` // assigned by the store, increasing
	ID      domain.ID              `json:"-"`
	Channel domain.ChannelID       `json:"channel"`
	Day     domain.Day             `json:"day"`  // of the bill that first showed it
	Bill    string                 `json:"bill"` // the kind of that bill
	Kind    domain.DiscrepancyKind `json:"kind"`
	State   DiscrepancyState       `json:"state"`

	Item       domain.ItemKey `json:"item"`
	OrderNo    string         `json:"order_no"`
	Ours       domain.Money   `json:"ours,omitzero"`
	Theirs     domain.Money   `json:"theirs,omitzero"`
	Delta      domain.Money   `json:"delta,omitzero"`
	OurState   string         `json:"our_state"`   // of the money, e.g. "credited"
	TheirState string         `json:"their_state"` // the provider's word
	OurDay     domain.Day     `json:"our_day"`
	At         time.Time      `json:"at"`  // when it happened, by the bill where it has it
	Row        int            `json:"row"` // in the bill
	Note       string         `json:"note"`

	FoundRun   string    `json:"found_run"`
	FoundAt    time.Time `json:"found_at"`
	SeenRun    string    `json:"seen_run"` // the last run that saw it
	SeenAt     time.Time `json:"seen_at"`
	Ask        domain.ID `json:"ask,omitzero"`       // the first of two persons' words that it needs nothing more, as the log names it
	AskedBy    string    `json:"asked_by,omitempty"` // that person
	Asked      string    `json:"asked,omitempty"`    // why, in that person's words
	AskedAt    time.Time `json:"asked_at,omitzero"`
	ResolvedBy string    `json:"resolved_by"` // a run, or a person
	ResolvedAt time.Time `json:"resolved_at"`
	Resolution string    `json:"resolution"`
	ByPerson   bool      `json:"by_person"` // resolved by a person: seeing it again does not open it
}

// DiscrepancyFilter selects discrepancies, newest first.
type DiscrepancyFilter struct {
	Channel  domain.ChannelID
	Bill     string
	Kind     domain.DiscrepancyKind
	State    DiscrepancyState
	Day      domain.Day
	From, To domain.Day // both included; empty is no bound
	OrderNo  string
	TradeNo  string
	Before   int64 // Seq cursor; 0 means from the newest
	Limit    int   // 1..1000
}

// Carried is a line of ours in the carry-over pool: it waits for a later bill,
// or it was found on the bill of another day than its own.
type Carried struct {
	Channel domain.ChannelID
	Bill    string
	Line    domain.OurLine // Since is the day whose bill lacked it first
	On      domain.Day     // the bill that has it; empty while it waits
}

// TheirPool behind the kind of a bill names the pool of the bill's own lines that
// wait for another bill, where two bills are compared with one another.
const TheirPool = "/lines"

// BillResult is what a complete run came to. It is written as one: all or
// nothing.
type BillResult struct {
	Run     BillRun
	Found   []Discrepancy // seen in this run; those with DiscrepancyResolved were settled on the way
	Carried []Carried     // waits since this bill, or was found on it
}

// Bills keeps bill runs, what they found and the carry-over pool. Bill runs are
// kept for ever: there are a few a day.
type Bills interface {
	// PutBillRun inserts or replaces a run by its id.
	PutBillRun(ctx context.Context, r BillRun) error
	// BillRun is KindNotFound for an unknown id.
	BillRun(ctx context.Context, id string) (BillRun, error)
	BillRuns(ctx context.Context, f BillRunFilter) ([]BillRun, error)
	// CloseBill writes a complete run with all it found. A discrepancy that is
	// there already keeps its first day and run; one that was resolved by a run
	// is opened again, one that a person resolved only with other amounts: of those
	// nobody has spoken. Open discrepancies of the same day and kind of bill that
	// the run did not see are resolved, and so is what was only ours and now
	// stands on this bill. The pool is brought to what this run says of this bill.
	CloseBill(ctx context.Context, r BillResult) error
	// BillChanges tells which discrepancies CloseBill would find or resolve, as it
	// would leave them; it writes nothing.
	BillChanges(ctx context.Context, r BillResult) ([]Discrepancy, error)
	// Discrepancy is KindNotFound for an unknown id.
	Discrepancy(ctx context.Context, id domain.ID) (Discrepancy, error)
	Discrepancies(ctx context.Context, f DiscrepancyFilter) ([]Discrepancy, error)
	// AskDiscrepancy shows the first of two persons' words that a discrepancy
	// needs nothing more, as the log tells it, in the place of an earlier one; it
	// stays open. One that is resolved already is KindConflict. The word goes when
	// a run sees the discrepancy with other amounts, or anew.
	AskDiscrepancy(ctx context.Context, id, ask domain.ID, by, why string, at time.Time) (Discrepancy, error)
	// PutDiscrepancy writes what a single order shows, or what settled it. A row
	// that is resolved stays as it is, and so does one that is there and open
	// unless it is resolved now.
	PutDiscrepancy(ctx context.Context, d Discrepancy) error
	// ResolveDiscrepancy is a person's act. One that is resolved already is
	// KindConflict.
	ResolveDiscrepancy(ctx context.Context, id domain.ID, by, why string, at time.Time) (Discrepancy, error)
	// Carried is the pool as a run of this day's bill must see it: what waits and
	// is not younger than the day after, what this bill had the last time, and
	// what other bills have of the days around it.
	Carried(ctx context.Context, ch domain.ChannelID, bill string, day domain.Day) ([]Carried, error)
}
