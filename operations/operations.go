// Package operations is the port to everything that is needed to run but is
// not the books: the callback log, API keys, idempotency keys, data keys,
// leases, the sweep's schedule and its runs. Losing it loses no money; losing
// the data keys makes evidence unreadable, so those writes are durable before
// they return and the file is backed up apart from the log.
package operations

import (
	"context"
	"time"

	"counterfoil/domain"
)

// Callback is one row of the callback log: every request at a callback
// address, also the refused ones, and what was answered. It may lose its last
// moments in a crash and never fails a reply.
type Callback struct {
	Seq        int64 // assigned by the store, increasing
	Delivery   domain.ID
	Channel    string // as in the URL; may be unknown
	ReceivedAt time.Time
	Took       time.Duration
	Remote     string
	Method     string
	Outcome    domain.Outcome
	Reason     domain.Reason
	OrderNo    string // claimed, when refused
	TradeNo    string
	Amount     domain.Money
	Reply      domain.Reply
	BodySHA256 string
	Request    []byte // domain.Evidence JSON of refused requests, kept 30 days for recheck; nil otherwise
	Error      string // why, for people; no secrets
}

// CallbackFilter selects rows of the callback log, newest first.
type CallbackFilter struct {
	Channel string
	OrderNo string
	Outcome domain.Outcome
	Since   time.Time
	Before  int64 // Seq cursor: rows below it; 0 means from the newest
	Limit   int   // 1..1000
}

// CallbackLog keeps Callbacks. Log never blocks the caller and never fails:
// when its queue is full it drops and counts. Refused rows are kept 30 days and
// at most 10,000 rows or 16 MB of them, oldest gone first. A row can be read a
// moment after it was logged.
type CallbackLog interface {
	LogCallback(c Callback)
	// Callbacks leaves Request nil. A limit outside its range is KindInvalid.
	Callbacks(ctx context.Context, f CallbackFilter) ([]Callback, error)
	// RefusedCallbacks yields the kept refused requests of a channel ("" means
	// all) received at since or later, with their Request, oldest first.
	RefusedCallbacks(ctx context.Context, channel string, since time.Time) ([]Callback, error)
}

// Scope is a right of an API key.
type Scope string

// The scopes.
const (
	ScopePaymentsWrite Scope = "payments:write"
	ScopePaymentsRead  Scope = "payments:read"
	ScopeBalancesRead  Scope = "balances:read"
	ScopeDrawsWrite    Scope = "draws:write"
	ScopeEventsRead    Scope = "events:read"
	ScopeCallbacksRead Scope = "callbacks:read"
	ScopeReconcile     Scope = "reconcile"
	ScopeCorrections   Scope = "corrections"
	ScopeAdmin         Scope = "admin"
)

// APIKey is a key as it is stored: the secret only as its SHA-256. Person owns
// it: four eyes compares persons, not keys.
type APIKey struct {
	ID        string // 12 characters of [a-z0-9]
	SHA256    [32]byte
	Person    string
	Service   bool // a machine's key: it never approves
	Scopes    []Scope
	Channels  []string // empty means all
	Accounts  []string // empty means all
	CreatedAt time.Time
	RevokedAt time.Time // zero while valid
}

// APIKeys keeps API keys; writes are durable when they return. APIKey and
// RevokeAPIKey are KindNotFound for an unknown id; a revoked key is found, too.
// PutAPIKey inserts or replaces, but a revoked key stays revoked, since the
// time when that was first done. APIKeys is the oldest first.
type APIKeys interface {
	PutAPIKey(ctx context.Context, k APIKey) error
	APIKey(ctx context.Context, id string) (APIKey, error)
	APIKeys(ctx context.Context) ([]APIKey, error)
	RevokeAPIKey(ctx context.Context, id string, at time.Time) error
}

// Saved is a kept answer to an idempotent request.
type Saved struct {
	RequestHash [32]byte
	Status      int // 0 while the first request is still running
	Body        []byte
}

// Idempotency keeps answers under Idempotency-Keys for 7 days. No money rule
// depends on it.
type Idempotency interface {
	// Begin claims key (scoped to an API key) for a request. fresh is true when
	// the caller may go on; otherwise saved is what is kept. A claim whose
	// request never finished lapses after ten seconds: no request runs so long.
	Begin(ctx context.Context, owner, key string, hash [32]byte, now time.Time) (saved Saved, fresh bool, err error)
	// Finish keeps the answer; a later one for the same claim changes nothing.
	// KindNotFound when there is no claim, KindTooLarge above 1 MiB.
	Finish(ctx context.Context, owner, key string, status int, body []byte) error
	// Forget drops a claim or an answer, if there is one.
	Forget(ctx context.Context, owner, key string) error
}

// DataKey seals the evidence and personal fields of one payment.
type DataKey = domain.DataKey

// DataKeys keeps data keys, one per stream. Both calls return the same key for
// a stream for ever, whatever races; EnsureDataKey makes it when there is none
// and returns only when it is durable. DataKey is KindNotFound for a stream
// without one.
type DataKeys interface {
	EnsureDataKey(ctx context.Context, stream domain.Stream) (DataKey, error)
	DataKey(ctx context.Context, stream domain.Stream) (DataKey, error)
	// DestroyDataKey overwrites a key and forgets it, for ever when it returns: only
	// a backup has it then. A stream without a key is no error.
	DestroyDataKey(ctx context.Context, stream domain.Stream) error
}

// Lease is a right to do something alone until a time. Token grows with every
// change of holder (fencing).
type Lease struct {
	Name   string
	Holder string
	Token  int64
	Until  time.Time
}

// Leases hands out leases. Acquire renews for the holder, takes an expired one
// over, or returns KindConflict naming the holder. Release of a lease that has
// passed on is no error and changes nothing. Tokens are never used again.
type Leases interface {
	Acquire(ctx context.Context, name, holder string, now time.Time, ttl time.Duration) (Lease, error)
	Release(ctx context.Context, l Lease) error
}

// Ask is the schedule of questions about one payment: the sweep's memory.
type Ask struct {
	Channel  domain.ChannelID
	OrderNo  string
	TradeNo  string // asked by when set
	Why      string // "unsettled", "held", "parked", "credited", "refused": what is asked for
	Since    time.Time
	Attempts int
	NextAt   time.Time
	LastAt   time.Time
	LastSaid string // answer in a word, or the error
	Done     bool
}

// Asks keeps the sweep's schedule. PutAsks inserts or replaces by (channel,
// order, trade, why). ClaimAsks returns up to limit (at most 1,000) of those
// that are not done and have NextAt <= now, and pushes their NextAt to until, in
// one transaction, so that two reconcilers do not ask twice; the returned NextAt
// is when they were due. Held money goes first, because its buyer has paid and
// waits, then the others, each oldest due first; while others are due a quarter
// of limit is theirs. Asks are also those that are done; OpenAsks counts the
// others.
type Asks interface {
	PutAsks(ctx context.Context, asks []Ask) error
	// AddAsks inserts those that are not there yet and leaves the others alone.
	AddAsks(ctx context.Context, asks []Ask) error
	ClaimAsks(ctx context.Context, now, until time.Time, limit int) ([]Ask, error)
	Asks(ctx context.Context, channel domain.ChannelID, orderNo string) ([]Ask, error)
	OpenAsks(ctx context.Context) (int, error)
}

// RunState is where a run stands.
type RunState string

// A run ends complete, or incomplete when a provider did not answer: that is
// never a difference.
const (
	RunRunning    RunState = "running"
	RunComplete   RunState = "complete"
	RunIncomplete RunState = "incomplete"
)

// Run is one pass of the reconciler.
type Run struct {
	ID         string // "sweep-<UTC time>-<random>"
	Kind       string // "sweep"
	Holder     string
	State      RunState
	StartedAt  time.Time
	EndedAt    time.Time
	Asked      int
	Paid       int // the provider said paid
	Healed     int // credited because of the answer, and no callback had come
	Confirmed  int // held notices confirmed and credited
	Closed     int
	Unknown    int // the provider does not know the order now
	Unanswered int // no answer to be had
	Differing  int // discrepancies found other than heals
	Note       string
	Cursor     string // where the schedule feed stands (projection position)
}

// Runs keeps the newest 10,000 reconciliation runs. PutRun inserts or replaces
// by ID; Run is KindNotFound for an unknown one; Runs is the newest of a kind
// ("" means all) first.
type Runs interface {
	PutRun(ctx context.Context, r Run) error
	Run(ctx context.Context, id string) (Run, error)
	Runs(ctx context.Context, kind string, limit int) ([]Run, error)
}

// Cursors keeps small named positions of followers that have no better place.
type Cursors interface {
	Cursor(ctx context.Context, name string) (uint64, error) // 0 when never set
	PutCursor(ctx context.Context, name string, v uint64) error
}

// Store is the whole operations store as main wires it.
type Store interface {
	CallbackLog
	APIKeys
	Idempotency
	DataKeys
	Leases
	Asks
	Runs
	Cursors
	Ready(ctx context.Context) error
	Close() error
}
