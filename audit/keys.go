package audit

import (
	"context"
	"sync"

	"counterfoil/domain"
	"counterfoil/ledger"
)

// keysKept is how many data keys stay at hand in each of two generations.
const keysKept = 8 << 10

// Remember is keys, with those asked for last at hand: the events of a payment
// stand close together in the log, and each sealed one needs the key. Erased
// keys are forgotten with it, so use it for one check only.
func Remember(keys ledger.Keys) ledger.Keys {
	return &remembered{Keys: keys, young: map[domain.Stream]domain.DataKey{}}
}

type remembered struct {
	ledger.Keys
	mu         sync.Mutex
	young, old map[domain.Stream]domain.DataKey
}

// DataKey implements ledger.Keys.
func (r *remembered) DataKey(ctx context.Context, s domain.Stream) (domain.DataKey, error) {
	if k, ok := r.find(s); ok {
		return k, nil
	}
	k, err := r.Keys.DataKey(ctx, s)
	if err == nil {
		r.keep(s, k)
	}
	return k, err
}

func (r *remembered) find(s domain.Stream) (domain.DataKey, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.young[s]
	if !ok {
		k, ok = r.old[s]
	}
	return k, ok
}

func (r *remembered) keep(s domain.Stream, k domain.DataKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= keysKept {
		r.old, r.young = r.young, make(map[domain.Stream]domain.DataKey, keysKept)
	}
	r.young[s] = k
}
