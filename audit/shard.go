package audit

import (
	"context"
	"crypto/sha256"
	"fmt"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// state is a stream as far as it was read.
type state struct {
	next     uint64 // revision due
	payment  domain.Payment
	beside   *beside                 // nil for a payment's stream, of which tens of thousands are kept
	owed     []domain.Fact           // facts that the last decision leads to and that must follow
	owedBy   *eventstore.Recorded    // that decision
	grade    domain.Grade            // of the evidence behind the facts owed
	asides   map[domain.ID]spoken    // of a reconciliation stream
	looked   bool                    // for erasures in the whole stream
	erasures []domain.EvidenceErased // those

	broken bool // its decisions cannot be followed any more, and that was told
	knew   bool // the payment knew the trade of the notice at hand before it came
}

func newState(s domain.Stream) *state {
	st := &state{}
	if !decided(s) {
		st.beside = &beside{}
	}
	return st
}

// shard checks the streams that are dealt to it.
type shard struct {
	walk     *walk
	young    map[domain.Stream]*state
	old      map[domain.Stream]*state
	settings map[domain.ChannelID][]setting
	books    books
	turnover turnover
	atMark   books
	grades   grades
	asides   asides
	rep      Report
}

func newShard(w *walk) *shard {
	return &shard{
		walk: w, young: map[domain.Stream]*state{}, settings: map[domain.ChannelID][]setting{}, books: books{}, turnover: turnover{},
		grades: grades{},
		rep: Report{
			Checks: map[Check]Tally{}, Types: map[string]int64{},
			Evidence: Evidence{Unverifiable: map[string]int64{}},
		},
	}
}

func (s *shard) work(ctx context.Context, tasks <-chan task) error {
	for t := range tasks {
		if keys := s.walk.deps.Keys; keys != nil {
			if err := keys.fetch(ctx, t.events()); err != nil {
				return err
			}
		}
		for r := range t.events() {
			if err := s.event(ctx, *r, t.hashed); err != nil {
				return fmt.Errorf("check event at position %s of %s: %w", r.Position, r.Stream, err)
			}
		}
		if t.mark {
			s.atMark = s.books.clone()
		}
	}
	s.collectDebts()
	return nil
}

// event checks one event, whose sealed part was hashed already or is now. An
// error means that it could not be checked.
func (s *shard) event(ctx context.Context, r eventstore.Recorded, hashed bool) error {
	s.rep.checked(CheckBytes, 1)
	s.rep.Types[r.Type]++
	if !hashed && sha256.Sum256(r.Sealed) != r.SealedHash {
		s.wrong(r, CheckBytes, "its sealed part does not fit the hash in its leaf")
	}
	st, err := s.state(ctx, r)
	if err != nil {
		return err
	}
	e, err := ledger.Decode(r)
	if err != nil {
		s.wrong(r, CheckBytes, err.Error())
		st.broken = true
		return nil
	}
	s.identity(e)
	if err := s.decide(ctx, st, e); err != nil {
		return err
	}
	switch f := e.Fact.(type) {
	case domain.PeopleFact:
		err = s.people(ctx, e, f)
	case domain.ChannelConfigured:
		err = s.configured(ctx, e, f)
	case domain.CorrectionApproved:
		s.issued(st, e, f)
	case domain.ReconciliationFact:
		err = s.aside(ctx, st, e, f)
	default:
	}
	if err != nil {
		return err
	}
	if err := s.books.post(e.Fact); err != nil {
		s.wrong(r, CheckBalances, err.Error())
	}
	if err := s.turnover.post(e.Fact); err != nil {
		s.wrong(r, CheckBalances, err.Error())
	}
	return s.sealed(ctx, st, e)
}

func (s *shard) wrong(r eventstore.Recorded, c Check, text string) {
	s.rep.add(Finding{Position: r.Position, Stream: r.Stream, Revision: r.Revision, Check: c, Text: text})
}

// state is the fold that r belongs behind, with r's revision taken.
func (s *shard) state(ctx context.Context, r eventstore.Recorded) (*state, error) {
	s.rep.checked(CheckSequence, 1)
	st, err := s.find(ctx, r)
	if err != nil {
		return nil, err
	}
	if st.next != r.Revision && !st.broken {
		if !s.walk.holed.Load() {
			s.wrong(r, CheckSequence, fmt.Sprintf("revision %d stands where %d belongs", r.Revision, st.next))
		}
		st.broken = true
	}
	st.next = r.Revision + 1
	return st, nil
}

func (s *shard) find(ctx context.Context, r eventstore.Recorded) (*state, error) {
	if st, ok := s.young[r.Stream]; ok {
		return st, nil
	}
	st, ok := s.old[r.Stream]
	if !ok {
		st = newState(r.Stream)
		if r.Revision == 0 {
			s.rep.Streams++
		} else if err := s.reload(ctx, st, r); err != nil {
			return nil, err
		}
	}
	s.keep(r.Stream, st)
	return st, nil
}

// keep remembers st. What was not met for a generation is forgotten, but for
// streams that owe something.
func (s *shard) keep(stream domain.Stream, st *state) {
	if len(s.young) >= s.walk.near {
		dropped := s.old
		s.old, s.young = s.young, make(map[domain.Stream]*state, s.walk.near)
		for name, debtor := range dropped {
			if _, met := s.old[name]; !met && len(debtor.owed) > 0 {
				s.young[name] = debtor
			}
		}
	}
	s.young[stream] = st
}

// reload folds what the stream holds before r. Those events were checked when
// they were met first, so what is wrong with them has been told.
func (s *shard) reload(ctx context.Context, st *state, r eventstore.Recorded) error {
	events, err := s.walk.deps.Log.ReadStream(ctx, r.Stream, eventstore.ReadOptions{Limit: int(r.Revision)})
	if err != nil {
		switch domain.KindOf(err) { //nolint:exhaustive // the others say that the log cannot be read now
		case domain.KindCorrupt:
			st.next, st.broken = r.Revision, true
			return nil
		case domain.KindNotFound:
			return nil
		}
		return err
	}
	for _, before := range events {
		e, err := ledger.Decode(before)
		if err != nil || before.Position >= r.Position {
			st.broken = true
			break
		}
		st.payment = st.payment.Apply(e.Fact)
		st.speak(e)
		if err := st.beside.apply(r.Stream, e.Fact); err != nil {
			st.broken = true
			break
		}
		st.next++
	}
	return nil
}

// collectDebts tells which decisions were kept without what they lead to.
func (s *shard) collectDebts() {
	for name, st := range s.old {
		if _, met := s.young[name]; !met {
			s.young[name] = st
		}
	}
	for _, st := range s.young {
		if len(st.owed) > 0 && !s.walk.holed.Load() {
			s.wrong(*st.owedBy, CheckDecisions, fmt.Sprintf("by the rules %s follows from it, but the stream ends without it",
				st.owed[0].FactType()))
		}
	}
}

// identity checks that the id follows from the content, and that the fact
// stands where its kind belongs.
func (s *shard) identity(e ledger.Entry) {
	s.rep.checked(CheckIdentity, 1)
	if want := domain.FactID(s.walk.deps.Ledger.ID(), e.Stream, e.Fact); e.ID != want {
		s.wrong(e.Recorded, CheckIdentity, fmt.Sprintf("its id is %s, its content gives %s", e.ID, want))
	}
	if want := home(e); want != e.Stream {
		s.wrong(e.Recorded, CheckIdentity, fmt.Sprintf("a %s of this content belongs into stream %s", e.Type, want))
	}
	if f, ok := e.Fact.(domain.PaymentNotified); ok {
		if actor, cause := recorder(f); e.Meta.Actor != actor || e.Meta.Cause != cause {
			s.wrong(e.Recorded, CheckIdentity, fmt.Sprintf("its meta names actor %q and cause %q, its content gives %q and %q",
				e.Meta.Actor, e.Meta.Cause, actor, cause))
		}
	}
	if f, ok := e.Fact.(domain.LedgerOpened); ok && f.Ledger != s.walk.deps.Ledger.ID() {
		s.wrong(e.Recorded, CheckIdentity, fmt.Sprintf("it opens ledger %s, this is %s", f.Ledger, s.walk.deps.Ledger.ID()))
	}
	if f, ok := e.Fact.(domain.ChannelConfigured); ok && f.Revision != e.Revision {
		s.wrong(e.Recorded, CheckIdentity, fmt.Sprintf("it says revision %d and stands at %d", f.Revision, e.Revision))
	}
}

// recorder is who records a notice, and on what occasion, as ledger does.
func recorder(f domain.PaymentNotified) (actor, cause string) {
	if f.Source == domain.SourceQuery {
		return "reconciler", f.Run
	}
	return "channel:" + string(f.Channel), f.Delivery.String()
}

// home is the stream that a fact belongs into, as far as the fact itself tells.
func home(e ledger.Entry) domain.Stream {
	switch f := e.Fact.(type) {
	case domain.LedgerOpened:
		return domain.LedgerStream
	case domain.ChannelConfigured:
		return domain.ChannelStream(f.Channel)
	case domain.PaymentPlaced:
		return domain.PaymentStream(f.Channel, f.OrderNo)
	case domain.PaymentNotified:
		return domain.HomeOf(f)
	case domain.PaymentHeld, domain.PaymentCredited, domain.PaymentParked, domain.PaymentAllocated, domain.PaymentClosed,
		domain.PaymentRefunded, domain.RefundFailed, domain.DisputeWithdrawn, domain.DisputeReinstated, domain.DisputeLost,
		domain.DiscrepancyFound, domain.CorrectionProposed, domain.CorrectionSeconded, domain.CorrectionApproved, domain.CorrectionRejected,
		domain.CorrectionIssued:
		if e.Stream.Category() != "payment" {
			return "payment-…"
		}
	case domain.ReconciliationCompared:
		return domain.ReconciliationStream(f.Channel, string(f.Day))
	case domain.BookFact:
		return besideHome(e, f)
	case domain.PeopleFact:
		return homeOfPeople(e, f)
	case domain.ReconciliationDiffered, domain.ReconciliationAsked:
		if e.Stream.Category() != "reconciliation" {
			return "reconciliation-…"
		}
	}
	return e.Stream
}
