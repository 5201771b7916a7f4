package domain

import (
	"slices"
	"time"
)

// State is where a payment stands, in one word.
type State string

// The states of a payment.
const (
	StateNoticed   State = "noticed"   // only notices, never placed, no money left in them
	StatePlaced    State = "placed"    // waiting for its money
	StateHeld      State = "held"      // its money waits for confirmation
	StateCredited  State = "credited"  // settled
	StateParked    State = "parked"    // real money that belongs to no account yet
	StateExpired   State = "expired"   // nobody paid in time
	StateClosed    State = "closed"    // the provider closed it
	StateCancelled State = "cancelled" // the merchant cancelled it
	StateRefunded  State = "refunded"  // settled, and all of it went back to the payer
	StateDisputed  State = "disputed"  // settled, and money of it is away until a dispute is decided
	StateReversed  State = "reversed"  // settled, and its credit was taken back by two people
)

// Settled reports whether an order in this state has had its own credit.
func (s State) Settled() bool {
	return s == StateCredited || s == StateRefunded || s == StateDisputed || s == StateReversed
}

// TradeState is where the money under one trade_no stands.
type TradeState string

// The states of a trade. Held and suspect wait for the provider's query.
const (
	TradeSeen      TradeState = "seen"      // noticed, nothing decided
	TradeHeld      TradeState = "held"      // rightly signed, not yet confirmed
	TradeSuspect   TradeState = "suspect"   // would be parked, not yet confirmed
	TradeParked    TradeState = "parked"    // confirmed and parked
	TradeCredited  TradeState = "credited"  // credited to the order's account
	TradeAllocated TradeState = "allocated" // parked first, then moved to an account

	TradeReversed   TradeState = "reversed"    // credited, then taken back by two people
	TradeWrittenOff TradeState = "written_off" // parked, then nobody's
)

// Decided reports whether the money has moved: from then on every further
// notice of it is a repeat.
func (s TradeState) Decided() bool {
	return s == TradeParked || s == TradeCredited || s == TradeAllocated || s == TradeReversed || s == TradeWrittenOff
}

// Waits reports whether the provider must be asked.
func (s TradeState) Waits() bool { return s == TradeHeld || s == TradeSuspect }

// Trade is what is known of the money under one trade_no of a payment.
type Trade struct {
	TradeNo string
	State   TradeState
	Amount  Money
	Reason  Reason
	FirstAt time.Time // receipt of its first notice
	Called  bool      // the provider called us about it; false when only our query found it

	Early    bool      // held before its order was placed
	Account  AccountID // the wallet it was credited or allocated to
	Refunded Money     // what went back to the payer of it; more than Amount with refunds that are in suspense

	told     Money // how much the provider says it is; the zero Money where only people say it
	given    ID    // what the correction corrects that gave it; zero for the first credit or allocation
	returned bool  // an allocation of it was taken back
	aside    Money // of it that is parked while the rest is not: a refund of parked money failed later
}

// MaxEqualNotices is how many deliveries of a payment are kept as events each.
// Equal ones beyond it are answered from the fold and counted (R1).
const MaxEqualNotices = 32

// RepeatsEvery is how often counted repeats are written down.
const RepeatsEvery = time.Hour

// Payment is what is known of one order: the fold of its stream. The zero
// Payment is the empty stream. A Payment is a value: Apply returns the next
// one and leaves this one as it was.
type Payment struct {
	Placed       PaymentPlaced // zero OrderNo while not placed
	Closed       CloseCause    // empty while open
	Settled      string        // trade_no that has the order's own credit (R2); "" while none
	Trades       []Trade       // in order of first notice
	Notices      int           // payment.notified events
	LastNoticeAt time.Time     // receipt of the last of them
	Version      int           // events folded
	Refunds      []Refund      // in order of first notice
	Disputes     []Dispute     // in order of first notice
	Proposals    []Proposal    // corrections by people, in order
	Erasures     int           // of its evidence

	seen    []notion // distinct notices, for R1's limit
	settled bool     // an own credit exists
	differs []finding
	pending []Notice // verified, but what they change has not come yet
	totals  []tradeTotal
}

// IsPlaced reports whether the order was placed.
func (p Payment) IsPlaced() bool { return p.Placed.OrderNo != "" }

// IsSettled reports whether the order has had its own credit.
func (p Payment) IsSettled() bool { return p.settled }

// State is the payment's state in one word; money speaks before closing.
func (p Payment) State() State {
	switch {
	case p.settled:
		return p.settledState()
	case p.any(func(t Trade) bool { return t.State == TradeHeld }):
		return StateHeld
	case p.any(func(t Trade) bool { return t.State == TradeSuspect || (t.State == TradeParked && !t.gone()) }):
		return StateParked
	}
	return p.quietState()
}

func (p Payment) settledState() State {
	t, _ := p.Trade(p.Settled)
	switch {
	case p.disputed():
		return StateDisputed
	case t.State == TradeReversed:
		return StateReversed
	case t.State == TradeParked: // its allocation was taken back
		return StateParked
	case t.gone():
		return StateRefunded
	}
	return StateCredited
}

func (p Payment) quietState() State {
	switch {
	case p.Closed == ClosedMerchant:
		return StateCancelled
	case p.Closed == ClosedProvider:
		return StateClosed
	case p.Closed == ClosedExpired:
		return StateExpired
	case p.IsPlaced():
		return StatePlaced
	}
	return StateNoticed
}

// Waiting are the trades the provider must be asked about, oldest first. See
// WaitingRefunds and WaitingDisputes for the rest.
func (p Payment) Waiting() []Trade {
	var out []Trade
	for _, t := range p.Trades {
		if t.State.Waits() {
			out = append(out, t)
		}
	}
	return out
}

// Trade is what is known of one trade_no.
func (p Payment) Trade(no string) (Trade, bool) {
	i := slices.IndexFunc(p.Trades, func(t Trade) bool { return t.TradeNo == no })
	if i < 0 {
		return Trade{}, false
	}
	return p.Trades[i], true
}

// numberOf is the trade_no of the money a notice speaks of. One that leaves it
// out, while money of its amount is decided, repeats that money.
func (p Payment) numberOf(trade string, m Money) string {
	if trade != "" {
		return trade
	}
	i := slices.IndexFunc(p.Trades, func(t Trade) bool { return t.State.Decided() && t.Amount == m })
	if i < 0 {
		return ""
	}
	return p.Trades[i].TradeNo
}

func (p Payment) any(ok func(Trade) bool) bool { return slices.ContainsFunc(p.Trades, ok) }

// Apply is p after f. It cannot fail: a fact is a fact.
func (p Payment) Apply(f Fact) Payment {
	p.Version++
	switch f := f.(type) {
	case PaymentPlaced:
		p.Placed = f
	case PaymentNotified:
		p = p.applyNotified(f)
	case PaymentHeld:
		p.Trades = withTrade(p.Trades, f.TradeNo, func(t *Trade) {
			t.State, t.Amount, t.Reason, t.Early = TradeHeld, f.Amount, f.Reason, !p.IsPlaced()
		})
	case PaymentCredited:
		p = p.settle(f.TradeNo, f.Account, f.Amount, TradeCredited)
	case PaymentParked:
		p = p.applyParked(f)
	case PaymentAllocated:
		p = p.applyAllocated(f)
	case PaymentRefunded:
		p = p.applyRefunded(f)
	case RefundFailed:
		p = p.applyRefundFailed(f)
	case DisputeWithdrawn:
		p = p.applyWithdrawn(f)
	case DisputeReinstated:
		p = p.applyReinstated(f)
	case DisputeLost:
		p = p.applyLost(f)
	case PaymentClosed:
		p.Closed = f.Cause
	case EvidenceErased:
		p.Erasures++
	case DiscrepancyFound:
		p = p.applyFound(f)
	case CorrectionProposed:
		p.Proposals = append(slices.Clip(p.Proposals), Proposal{Ask: f, State: ProposalOpen})
	case CorrectionSeconded:
		p.Proposals = withProposal(p.Proposals, f.Proposal, func(q *Proposal) { q.SecondedBy = f.By })
	case CorrectionApproved:
		p.Proposals = withProposal(p.Proposals, f.Proposal, func(q *Proposal) { q.DecidedBy = f.By })
	case CorrectionRejected:
		p.Proposals = withProposal(p.Proposals, f.Proposal, func(q *Proposal) { q.State, q.DecidedBy = ProposalRejected, f.By })
	case CorrectionIssued:
		p = p.applyIssued(f)
	case LedgerOpened, ChannelConfigured, PeopleFact, ReconciliationFact, BookFact:
		// They change no payment.
	}
	return p
}

func (p Payment) applyNotified(f PaymentNotified) Payment {
	p.Notices++
	p.LastNoticeAt = f.ReceivedAt
	if f.Decision.Reason == ReasonUnmatched {
		return p // it belongs to another payment, which nobody knows yet
	}
	kept := f.Notice()
	n := notionOf(kept)
	if !slices.Contains(p.seen, n) {
		p.seen = append(slices.Clip(p.seen), n)
	}
	if f.About != AboutPayment {
		return p.remember(kept, f.Decision.Outcome)
	}
	if p.thaws(kept) {
		p = p.thawed(f.TradeNo)
	}
	if f.Status == StatusPaid {
		p.Trades = withTrade(p.Trades, p.numberOf(f.TradeNo, f.Amount), func(t *Trade) {
			if t.FirstAt.IsZero() {
				t.FirstAt = f.ReceivedAt
				if t.State == TradeSeen {
					t.Amount = f.Amount
				}
			}
			t.Called = t.Called || f.Source == SourceCallback
			if len(f.Doubts) == 0 && f.Amount.IsPositive() {
				t.told = f.Amount
			}
		})
	}
	return p
}

func (p Payment) applyParked(f PaymentParked) Payment {
	state := TradeSuspect
	if f.Confirmed {
		state = TradeParked
		p.Trades = withoutNameless(p.Trades, f.Amount)
	}
	p.Trades = withTrade(p.Trades, f.TradeNo, func(t *Trade) {
		t.State, t.Amount, t.Reason = state, f.Amount, f.Reason
	})
	return p
}

// applyAllocated: an allocation to the order's own account settles the order.
func (p Payment) applyAllocated(f PaymentAllocated) Payment {
	if p.IsPlaced() && !p.lives() && f.Account == p.Placed.Account {
		return p.settle(f.TradeNo, f.Account, f.Amount, TradeAllocated)
	}
	p.Trades = withTrade(p.Trades, f.TradeNo, func(t *Trade) {
		if !t.State.Decided() {
			t.Amount = f.Amount
		}
		t.State, t.Account = TradeAllocated, f.Account
	})
	return p
}

// settle gives the order its own credit. What was parked keeps its amount: a
// part of it may have been refunded before it was allocated.
func (p Payment) settle(trade string, to AccountID, m Money, s TradeState) Payment {
	p.Settled, p.settled = trade, true
	p.Trades = withTrade(withoutNameless(p.Trades, m), trade, func(t *Trade) {
		if s == TradeCredited || !t.State.Decided() {
			t.Amount = m
		}
		t.State, t.Account, t.Reason = s, to, ReasonNone
	})
	return p
}

// withTrade changes one trade in a copy, so that the folds before it keep
// theirs.
func withTrade(ts []Trade, no string, change func(*Trade)) []Trade {
	out := slices.Clone(ts)
	i := slices.IndexFunc(out, func(t Trade) bool { return t.TradeNo == no })
	if i < 0 {
		out = append(out, Trade{TradeNo: no, State: TradeSeen})
		i = len(out) - 1
	}
	change(&out[i])
	return out
}

// withoutNameless drops the trade without a number once a real number took its
// place: of the same amount, it was the same money.
func withoutNameless(ts []Trade, m Money) []Trade {
	return slices.DeleteFunc(slices.Clone(ts), func(t Trade) bool { return t.TradeNo == "" && t.Amount == m })
}

// Fold is the payment after facts.
func Fold(facts []Fact) Payment {
	var p Payment
	for _, f := range facts {
		p = p.Apply(f)
	}
	return p
}
