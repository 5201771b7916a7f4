package projections

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Act is something a person did, from whichever fact tells it.
type Act struct {
	Position eventstore.Position
	Event    domain.ID
	Stream   domain.Stream
	Type     string // of the fact
	What     string // what was done, in a word: an ActKind, or the fact's name without its version
	Person   string
	Recorded time.Time
	Fact     domain.Fact
}

// ActFilter selects acts, the newest first.
type ActFilter struct {
	Person string
	What   string
	Since  time.Time // recorded at it or later
	Until  time.Time // recorded before it
	Before eventstore.Position
	Limit  int
}

// Acts reads what people did.
type Acts interface {
	Acts(ctx context.Context, f ActFilter) ([]Act, error)
	// Erasures yields evidence.erased behind a position, oldest first: whose keys
	// must be destroyed.
	Erasures(ctx context.Context, after eventstore.Position, limit int) ([]Act, error)
}

// ActRow is a new act; its fact in the stored form.
type ActRow struct {
	Act
	Data []byte
}

// act notes what a person did.
func (f *folder) act(e *event) {
	what, person := actOf(e.fact)
	if person == "" {
		return
	}
	f.out.Acts = append(f.out.Acts, ActRow{Act{
		Position: e.Position, Event: e.ID, Stream: e.Stream, Type: e.Type, What: what, Person: person, Recorded: e.recorded,
	}, e.Data})
}

// actOf is what a fact says that a person did; no person for what machines do.
func actOf(f domain.Fact) (what, person string) {
	switch f := f.(type) {
	case domain.PersonActed:
		return string(f.What), f.Person
	case domain.ConfigProposed:
		return "config.proposed", f.By
	case domain.ConfigApproved:
		return "config.approved", f.By
	case domain.ConfigRejected:
		return "config.rejected", f.By
	case domain.ConfigApplied:
		return "config.applied", f.By
	case domain.KeyProposed:
		return "key.proposed", f.Person
	case domain.KeyAdded:
		return "key.added", f.By
	case domain.KeyRetired:
		return "key.retired", f.By
	case domain.EvidenceErased:
		return "evidence.erased", f.By
	case domain.CorrectionProposed:
		if f.ByRun {
			return "", ""
		}
		return "correction.proposed", f.By
	case domain.CorrectionSeconded:
		return "correction.seconded", f.By
	case domain.CorrectionApproved:
		return "correction.approved", f.By
	case domain.CorrectionRejected:
		return "correction.rejected", f.By
	case domain.ReconciliationAsked:
		return "reconciliation.asked", f.By
	case domain.ReconciliationDiffered:
		if f.Proposal.IsZero() {
			return "", "" // a run's, or a correction's, which tells it by itself
		}
		return "reconciliation.differed", f.By
	case domain.OpeningProposed:
		return "opening.proposed", f.By
	case domain.OpeningRejected:
		return "opening.rejected", f.By
	case domain.OpeningBooked:
		return "opening.booked", f.By
	case domain.PayoutArrived:
		return "payout.arrived", f.By
	case domain.PeriodClosing:
		return "period.closing", f.By
	case domain.PeriodRejected:
		return "period.rejected", f.By
	case domain.PeriodClosed:
		return "period.closed", f.By
	default: // nobody's act
		return "", ""
	}
}
