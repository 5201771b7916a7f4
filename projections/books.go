package projections

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Books reads the books beside the payments: what each period moved, what left
// for the bank, and which periods are closed.
type Books interface {
	// Trial is the trial balance: each currency's sums over the books are zero.
	Trial(ctx context.Context, f TrialFilter) (Trial, error)
	// Payouts lists payouts, the newest first.
	Payouts(ctx context.Context, f PayoutFilter) ([]Payout, error)
	// Payout is KindNotFound for one that no bill tells of.
	Payout(ctx context.Context, ch domain.ChannelID, payoutID string) (Payout, error)
	// Receivables are the accounts below zero, the test account aside: at most
	// limit of them, in order of the currencies, those that owe most first.
	Receivables(ctx context.Context, limit int) (Receivables, error)
	// Periods lists the proposals to close periods, the newest first.
	Periods(ctx context.Context, f PeriodFilter) ([]Period, error)
}

// TrialFilter selects a trial balance: of one period or of all, now or as of a
// position, which is waited for as with AsOf.Min.
type TrialFilter struct {
	Period string // YYYY-MM; empty for all of time
	AsOf   eventstore.Position
	Apart  bool // the test account's part of the wallets is a row of its own
}

// Trial is a trial balance.
type Trial struct {
	Position eventstore.Position // it holds for
	Events   int64               // of the log that the rows were folded from; at AsOf unknown and 0
	First    string              // the earliest period with a posting; empty for none
	Rows     []TrialRow          // in order of book and currency
}

// TrialRow is a book in one currency, all wallets in one or two: what it held before
// the period, what came and went in it, and what it holds at its end. Opening
// and closing are + debit, − credit; the other two are never negative.
type TrialRow struct {
	Book    string
	Test    bool // the test account's part of the wallets; see TrialFilter
	Opening domain.Money
	Debit   domain.Money
	Credit  domain.Money
	Closing domain.Money
}

// Totals are the rows as a period's facts tell them.
func (t Trial) Totals() []domain.PeriodTotal {
	out := make([]domain.PeriodTotal, len(t.Rows))
	for i, r := range t.Rows {
		out[i] = domain.PeriodTotal{Book: r.Book, Opening: r.Opening, Closing: r.Closing}
	}
	return out
}

// Receivables are what accounts owe: they were refunded after they had spent, or
// spent more than they had.
type Receivables struct {
	Position eventstore.Position // it holds for
	Count    int                 // accounts below zero, once for each currency
	Totals   []domain.Money      // what all of them owe, in order of the currencies: positive
	Accounts []Balance           // the first of them, below zero
}

// PayoutState is how far a payout has come.
type PayoutState string

// The states of a payout.
const (
	PayoutSent    PayoutState = "sent"
	PayoutArrived PayoutState = "arrived"
	PayoutFailed  PayoutState = "failed"
)

// Payout is a row of what left a provider's balance for the bank.
type Payout struct {
	domain.Payout
	Position  eventstore.Position // of its first event
	Channel   domain.ChannelID
	ID        string
	UpdatedAt time.Time
}

// State is how far it has come.
func (p Payout) State() PayoutState {
	switch {
	case p.Failed != nil:
		return PayoutFailed
	case p.Arrived != nil:
		return PayoutArrived
	}
	return PayoutSent
}

// Amount is its money.
func (p Payout) Amount() domain.Money {
	if p.Sent != nil {
		return p.Sent.Amount
	}
	if p.Failed != nil { // its bill came first
		return p.Failed.Amount
	}
	return domain.Money{}
}

// PayoutFilter selects payouts.
type PayoutFilter struct {
	Channel domain.ChannelID
	State   PayoutState
	Before  eventstore.Position
	Limit   int
}

// Period is a row of what people proposed about a period.
type Period struct {
	domain.PeriodProposal
	Position   eventstore.Position // of the proposal
	ProposedAt time.Time
	DecidedAt  time.Time
}

// PeriodFilter selects proposals.
type PeriodFilter struct {
	Period string
	State  domain.PeriodState
	Before eventstore.Position
	Limit  int
}

// TurnoverKey names what one book moved in one period at one channel.
type TurnoverKey struct {
	Book     string
	Wallet   domain.AccountID // domain.TestAccount for its part of the wallets, else empty
	Channel  domain.ChannelID // empty where the streams name none
	Currency domain.Currency
	Period   string
}

// TurnoverRow is the sum of a book's entries of a period, all wallets but the
// test account's in one.
type TurnoverRow struct {
	TurnoverKey
	Debit  domain.Money
	Credit domain.Money        // positive
	First  eventstore.Position // of its first booking
	Last   eventstore.Position
	page   uint64
}

// PayoutStage is a stage that a payout reached: exactly one member of Payout is
// set.
type PayoutStage struct {
	domain.Payout
	Position eventstore.Position
	Channel  domain.ChannelID
	ID       string
	At       time.Time // recorded
}

// PeriodStep is a fact about a period: exactly one of the facts is set.
type PeriodStep struct {
	Closing  *domain.PeriodClosing
	Rejected *domain.PeriodRejected
	Closed   *domain.PeriodClosed
	Position eventstore.Position
	At       time.Time // recorded
}

// turn adds a posting to its book's period.
func (f *folder) turn(e *event, p domain.Posting, period string) error {
	k := TurnoverKey{p.Book, apart(p.Wallet), ChannelOf(e.Stream), p.Amount.Currency(), period}
	t, ok := f.turnovers[k]
	if !ok {
		zero := domain.NewMoney(0, k.Currency)
		t = &TurnoverRow{TurnoverKey: k, Debit: zero, Credit: zero, First: e.Position}
		f.turnovers[k] = t
	}
	if t.page != f.page {
		t.page = f.page
		f.out.Turnovers = append(f.out.Turnovers, t)
	}
	t.Last = e.Position
	side, amount := &t.Debit, p.Amount
	if amount.IsNegative() {
		side, amount = &t.Credit, amount.Neg()
	}
	sum, err := side.Add(amount)
	if err != nil {
		return domain.E(domain.KindCorrupt, "what %s moved in %s: %w", k.Book, period, err)
	}
	*side = sum
	return nil
}

// loadTurnovers has the turnovers at hand: they are few.
func (f *folder) loadTurnovers(ctx context.Context) error {
	if f.turnovers != nil {
		return nil
	}
	rows, err := f.rows.LoadTurnovers(ctx)
	if err != nil {
		return err
	}
	f.turnovers = make(map[TurnoverKey]*TurnoverRow, len(rows))
	for _, t := range rows {
		f.turnovers[t.TurnoverKey] = t
	}
	return nil
}

// books notes payouts and periods.
func (f *folder) books(e *event) {
	stage := PayoutStage{Position: e.Position, At: e.recorded}
	switch fact := e.fact.(type) {
	case domain.PayoutSent:
		stage.Sent, stage.Channel, stage.ID = &fact, fact.Channel, fact.PayoutID
	case domain.PayoutArrived:
		stage.Arrived, stage.Channel, stage.ID = &fact, fact.Channel, fact.PayoutID
	case domain.PayoutFailed:
		stage.Failed, stage.Channel, stage.ID = &fact, fact.Channel, fact.PayoutID
	case domain.PeriodClosing:
		f.out.Periods = append(f.out.Periods, PeriodStep{Closing: &fact, Position: e.Position, At: e.recorded})
		return
	case domain.PeriodRejected:
		f.out.Periods = append(f.out.Periods, PeriodStep{Rejected: &fact, Position: e.Position, At: e.recorded})
		return
	case domain.PeriodClosed:
		f.out.Periods = append(f.out.Periods, PeriodStep{Closed: &fact, Position: e.Position, At: e.recorded})
		return
	default:
		return
	}
	f.out.Payouts = append(f.out.Payouts, stage)
}
