// Package ledger is the one way into the books: it loads a payment's stream,
// folds it, asks domain which facts follow, and appends them with their
// evidence at the expected revision. When a call returns, what it reports is
// durable.
//
// Work is serialised per stream inside a process; between processes the
// expected revision decides, and a conflict reloads, a bounded number of
// times. KindConflict of the store never leaves this package.
package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Keys gives each stream its data key; see operations.DataKeys.
type Keys interface {
	EnsureDataKey(ctx context.Context, stream domain.Stream) (domain.DataKey, error)
	DataKey(ctx context.Context, stream domain.Stream) (domain.DataKey, error)
}

// Store is what ledger needs of an event store.
type Store interface {
	eventstore.Appender
	eventstore.Reader
}

// Orders finds the payment of a notice that names no order, as a provider's
// refunds and disputes may: by the trade number whose money it moved. It may be
// behind the log.
type Orders interface {
	// OrderOf is the order number, empty for money without an order; KindNotFound
	// while no payment is known.
	OrderOf(ctx context.Context, ch domain.ChannelID, tradeNo string) (orderNo string, err error)
}

// Config shapes a Ledger.
type Config struct {
	Software string           // name and version written into every envelope; required
	Clock    func() time.Time // required
	Process  string           // who is configured, for facts about settings, e.g. "api, user pay"; empty: the actor
	Orders   Orders           // nil knows none: notices without an order wait for the provider's answer
	Zone     *time.Location   // IANA zone of the days of draws, which belong to no channel; nil: none are taken
	Cache    int              // folds kept in memory; 0 means 65,536
	Timeout  time.Duration    // of one change, whatever the caller's context does; 0 means 3.5 s
}

// Ledger is the door to one store's books. It is safe for concurrent use.
type Ledger struct {
	store    Store
	keys     Keys
	cfg      Config
	id       domain.ID
	mode     domain.Mode
	cache    *cache
	turns    turns
	acts     acts
	last     time.Time // latest recorded_at given out
	clockMu  sync.Mutex
	setMu    sync.RWMutex
	channels map[domain.ChannelID]channel
	periods  periods
}

// channel is a channel's settings in force.
type channel struct {
	config   domain.ChannelConfigured
	revision uint64
	zone     *time.Location

	wanted domain.ChannelConfigured // what it was configured with
	by     By
	waits  domain.PolicyProposal // what of that is not in force; none while all is
}

// maxConflicts bounds how often a change is decided again after another
// process was faster. Each conflict means that somebody else got on.
const maxConflicts = 32

// Init writes the first event of an empty log: the ledger's id and mode. An
// opened log is KindConflict.
func Init(ctx context.Context, store Store, id domain.ID, mode domain.Mode, cfg Config) error {
	if mode != domain.ModeLive && mode != domain.ModeTest {
		return domain.EField(domain.KindInvalid, "mode", "%q is neither live nor test", mode)
	}
	meta := domain.Meta{RecordedAt: domain.Instant(cfg.Clock()), Actor: "system", Cause: "init", Software: cfg.Software}
	e, err := event(id, domain.LedgerStream, domain.LedgerOpened{Ledger: id, Mode: mode}, meta)
	if err != nil {
		return err
	}
	_, err = store.Append(ctx, domain.LedgerStream, eventstore.NoStream, []eventstore.Event{e})
	if err != nil {
		return fmt.Errorf("open ledger %s: %w", id, err)
	}
	return nil
}

// Open reads who the log is. A log without its first event is KindNotFound.
func Open(ctx context.Context, store Store, keys Keys, cfg Config) (*Ledger, error) {
	if cfg.Cache == 0 {
		cfg.Cache = 1 << 16
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 3500 * time.Millisecond
	}
	opened, err := Opened(ctx, store)
	if err != nil {
		return nil, err
	}
	return &Ledger{
		store: store, keys: keys, cfg: cfg, id: opened.Ledger, mode: opened.Mode, cache: newCache(cfg.Cache),
		turns: turns{queue: map[domain.Stream]*turn{}}, channels: map[domain.ChannelID]channel{},
	}, nil
}

// Opened is the first fact of a log.
func Opened(ctx context.Context, r eventstore.Reader) (domain.LedgerOpened, error) {
	events, err := r.ReadStream(ctx, domain.LedgerStream, eventstore.ReadOptions{Limit: 1})
	if err != nil {
		return domain.LedgerOpened{}, fmt.Errorf("read the ledger's first event: %w", err)
	}
	f, err := domain.DecodeFact(events[0].Type, events[0].Data)
	if err != nil {
		return domain.LedgerOpened{}, fmt.Errorf("read the ledger's first event: %w", err)
	}
	opened, ok := f.(domain.LedgerOpened)
	if !ok {
		return opened, domain.E(domain.KindCorrupt, "the ledger's first event is %s", events[0].Type)
	}
	return opened, nil
}

// ID is the ledger's id.
func (l *Ledger) ID() domain.ID { return l.id }

// Mode says whether the ledger holds real money.
func (l *Ledger) Mode() domain.Mode { return l.mode }

// now is the clock, never going back within this process: recorded_at must not
// decrease.
func (l *Ledger) now() time.Time {
	l.clockMu.Lock()
	defer l.clockMu.Unlock()
	if t := domain.Instant(l.cfg.Clock()); t.After(l.last) {
		l.last = t
	}
	return l.last
}

// event is a fact in its envelope, without a sealed part.
func event(ledger domain.ID, s domain.Stream, f domain.Fact, m domain.Meta) (eventstore.Event, error) {
	typ, data, err := domain.EncodeFact(f)
	if err != nil {
		return eventstore.Event{}, err
	}
	meta, err := domain.EncodeMeta(m)
	if err != nil {
		return eventstore.Event{}, fmt.Errorf("encode meta of %s: %w", typ, err)
	}
	if err := domain.CheckPostings(domain.PostingsOf(f)); err != nil {
		return eventstore.Event{}, fmt.Errorf("%s in %s: %w", typ, s, err)
	}
	return eventstore.Event{ID: domain.FactID(ledger, s, f), Type: typ, Data: data, Meta: meta}, nil
}
