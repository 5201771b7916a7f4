package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Erasure is what a person asks for.
type Erasure struct {
	Person    string
	Reason    string
	Retention time.Duration // how long evidence is kept after a payment's last event
	// Check verifies opened evidence once more: why is what keeps it from being
	// verified where no key fits; an error says that it is wrong.
	Check func(ctx context.Context, f domain.PaymentNotified, e domain.Evidence) (why string, err error)
	// Dry only says what would happen.
	Dry bool
}

// destroyer destroys data keys; see operations.DataKeys.
type destroyer interface {
	DestroyDataKey(ctx context.Context, stream domain.Stream) error
}

// Erase verifies the sealed parts of a payment once more, records that they are
// erased, and then destroys their key: bytes, hashes and amounts stay. A process
// that is killed between the two leaves the key to FinishErasure. Evidence that
// does not verify is KindCorrupt and stays: it is what people must look at.
// Without anything sealed nothing is recorded, and the fact is nil.
func (l *Ledger) Erase(ctx context.Context, ch domain.ChannelID, orderNo, tradeNo string, q Erasure, by By) (*domain.EvidenceErased, error) {
	if err := checkErasure(q); err != nil {
		return nil, err
	}
	if q.Retention < domain.MinRetention && l.mode == domain.ModeLive {
		return nil, domain.EField(domain.KindInvalid, "retention", "%s: a live store keeps evidence for %s at least", q.Retention, domain.MinRetention)
	}
	keys, ok := l.keys.(destroyer)
	if !ok {
		return nil, domain.E(domain.KindInternal, "the key store destroys no keys")
	}
	s := domain.PaymentStreamRaw(ch, orderNo)
	if orderNo == "" {
		s = domain.TradeStream(ch, domain.TradeNo(tradeNo))
	}
	var erased *domain.EvidenceErased
	_, err := l.change(ctx, work{channel: ch, stream: s, by: by, decide: func(
		ctx context.Context, f folded, c domain.Context,
	) (v domain.Verdict, plain []byte, err error) {
		erased, err = l.erasure(ctx, s, f, c, q)
		if err == nil && erased != nil && !q.Dry {
			v.Facts = []domain.Fact{*erased}
		}
		return v, nil, err
	}})
	if err != nil || erased == nil || q.Dry {
		return erased, err
	}
	if err := keys.DestroyDataKey(context.WithoutCancel(ctx), domain.KeyStream(s, erased.Generation)); err != nil {
		return erased, fmt.Errorf("the erasure of %s is recorded, and its key not destroyed yet: %w", s, err)
	}
	return erased, nil
}

func checkErasure(q Erasure) error {
	if err := domain.CheckPerson(q.Person); err != nil {
		return err
	}
	if q.Reason == "" {
		return domain.EField(domain.KindInvalid, "reason", "an erasure needs its reason")
	}
	return domain.CheckWords("reason", q.Reason)
}

// erasure is the fact that follows for a payment, nil where nothing is sealed.
func (l *Ledger) erasure(ctx context.Context, s domain.Stream, f folded, c domain.Context, q Erasure) (*domain.EvidenceErased, error) {
	view, err := l.read(ctx, s, true)
	if err != nil {
		return nil, err
	}
	last := view.Events[len(view.Events)-1]
	if eventstore.Expected(last.Revision) != f.expected {
		return nil, fmt.Errorf("%w: %w", errStore, domain.E(domain.KindConflict, "%s grew", s)) // read again
	}
	from := uint64(0)
	for _, e := range view.Events {
		if before, ok := e.Fact.(domain.EvidenceErased); ok {
			from = before.Through + 1
		}
	}
	latest := lastRecorded(view.Events)
	if err := view.Payment.Erasable(c.Now, latest, q.Retention); err != nil {
		return nil, err
	}
	out := &domain.EvidenceErased{
		Generation: view.Payment.Erasures, Through: view.Revision(), RetainedUntil: domain.Instant(latest.Add(q.Retention)),
		By: q.Person, Reason: q.Reason,
	}
	for _, e := range view.Events[from:] {
		if len(e.Sealed) == 0 {
			continue
		}
		part, err := l.part(ctx, e, q)
		if err != nil {
			return nil, fmt.Errorf("revision %d of %s is not erased: %w", e.Revision, s, err)
		}
		out.Parts = append(out.Parts, part)
	}
	if len(out.Parts) == 0 {
		return nil, nil //nolint:nilnil // nothing is sealed, and that is no error
	}
	return out, nil
}

// lastRecorded is when the last event was recorded that is no erasure.
func lastRecorded(events []Entry) (at time.Time) {
	for _, e := range events {
		if _, ok := e.Fact.(domain.EvidenceErased); !ok {
			at = e.Meta.RecordedAt
		}
	}
	return at
}

// part verifies one sealed part for the last time.
func (l *Ledger) part(ctx context.Context, e Entry, q Erasure) (domain.ErasedPart, error) {
	out := domain.ErasedPart{
		Revision: e.Revision, Event: e.ID, Sealed: hex.EncodeToString(e.SealedHash[:]), Verdict: domain.PartPersonal,
	}
	plain, err := l.Open(ctx, e.Recorded)
	if err != nil {
		return out, err
	}
	f, ok := e.Fact.(domain.PaymentNotified)
	if !ok {
		return out, nil
	}
	out.SHA256, out.Grade, out.Verdict = f.Evidence.SHA256, f.Evidence.Grade, domain.PartVerified
	sum := sha256.Sum256(plain)
	if got := hex.EncodeToString(sum[:]); got != f.Evidence.SHA256 || len(plain) != f.Evidence.Size {
		return out, domain.E(domain.KindCorrupt, "its evidence has SHA-256 %s, the event says %s", got, f.Evidence.SHA256)
	}
	kept, err := domain.DecodeEvidence(plain)
	if err != nil {
		return out, err
	}
	if out.Why, err = q.Check(ctx, f, kept); err != nil {
		return out, err
	}
	if out.Why != "" {
		out.Verdict = domain.PartUnverifiable
	}
	return out, nil
}

// FinishErasure destroys the key that an erasure on record says is destroyed: a
// process was killed between the two, or the keys came back from a backup.
// Nothing happens where it is gone.
func (l *Ledger) FinishErasure(ctx context.Context, s domain.Stream, f domain.EvidenceErased) error {
	keys, ok := l.keys.(destroyer)
	if !ok {
		return domain.E(domain.KindInternal, "the key store destroys no keys")
	}
	if err := keys.DestroyDataKey(ctx, domain.KeyStream(s, f.Generation)); err != nil {
		return fmt.Errorf("destroy the key of %s: %w", s, err)
	}
	return nil
}

// Erased reports whether the sealed part of an event was erased by a fact behind
// it, and which of the stream's keys seals it otherwise.
func (l *Ledger) Erased(ctx context.Context, r eventstore.Recorded) (erased bool, generation int, err error) {
	if c := r.Stream.Category(); c != "payment" {
		return false, 0, nil
	}
	events, err := l.store.ReadStream(ctx, r.Stream, eventstore.ReadOptions{})
	if err != nil {
		return false, 0, fmt.Errorf("read %s: %w", r.Stream, err)
	}
	all, err := Erasures(events)
	if err != nil {
		return false, 0, err
	}
	for _, f := range all {
		if f.Through >= r.Revision {
			return true, f.Generation, nil
		}
	}
	return false, len(all), nil
}

// Erasures are those among a stream's events, in their order.
func Erasures(events []eventstore.Recorded) (all []domain.EvidenceErased, err error) {
	for _, r := range events {
		if r.Type != domain.TypeEvidenceErased {
			continue
		}
		e, err := Decode(r)
		if err != nil {
			return nil, err
		}
		if f, ok := e.Fact.(domain.EvidenceErased); ok {
			all = append(all, f)
		}
	}
	return all, nil
}
