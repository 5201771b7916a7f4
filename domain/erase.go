package domain

import (
	"strconv"
	"time"
)

// MinRetention is how long a live store keeps evidence at least.
const MinRetention = 10 * 365 * 24 * time.Hour

// Erasable says why the evidence of a payment may not be erased now, nil where
// it may: last is when its last event was recorded. A payment whose money is not
// settled, or of which something is still undecided, is KindConflict; within the
// retention period it is KindDenied.
func (p Payment) Erasable(now, last time.Time, retention time.Duration) error {
	switch s := p.State(); s {
	case StatePlaced, StateHeld, StateParked, StateDisputed:
		return E(KindConflict, "the payment is %s: its evidence is still needed", s)
	case StateNoticed, StateCredited, StateExpired, StateClosed, StateCancelled, StateRefunded, StateReversed:
	}
	if len(p.Waiting()) > 0 || len(p.WaitingRefunds()) > 0 || len(p.WaitingDisputes()) > 0 || len(p.pending) > 0 {
		return E(KindConflict, "the payment waits for the provider's answer: its evidence is still needed")
	}
	for _, q := range p.Proposals {
		if q.State == ProposalOpen {
			return E(KindConflict, "the correction %s of the payment is not decided: its evidence is still needed", q.ID())
		}
	}
	if until := last.Add(retention); until.After(now) {
		return E(KindDenied, "evidence of this payment is kept until %s", until.UTC().Format(time.RFC3339))
	}
	return nil
}

// KeyStream names the data key of a stream after so many erasures: each erasure
// destroys one, and what comes later has the next. No stream has a blank in its
// name.
func KeyStream(s Stream, generation int) Stream {
	if generation == 0 {
		return s
	}
	return s + " " + Stream(strconv.Itoa(generation))
}
