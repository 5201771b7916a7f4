package audit

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/projections"
)

// spoken is what persons said about a difference so far, and the leaf hash of
// the first word that waits.
type spoken struct {
	domain.Aside
	leaf [32]byte
}

// speak folds what a fact says about a difference.
func (st *state) speak(e ledger.Entry) {
	id, ok := domain.DifferenceOf(e.Fact)
	if !ok {
		return
	}
	next := spoken{Aside: st.asides[id].Apply(e.Fact, e.Meta.RecordedAt)}
	if next.Ask != nil {
		next.leaf = ledger.LeafOf(e)
	}
	if next == (spoken{}) {
		delete(st.asides, id) // nobody ever spoke of it, as of most
		return
	}
	if st.asides == nil {
		st.asides = map[domain.ID]spoken{}
	}
	st.asides[id] = next
}

// asides is what a shard learns of differences that persons ended, for the end
// of the walk: what they did is told in other streams, too.
type asides struct {
	first     eventstore.Position // of the facts that tell each person's word; 0 for none
	older     []Finding           // which were told without them
	corrected []corrected
	issued    map[repair]eventstore.Position
}

// repair is a difference that two persons' correction ends.
type repair struct {
	channel      domain.ChannelID
	correction   domain.ID
	discrepancy  domain.ID
	asked, agree string // the two persons
}

// corrected is a repair as the difference tells it, and what is to be told where
// the correction does not.
type corrected struct {
	repair
	wrong Finding
}

// aside checks what persons said about a difference, and folds it.
func (s *shard) aside(ctx context.Context, st *state, e ledger.Entry, f domain.ReconciliationFact) error {
	defer st.speak(e)
	if st.broken {
		return nil
	}
	problem, err := s.word(ctx, st, e, f)
	if problem != "" {
		s.wrong(e.Recorded, CheckDecisions, problem)
	}
	return err
}

// word checks what a fact tells of persons: words, or that they ended it.
func (s *shard) word(ctx context.Context, st *state, e ledger.Entry, f domain.ReconciliationFact) (string, error) {
	switch f := f.(type) {
	case domain.ReconciliationAsked:
		s.told(e)
		return s.said(ctx, st, e, f.Differed(), f.By, f.Reason, f.Signature)
	case domain.ReconciliationDiffered:
		return s.ended(ctx, st, e, f)
	case domain.ReconciliationCompared:
	}
	return "", nil
}

// told notes that the log tells each person's word from here on.
func (s *shard) told(e ledger.Entry) {
	if s.asides.first == 0 || e.Position < s.asides.first {
		s.asides.first = e.Position
	}
}

// said takes a person's word again, and checks its signature.
func (s *shard) said(
	ctx context.Context, st *state, e ledger.Entry, d domain.ReconciliationDiffered, by, reason string, sig *domain.Signature,
) (string, error) {
	s.rep.checked(CheckDecisions, 1)
	id, before := s.walk.deps.Ledger.ID(), st.asides[d.Discrepancy]
	want, err := before.Say(id, e.Stream, d, by, reason)
	if err != nil {
		return refusal(err), nil
	}
	if problem := differs(domain.WithSignature([]domain.Fact{want}, sig)[0], e); problem != "" {
		return problem, nil
	}
	return s.signed(ctx, e, by, sig, func(at time.Time) []byte { return domain.WordStatement(id, e.Stream, before.leaf, want, at) })
}

// ended checks by whom a difference was ended.
func (s *shard) ended(ctx context.Context, st *state, e ledger.Entry, f domain.ReconciliationDiffered) (string, error) {
	switch {
	case !f.Proposal.IsZero():
		s.told(e)
		return s.said(ctx, st, e, f, f.By, f.How, f.Signature)
	case f.Signature != nil || !f.Resolved && (f.AskedBy != "" || !f.Correction.IsZero()):
		return "it tells of persons who set aside what stays open, or of a signature under no word", nil
	case !f.Correction.IsZero():
		s.told(e)
		r := repair{projections.ChannelOf(e.Stream), f.Correction, f.Discrepancy, f.AskedBy, f.By}
		s.asides.corrected = append(s.asides.corrected, corrected{r, finding(e, fmt.Sprintf(
			"it says that correction %s of %s and %s ended it, and no such correction stands before it", r.correction, r.asked, r.agree))})
	case f.Resolved && (f.AskedBy != "" || strings.HasPrefix(e.Meta.Actor, "person:") || s.walk.signers.Signs(f.By)):
		s.asides.older = append(s.asides.older, finding(e, "it says that persons set a difference aside, and not by which words: those are events"))
	}
	return "", nil
}

func finding(e ledger.Entry, text string) Finding {
	return Finding{Position: e.Position, Stream: e.Stream, Revision: e.Revision, Check: CheckDecisions, Text: text}
}

// issued notes the difference that an approved correction repairs.
func (s *shard) issued(st *state, e ledger.Entry, f domain.CorrectionApproved) {
	q, _ := st.payment.Proposal(f.Proposal)
	if q.Ask.Discrepancy.IsZero() {
		return
	}
	if s.asides.issued == nil {
		s.asides.issued = map[repair]eventstore.Position{}
	}
	s.asides.issued[repair{projections.ChannelOf(e.Stream), f.Proposal, q.Ask.Discrepancy, q.Proposer(), f.By}] = e.Position
}

// endedAsides holds what differences tell of persons against the rest of the
// log: that the corrections they name were issued, and that no word is told the
// older way, without an event of its own, once words have theirs.
func (w *walk) endedAsides(rep *Report) {
	if w.deps.Opened != nil || w.holed.Load() {
		return // a part of the log
	}
	var first eventstore.Position
	issued := map[repair]eventstore.Position{}
	for _, s := range w.shards {
		if at := s.asides.first; at > 0 && (first == 0 || at < first) {
			first = at
		}
		maps.Copy(issued, s.asides.issued)
	}
	for _, s := range w.shards {
		for _, f := range s.asides.older {
			if first > 0 && f.Position > first {
				rep.add(f)
			}
		}
		for _, c := range s.asides.corrected {
			if at, ok := issued[c.repair]; !ok || at > c.wrong.Position {
				rep.add(c.wrong)
			}
		}
	}
}
