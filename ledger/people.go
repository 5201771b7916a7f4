package ledger

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// People are the keys with which people sign.
func (l *Ledger) People(ctx context.Context) (domain.People, error) {
	p, _, err := l.people(ctx)
	return p, err
}

func (l *Ledger) people(ctx context.Context) (p domain.People, expected eventstore.Expected, err error) {
	expected = eventstore.NoStream
	events, err := l.readAll(ctx, domain.PeopleStream)
	for _, e := range events {
		p, expected = p.Apply(e.Fact, e.Meta.RecordedAt), eventstore.Expected(e.Revision)
	}
	return p, expected, err
}

// ProposeKey is a person's wish to sign with a key; see domain.People.Propose.
func (l *Ledger) ProposeKey(ctx context.Context, f domain.KeyProposed, by By) error {
	return l.changePeople(ctx, by, func(p domain.People) ([]domain.Fact, error) { return p.Propose(l.id, f) })
}

// ConfirmKey is another person's word; see domain.People.Confirm.
func (l *Ledger) ConfirmKey(ctx context.Context, fingerprint, person, reason string, by By) error {
	return l.changePeople(ctx, by, func(p domain.People) ([]domain.Fact, error) { return p.Confirm(fingerprint, person, reason) })
}

// RetireKey ends a key; see domain.People.Retire.
func (l *Ledger) RetireKey(ctx context.Context, fingerprint, person, reason string, by By) error {
	return l.changePeople(ctx, by, func(p domain.People) ([]domain.Fact, error) { return p.Retire(fingerprint, person, reason) })
}

func (l *Ledger) changePeople(ctx context.Context, by By, decide func(domain.People) ([]domain.Fact, error)) error {
	done, err := l.turns.take(ctx, domain.PeopleStream)
	if err != nil {
		return err
	}
	defer done()
	return l.agree(ctx, domain.PeopleStream, by, func() ([]domain.Fact, eventstore.Expected, error) {
		p, expected, err := l.people(ctx)
		if err != nil {
			return nil, expected, err
		}
		facts, err := decide(p)
		return facts, expected, err
	})
}

// Proposed is the event of a correction's proposal with its leaf hash: what an
// approval of it signs.
func (l *Ledger) Proposed(ctx context.Context, s domain.Stream, proposal domain.ID) (domain.CorrectionProposed, [32]byte, error) {
	view, err := l.read(ctx, s, false)
	if err != nil {
		return domain.CorrectionProposed{}, [32]byte{}, err
	}
	return foundProposal(view.Events, proposal, func(f domain.CorrectionProposed) domain.ID { return f.Proposal })
}

// ProposedClose is as Proposed, of the close of a period.
func (l *Ledger) ProposedClose(ctx context.Context, proposal domain.ID) (domain.PeriodClosing, [32]byte, error) {
	events, err := l.readAll(ctx, domain.PeriodsStream)
	if err != nil {
		return domain.PeriodClosing{}, [32]byte{}, err
	}
	return foundProposal(events, proposal, func(f domain.PeriodClosing) domain.ID { return f.Proposal })
}

// ProposedOpening is as Proposed, of an opening balance.
func (l *Ledger) ProposedOpening(ctx context.Context, ch domain.ChannelID, proposal domain.ID) (domain.OpeningProposed, [32]byte, error) {
	events, err := l.readAll(ctx, domain.OpeningStream(ch))
	if err != nil {
		return domain.OpeningProposed{}, [32]byte{}, err
	}
	return foundProposal(events, proposal, func(f domain.OpeningProposed) domain.ID { return f.Proposal })
}

// ProposedPolicy is as Proposed, of a looser policy.
func (l *Ledger) ProposedPolicy(ctx context.Context, ch domain.ChannelID, proposal domain.ID) (domain.ConfigProposed, [32]byte, error) {
	events, err := l.readAll(ctx, domain.PolicyStream(ch))
	if err != nil {
		return domain.ConfigProposed{}, [32]byte{}, err
	}
	return foundProposal(events, proposal, func(f domain.ConfigProposed) domain.ID { return f.Proposal })
}

// ProposalAmong finds a proposal among events, with the leaf hash of its event.
func ProposalAmong[F domain.Fact](events []Entry, proposal domain.ID, id func(F) domain.ID) (f F, leaf [32]byte, ok bool) {
	for _, e := range events {
		if f, ok := e.Fact.(F); ok && id(f) == proposal {
			return f, LeafOf(e), true
		}
	}
	return f, leaf, false
}

// LeafOf is the leaf hash of an event that was read.
func LeafOf(e Entry) [32]byte {
	return eventstore.LeafHashSealed(e.Stream, e.Revision, e.Event, e.SealedHash)
}

func foundProposal[F domain.Fact](events []Entry, proposal domain.ID, id func(F) domain.ID) (F, [32]byte, error) {
	f, leaf, ok := ProposalAmong(events, proposal, id)
	if !ok {
		return f, leaf, domain.E(domain.KindNotFound, "nobody proposed %s", proposal)
	}
	return f, leaf, nil
}

// signedBy checks a person's signature over a statement and puts it into the
// first of the facts that they decided; no facts need none.
func (l *Ledger) signedBy(
	ctx context.Context, person string, sig *domain.Signature, facts []domain.Fact, statement func(at time.Time) []byte,
) ([]domain.Fact, error) {
	if len(facts) == 0 {
		return nil, nil
	}
	people, err := l.People(ctx)
	if err != nil {
		return nil, err
	}
	if err := people.SignedBy(person, sig, statement); err != nil {
		return nil, err
	}
	return domain.WithSignature(facts, sig), nil
}
