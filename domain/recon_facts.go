package domain

// Stored names of a reconciliation stream's facts; see ReconciliationStream.
const (
	TypeReconciliationCompared = "reconciliation.compared.v1"
	TypeReconciliationDiffered = "reconciliation.differed.v1"
	TypeReconciliationAsked    = "reconciliation.asked.v1"
)

// ReconciliationFact is a fact of a reconciliation stream: what a comparison
// concluded, and what people said of a difference. It moves no money.
//
//sumtype:decl
type ReconciliationFact interface {
	Fact
	reconciles()
}

func (ReconciliationCompared) reconciles() {}
func (ReconciliationDiffered) reconciles() {}
func (ReconciliationAsked) reconciles()    {}

// ReconciliationCompared says that a bill was compared with the books, whole: a
// comparison that could not be finished concludes nothing and leaves no fact. A
// bill that changes is a new import and another of these facts.
type ReconciliationCompared struct {
	Run       string          `json:"run"`
	Channel   ChannelID       `json:"channel"`
	Day       Day             `json:"day"`                 // of the bill, in the channel's zone
	Bill      string          `json:"bill"`                // its kind
	Import    int             `json:"import"`              // which different bill of its day, from 1
	SHA256    string          `json:"sha256"`              // hex, over the bill's bytes as the provider gave them
	Size      int             `json:"size"`                // of these bytes
	Empty     bool            `json:"empty,omitempty"`     // the provider says that the day has no lines
	Final     bool            `json:"final,omitempty"`     // the provider will not change it
	Ours      int             `json:"ours"`                // our lines of the day
	Theirs    int             `json:"theirs"`              // lines of the bill
	Matched   int             `json:"matched"`             // lines of ours that the bill has
	Waiting   int             `json:"waiting,omitempty"`   // lines of ours that a later bill may have
	Settled   int             `json:"settled,omitempty"`   // lines of ours found on the bill of another day
	Tolerated int             `json:"tolerated,omitempty"` // of these, off by no more than is allowed
	Differing int             `json:"differing,omitempty"` // left open
	Healed    int             `json:"healed,omitempty"`    // credited on the provider's answer
	Kinds     []KindCount     `json:"kinds,omitempty"`     // of the differences seen, in order of the kinds
	Totals    []ComparedTotal `json:"totals,omitempty"`    // in order of the currencies
	Balances  []BillBalance   `json:"balances,omitempty"`  // as the bill states them, and our books of them
}

// KindCount counts differences of one kind.
type KindCount struct {
	Kind  DiscrepancyKind `json:"kind"`
	Count int             `json:"count"`
}

// ComparedTotal is what one currency came to on both sides.
type ComparedTotal struct {
	OurPayments   Money  `json:"our_payments"`
	TheirPayments Money  `json:"their_payments"`
	OurRefunds    Money  `json:"our_refunds"` // and disputes, less what came back
	TheirRefunds  Money  `json:"their_refunds"`
	Fees          string `json:"fees"`      // decimal, positive when we pay
	Tolerated     string `json:"tolerated"` // by how much fees were off the rate, within the tolerance
}

// ReconciliationDiffered says that a difference was found, or is resolved: by a
// run, by what came later, or set aside by persons. What is only seen again
// leaves no fact.
type ReconciliationDiffered struct {
	Discrepancy ID              `json:"discrepancy"` // the same for the same difference, whatever the day and run
	Kind        DiscrepancyKind `json:"kind"`
	Resolved    bool            `json:"resolved"` // false: it was found
	Line        LineKind        `json:"line"`     // what it is about
	OrderNo     string          `json:"order_no,omitempty"`
	TradeNo     string          `json:"trade_no,omitempty"`
	Ref         string          `json:"ref,omitempty"` // the refund's or the dispute's number
	Ours        Money           `json:"ours,omitzero"`
	Theirs      Money           `json:"theirs,omitzero"`
	How         string          `json:"how,omitempty"`      // it was resolved
	By          string          `json:"by"`                 // the run, or the person
	AskedBy     string          `json:"asked_by,omitempty"` // the first of the two persons who set it aside

	Proposal   ID         `json:"proposal,omitzero"`   // persons set it aside: names the first one's reconciliation.asked, or where one is enough this word itself
	Correction ID         `json:"correction,omitzero"` // two persons corrected the books: their proposal
	Signature  *Signature `json:"signature,omitempty"` // of by, under the word that sets it aside
}

// ReconciliationAsked says that a person asks to set a difference aside that may
// stand for money: the first of two words. The difference, as it is told here,
// stays open until another person says the same.
type ReconciliationAsked struct {
	Proposal    ID              `json:"proposal"`    // names this word; it counts those said about the difference before
	Discrepancy ID              `json:"discrepancy"` // the same for the same difference, whatever the day and run
	Kind        DiscrepancyKind `json:"kind"`
	Line        LineKind        `json:"line"` // what it is about
	OrderNo     string          `json:"order_no,omitempty"`
	TradeNo     string          `json:"trade_no,omitempty"`
	Ref         string          `json:"ref,omitempty"` // the refund's or the dispute's number
	Ours        Money           `json:"ours,omitzero"`
	Theirs      Money           `json:"theirs,omitzero"`
	Reason      string          `json:"reason"` // why it needs nothing more
	By          string          `json:"by"`     // the person
	Signature   *Signature      `json:"signature,omitempty"`
}

// FactType is TypeReconciliationCompared.
func (ReconciliationCompared) FactType() string { return TypeReconciliationCompared }

// FactType is TypeReconciliationDiffered.
func (ReconciliationDiffered) FactType() string { return TypeReconciliationDiffered }

// FactType is TypeReconciliationAsked.
func (ReconciliationAsked) FactType() string { return TypeReconciliationAsked }

func (f ReconciliationCompared) key() string { return f.Run }

// One run finds or resolves a difference once. What persons say may be said
// again of one that was found anew: their word's own id tells them apart.
func (f ReconciliationDiffered) key() string {
	switch {
	case !f.Proposal.IsZero():
		return f.Proposal.String()
	case !f.Correction.IsZero():
		return f.Discrepancy.String() + "/" + f.Correction.String()
	}
	return f.Discrepancy.String() + "/" + f.By
}

func (f ReconciliationAsked) key() string { return f.Proposal.String() }
