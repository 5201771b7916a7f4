package domain

import "time"

// Stored names of what becomes of periods. Never change one.
const (
	TypePeriodClosing  = "period.closing.v1"
	TypePeriodRejected = "period.rejected.v1"
	TypePeriodClosed   = "period.closed.v1"
)

// PeriodsStream holds what becomes of all periods.
const PeriodsStream Stream = "periods"

// A proposal to close a period takes effect late enough that every process
// knows it by then, and can be approved once all that was decided before that
// stands in the log. So no fact is dated into a period after its totals are
// taken, and verify can tell from the facts alone which period was open when.
const (
	// PeriodKnown is how old a process's knowledge of the periods may be when it
	// decides.
	PeriodKnown = 5 * time.Second
	// PeriodGrace is from a decision about a period to its effect: longer than an
	// append, PeriodKnown and the difference of two clocks.
	PeriodGrace = 15 * time.Second
	// PeriodSettle is from there until the totals stand: longer than an append.
	PeriodSettle = 10 * time.Second
)

// PeriodTotal is one book in one currency over a period: what it held before
// and at its end, + debit, − credit. Wallets are one book. The difference is
// what moved in the period.
type PeriodTotal struct {
	Book    string `json:"book"`
	Opening Money  `json:"opening"`
	Closing Money  `json:"closing"`
}

// PeriodException is something that is not as it should be when a period is
// closed.
type PeriodException struct {
	Name   string `json:"name"` // "run:<channel>:<day>:<bill>", "discrepancy:<id>" or "balance:<channel>:<currency>"
	What   string `json:"what"` // why the run is not complete, the kind of the difference, or both balances
	Amount Money  `json:"amount,omitzero"`
}

// PeriodBasis is what stood when a period was proposed or closed. Events says
// where in the log: how many events it had, which stays true when the log moves
// to another store.
type PeriodBasis struct {
	Totals     []PeriodTotal     `json:"totals"`               // in order of book and currency
	Events     uint64            `json:"events"`               // the log had
	Root       string            `json:"root,omitempty"`       // hex, of the proof tree over the first Tree events
	Tree       uint64            `json:"tree,omitempty"`       // how many events the root is over
	Zones      []string          `json:"zones"`                // of all channels: the period was over in each
	Incomplete []PeriodException `json:"incomplete,omitempty"` // runs that were accepted as they are
	Exceptions int               `json:"exceptions"`           // differences open at the time
	Open       []PeriodException `json:"open,omitempty"`       // the first of them
}

// PeriodClosing is a person's proposal to close a period. From EffectiveAt on
// nothing is dated into it, unless the proposal is rejected.
type PeriodClosing struct {
	Proposal    ID          `json:"proposal"`
	Period      string      `json:"period"` // YYYY-MM
	By          string      `json:"by"`
	Reason      string      `json:"reason"`
	EffectiveAt time.Time   `json:"effective_at"`
	Basis       PeriodBasis `json:"basis"`
	Rules       int         `json:"rules"`
	Signature   *Signature  `json:"signature,omitempty"` // with the proposer's own key over ClosingStatement; absent: their API key's word
}

// PeriodRejected ends a proposal: another person's no, or the proposer's own
// withdrawal. From EffectiveAt on the period is open again.
type PeriodRejected struct {
	Proposal    ID        `json:"proposal"`
	Period      string    `json:"period"`
	By          string    `json:"by"`
	Reason      string    `json:"reason"`
	EffectiveAt time.Time `json:"effective_at"`
}

// PeriodClosed is the second person's yes: the period is closed for ever, with
// the totals that both of them saw.
type PeriodClosed struct {
	Proposal   ID          `json:"proposal"`
	Period     string      `json:"period"`
	ProposedBy string      `json:"proposed_by"`
	By         string      `json:"by"`
	Reason     string      `json:"reason,omitempty"`
	Basis      PeriodBasis `json:"basis"`
	Rules      int         `json:"rules"`
	Signature  *Signature  `json:"signature,omitempty"` // with the approver's own key over ClosedStatement; absent: their API key's word
}

// FactType is TypePeriodClosing.
func (PeriodClosing) FactType() string { return TypePeriodClosing }

// FactType is TypePeriodRejected.
func (PeriodRejected) FactType() string { return TypePeriodRejected }

// FactType is TypePeriodClosed.
func (PeriodClosed) FactType() string { return TypePeriodClosed }

func (f PeriodClosing) key() string  { return f.Proposal.String() }
func (f PeriodRejected) key() string { return f.Proposal.String() }
func (f PeriodClosed) key() string   { return f.Period } // once, whatever was proposed

func (PeriodClosing) ofBooks()  {}
func (PeriodRejected) ofBooks() {}
func (PeriodClosed) ofBooks()   {}

const monthOnly = "2006-01"

// ParsePeriod reads YYYY-MM; anything else is KindInvalid.
func ParsePeriod(text string) (string, error) {
	if t, err := time.Parse(monthOnly, text); err != nil || t.Format(monthOnly) != text {
		return "", EField(KindInvalid, "period", "%.40q is not a month as YYYY-MM", text)
	}
	return text, nil
}

// NextPeriod is the month after period, which ParsePeriod has read.
func NextPeriod(period string) string {
	t, _ := time.Parse(monthOnly, period)
	return t.AddDate(0, 1, 0).Format(monthOnly)
}

// PeriodEnd is the first moment after period in zone.
func PeriodEnd(period string, zone *time.Location) time.Time {
	return Day(NextPeriod(period) + "-01").Start(zone)
}
