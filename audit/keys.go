package audit

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// keysKept is how many data keys stay at hand in each of two generations.
const keysKept = 8 << 10

// Remembered are data keys with those asked for last at hand: the events of a
// payment stand close together in the log, and each sealed one needs the key.
// Erased keys are forgotten with it, so use it for one check only.
type Remembered struct {
	ledger.Keys
	mu         sync.Mutex
	young, old map[domain.Stream]kept
}

// kept is what a read of many keys said of one.
type kept struct {
	key  domain.DataKey
	gone bool
}

// errKeyGone is one for all: a log whose evidence was erased has millions.
var errKeyGone = domain.E(domain.KindNotFound, "the data key was destroyed")

// gone tells whether a read of many keys has missed that of s.
func (r *Remembered) gone(s domain.Stream) bool {
	k, ok := r.find(s)
	return ok && k.gone
}

// manyKeys is what reads keys together, as the operations store does.
type manyKeys interface {
	DataKeys(ctx context.Context, streams []domain.Stream) (map[domain.Stream]domain.DataKey, error)
}

// Remember is keys, with those asked for last at hand.
func Remember(keys ledger.Keys) *Remembered {
	return &Remembered{Keys: keys, young: map[domain.Stream]kept{}}
}

// DataKey implements ledger.Keys.
func (r *Remembered) DataKey(ctx context.Context, s domain.Stream) (domain.DataKey, error) {
	if k, ok := r.find(s); ok && !k.gone {
		return k.key, nil
	} else if ok {
		return domain.DataKey{}, errKeyGone
	}
	k, err := r.Keys.DataKey(ctx, s)
	if err == nil {
		r.keep(s, kept{key: k})
	}
	return k, err
}

func (r *Remembered) find(s domain.Stream) (kept, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.young[s]
	if !ok {
		k, ok = r.old[s]
	}
	return k, ok
}

func (r *Remembered) keep(s domain.Stream, k kept) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= keysKept {
		r.old, r.young = r.young, make(map[domain.Stream]kept, keysKept)
	}
	r.young[s] = k
}

// fetch reads the keys of all sealed events together, those that are not at
// hand. What it does not find is gone: a key is older than what it seals.
func (r *Remembered) fetch(ctx context.Context, events iter.Seq[*eventstore.Recorded]) error {
	many, ok := r.Keys.(manyKeys)
	if !ok {
		return nil // one by one, then
	}
	var ask []domain.Stream
	asked := map[domain.Stream]bool{}
	for e := range events {
		s := e.Stream
		if len(e.Sealed) == 0 || asked[s] {
			continue
		}
		asked[s] = true
		if _, ok := r.find(s); !ok {
			ask = append(ask, s)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	found, err := many.DataKeys(ctx, ask)
	if err != nil {
		return fmt.Errorf("read %d data keys: %w", len(ask), err)
	}
	for _, s := range ask {
		key, ok := found[s]
		r.keep(s, kept{key, !ok})
	}
	return nil
}

// DestroyDataKey destroys a key and forgets it here, too.
func (r *Remembered) DestroyDataKey(ctx context.Context, s domain.Stream) error {
	keys, ok := r.Keys.(interface {
		DestroyDataKey(ctx context.Context, stream domain.Stream) error
	})
	if !ok {
		return domain.E(domain.KindDenied, "these keys are read only")
	}
	if err := keys.DestroyDataKey(ctx, s); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.young, s)
	delete(r.old, s)
	return nil
}
