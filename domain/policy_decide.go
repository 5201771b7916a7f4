package domain

import (
	"slices"
	"strconv"
	"time"
)

// approvalsNeeded is how many different persons let a loosening pass.
const approvalsNeeded = 2

// PolicyState is where a proposal to loosen a policy stands.
type PolicyState string

// The states of a proposal to loosen a policy.
const (
	PolicyWaiting  PolicyState = "waiting"
	PolicyApproved PolicyState = "approved" // the next look at its settings puts it in force
	PolicyRejected PolicyState = "rejected"
	PolicyInForce  PolicyState = "in_force"
)

// PolicyProposal is a proposal with what became of it.
type PolicyProposal struct {
	Ask      ConfigProposed
	State    PolicyState
	Approved []ConfigApproved
	Rejected ConfigRejected // with PolicyRejected
	AskedAt  time.Time
}

// ApprovedBy names the persons who said yes, in order.
func (q PolicyProposal) ApprovedBy() []string {
	out := make([]string, len(q.Approved))
	for i, a := range q.Approved {
		out[i] = a.By
	}
	return out
}

// Policy is the fold of a channel's policy stream. The zero Policy is the empty
// stream; a Policy is a value.
type Policy struct {
	Proposals []PolicyProposal
	Applied   map[uint64]bool // revisions whose change is told
}

// ProposalID names settings of a hash proposed on a base.
func ProposalID(ledger ID, ch ChannelID, base uint64, hash string) ID {
	return NewV5(ledger, "policy", string(ch), strconv.FormatUint(base, 10), hash)
}

// Apply is p after f, recorded at a time; facts of other streams change nothing.
func (p Policy) Apply(f Fact, at time.Time) Policy {
	switch f := f.(type) {
	case ConfigProposed:
		p.Proposals = append(slices.Clip(p.Proposals), PolicyProposal{Ask: f, State: PolicyWaiting, AskedAt: at})
	case ConfigApproved:
		p = p.with(f.Proposal, func(q *PolicyProposal) {
			q.Approved = append(slices.Clip(q.Approved), f)
			if len(q.Approved) >= approvalsNeeded {
				q.State = PolicyApproved
			}
		})
	case ConfigRejected:
		p = p.with(f.Proposal, func(q *PolicyProposal) { q.State, q.Rejected = PolicyRejected, f })
	case ConfigApplied:
		applied := map[uint64]bool{f.Revision: true}
		for r := range p.Applied {
			applied[r] = true
		}
		p.Applied = applied
		p = p.with(f.Proposal, func(q *PolicyProposal) { q.State = PolicyInForce })
	default:
	}
	return p
}

func (p Policy) with(id ID, change func(*PolicyProposal)) Policy {
	p.Proposals = slices.Clone(p.Proposals)
	for i := range p.Proposals {
		if p.Proposals[i].Ask.Proposal == id {
			change(&p.Proposals[i])
		}
	}
	return p
}

// Proposal is the proposal of an id.
func (p Policy) Proposal(id ID) (PolicyProposal, bool) {
	i := slices.IndexFunc(p.Proposals, func(q PolicyProposal) bool { return q.Ask.Proposal == id })
	if i < 0 {
		return PolicyProposal{}, false
	}
	return p.Proposals[i], true
}

// Approve is a person's yes. A yes said before is said: no facts. KindNotFound
// for an unknown proposal, KindConflict for one that is over.
func (p Policy) Approve(id ID, person, reason string) ([]Fact, error) {
	q, err := p.open(id, person, reason)
	if err != nil {
		return nil, err
	}
	if slices.Contains(q.ApprovedBy(), person) {
		return nil, nil
	}
	if q.State != PolicyWaiting {
		return nil, E(KindConflict, "these settings are %s already", q.State)
	}
	return []Fact{ConfigApproved{Proposal: id, By: person, Reason: reason}}, nil
}

// Reject is a person's no, which ends the proposal: it takes a reason. Said
// twice by one person it is said once.
func (p Policy) Reject(id ID, person, reason string) ([]Fact, error) {
	q, err := p.open(id, person, reason)
	switch {
	case err != nil:
		return nil, err
	case reason == "":
		return nil, EField(KindInvalid, "reason", "a rejection needs its reason")
	case q.State == PolicyRejected && q.Rejected.By == person:
		return nil, nil
	case q.State != PolicyWaiting && q.State != PolicyApproved:
		return nil, E(KindConflict, "these settings are %s already", q.State)
	}
	return []Fact{ConfigRejected{Proposal: id, By: person, Reason: reason}}, nil
}

func (p Policy) open(id ID, person, reason string) (PolicyProposal, error) {
	if err := CheckPerson(person); err != nil {
		return PolicyProposal{}, err
	}
	if err := CheckWords("reason", reason); err != nil {
		return PolicyProposal{}, err
	}
	q, ok := p.Proposal(id)
	if !ok {
		return q, E(KindNotFound, "no settings wait under the id %s", id)
	}
	return q, nil
}
