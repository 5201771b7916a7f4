package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/providers"
)

// stamp is how instants are shown in findings.
const stamp = "2006-01-02T15:04:05.999999Z"

// sealed checks the sealed part of e, where its kind has one.
func (s *shard) sealed(ctx context.Context, st *state, e ledger.Entry) error {
	switch f := e.Fact.(type) {
	case domain.PaymentNotified:
		return s.evidence(ctx, st, e, f)
	case domain.PaymentPlaced, domain.PersonActed:
		return s.personal(ctx, st, e)
	case domain.LedgerOpened, domain.ChannelConfigured, domain.PaymentHeld, domain.PaymentCredited, domain.PaymentParked,
		domain.PaymentAllocated, domain.PaymentClosed, domain.DiscrepancyFound, domain.CorrectionIssued,
		domain.CorrectionProposed, domain.CorrectionSeconded, domain.CorrectionApproved, domain.CorrectionRejected,
		domain.PaymentRefunded, domain.RefundFailed, domain.DisputeWithdrawn, domain.DisputeReinstated, domain.DisputeLost,
		domain.PeopleFact, domain.ReconciliationFact, domain.BookFact:
		if len(e.Sealed) > 0 {
			s.wrong(e.Recorded, CheckEvidence, "a "+e.Type+" has no sealed part, but one stands here")
		}
	}
	return nil
}

// evidence opens what a notice rests on, verifies it again and compares what it
// says with what was kept.
func (s *shard) evidence(ctx context.Context, st *state, e ledger.Entry, f domain.PaymentNotified) error {
	s.rep.checked(CheckEvidence, 1)
	s.rep.Evidence.Kept++
	if len(e.Sealed) == 0 {
		s.brokenEvidence(e, "the notice is kept without its evidence")
		return nil
	}
	plain, err := s.walk.deps.unseal(ctx, e.Recorded)
	switch {
	case err == nil:
	case domain.KindOf(err) == domain.KindNotFound:
		var lost bool
		if plain, lost, err = s.missing(ctx, st, e); err != nil {
			return err
		}
		if lost {
			s.brokenEvidence(e, lostKey)
			return nil
		}
		if plain == nil {
			s.rep.Evidence.Erased++
			return nil
		}
	case domain.KindOf(err) == domain.KindCorrupt:
		s.brokenEvidence(e, err.Error())
		return nil
	default:
		return err
	}
	problem, why, err := s.reverify(ctx, st, e, f, plain)
	switch {
	case err != nil:
		return err
	case problem != "":
		s.brokenEvidence(e, problem)
	case why != "":
		s.rep.Evidence.unproven(f, why, s.walk.deps.Stranger)
	default:
		s.rep.Evidence.Verified++
	}
	return nil
}

// whyEncrypted is why a signature can be checked, and not what it says.
const whyEncrypted = "its signature holds over what is encrypted"

// unproven counts evidence that could not be verified: by its class for
// strangers, else by channel and reason.
func (e *Evidence) unproven(f domain.PaymentNotified, why string, stranger bool) {
	switch {
	case why == whyEncrypted:
		e.Untied++
	case stranger && f.Evidence.Grade == domain.GradeB:
		e.Shared++
	case stranger && f.Evidence.Grade == domain.GradeC:
		e.Unsigned++
	default:
		e.Unverifiable[string(f.Channel)+": "+why]++
	}
}

func (s *shard) brokenEvidence(e ledger.Entry, text string) {
	s.rep.Evidence.Broken++
	s.wrong(e.Recorded, CheckEvidence, text)
}

// reverify says what is wrong with opened evidence, or why nothing can be said
// of it.
func (s *shard) reverify(
	ctx context.Context, st *state, e ledger.Entry, f domain.PaymentNotified, plain []byte,
) (problem, why string, err error) {
	sum := sha256.Sum256(plain)
	if got := hex.EncodeToString(sum[:]); got != f.Evidence.SHA256 || len(plain) != f.Evidence.Size {
		return fmt.Sprintf("its evidence has SHA-256 %s and %d bytes, the event says %s and %d",
			got, len(plain), f.Evidence.SHA256, f.Evidence.Size), "", nil
	}
	kept, err := domain.DecodeEvidence(plain)
	if err != nil {
		return err.Error(), "", nil
	}
	if kept.Grade != f.Evidence.Grade || kept.Scheme != f.Evidence.Scheme || kept.Key != f.Evidence.Key {
		return fmt.Sprintf("its evidence is %s of grade %s by key %q, the event says %s, %s, %q",
			kept.Scheme, kept.Grade, kept.Key, f.Evidence.Scheme, f.Evidence.Grade, f.Evidence.Key), "", nil
	}
	if at := domain.Instant(kept.At); !at.Equal(f.ReceivedAt) {
		return fmt.Sprintf("its evidence was complete at %s, the event says %s", at.Format(stamp), f.ReceivedAt.Format(stamp)), "", nil
	}
	if problem, err := s.knownKey(ctx, e, f); problem != "" || err != nil {
		return problem, "", err
	}
	ch, ok := s.walk.deps.Channels[f.Channel]
	if !ok {
		return "", "the channel is not configured", nil
	}
	notices, err := ch.Reverify(kept)
	switch {
	case err != nil && domain.KindOf(err) == domain.KindNotFound:
		return "", "the channel has another key now", nil
	case err != nil && domain.KindOf(err) == domain.KindDenied:
		return "", whyEncrypted, nil
	case err != nil:
		return "its evidence does not verify: " + err.Error(), "", nil
	}
	was := f.Notice()
	if !slices.ContainsFunc(notices, func(n domain.Notice) bool { return says(named(n, notices), was, st) }) {
		return said(notices, was), "", nil
	}
	return "", "", nil
}

// named is n with its order, where it names none and another notice of the same
// evidence does for the same trade.
func named(n domain.Notice, all []domain.Notice) domain.Notice {
	for _, m := range all {
		if n.OrderNo == "" && m.TradeNo == n.TradeNo {
			n.OrderNo = m.OrderNo
		}
	}
	return n
}

// says reports whether evidence that says n bears out what was kept. One that
// names no order belongs to the payment that knew its trade number before.
func says(n, was domain.Notice, st *state) bool {
	if n.OrderNo == "" && was.OrderNo != "" {
		if !st.knew && !st.broken {
			return false
		}
		n.OrderNo = was.OrderNo
	}
	return providers.SameContent(n, was)
}

// knownKey checks that the key which verified the notice was one of the
// channel's when it was decided.
func (s *shard) knownKey(ctx context.Context, e ledger.Entry, f domain.PaymentNotified) (string, error) {
	if f.Evidence.Key == "" {
		return "", nil
	}
	c, why, err := s.context(ctx, e, f.Channel, f.Decision.Config)
	if why != "" || err != nil {
		return "", err // why is told by the decision's check
	}
	for _, k := range c.Channel.PublicKeys {
		if k.Fingerprint == f.Evidence.Key {
			return "", nil
		}
	}
	for _, k := range c.Channel.Secrets {
		if k.Fingerprint == f.Evidence.Key {
			return "", nil
		}
	}
	return fmt.Sprintf("it was verified by key %s, which revision %d of the channel's settings does not have",
		f.Evidence.Key, f.Decision.Config), nil
}

// said puts a difference between evidence and event into words.
func said(notices []domain.Notice, was domain.Notice) string {
	event := sentence(was)
	for _, n := range notices {
		if n.Index == was.Index {
			return fmt.Sprintf("its evidence says %s, the event says %s", sentence(n), event)
		}
	}
	return "its evidence holds no such notice, the event says " + event
}

func sentence(n domain.Notice) string {
	return fmt.Sprintf("order %q, trade %q, %s %s (%s), doubts %v, time %s",
		n.OrderNo, n.TradeNo, n.Status, n.Amount, n.ProviderStatus, n.Doubts, n.OccurredAt.UTC().Format(stamp))
}

// personal opens the personal fields of a placing.
func (s *shard) personal(ctx context.Context, st *state, e ledger.Entry) error {
	if len(e.Sealed) == 0 {
		return nil
	}
	s.rep.Evidence.Personal.Kept++
	_, err := s.walk.deps.unseal(ctx, e.Recorded)
	switch {
	case err == nil:
		s.rep.Evidence.Personal.Opened++
	case domain.KindOf(err) == domain.KindNotFound:
		plain, lost, err := s.missing(ctx, st, e)
		switch {
		case err != nil:
			return err
		case lost:
			s.wrong(e.Recorded, CheckEvidence, lostKey)
		case plain == nil:
			s.rep.Evidence.Personal.Erased++
		default:
			s.rep.Evidence.Personal.Opened++
		}
	case domain.KindOf(err) == domain.KindCorrupt:
		s.wrong(e.Recorded, CheckEvidence, err.Error())
	default:
		return err
	}
	return nil
}
