package projections

import (
	"context"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Checkpoint is how far the rows go. It is written in the same transaction as
// the rows it covers. Its counts are part of the fold: they number new rows in
// order of first appearance, so every fold of one log numbers alike.
type Checkpoint struct {
	Position eventstore.Position // of the last event folded
	Stream   domain.Stream       // of that event; with Revision and Event it ties the rows to their log
	Revision uint64
	Event    domain.ID
	Ledger   domain.ID // from ledger.opened; zero until it was seen
	Recorded time.Time // running maximum of recorded_at

	Events    int64
	Ledgers   int64
	Payments  int64
	Entries   int64
	Callbacks int64
	Trades    int64 // trade numbers that decided money, each order counted
}

// LedgerKey names one running balance: a book, split by wallet where it has
// wallets, in one currency.
type LedgerKey struct {
	Book     string
	Wallet   domain.AccountID
	Currency domain.Currency
}

// LedgerRow is a running balance: the sum of its entries.
type LedgerRow struct {
	LedgerKey
	Row      int64        // number in order of first appearance, from 1
	Balance  domain.Money // + debit, − credit
	Position eventstore.Position
	Fresh    bool // not stored yet
	page     uint64
}

// PaymentRow is a payment and what the fold needs to go on with it.
type PaymentRow struct {
	Payment
	Row    int64             // number in order of first appearance, from 1
	Ref    string            // the stream's name behind "payment-<channel>:"
	Closed domain.CloseCause // empty while open
	Open   []Mark            // money that waits or has a history; empty for an order settled with its amount
	Fresh  bool              // not stored yet
	page   uint64
}

// Mark is what gives a payment its state beside its order: money under a trade
// number, and what of it went back, or money that a dispute keeps away.
type Mark struct {
	TradeNo  string // of a dispute its own number
	State    domain.TradeState
	Amount   domain.Money
	Refunded domain.Money
}

// Posted is an event that moved money, shared by its entries.
type Posted struct {
	Position  eventstore.Position
	EventID   domain.ID
	Type      string
	Stream    domain.Stream
	ValueDate string
	Period    string
	Recorded  time.Time
	Line      domain.OurLine // what the provider's bill must have of it; without a kind where it moves nothing there
}

// EntryRow is one leg of a posted event.
type EntryRow struct {
	Ledger   *LedgerRow
	Position eventstore.Position
	Leg      int
	Amount   domain.Money
	After    domain.Money
}

// CallbackRow is a kept notice of a payment.
type CallbackRow struct {
	Callback
	Payment *PaymentRow
}

// TradeRow says that a trade number decided money on a payment.
type TradeRow struct {
	TradeNo   string
	Payment   *PaymentRow
	TakenBack bool // by two persons, whose word was that it is not this order's
}

// Step is an event at which the running maximum of recorded_at rose.
type Step struct {
	Position eventstore.Position
	Recorded time.Time // the new maximum, in whole microseconds
}

// Changes is what one page of the log does to the rows. Rows that were touched
// stand in it once, with their state after the page.
type Changes struct {
	From, To  Checkpoint
	Ledgers   []*LedgerRow
	Payments  []*PaymentRow
	Posted    []Posted
	Entries   []EntryRow
	Callbacks []CallbackRow
	Trades    []TradeRow
	Steps     []Step
	Proposed  []ProposedRow
	Decided   []DecidedRow
	Turnovers []*TurnoverRow
	Payouts   []PayoutStage
	Periods   []PeriodStep
	Arrivals  []ArrivalRow
	Acts      []ActRow
	Findings  []FindingRow
	Compared  []ComparedRow
}

// Writer is what the Runner needs of an adapter. Only the Runner that holds
// the lock calls it, from one goroutine; Commit is safe all the same if another
// process works without the lock.
type Writer interface {
	// Lock waits until this process is the only one that folds, or ctx ends.
	// The lock ends with its process; release gives it back.
	Lock(ctx context.Context) (release func(), err error)
	// Load is the stored checkpoint, the zero one for empty rows.
	Load(ctx context.Context) (Checkpoint, error)
	// LoadPayments are the stored rows of the streams; streams without one are
	// left out.
	LoadPayments(ctx context.Context, streams []domain.Stream) ([]*PaymentRow, error)
	// LoadLedgers are the stored running balances; missing ones are left out.
	LoadLedgers(ctx context.Context, keys []LedgerKey) ([]*LedgerRow, error)
	// LoadTurnovers are all stored turnovers.
	LoadTurnovers(ctx context.Context) ([]*TurnoverRow, error)
	// Commit writes c and its checkpoint in one transaction: all or nothing.
	// KindConflict when the stored checkpoint is not c.From: somebody else
	// works, and everything loaded is stale.
	Commit(ctx context.Context, c Changes) error
}

// Hurrier is a Writer that knows when somebody waits for rows: Wanted has
// something to receive then, and the Runner cuts its pause short.
type Hurrier interface {
	Wanted() <-chan struct{}
}

// paymentCategory is the kind of stream that holds payments.
const paymentCategory = "payment-"

// SplitPayment takes the name of a payment's stream apart. ok is false for
// streams of another kind.
func SplitPayment(s domain.Stream) (ch domain.ChannelID, ref string, ok bool) {
	rest, ok := strings.CutPrefix(string(s), paymentCategory)
	if !ok {
		return "", "", false
	}
	channel, ref, ok := strings.Cut(rest, ":")
	return domain.ChannelID(channel), ref, ok
}

// PaymentStream is the stream of a row: the inverse of SplitPayment.
func PaymentStream(ch domain.ChannelID, ref string) domain.Stream {
	return domain.Stream(paymentCategory + string(ch) + ":" + ref)
}
