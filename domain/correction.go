package domain

// Action is what two people can decide about a payment's money.
type Action string

// What people can decide.
const (
	ActionAllocate Action = "allocate"  // parked money goes to an account
	ActionCredit   Action = "credit"    // the order is credited without the provider's word (补单)
	ActionReverse  Action = "reverse"   // a credit or an allocation is taken back, exactly and once (冲正)
	ActionMove     Action = "move"      // credited money goes to another account
	ActionWriteOff Action = "write_off" // parked money that nobody claims becomes income
)

// Actions lists every action.
func Actions() []Action {
	return []Action{ActionAllocate, ActionCredit, ActionReverse, ActionMove, ActionWriteOff}
}

// CorrectionPolicy bounds what people may decide on a channel. A zero Money
// sets no limit. Sums count what was approved on one day of the channel's zone.
type CorrectionPolicy struct {
	Item       Money `json:"item,omitzero"`        // one correction
	PersonDay  Money `json:"person_day,omitzero"`  // all that one person proposed
	AccountDay Money `json:"account_day,omitzero"` // all that one account got or lost
}

// CorrectionProposed asks for a second person's approval.
type CorrectionProposed struct {
	Proposal    ID        `json:"proposal"` // names it for people and in later facts
	Action      Action    `json:"action"`
	TradeNo     string    `json:"trade_no"`
	Account     AccountID `json:"account,omitempty"` // who gets the money, or loses it when it is reversed; empty for a write-off
	From        AccountID `json:"from,omitempty"`    // who loses it, with move
	Amount      Money     `json:"amount"`
	Discrepancy ID        `json:"discrepancy,omitzero"` // the difference it repairs, where there is one
	Reason      string    `json:"reason"`
	By          string    `json:"by"`                   // a person, never a key; with ByRun the run
	ByRun       bool      `json:"by_run,omitempty"`     // nobody's word yet: it takes two persons' yes
	ValueDate   Day       `json:"value_date,omitempty"` // the day to book it on; empty for that of the approval
	Config      uint64    `json:"channel_revision"`     // whose policy it was held against
}

// Correction is what was asked for when f was proposed.
func (f CorrectionProposed) Correction() Correction {
	return Correction{
		Action: f.Action, TradeNo: f.TradeNo, Account: f.Account, Amount: f.Amount, Discrepancy: f.Discrepancy,
		Reason: f.Reason, By: f.By, ByRun: f.ByRun, ValueDate: f.ValueDate,
	}
}

// TypeCorrectionSeconded is stored; never change it.
const TypeCorrectionSeconded = "correction.seconded.v1"

// CorrectionSeconded is the first of the two persons' yeses that a run's
// proposal takes: from here on it is this person's, as if he had proposed it.
type CorrectionSeconded struct {
	Proposal ID     `json:"proposal"`
	By       string `json:"by"`
	Reason   string `json:"reason,omitempty"`
	Config   uint64 `json:"channel_revision"`

	Signature *Signature `json:"signature,omitempty"` // as with CorrectionApproved
}

// CorrectionApproved is the second person's yes. What follows from it stands
// beside it in the same append.
type CorrectionApproved struct {
	Proposal ID     `json:"proposal"`
	By       string `json:"by"`
	Reason   string `json:"reason,omitempty"`
	Config   uint64 `json:"channel_revision"`

	Signature *Signature `json:"signature,omitempty"` // with the approver's own key; absent: their API key's word
}

// CorrectionRejected ends a proposal: the second person's no, or the
// proposer's own withdrawal.
type CorrectionRejected struct {
	Proposal ID     `json:"proposal"`
	By       string `json:"by"`
	Reason   string `json:"reason"`
}

// ProposalState is where a proposal stands.
type ProposalState string

// The states of a proposal.
const (
	ProposalOpen     ProposalState = "proposed"
	ProposalIssued   ProposalState = "issued"
	ProposalRejected ProposalState = "rejected"
)

// Proposal is a correction as the payment's fold knows it.
type Proposal struct {
	Ask        CorrectionProposed
	State      ProposalState
	SecondedBy string // who said the first yes to a run's proposal; empty before that
	DecidedBy  string // who approved or rejected it; empty while it is open
}

// Proposer is the person who stands behind the proposal: whoever seconded that
// of a run, and nobody before.
func (q Proposal) Proposer() string {
	if q.Ask.ByRun {
		return q.SecondedBy
	}
	return q.Ask.By
}

// ID names the proposal.
func (q Proposal) ID() ID { return q.Ask.Proposal }
