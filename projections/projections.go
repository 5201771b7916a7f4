// Package projections turns the log into rows that can be read fast: balances,
// payments and callbacks. Rows are a pure fold of the log (R6); the checkpoint
// is written in the same transaction as the rows it covers, and a rebuild from
// nothing must give the same rows.
package projections

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// AsOf names a moment of the log: the zero value is "now". At most one of the
// first three fields is set. Min asks to wait (at most two seconds) until the
// projection has reached a position, else KindUnavailable.
//
// ValueDate is the other time: only what belongs to that day or an earlier one
// counts. With a moment of the log it asks what was believed then about that
// day.
type AsOf struct {
	Position  eventstore.Position
	Time      time.Time
	Min       eventstore.Position
	ValueDate domain.Day
}

// Balance is what an account has in one currency: money received for it less
// refunds, disputes, corrections and draws.
type Balance struct {
	Account  domain.AccountID
	Amount   domain.Money
	Position eventstore.Position // of the last entry
}

// Entry is one posting on a ledger account, with the balance after it. Account
// is the book, e.g. "assets:psp:epay-a" or "liabilities:wallet"; Wallet is set
// for wallet entries. Amount is signed: + debit, − credit.
type Entry struct {
	Book      string
	Wallet    domain.AccountID
	Amount    domain.Money
	After     domain.Money
	Position  eventstore.Position
	Leg       int
	EventID   domain.ID
	Type      string
	Stream    domain.Stream
	ValueDate string
	Recorded  time.Time
}

// Payment is a row of the payments projection.
type Payment struct {
	Channel   domain.ChannelID
	OrderNo   string
	Account   domain.AccountID // placed account, else the one credited by its notice's word; empty when neither
	Amount    domain.Money     // placed amount, else the credited one, else the first noticed
	Refunded  domain.Money     // what went back to payers, in the currency of Amount; no money for nothing
	State     domain.State
	TradeNo   string // of the deciding trade, else the last noticed
	Notices   int
	PlacedAt  time.Time
	ExpiresAt time.Time
	FirstAt   time.Time // first event
	Stages    Stages
	UpdatedAt time.Time
	Position  eventstore.Position // of the last event
}

// Callback is a kept notice: one row per payment.notified.
type Callback struct {
	Position   eventstore.Position
	Delivery   domain.ID
	Source     domain.Source
	Channel    domain.ChannelID
	OrderNo    string
	TradeNo    string
	Amount     domain.Money
	About      domain.About
	Status     domain.Status
	Outcome    domain.Outcome
	Reason     domain.Reason
	ReceivedAt time.Time
}

// PaymentFilter selects payments, newest first. After is the cursor: rows with
// a position below it.
type PaymentFilter struct {
	Channel domain.ChannelID
	Account domain.AccountID
	State   domain.State
	Before  eventstore.Position
	Limit   int
}

// CallbackFilter selects kept notices, newest first.
type CallbackFilter struct {
	Channel domain.ChannelID
	OrderNo string
	Outcome domain.Outcome
	Before  eventstore.Position
	Limit   int
}

// EntryFilter selects entries of a wallet, newest first, or of another book that
// is named. With AsOf, entries behind that position are left out.
type EntryFilter struct {
	Book     string // empty means domain.BookWallet
	Wallet   domain.AccountID
	Currency domain.Currency // empty means all
	Before   Cursor          // zero means from the newest
	AsOf     eventstore.Position
	Limit    int
}

// Cursor is a place between entries.
type Cursor struct {
	Position eventstore.Position
	Leg      int
}

// Duplicate is one trade_no that decided money on more than one order.
type Duplicate struct {
	Channel domain.ChannelID
	TradeNo string
	Orders  []string
}

// Reader reads the rows.
type Reader interface {
	Corrections
	Acts
	Books
	Extracts
	Everything
	// Checkpoint is the position everything is folded up to.
	Checkpoint(ctx context.Context) (eventstore.Position, error)
	// Wait returns once the rows go up to a position; after two seconds it gives
	// up with KindUnavailable.
	Wait(ctx context.Context, p eventstore.Position) error
	// PositionAt is the position that stands for a time: the last one before the
	// running maximum of recorded_at passes it, the checkpoint when it has not.
	PositionAt(ctx context.Context, t time.Time) (eventstore.Position, error)
	// Balances of a wallet, by currency; empty for an account never credited.
	// The position is the one the answer holds for. A position that is not
	// reached yet is waited for as with AsOf.Min. Callers do not change the
	// slice.
	Balances(ctx context.Context, account domain.AccountID, at AsOf) ([]Balance, eventstore.Position, error)
	Entries(ctx context.Context, f EntryFilter) ([]Entry, error)
	Payments(ctx context.Context, f PaymentFilter) ([]Payment, error)
	Payment(ctx context.Context, ch domain.ChannelID, orderNo string) (Payment, error)
	Callbacks(ctx context.Context, f CallbackFilter) ([]Callback, error)
	// Duplicates lists trade numbers decided on more than one order.
	Duplicates(ctx context.Context) ([]Duplicate, error)
	// OrdersOf are the orders on which money under a trade number was decided,
	// empty for money without an order; none while it was on none.
	OrdersOf(ctx context.Context, ch domain.ChannelID, tradeNo string) ([]string, error)
	// TrialBalance sums every book by currency; each currency's sum over the
	// books must be zero.
	TrialBalance(ctx context.Context) (map[string][]domain.Money, error)
	// Digest is a hash over the sorted balances and row counts: equal logs give
	// equal digests, whoever folded them.
	Digest(ctx context.Context) (Digest, error)
	// Changed yields payments whose rows changed after a position, in order of
	// position: what the sweep feeds its schedule from.
	Changed(ctx context.Context, after eventstore.Position, limit int) ([]Payment, error)
}

// Digest compares two folds of one log.
type Digest struct {
	Position eventstore.Position
	SHA256   string // over sorted balances, payments and counts
	Balances int
	Payments int
	Entries  int
}
