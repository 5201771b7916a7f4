package ledger

import (
	"container/list"
	"context"
	"sync"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// folded is a payment as this process last saw it. It may be behind another
// process's appends: an append on it then conflicts and reloads. What it has
// decided stays decided, so a repeat may be answered from it.
type folded struct {
	payment  domain.Payment
	expected eventstore.Expected // last revision folded
	repeats  int                 // equal deliveries answered without an event since the last one
	key      *domain.DataKey     // the stream's, once it was used here; nil before
}

// apply folds f. An erasure ends the key at hand.
func (f *folded) apply(fact domain.Fact) {
	f.payment = f.payment.Apply(fact)
	if _, ok := fact.(domain.EvidenceErased); ok {
		f.key = nil
	}
}

// cache keeps the most recently used folds.
type cache struct {
	mu    sync.Mutex
	limit int
	order *list.List // of *slot, newest first
	slots map[domain.Stream]*list.Element
}

type slot struct {
	stream domain.Stream
	fold   folded
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), slots: map[domain.Stream]*list.Element{}}
}

func (c *cache) get(s domain.Stream) (folded, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.slots[s]
	if !ok {
		return folded{}, false
	}
	c.order.MoveToFront(el)
	return slotOf(el).fold, true
}

func (c *cache) put(s domain.Stream, f folded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.slots[s]; ok {
		slotOf(el).fold = f
		c.order.MoveToFront(el)
		return
	}
	c.slots[s] = c.order.PushFront(&slot{s, f})
	if c.order.Len() > c.limit {
		old := c.order.Back()
		delete(c.slots, slotOf(old).stream)
		c.order.Remove(old)
	}
}

func (c *cache) drop(s domain.Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.slots[s]; ok {
		c.order.Remove(el)
		delete(c.slots, s)
	}
}

func slotOf(el *list.Element) *slot {
	s, _ := el.Value.(*slot)
	return s
}

// turns serialises work per stream inside this process, so that conflicts come
// only from other processes.
type turns struct {
	mu    sync.Mutex
	queue map[domain.Stream]*turn
}

type turn struct {
	held    chan struct{} // holds one token while somebody works
	waiting int
}

// take waits for the stream's turn. done gives it back.
func (t *turns) take(ctx context.Context, s domain.Stream) (done func(), err error) {
	t.mu.Lock()
	u := t.queue[s]
	if u == nil {
		u = &turn{held: make(chan struct{}, 1)}
		t.queue[s] = u
	}
	u.waiting++
	t.mu.Unlock()
	select {
	case u.held <- struct{}{}:
		return func() { <-u.held; t.leave(s, u) }, nil
	case <-ctx.Done():
		t.leave(s, u)
		return nil, domain.E(domain.KindUnavailable, "wait for %s: %w", s, ctx.Err())
	}
}

func (t *turns) leave(s domain.Stream, u *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u.waiting--; u.waiting == 0 {
		delete(t.queue, s)
	}
}
