package projections

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Correction is a row of what people proposed, and what became of it.
type Correction struct {
	Position   eventstore.Position // of the proposal
	Channel    domain.ChannelID
	OrderNo    string
	Ask        domain.CorrectionProposed
	State      domain.ProposalState
	ProposedAt time.Time
	SecondedBy string // who said the first yes to a run's proposal
	DecidedBy  string // who approved or rejected it; empty while it is open
	DecidedAt  time.Time
	Reason     string // why, in that person's words
}

// CorrectionFilter selects corrections, the newest first.
type CorrectionFilter struct {
	Channel domain.ChannelID
	State   domain.ProposalState
	Before  eventstore.Position
	Limit   int
}

// Corrections reads what people decided.
type Corrections interface {
	Corrections(ctx context.Context, f CorrectionFilter) ([]Correction, error)
	// Correction is KindNotFound for an id that no proposal has.
	Correction(ctx context.Context, proposal domain.ID) (Correction, error)
	// ApprovedSince yields the corrections of a channel that were approved at t or
	// later: what daily limits add up.
	ApprovedSince(ctx context.Context, ch domain.ChannelID, t time.Time) ([]Correction, error)
}

// ProposedRow is a new proposal.
type ProposedRow struct {
	Correction
	Payment *PaymentRow
}

// Proposer is the person who stands behind it; see domain.Proposal.Proposer.
func (c Correction) Proposer() string {
	return domain.Proposal{Ask: c.Ask, SecondedBy: c.SecondedBy}.Proposer()
}

// DecidedRow is the end of a proposal, or with ProposalOpen the first yes to
// that of a run.
type DecidedRow struct {
	Proposal domain.ID
	State    domain.ProposalState
	By       string
	Reason   string
	At       time.Time
}

// correct notes what people proposed and decided about a payment.
func (f *folder) correct(e *event, pay *PaymentRow) {
	switch fact := e.fact.(type) {
	case domain.CorrectionProposed:
		f.out.Proposed = append(f.out.Proposed, ProposedRow{Correction{
			Position: e.Position, Channel: pay.Channel, Ask: fact, State: domain.ProposalOpen, ProposedAt: e.recorded,
		}, pay})
	case domain.CorrectionSeconded:
		f.decided(fact.Proposal, domain.ProposalOpen, fact.By, fact.Reason, e.recorded)
	case domain.CorrectionApproved:
		f.decided(fact.Proposal, domain.ProposalIssued, fact.By, fact.Reason, e.recorded)
	case domain.CorrectionRejected:
		f.decided(fact.Proposal, domain.ProposalRejected, fact.By, fact.Reason, e.recorded)
	default: // decides nothing
	}
}

func (f *folder) decided(id domain.ID, s domain.ProposalState, by, reason string, at time.Time) {
	f.out.Decided = append(f.out.Decided, DecidedRow{Proposal: id, State: s, By: by, Reason: reason, At: at})
}
