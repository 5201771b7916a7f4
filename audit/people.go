package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// homeOfPeople is the stream that a fact about people belongs into, as far as it
// tells itself.
func homeOfPeople(e ledger.Entry, f domain.PeopleFact) domain.Stream {
	switch f := f.(type) {
	case domain.PersonActed:
		return domain.ActsStream(e.Meta.RecordedAt)
	case domain.ConfigProposed:
		return domain.PolicyStream(f.Channel)
	case domain.ConfigApplied:
		return domain.PolicyStream(f.Channel)
	case domain.ConfigApproved, domain.ConfigRejected:
		if e.Stream.Category() != "policy" {
			return "policy-…"
		}
	case domain.KeyProposed, domain.KeyAdded, domain.KeyRetired:
		return domain.PeopleStream
	case domain.EvidenceErased:
		if c := e.Stream.Category(); c != "payment" && c != "unmatched" {
			return "payment-…"
		}
	}
	return e.Stream
}

// people checks that the rules lead to a fact about people: who approved what
// before it, in its own stream.
func (s *shard) people(ctx context.Context, e ledger.Entry, f domain.PeopleFact) error {
	problem, err := "", error(nil)
	switch f := f.(type) {
	case domain.ConfigProposed:
		if want := domain.ProposalID(s.walk.deps.Ledger.ID(), f.Channel, f.Base, f.Hash); f.Proposal != want {
			problem = fmt.Sprintf("its proposal is %s, its content gives %s", f.Proposal, want)
		}
	case domain.ConfigApproved:
		problem, err = s.approvedPolicy(ctx, e, f)
	case domain.ConfigRejected:
		problem, err = s.agreed(ctx, e, func(p domain.Policy) ([]domain.Fact, error) { return p.Reject(f.Proposal, f.By, f.Reason) })
	case domain.ConfigApplied:
		problem, err = s.applied(ctx, e, f)
	case domain.KeyProposed:
		problem, err = s.keyOf(ctx, e, f, func(p domain.People) ([]domain.Fact, error) { return p.Propose(s.walk.deps.Ledger.ID(), f) })
	case domain.KeyAdded:
		problem, err = s.keyOf(ctx, e, f, func(p domain.People) ([]domain.Fact, error) { return p.Confirm(f.Fingerprint, f.By, f.Reason) })
	case domain.KeyRetired:
		problem, err = s.keyOf(ctx, e, f, func(p domain.People) ([]domain.Fact, error) { return p.Retire(f.Fingerprint, f.By, f.Reason) })
	case domain.PersonActed:
	case domain.EvidenceErased:
		return nil // a decision about a payment; see deriveErased
	}
	if err != nil {
		return err
	}
	s.rep.checked(CheckDecisions, 1)
	if problem != "" {
		s.wrong(e.Recorded, CheckDecisions, problem)
	}
	return nil
}

// before are the facts of e's stream that stand before it.
func (s *shard) before(ctx context.Context, e ledger.Entry) ([]ledger.Entry, error) {
	if e.Revision == 0 {
		return nil, nil
	}
	events, err := s.walk.deps.Log.ReadStream(ctx, e.Stream, eventstore.ReadOptions{Limit: int(e.Revision)})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return nil, err
	}
	out := make([]ledger.Entry, 0, len(events))
	for _, r := range events {
		if one, err := ledger.Decode(r); err == nil { // else it is told by itself
			out = append(out, one)
		}
	}
	return out, nil
}

func (s *shard) policyBefore(ctx context.Context, e ledger.Entry) (p domain.Policy, err error) {
	events, err := s.before(ctx, e)
	for _, one := range events {
		p = p.Apply(one.Fact, one.Meta.RecordedAt)
	}
	return p, err
}

// agreed checks a person's word about settings.
func (s *shard) agreed(
	ctx context.Context, e ledger.Entry, decide func(domain.Policy) ([]domain.Fact, error),
) (string, error) {
	p, err := s.policyBefore(ctx, e)
	if err != nil {
		return "", err
	}
	facts, err := decide(p)
	switch {
	case err != nil:
		return refusal(err), nil
	case len(facts) != 1 || differs(facts[0], e) != "":
		return "by the rules this was said already", nil
	}
	return "", nil
}

// applied checks what is told of a change of settings, and that two persons
// agreed where it loosened a policy.
func (s *shard) applied(ctx context.Context, e ledger.Entry, f domain.ConfigApplied) (string, error) {
	all, why, err := s.channel(ctx, f.Channel, f.Revision)
	if why != "" || err != nil {
		return why, err
	}
	if f.Revision == 0 || all[f.Revision].at >= e.Position {
		return "it tells of a change that is none, or was recorded later", nil
	}
	was, is := all[f.Revision-1].config, all[f.Revision].config
	hash, err := domain.PolicyHash(is)
	if err != nil || hash != f.Hash {
		return fmt.Sprintf("it tells of settings %s, revision %d are %s", f.Hash, f.Revision, hash), nil
	}
	if want := domain.Differences(was, is); !slices.Equal(want, f.Differences) {
		return fmt.Sprintf("it tells the differences %q, they are %q", f.Differences, want), nil
	}
	loosened := domain.Loosened(was, is)
	if len(loosened) == 0 {
		return "", nil
	}
	p, err := s.policyBefore(ctx, e)
	if err != nil {
		return "", err
	}
	q, _ := p.Proposal(domain.ProposalID(s.walk.deps.Ledger.ID(), f.Channel, was.Revision, f.Hash))
	if q.State != domain.PolicyApproved || q.Ask.Proposal != f.Proposal || !slices.Equal(q.ApprovedBy(), f.ApprovedBy) {
		return fmt.Sprintf("it loosens %q, and two persons' approvals do not stand before it", loosened), nil
	}
	return "", nil
}

// configured checks that settings which loosen those before them stand behind
// two persons' approvals, whether or not anything tells of the change: who wrote
// them past the rules would not tell.
func (s *shard) configured(ctx context.Context, e ledger.Entry, f domain.ChannelConfigured) error {
	if f.Revision == 0 || s.walk.deps.NoPolicies {
		return nil
	}
	s.rep.checked(CheckDecisions, 1)
	all, why, err := s.channel(ctx, f.Channel, f.Revision)
	if why != "" || err != nil {
		return err // what cannot be read is told by itself
	}
	was := all[f.Revision-1].config
	loosened := domain.Loosened(was, f)
	if len(loosened) == 0 {
		return nil
	}
	hash, err := domain.PolicyHash(f)
	if err != nil {
		return err
	}
	q, err := s.policyAt(ctx, e.Position, domain.ProposalID(s.walk.deps.Ledger.ID(), f.Channel, was.Revision, hash), f.Channel)
	if err == nil && q.State != domain.PolicyApproved {
		s.wrong(e.Recorded, CheckDecisions, fmt.Sprintf("it loosens %q, and two persons' approvals do not stand before it", loosened))
	}
	return err
}

// policyAt is a proposal to loosen a channel's policy as it stood before a
// position.
func (s *shard) policyAt(
	ctx context.Context, at eventstore.Position, proposal domain.ID, ch domain.ChannelID,
) (q domain.PolicyProposal, err error) {
	events, err := s.walk.deps.Log.ReadStream(ctx, domain.PolicyStream(ch), eventstore.ReadOptions{})
	if err != nil && domain.KindOf(err) == domain.KindUnavailable {
		return q, err
	}
	var p domain.Policy
	for _, r := range events {
		if r.Position >= at {
			break
		}
		if e, err := ledger.Decode(r); err == nil { // else it is told by itself
			p = p.Apply(e.Fact, e.Meta.RecordedAt)
		}
	}
	q, _ = p.Proposal(proposal)
	return q, nil
}

// deriveErased checks an erasure: that the rules allowed it then, and that it
// names every sealed part before it, and no other.
func (s *shard) deriveErased(ctx context.Context, p domain.Payment, e ledger.Entry, f domain.EvidenceErased) (string, error) {
	before, err := s.before(ctx, e)
	if err != nil {
		return "", err
	}
	var last time.Time
	from := uint64(0)
	for _, one := range before {
		if past, ok := one.Fact.(domain.EvidenceErased); ok {
			from = past.Through + 1
		} else {
			last = one.Meta.RecordedAt
		}
	}
	retention := f.RetainedUntil.Sub(last)
	switch err := p.Erasable(e.Meta.RecordedAt, last, retention); {
	case err != nil:
		return refusal(err), nil
	case retention < domain.MinRetention && s.walk.deps.Ledger.Mode() == domain.ModeLive:
		return fmt.Sprintf("a live store keeps evidence for %s at least, this was %s", domain.MinRetention, retention), nil
	case f.Generation != p.Erasures || f.Through+1 != e.Revision:
		return fmt.Sprintf("it is erasure %d through revision %d, its place says %d and %d", f.Generation, f.Through, p.Erasures, e.Revision-1), nil
	}
	parts := f.Parts
	for _, one := range before {
		if one.Revision < from || one.SealedHash == sha256.Sum256(nil) {
			continue
		}
		if len(parts) == 0 || parts[0].Revision != one.Revision || parts[0].Event != one.ID ||
			parts[0].Sealed != hex.EncodeToString(one.SealedHash[:]) {
			return fmt.Sprintf("it does not name the sealed part of revision %d as it is", one.Revision), nil
		}
		parts = parts[1:]
	}
	if len(parts) > 0 {
		return fmt.Sprintf("it names a sealed part of revision %d, which has none", parts[0].Revision), nil
	}
	return "", s.destroyed(ctx, e, f)
}

// destroyed tells where the key that an erasure says is destroyed is there.
func (s *shard) destroyed(ctx context.Context, e ledger.Entry, f domain.EvidenceErased) error {
	if s.walk.deps.Keys == nil {
		return nil
	}
	_, err := s.walk.deps.Keys.Keys.DataKey(ctx, domain.KeyStream(e.Stream, f.Generation))
	switch {
	case err == nil:
		s.wrong(e.Recorded, CheckEvidence, "it says that the key is destroyed, and the key is there: `counterfoil erase --finish` destroys it")
	case domain.KindOf(err) != domain.KindNotFound:
		return err
	}
	return nil
}

// missing says what it means that the first key of a stream does not open a
// sealed part: it was erased by a fact, or it is withheld from those who look,
// or a later key opens it. Else the key is lost. A stream is read once for that.
func (s *shard) missing(ctx context.Context, st *state, e ledger.Entry) (plain []byte, lost bool, err error) {
	d := s.walk.deps
	if d.Opened != nil || d.Stranger {
		return nil, false, nil
	}
	if !st.looked {
		if st.erasures, err = s.erasures(ctx, e.Stream); err != nil {
			return nil, false, err
		}
		st.looked = true
	}
	for _, f := range st.erasures {
		if e.Revision <= f.Through {
			return nil, false, nil
		}
	}
	if len(st.erasures) == 0 {
		return nil, true, nil
	}
	plain, err = d.Ledger.Open(ctx, e.Recorded)
	if domain.KindOf(err) == domain.KindNotFound {
		return nil, true, nil
	}
	return plain, false, err
}

// erasures are those in the whole of a stream.
func (s *shard) erasures(ctx context.Context, stream domain.Stream) (out []domain.EvidenceErased, err error) {
	events, err := s.walk.deps.Log.ReadStream(ctx, stream, eventstore.ReadOptions{})
	if err != nil && domain.KindOf(err) == domain.KindUnavailable {
		return nil, err
	}
	for _, r := range events {
		if r.Type != domain.TypeEvidenceErased {
			continue
		}
		e, err := ledger.Decode(r)
		if f, ok := e.Fact.(domain.EvidenceErased); err == nil && ok {
			out = append(out, f)
		}
	}
	return out, nil
}

// lostKey is what is told of a sealed part whose key is neither there nor
// erased.
const lostKey = "its data key is missing, and no erasure stands behind it"
