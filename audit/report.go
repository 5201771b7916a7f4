package audit

import (
	"cmp"
	"slices"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Check names one thing that is verified.
type Check string

// The checks, in the order in which they are reported.
const (
	CheckBytes     Check = "bytes"     // bytes fit their hashes and decode
	CheckIdentity  Check = "identity"  // the id follows from ledger, stream and content; the fact stands in its own stream
	CheckSequence  Check = "sequence"  // revisions of a stream are gapless, positions rise, the log begins with its opening
	CheckDecisions Check = "decisions" // the rules lead from the notices kept to exactly these facts and postings
	CheckEvidence  Check = "evidence"  // sealed evidence opens, verifies with the channel's keys and says what was kept
	CheckTree      Check = "tree"      // events are those that were sealed, and the root is the signed one
	CheckStore     Check = "store"     // the store's file is whole: pages, indexes, no rows that nobody reads
	CheckBalances  Check = "balances"  // the projections' balances are those of a replay, and all books sum to zero
	CheckRows      Check = "rows"      // every projected row is that of a fold from nothing
)

// Checks lists every check in the order of the report.
func Checks() []Check {
	return []Check{
		CheckBytes, CheckTree, CheckStore, CheckIdentity, CheckSequence, CheckDecisions, CheckEvidence, CheckBalances, CheckRows,
	}
}

// Finding is something that is wrong. Position is 0 where no single event is at
// fault.
type Finding struct {
	Position eventstore.Position `json:"position"`
	Stream   domain.Stream       `json:"stream,omitempty"`
	Revision uint64              `json:"revision"`
	Check    Check               `json:"check"`
	Text     string              `json:"text"` // what was expected and what stands there
}

// MaxFindings is how many findings a report holds; further ones are counted.
const MaxFindings = 20

// maxCollected bounds the findings each part of the check holds until they are
// sorted.
const maxCollected = 1000

// Tally counts one check.
type Tally struct {
	Checked int64 `json:"checked"`
	Broken  int64 `json:"broken"`
}

// Evidence counts the sealed evidence of kept notices by what became of it.
// Only what verified again is passed: erased evidence (its data key is gone)
// and unverifiable evidence (no key of the channel fits) are classes of their
// own.
//
// Who has no secrets, as the reader of a bundle, finds three classes more:
// evidence by a shared secret, which proves nothing to strangers; evidence that
// was never signed; and evidence whose signature holds over what is encrypted.
type Evidence struct {
	Kept         int64            `json:"kept"`
	Verified     int64            `json:"verified"`
	Broken       int64            `json:"broken"`
	Erased       int64            `json:"erased"`
	Shared       int64            `json:"shared_secret,omitempty"`    // not provable to strangers
	Unsigned     int64            `json:"unsigned,omitempty"`         // not provable to anybody
	Untied       int64            `json:"signed_encrypted,omitempty"` // signed by the provider; to read it needs a secret
	Unverifiable map[string]int64 `json:"unverifiable,omitempty"`     // by channel and reason
	Personal     Personal         `json:"personal"`
}

// Personal counts the sealed personal fields of placed payments.
type Personal struct {
	Kept   int64 `json:"kept"`
	Opened int64 `json:"opened"`
	Erased int64 `json:"erased"`
}

// GradeTotal is what rests on evidence of one grade: notices kept, and the
// money that was credited or parked on them, by currency.
type GradeTotal struct {
	Grade   domain.Grade   `json:"grade"`
	Notices int64          `json:"notices"`
	Events  int64          `json:"money_events"`
	Money   []domain.Money `json:"money"`
}

// BookTotal is the sum of one book in one currency: + debit, − credit.
type BookTotal struct {
	Book  string       `json:"book"`
	Total domain.Money `json:"total"`
}

// Rows tells what was compared with the projections.
type Rows struct {
	Compared bool                `json:"compared"` // balances were compared
	Full     bool                `json:"full"`     // every row was compared
	Asked    bool                `json:"asked"`    // that every row is compared
	Position eventstore.Position `json:"position"` // that the projections stood at
	Behind   int64               `json:"behind"`   // events of the log that they had not folded
	Wallets  int64               `json:"wallets"`  // balances compared one by one
	// Duplicates are trade numbers that decided money on more than one order:
	// for people to look at, since both may have been paid.
	Duplicates int    `json:"duplicate_trade_numbers"`
	Why        string `json:"why,omitempty"`
}

// Report is the result of a verification.
type Report struct {
	Ledger   domain.ID           `json:"ledger"`
	Mode     domain.Mode         `json:"mode"`
	Head     eventstore.Position `json:"head"`     // of the log when the check began
	Position eventstore.Position `json:"position"` // of the last event that was checked
	Events   int64               `json:"events"`
	Streams  int64               `json:"streams"`
	Root     string              `json:"root"` // RFC 6962 tree head over the leaves of all events, hex
	Checks   map[Check]Tally     `json:"checks"`
	Types    map[string]int64    `json:"types"` // events by type
	Evidence Evidence            `json:"evidence"`
	Grades   []GradeTotal        `json:"grades"`
	Books    []BookTotal         `json:"books"` // by replay, up to Position
	Rows     Rows                `json:"rows"`
	Tree     Tree                `json:"tree"`
	Bills    []Completeness      `json:"bills,omitempty"` // that the auditor brought
	Broken   int64               `json:"broken"`          // findings in all
	Findings []Finding           `json:"findings"`        // the first ones, by position
}

// OK reports whether nothing is wrong.
func (r Report) OK() bool { return r.Broken == 0 }

// Complete reports whether everything that is kept could be checked: nothing
// sealed was erased, no evidence unverifiable, there was something to hold the log
// against, and rows where they were to be compared. A log that fits every rule may still be cut short, or another
// one altogether.
func (r Report) Complete() bool {
	return r.Evidence.Erased == 0 && len(r.Evidence.Unverifiable) == 0 && r.Evidence.Personal.Erased == 0 && r.Tree.anchored() &&
		(r.Rows.Full || !r.Rows.Asked)
}

// add counts a finding and keeps it while there is room.
func (r *Report) add(f Finding) {
	r.Broken++
	t := r.Checks[f.Check]
	t.Broken++
	r.Checks[f.Check] = t
	if len(r.Findings) < maxCollected {
		r.Findings = append(r.Findings, f)
	}
}

// checked counts what was looked at.
func (r *Report) checked(c Check, n int64) {
	t := r.Checks[c]
	t.Checked += n
	r.Checks[c] = t
}

// finish brings the findings into the order of the log; those of no single
// event come last.
func (r *Report) finish() {
	if r.Findings == nil {
		r.Findings = []Finding{} // an empty list in JSON, not null
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if (a.Position == 0) != (b.Position == 0) {
			return cmp.Compare(b.Position, a.Position)
		}
		return cmp.Compare(a.Position, b.Position)
	})
	if len(r.Findings) > MaxFindings {
		r.Findings = r.Findings[:MaxFindings]
	}
}
