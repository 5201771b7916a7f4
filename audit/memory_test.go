package audit_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/providers"
)

// passing is a log that is made while it is read and kept nowhere: the ledger
// writes a paid order, the reader gets its three events, and the next order
// takes their place.
type passing struct {
	w      *world
	orders int
	mu     sync.Mutex
	kept   map[domain.Stream][]eventstore.Recorded // what is read again: the ledger's, the channels', the order at hand
	last   eventstore.Position
	fresh  []eventstore.Recorded
}

// oneKey seals everything.
type oneKey struct{}

func (oneKey) EnsureDataKey(context.Context, domain.Stream) (domain.DataKey, error) {
	return domain.DataKey{1}, nil
}

func (oneKey) DataKey(context.Context, domain.Stream) (domain.DataKey, error) {
	return domain.DataKey{1}, nil
}

func newPassing(t *testing.T, orders int) *passing {
	t.Helper()
	p := &passing{orders: orders, kept: map[domain.Stream][]eventstore.Recorded{}}
	p.w = &world{
		t: t, gateway: &httptest.Server{URL: "http://127.0.0.1:1"}, now: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC),
		channels: map[domain.ChannelID]providers.Channel{},
	}
	cfg := ledger.Config{Software: "test/1", Clock: p.w.clock, Cache: 16}
	must(t, ledger.Init(t.Context(), p, domain.ID{1, 2, 3}, domain.ModeTest, cfg))
	var err error
	p.w.ledger, err = ledger.Open(t.Context(), p, oneKey{}, cfg)
	must(t, err)
	ch := p.w.channel(trusting, sharedKey, domain.ConfirmNever)
	p.w.channels[trusting] = ch
	settings := ch.Config()
	settings.Test = true
	must(t, p.w.ledger.Configure(t.Context(), settings, ledger.By{Actor: "system", Cause: "config"}))
	return p
}

func (p *passing) Append(_ context.Context, stream domain.Stream, expected eventstore.Expected, events []eventstore.Event) (at eventstore.Appended, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range events {
		p.last++
		at = eventstore.Appended{Revision: uint64(int(expected) + 1 + i), Position: p.last}
		r := eventstore.Recorded{
			Stream: stream, Revision: at.Revision, Position: p.last, Event: e, SealedHash: sha256.Sum256(e.Sealed),
		}
		p.fresh = append(p.fresh, r)
		p.kept[stream] = append(p.kept[stream], r)
	}
	return at, nil
}

func (p *passing) ReadStream(_ context.Context, stream domain.Stream, o eventstore.ReadOptions) ([]eventstore.Recorded, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if events := p.kept[stream]; len(events) > 0 {
		return events[o.From:], nil
	}
	return nil, domain.E(domain.KindNotFound, "%s has no events", stream)
}

// Head is the position that the last order's last event will have.
func (p *passing) Head(context.Context) (eventstore.Position, error) {
	return p.last + eventstore.Position(3*p.orders), nil
}

// Follow writes the log from its first event; it can be read once.
func (p *passing) Follow(ctx context.Context, _ eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	return func(yield func(eventstore.Batch, error) bool) {
		for i := 0; i < p.orders && ctx.Err() == nil; {
			for ; i < p.orders && len(p.fresh)+3 <= o.Batch; i++ {
				must(p.w.t, p.order(ctx, i))
			}
			b := eventstore.Batch{Events: p.fresh, Position: p.last, CaughtUp: i == p.orders}
			p.fresh = make([]eventstore.Recorded, 0, o.Batch)
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (p *passing) order(ctx context.Context, i int) error {
	number := fmt.Sprintf("S%07d", i)
	if err := p.w.order(trusting, number, i); err != nil {
		return err
	}
	read := p.w.read(trusting, number, "2026112200000"+number, "7.30")
	_, err := p.w.ledger.Notify(ctx, read.Notices[0], read.Evidence, p.w.channels[trusting].Reply)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.kept, domain.PaymentStream(trusting, domain.OrderNo(number)))
	return err
}

// peak is the most memory in use while a log of so many paid orders is
// verified, garbage not counted.
func peak(t *testing.T, orders int) (most uint64) {
	t.Helper()
	const every = 5 // batches
	log, batches := newPassing(t, orders), 0
	rep, err := audit.VerifyNear(t.Context(), audit.Deps{Log: log, Ledger: log.w.ledger, Channels: log.w.channels}, func(audit.Progress) {
		if batches++; batches%every == 0 {
			most = max(most, inUse())
		}
	}, 64)
	must(t, err)
	if events := int64(2 + 3*orders); !rep.OK() || rep.Events != events || rep.Evidence.Verified != int64(orders) {
		t.Fatalf("%d events, %d with evidence: %v", rep.Events, rep.Evidence.Verified, rep.Findings)
	}
	return most
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A check of a log ten times as long takes no more memory. It runs alone: the
// heap is the whole process's.
func TestMemoryDoesNotGrowWithTheLog(t *testing.T) {
	const some, most = 2_000, 20_000 // paid orders
	const way = 16 << 20             // what is on the way from reader to workers differs: ten pages at most
	short := peak(t, some)
	long := peak(t, most)
	t.Logf("in use: %d KB at %d events, %d KB at %d", short>>10, 3*some, long>>10, 3*most)
	if long > short+way {
		t.Errorf("%d KB in use at %d events, %d KB at %d: it grows with the log", short>>10, 3*some, long>>10, 3*most)
	}
}
