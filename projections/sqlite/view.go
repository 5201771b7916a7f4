package sqlite

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// view is what this process knows of now: how far the rows are committed, and
// the current balances of accounts that were asked for.
//
// A kept answer holds for every position from the commit it was read at until a
// commit touches its account. Commits of this process forget exactly the
// accounts they touch, before the position moves on. Commits of another process
// are noticed by polling; then everything is forgotten, and only then the
// position moves on. So an answer is never older than the position given with
// it, and waiting for a position never meets an older answer.
type view struct {
	mu     sync.Mutex // one commit or poll at a time
	pos    atomic.Uint64
	seed   maphash.Seed
	shards [64]shard
	waitMu sync.Mutex
	moved  chan struct{} // closed when pos moves; nil while nobody waits
	wanted chan struct{} // has one element while somebody waits whom no commit served

	waiting atomic.Int32  // how many wait
	resting atomic.Bool   // looks for other processes' commits are rare
	asked   chan struct{} // has one element when they are to be frequent again
}

type shard struct {
	mu    sync.RWMutex
	kept  map[domain.AccountID]kept
	epoch uint64 // grows when something is forgotten
	room  int
}

// kept is an answer and the position of the commit it was read at.
type kept struct {
	balances []projections.Balance
	since    eventstore.Position
}

func newView(accounts int) *view {
	v := &view{seed: maphash.MakeSeed(), wanted: make(chan struct{}, 1), asked: make(chan struct{}, 1)}
	for i := range v.shards {
		v.shards[i].kept = make(map[domain.AccountID]kept)
		v.shards[i].room = max(1, accounts/len(v.shards))
	}
	return v
}

func (v *view) position() eventstore.Position { return eventstore.Position(v.pos.Load()) }

func (v *view) shard(a domain.AccountID) *shard {
	return &v.shards[maphash.String(v.seed, string(a))%uint64(len(v.shards))]
}

// get is the kept answer of an account and the position it holds for. The
// position is read first: an answer that changes in between is newer, never
// older.
func (v *view) get(a domain.AccountID) (k kept, at eventstore.Position, epoch uint64, ok bool) {
	at = v.position()
	s := v.shard(a)
	s.mu.RLock()
	k, ok = s.kept[a]
	epoch = s.epoch
	s.mu.RUnlock()
	return k, max(at, k.since), epoch, ok
}

// keep remembers an answer that was read after get told epoch, unless something
// was forgotten since.
func (v *view) keep(a domain.AccountID, k kept, epoch uint64) {
	s := v.shard(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch {
		return
	}
	if len(s.kept) >= s.room {
		for victim := range s.kept { // any one: the map's order is random enough
			delete(s.kept, victim)
			break
		}
	}
	s.kept[a] = k
}

// committed notes a commit of this process. The caller holds mu.
func (v *view) committed(c projections.Changes) {
	if v.position() != c.From.Position {
		v.moveTo(c.To.Position)
		return
	}
	for _, l := range c.Ledgers {
		if l.Wallet != "" {
			v.forget(l.Wallet)
		}
	}
	v.advance(c.To.Position)
}

func (v *view) forget(a domain.AccountID) {
	s := v.shard(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	delete(s.kept, a)
}

// moveTo forgets everything and takes p as the position. The caller holds mu.
func (v *view) moveTo(p eventstore.Position) {
	for i := range v.shards {
		s := &v.shards[i]
		s.mu.Lock()
		s.epoch++
		if len(s.kept) > 0 { // a new map: clearing costs by the room of the old one
			s.kept = make(map[domain.AccountID]kept)
		}
		s.mu.Unlock()
	}
	v.advance(p)
}

func (v *view) advance(p eventstore.Position) {
	v.pos.Store(uint64(p))
	v.waitMu.Lock()
	defer v.waitMu.Unlock()
	if v.moved != nil {
		close(v.moved)
		v.moved = nil
	}
}

// wait returns when the position has reached p or ctx ends.
func (v *view) wait(ctx context.Context, p eventstore.Position) error {
	v.waiting.Add(1)
	defer v.waiting.Add(-1)
	v.hasten()
	for v.position() < p {
		moved := v.next()
		if v.position() >= p {
			return nil
		}
		select {
		case v.wanted <- struct{}{}:
		default:
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// hasten ends a rest between two looks.
func (v *view) hasten() {
	if !v.resting.Load() || !v.resting.Swap(false) { // mostly no write to what all appends share
		return
	}
	select {
	case v.asked <- struct{}{}:
	default:
	}
}

// next is closed at the next move of the position.
func (v *view) next() <-chan struct{} {
	v.waitMu.Lock()
	defer v.waitMu.Unlock()
	if v.moved == nil {
		v.moved = make(chan struct{})
	}
	return v.moved
}
