package audit

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// signed checks a person's signature under a decision, with the keys of then.
func (s *shard) signed(
	ctx context.Context, e ledger.Entry, person string, sig *domain.Signature, statement func(at time.Time) []byte,
) (string, error) {
	people, err := peopleBefore(ctx, s.walk.deps.Log, e.Position)
	if err != nil {
		return "", err
	}
	return refusal(people.SignedBy(person, sig, statement)), nil
}

// signedYes checks the signature of a person's yes to a proposal, which stands
// before it in its stream: the statement is made of that event.
func signedYes[F domain.Fact](
	ctx context.Context, s *shard, e ledger.Entry, proposal domain.ID, id func(F) domain.ID, person string, sig *domain.Signature,
	statement func(leaf [32]byte, ask F, at time.Time) []byte,
) (string, error) {
	before, err := s.before(ctx, e)
	if err != nil {
		return "", err
	}
	ask, leaf, ok := ledger.ProposalAmong(before, proposal, id)
	if !ok {
		return "", nil // without its proposal it is refused already
	}
	return s.signed(ctx, e, person, sig, func(at time.Time) []byte { return statement(leaf, ask, at) })
}

// signedApproval checks the signature under the approval of a correction.
func (s *shard) signedApproval(ctx context.Context, e ledger.Entry, proposal domain.ID, person string, sig *domain.Signature) (string, error) {
	return signedYes(ctx, s, e, proposal, func(a domain.CorrectionProposed) domain.ID { return a.Proposal }, person, sig,
		func(leaf [32]byte, ask domain.CorrectionProposed, at time.Time) []byte {
			return domain.ApprovalStatement(s.walk.deps.Ledger.ID(), e.Stream, leaf, ask, person, at)
		})
}

// signedBeside checks the signature under a decision about a period or an
// opening balance; other facts of the books carry none.
func (s *shard) signedBeside(ctx context.Context, e ledger.Entry) (string, error) {
	id := s.walk.deps.Ledger.ID()
	switch f := e.Fact.(type) {
	case domain.PeriodClosing:
		return s.signed(ctx, e, f.By, f.Signature, func(at time.Time) []byte { return domain.ClosingStatement(id, f, at) })
	case domain.PeriodClosed:
		return signedYes(ctx, s, e, f.Proposal, func(a domain.PeriodClosing) domain.ID { return a.Proposal }, f.By, f.Signature,
			func(leaf [32]byte, ask domain.PeriodClosing, at time.Time) []byte {
				return domain.ClosedStatement(id, leaf, ask, f.By, at)
			})
	case domain.OpeningBooked:
		return signedYes(ctx, s, e, f.Proposal, func(a domain.OpeningProposed) domain.ID { return a.Proposal }, f.By, f.Signature,
			func(leaf [32]byte, ask domain.OpeningProposed, at time.Time) []byte {
				return domain.OpeningStatement(id, leaf, ask, f.By, at)
			})
	default:
		return "", nil
	}
}

// approvedPolicy checks a person's yes to looser settings, and its signature.
func (s *shard) approvedPolicy(ctx context.Context, e ledger.Entry, f domain.ConfigApproved) (string, error) {
	problem, err := s.agreed(ctx, e, func(p domain.Policy) ([]domain.Fact, error) {
		facts, err := p.Approve(f.Proposal, f.By, f.Reason)
		return domain.WithSignature(facts, f.Signature), err
	})
	if problem != "" || err != nil {
		return problem, err
	}
	return signedYes(ctx, s, e, f.Proposal, func(a domain.ConfigProposed) domain.ID { return a.Proposal }, f.By, f.Signature,
		func(leaf [32]byte, ask domain.ConfigProposed, at time.Time) []byte {
			return domain.PolicyStatement(s.walk.deps.Ledger.ID(), leaf, ask, f.By, at)
		})
}

// peopleBefore are the keys of people at a position.
func peopleBefore(ctx context.Context, log eventstore.Reader, at eventstore.Position) (p domain.People, err error) {
	events, err := log.ReadStream(ctx, domain.PeopleStream, eventstore.ReadOptions{})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return p, err
	}
	for _, r := range events {
		if r.Position >= at {
			break
		}
		if e, err := ledger.Decode(r); err == nil {
			p = p.Apply(e.Fact, e.Meta.RecordedAt)
		}
	}
	return p, nil
}

// keyOf checks a fact about a person's key.
func (s *shard) keyOf(ctx context.Context, e ledger.Entry, f domain.Fact, decide func(domain.People) ([]domain.Fact, error)) (string, error) {
	people, err := peopleBefore(ctx, s.walk.deps.Log, e.Position)
	if err != nil {
		return "", err
	}
	facts, err := decide(people)
	switch {
	case err != nil:
		return refusal(err), nil
	case len(facts) != 1 || differs(facts[0], e) != "":
		return "by the rules this was not to be kept: " + f.FactType(), nil
	}
	return "", nil
}
