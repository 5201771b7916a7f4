package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// propose makes sure that the settings wanted behind base stand in the policy
// stream, and says what became of them.
func (l *Ledger) propose(
	ctx context.Context, base, wanted domain.ChannelConfigured, loosened []string, by By,
) (domain.PolicyProposal, error) {
	hash, err := domain.PolicyHash(wanted)
	if err != nil {
		return domain.PolicyProposal{}, err
	}
	policy, expected, err := l.policy(ctx, wanted.Channel)
	if err != nil {
		return domain.PolicyProposal{}, err
	}
	ask := domain.ConfigProposed{
		Channel: wanted.Channel, Proposal: domain.ProposalID(l.id, wanted.Channel, base.Revision, hash), Base: base.Revision,
		Hash: hash, Loosens: loosened, Differences: domain.Differences(base, wanted), By: l.process(by),
	}
	if q, ok := policy.Proposal(ask.Proposal); ok {
		return q, nil
	}
	_, err = l.tell(ctx, domain.PolicyStream(wanted.Channel), expected, by, ask)
	return domain.PolicyProposal{Ask: ask, State: domain.PolicyWaiting, AskedAt: l.now()}, err
}

// process names who was configured: the process where it said its name.
func (l *Ledger) process(by By) string { return cmp.Or(l.cfg.Process, by.Actor) }

// policy is the fold of a channel's policy stream, and its last revision.
func (l *Ledger) policy(ctx context.Context, ch domain.ChannelID) (p domain.Policy, expected eventstore.Expected, err error) {
	expected = eventstore.NoStream
	events, err := l.readAll(ctx, domain.PolicyStream(ch))
	for _, e := range events {
		p, expected = p.Apply(e.Fact, e.Meta.RecordedAt), eventstore.Expected(e.Revision)
	}
	return p, expected, err
}

// readAll reads a small stream; none is no error.
func (l *Ledger) readAll(ctx context.Context, s domain.Stream) ([]Entry, error) {
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return nil, fmt.Errorf("read %s: %w", s, err)
	}
	out := make([]Entry, len(events))
	for i, r := range events {
		if out[i], err = Decode(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tellApplied records what the channel's last change was, where that is not
// told yet: it is told behind the change, so a process that is killed between
// the two leaves it to the next one. A loosening without its two persons is
// older than the rule.
func (l *Ledger) tellApplied(ctx context.Context, ch domain.ChannelID, by By) error {
	all, err := l.allSettings(ctx, ch)
	if err != nil || len(all) < 2 {
		return err
	}
	policy, expected, err := l.policy(ctx, ch)
	if err != nil {
		return err
	}
	was, is := all[len(all)-2].config, all[len(all)-1].config
	if policy.Applied[is.Revision] {
		return nil
	}
	f := domain.ConfigApplied{
		Channel: ch, Revision: is.Revision, Differences: domain.Differences(was, is), By: l.process(by),
	}
	if f.Hash, err = domain.PolicyHash(is); err != nil {
		return err
	}
	if len(domain.Loosened(was, is)) > 0 {
		q, _ := policy.Proposal(domain.ProposalID(l.id, ch, was.Revision, f.Hash))
		if q.State != domain.PolicyApproved {
			return nil
		}
		f.Proposal, f.ApprovedBy = q.Ask.Proposal, q.ApprovedBy()
	}
	_, err = l.tell(ctx, domain.PolicyStream(ch), expected, by, f)
	return err
}

// Waiting are the loosened settings that this process was configured with and
// that are not in force, by channel: they wait for persons or were rejected.
func (l *Ledger) Waiting() []domain.PolicyProposal {
	l.setMu.RLock()
	defer l.setMu.RUnlock()
	var out []domain.PolicyProposal
	for _, ch := range slices.Sorted(maps.Keys(l.channels)) {
		if q := l.channels[ch].waits; !q.Ask.Proposal.IsZero() {
			out = append(out, q)
		}
	}
	return out
}

// Policies are all proposals to loosen the policy of a channel, oldest first.
func (l *Ledger) Policies(ctx context.Context, ch domain.ChannelID) ([]domain.PolicyProposal, error) {
	p, _, err := l.policy(ctx, ch)
	return p.Proposals, err
}

// ApprovePolicy is a person's yes to loosened settings; see
// domain.Policy.Approve. With the second one they are in force in this process
// when it returns, if it was configured with them. sig is the person's own
// signature; who has a key of their own must sign.
func (l *Ledger) ApprovePolicy(
	ctx context.Context, ch domain.ChannelID, proposal domain.ID, person, reason string, sig *domain.Signature, by By,
) (domain.PolicyProposal, error) {
	return l.decidePolicy(ctx, ch, proposal, by, func(p domain.Policy) ([]domain.Fact, error) {
		facts, err := p.Approve(proposal, person, reason)
		if err != nil || len(facts) == 0 {
			return nil, err
		}
		ask, leaf, err := l.ProposedPolicy(ctx, ch, proposal)
		if err != nil {
			return nil, err
		}
		return l.signedBy(ctx, person, sig, facts, func(at time.Time) []byte {
			return domain.PolicyStatement(l.id, leaf, ask, person, at)
		})
	})
}

// RejectPolicy is a person's no; see domain.Policy.Reject.
func (l *Ledger) RejectPolicy(
	ctx context.Context, ch domain.ChannelID, proposal domain.ID, person, reason string, by By,
) (domain.PolicyProposal, error) {
	return l.decidePolicy(ctx, ch, proposal, by, func(p domain.Policy) ([]domain.Fact, error) {
		return p.Reject(proposal, person, reason)
	})
}

func (l *Ledger) decidePolicy(
	ctx context.Context, ch domain.ChannelID, proposal domain.ID, by By, decide func(domain.Policy) ([]domain.Fact, error),
) (q domain.PolicyProposal, err error) {
	s := domain.PolicyStream(ch)
	done, err := l.turns.take(ctx, s)
	if err != nil {
		return q, err
	}
	defer done()
	err = l.agree(ctx, s, by, func() ([]domain.Fact, eventstore.Expected, error) {
		p, expected, err := l.policy(ctx, ch)
		if err != nil {
			return nil, expected, err
		}
		facts, err := decide(p)
		return facts, expected, err
	})
	if err != nil {
		return q, err
	}
	if err := l.Reconfigure(ctx); err != nil {
		return q, err
	}
	p, _, err := l.policy(ctx, ch)
	q, _ = p.Proposal(proposal)
	return q, err
}

// agree appends what decide says, which it is asked again when another process
// was faster, also with facts of the same ids and of another person.
func (l *Ledger) agree(
	ctx context.Context, s domain.Stream, by By, decide func() ([]domain.Fact, eventstore.Expected, error),
) error {
	for range maxConflicts {
		facts, expected, err := decide()
		if err != nil || len(facts) == 0 {
			return err
		}
		events, err := l.tell(ctx, s, expected, by, facts...)
		if err == nil {
			err = l.ours(ctx, s, expected, events)
		}
		if err == nil || domain.KindOf(err) != domain.KindConflict {
			return err
		}
	}
	return domain.E(domain.KindUnavailable, "%s: %d conflicts in a row", s, maxConflicts)
}

// Reconfigure looks again at settings that waited, and puts in force what was
// approved since, by whichever process.
func (l *Ledger) Reconfigure(ctx context.Context) error {
	l.setMu.RLock()
	waiting := make([]channel, 0, len(l.channels))
	for _, set := range l.channels {
		if !set.waits.Ask.Proposal.IsZero() {
			waiting = append(waiting, set)
		}
	}
	l.setMu.RUnlock()
	for _, set := range waiting {
		if err := l.Configure(ctx, set.wanted, set.by); err != nil {
			return err
		}
	}
	return nil
}
