package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// decide checks that the rules lead to e: it is what the decision before it
// owes, or a decision of its own that the stream's fold allows. Then it folds e.
func (s *shard) decide(ctx context.Context, st *state, e ledger.Entry) error {
	defer func() { st.payment = st.payment.Apply(e.Fact) }()
	s.count(st, e)
	if f, ok := e.Fact.(domain.PaymentNotified); ok {
		_, st.knew = st.payment.Trade(f.TradeNo)
	}
	if !decided(e.Stream) || st.broken {
		return s.decideBeside(ctx, st, e)
	}
	s.rep.checked(CheckDecisions, 1)
	problem := ""
	if len(st.owed) > 0 {
		problem = differs(st.owed[0], e)
		if problem == "" && !bytes.Equal(e.Recorded.Meta, st.owedBy.Meta) {
			problem = fmt.Sprintf("it was recorded with revision %d in one append, but its meta is another", st.owedBy.Revision)
		}
		st.paid()
	} else {
		facts, why, err := s.derive(ctx, st.payment, e)
		if err != nil {
			return err
		}
		if problem = why; problem == "" && len(facts) == 0 {
			problem = "by the rules nothing was to be kept here"
		} else if problem == "" {
			problem = differs(facts[0], e)
			st.owe(facts[1:], e.Recorded)
		}
	}
	if problem != "" {
		s.wrong(e.Recorded, CheckDecisions, problem)
		st.broken = true
		st.owed, st.owedBy = nil, nil
	}
	return nil
}

// decided reports whether a stream is one on whose payment notices and people
// decide.
func decided(s domain.Stream) bool { return s.Category() == "payment" || s.Category() == "unmatched" }

// owe notes which facts must follow the decision by.
func (st *state) owe(facts []domain.Fact, by eventstore.Recorded) {
	st.owed, st.owedBy = facts, nil
	if len(facts) > 0 {
		kept := by
		kept.Sealed = nil
		st.owedBy = &kept
	}
}

// paid notes that the first of the facts owed has come. Once nothing is owed the
// decision is let go: tens of thousands of payments are kept folded.
func (st *state) paid() {
	if st.owed = st.owed[1:]; len(st.owed) == 0 {
		st.owed, st.owedBy = nil, nil
	}
}

// count notes whose evidence e is, or rests on.
func (s *shard) count(st *state, e ledger.Entry) {
	if f, ok := e.Fact.(domain.PaymentNotified); ok {
		st.grade = f.Evidence.Grade
		s.grades.of(st.grade).Notices++
		return
	}
	if _, ok := e.Fact.(domain.CorrectionApproved); ok {
		st.grade = domain.GradeD // what follows rests on two people's word
	}
	if m, ok := received(e.Fact); ok {
		g := st.grade
		if len(st.owed) == 0 {
			g = "none" // no notice leads to it
		}
		s.grades.of(g).add(m)
	}
}

// received is the money that came in with a fact.
func received(f domain.Fact) (domain.Money, bool) {
	switch f := f.(type) {
	case domain.PaymentCredited:
		return f.Amount, true
	case domain.PaymentParked:
		return f.Amount, f.Confirmed
	case domain.PaymentAllocated, domain.PaymentPlaced, domain.PaymentNotified, domain.PaymentHeld, domain.PaymentClosed,
		domain.LedgerOpened, domain.ChannelConfigured, domain.DiscrepancyFound, domain.CorrectionIssued,
		domain.CorrectionProposed, domain.CorrectionSeconded, domain.CorrectionApproved, domain.CorrectionRejected,
		domain.PaymentRefunded, domain.RefundFailed, domain.DisputeWithdrawn, domain.DisputeReinstated, domain.DisputeLost,
		domain.PeopleFact, domain.ReconciliationFact, domain.BookFact:
	}
	return domain.Money{}, false
}

// derive takes the decision behind e again: the facts that follow, e first, or
// why there are none.
func (s *shard) derive(ctx context.Context, p domain.Payment, e ledger.Entry) (facts []domain.Fact, why string, err error) {
	switch f := e.Fact.(type) {
	case domain.PaymentNotified:
		return s.deriveNotice(ctx, p, e, f)
	case domain.PaymentPlaced:
		c, why, err := s.context(ctx, e, f.Channel, f.Config)
		if why != "" || err != nil {
			return nil, why, err
		}
		facts, err = p.Place(c, domain.Order{
			Channel: f.Channel, OrderNo: f.OrderNo, Account: f.Account, Amount: f.Amount, Method: f.Method, ExpiresAt: f.ExpiresAt,
		})
		return facts, refusal(err), nil
	case domain.PaymentClosed:
		facts, err = s.deriveClose(p, e, f)
		return facts, refusal(err), nil
	case domain.EvidenceErased:
		why, err = s.deriveErased(ctx, p, e, f)
		return []domain.Fact{f}, why, err
	case domain.CorrectionProposed:
		c, why, err := s.context(ctx, e, channelOf(e.Stream), f.Config)
		if why != "" || err != nil {
			return nil, why, err
		}
		_, facts, err = p.Propose(c, f.Correction(), domain.Spent{})
		return facts, refusal(err), nil
	case domain.CorrectionSeconded:
		c, why, err := s.context(ctx, e, channelOf(e.Stream), f.Config)
		if why != "" || err != nil {
			return nil, why, err
		}
		facts, err = p.Approve(c, f.Proposal, f.By, f.Reason, domain.Spent{})
		if err != nil {
			return nil, refusal(err), nil
		}
		why, err = s.signedApproval(ctx, e, f.Proposal, f.By, f.Signature)
		return domain.WithSignature(facts, f.Signature), why, err
	case domain.CorrectionApproved:
		c, why, err := s.context(ctx, e, channelOf(e.Stream), f.Config)
		if why != "" || err != nil {
			return nil, why, err
		}
		facts, err = p.Approve(c, f.Proposal, f.By, f.Reason, domain.Spent{})
		if err != nil {
			return nil, refusal(err), nil
		}
		why, err = s.signedApproval(ctx, e, f.Proposal, f.By, f.Signature)
		return domain.WithSignature(facts, f.Signature), why, err
	case domain.CorrectionRejected:
		facts, err = p.Reject(f.Proposal, f.By, f.Reason)
		return facts, refusal(err), nil
	case domain.PaymentHeld, domain.PaymentCredited, domain.PaymentParked, domain.PaymentAllocated,
		domain.DiscrepancyFound, domain.CorrectionIssued,
		domain.PaymentRefunded, domain.RefundFailed, domain.DisputeWithdrawn, domain.DisputeReinstated, domain.DisputeLost,
		domain.PeopleFact, domain.ReconciliationFact, domain.BookFact, domain.LedgerOpened, domain.ChannelConfigured:
	}
	return nil, "no notice or decision before it leads to this " + e.Type, nil
}

func refusal(err error) string {
	if err == nil {
		return ""
	}
	return "the rules refuse it: " + err.Error()
}

func (s *shard) deriveNotice(
	ctx context.Context, p domain.Payment, e ledger.Entry, f domain.PaymentNotified,
) ([]domain.Fact, string, error) {
	if f.Decision.Rules != domain.RulesVersion {
		return nil, fmt.Sprintf("it was decided by rules %d, this software has rules %d", f.Decision.Rules, domain.RulesVersion), nil
	}
	c, why, err := s.context(ctx, e, f.Channel, f.Decision.Config)
	if why != "" || err != nil {
		return nil, why, err
	}
	var reply func(domain.Outcome) domain.Reply
	if f.Reply != nil {
		reply = func(domain.Outcome) domain.Reply { return *f.Reply }
	}
	if f.Decision.Reason == domain.ReasonUnmatched {
		return domain.Unmatched(c, f.Notice(), f.Evidence, reply).Facts, "", nil
	}
	return p.Notify(c, f.Notice(), f.Evidence, reply, f.Repeats).Facts, "", nil
}

func (s *shard) deriveClose(p domain.Payment, e ledger.Entry, f domain.PaymentClosed) ([]domain.Fact, error) {
	switch f.Cause {
	case domain.ClosedExpired:
		return p.Expire(domain.Context{Now: e.Meta.RecordedAt}), nil
	case domain.ClosedMerchant:
		return p.Cancel(f.Reason)
	case domain.ClosedProvider:
	}
	return nil, domain.E(domain.KindInvalid, "no notice before it closes the payment")
}

// setting is a channel's settings as recorded.
type setting struct {
	config domain.ChannelConfigured
	zone   *time.Location
	at     eventstore.Position
}

// context is what the decision behind e rested on: the settings it names.
func (s *shard) context(ctx context.Context, e ledger.Entry, ch domain.ChannelID, rev uint64) (domain.Context, string, error) {
	all, why, err := s.channel(ctx, ch, rev)
	if why != "" || err != nil {
		return domain.Context{}, why, err
	}
	if all[rev].at >= e.Position {
		return domain.Context{}, fmt.Sprintf("it names revision %d of the settings of %s, which was recorded later", rev, ch), nil
	}
	return s.in(e, all[rev]), "", nil
}

// channelOf is the channel in the name of a stream that has one: it ends the
// category, and no channel has a ':' in it.
func channelOf(s domain.Stream) domain.ChannelID {
	rest, _ := strings.CutPrefix(string(s), s.Category()+"-")
	name, _, _ := strings.Cut(rest, ":")
	return domain.ChannelID(name)
}

func (s *shard) in(e ledger.Entry, set setting) domain.Context {
	return domain.Context{
		Ledger: s.walk.deps.Ledger.ID(), Stream: e.Stream, Now: e.Meta.RecordedAt, Channel: set.config,
		Revision: set.config.Revision, Zone: set.zone, OldestOpen: s.walk.closings.fold.OldestOpen(e.Meta.RecordedAt),
	}
}

// channel is all settings of a channel, revision rev among them.
func (s *shard) channel(ctx context.Context, ch domain.ChannelID, rev uint64) ([]setting, string, error) {
	if all := s.settings[ch]; rev < uint64(len(all)) {
		return all, "", nil
	}
	events, err := s.walk.deps.Log.ReadStream(ctx, domain.ChannelStream(ch), eventstore.ReadOptions{})
	if err != nil && domain.KindOf(err) == domain.KindUnavailable {
		return nil, "", err
	}
	var all []setting
	for _, r := range events {
		set, ok := settingOf(r)
		if !ok {
			break // that event is told by itself
		}
		all = append(all, set)
	}
	s.settings[ch] = all
	if rev >= uint64(len(all)) {
		return nil, fmt.Sprintf("it names revision %d of the settings of channel %q, of which %d can be read", rev, ch, len(all)), nil
	}
	return all, "", nil
}

func settingOf(r eventstore.Recorded) (setting, bool) {
	e, err := ledger.Decode(r)
	if err != nil {
		return setting{}, false
	}
	cfg, ok := e.Fact.(domain.ChannelConfigured)
	if !ok {
		return setting{}, false
	}
	zone, err := time.LoadLocation(cfg.Zone)
	return setting{cfg, zone, r.Position}, err == nil
}

// differs compares a derived fact with the stored one, by content, and names
// the first member that is not the same.
func differs(want domain.Fact, e ledger.Entry) string {
	if domain.Same(want, e.Fact) {
		return "" // most are; encoding them would cost more than all else here
	}
	typ, data, err := domain.EncodeFact(want)
	if err != nil {
		return err.Error()
	}
	if typ != e.Type {
		return fmt.Sprintf("by the rules %s belongs here, and %s stands here", typ, e.Type)
	}
	if bytes.Equal(data, e.Data) {
		return ""
	}
	_, stored, err := domain.EncodeFact(e.Fact)
	if err != nil {
		return err.Error()
	}
	if bytes.Equal(data, stored) {
		return "" // another spelling of the same
	}
	return firstDifference(data, stored)
}

func firstDifference(want, got []byte) string {
	var w, g map[string]json.RawMessage
	if json.Unmarshal(want, &w) != nil || json.Unmarshal(got, &g) != nil {
		return "its content is not what the rules give"
	}
	names := make([]string, 0, len(w)+len(g))
	for name := range w {
		names = append(names, name)
	}
	for name := range g {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !bytes.Equal(w[name], g[name]) {
			return fmt.Sprintf("by the rules %s is %s, and %s stands here", name, shown(w[name]), shown(g[name]))
		}
	}
	return "its content is not what the rules give"
}

// shown is a JSON value for a report.
func shown(v json.RawMessage) string {
	const most = 160
	switch {
	case len(v) == 0:
		return "absent"
	case len(v) > most:
		return string(v[:most]) + "…"
	}
	return string(v)
}
