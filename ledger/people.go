package ledger

import (
	"context"

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
	for _, e := range view.Events {
		if f, ok := e.Fact.(domain.CorrectionProposed); ok && f.Proposal == proposal {
			return f, eventstore.LeafHashSealed(e.Stream, e.Revision, e.Event, e.SealedHash), nil
		}
	}
	return domain.CorrectionProposed{}, [32]byte{}, domain.E(domain.KindNotFound, "no correction %s was proposed", proposal)
}

// signed checks a person's signature and puts it into the facts of the approval.
func (l *Ledger) signed(
	ctx context.Context, s domain.Stream, proposal domain.ID, person string, sig *domain.Signature, facts []domain.Fact,
) ([]domain.Fact, error) {
	people, err := l.People(ctx)
	if err != nil || len(facts) == 0 {
		return facts, err
	}
	ask, leaf, err := l.Proposed(ctx, s, proposal)
	if err != nil {
		return nil, err
	}
	if err := people.Signed(l.id, s, leaf, ask, person, sig); err != nil {
		return nil, err
	}
	return domain.WithSignature(facts, sig), nil
}
