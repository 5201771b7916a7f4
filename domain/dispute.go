package domain

import (
	"slices"
	"time"
)

// LostByExpense is the policy that we bear lost disputes. Otherwise the wallet
// does that has the money.
const LostByExpense = "expense"

// lostByWallet is the other policy, and the one without a word.
const lostByWallet = "wallet"

// DisputeState is where one dispute of a payment stands.
type DisputeState string

// The states of a dispute.
const (
	DisputeIsHeld       DisputeState = "held"    // told by a message that may not move money alone
	DisputeIsOpen       DisputeState = "opened"  // no money has moved
	DisputeIsPending    DisputeState = "pending" // told out of order: what comes before it is missing
	DisputeIsWithdrawn  DisputeState = "withdrawn"
	DisputeIsReinstated DisputeState = "reinstated"
	DisputeIsLost       DisputeState = "lost"
)

// Dispute is what is known of one dispute of a payment.
type Dispute struct {
	TradeNo   string
	DisputeID string
	State     DisputeState
	Amount    Money     // what was withdrawn; as said while nothing was
	Open      Money     // what is away and not decided yet
	FirstAt   time.Time // receipt of the first notice of it

	withdrawn, reinstated, lost bool    // booked
	doubted                     [3]bool // of movements: a message tells them that may not move money alone
}

// movements are what a dispute's money can do.
var movements = [...]Status{StatusWithdrawn, StatusReinstated, StatusLost}

// movement is the place of a movement among the three.
func movement(s Status) (int, bool) {
	i := slices.Index(movements[:], s)
	return i, i >= 0
}

// WaitingDisputes are the disputes that the provider must be asked about: those
// told by a message that may not move money alone, and those of which a part is
// missing.
func (p Payment) WaitingDisputes() []Dispute {
	var out []Dispute
	for _, d := range p.Disputes {
		if d.doubted != [3]bool{} {
			out = append(out, d)
		}
	}
	for _, n := range p.pending {
		if n.About == AboutDispute && p.waitsStill(n) {
			out = append(out, Dispute{
				TradeNo: n.TradeNo, DisputeID: n.DisputeID, State: DisputeIsPending, Amount: n.Amount, FirstAt: n.ReceivedAt,
			})
		}
	}
	return out
}

func (p Payment) dispute(id string) (Dispute, bool) {
	i := slices.IndexFunc(p.Disputes, func(d Dispute) bool { return d.DisputeID == id && id != "" })
	if i < 0 {
		return Dispute{}, false
	}
	return p.Disputes[i], true
}

// disputed reports whether disputed money is away and not decided yet.
func (p Payment) disputed() bool {
	return slices.ContainsFunc(p.Disputes, func(d Dispute) bool { return d.Open.IsPositive() })
}

// contested reports whether disputed money of a trade is away.
func (p Payment) contested(trade string) bool {
	return slices.ContainsFunc(p.Disputes, func(d Dispute) bool { return d.TradeNo == trade && d.Open.IsPositive() })
}

// booked reports whether what a notice says of d is in the books.
func (d Dispute) booked(s Status) bool {
	switch s {
	case StatusWithdrawn:
		return d.withdrawn
	case StatusReinstated:
		return d.reinstated
	case StatusLost:
		return d.lost
	default: // not said of disputes, or no movement
		return false
	}
}

// elsewhere reports whether n speaks of another trade than the one of which d was
// told first by a message that may move money.
func (d Dispute) elsewhere(n Notice) bool {
	told := d.State == DisputeIsPending || d.withdrawn
	return told && n.TradeNo != "" && d.TradeNo != n.TradeNo
}

// judgeDispute decides a notice about a dispute: each movement is booked once,
// and in the order withdrawn, then reinstated or lost, however they arrive.
func (p Payment) judgeDispute(c Context, n Notice) Verdict {
	if _, moves := movement(n.Status); !moves {
		return Verdict{Outcome: OutcomeNoted, Reason: ReasonNotPaid}
	}
	d, _ := p.dispute(n.DisputeID)
	if d.elsewhere(n) {
		return p.strayWord(c, n, string(d.State))
	}
	if d.booked(n.Status) {
		return Verdict{Outcome: OutcomeRepeated}
	}
	if slices.ContainsFunc(p.pending, n.tells) {
		return Verdict{Outcome: OutcomeNoted, Reason: ReasonBeforePayment}
	}
	if wait := p.doubtOf(c, n); wait != ReasonNone {
		return Verdict{Outcome: OutcomeHeld, Reason: wait}
	}
	if p.early(n) {
		return Verdict{Outcome: OutcomeNoted, Reason: ReasonBeforePayment}
	}
	return Verdict{Outcome: OutcomeNoted, Facts: p.disputeFacts(c, n)}
}

// early reports whether what must come before n has not come yet.
func (p Payment) early(n Notice) bool {
	t, _ := p.Trade(n.TradeNo)
	if !t.State.Decided() {
		return true
	}
	d, _ := p.dispute(n.DisputeID)
	fits := n.Amount.IsZero() || n.Amount.currency == t.Amount.currency
	return n.Status != StatusWithdrawn && !d.withdrawn && fits
}

// disputeFacts are what follows from a dispute's movement that is not early.
func (p Payment) disputeFacts(c Context, n Notice) []Fact {
	t, _ := p.Trade(n.TradeNo)
	d, _ := p.dispute(n.DisputeID)
	switch {
	case !n.Amount.IsZero() && n.Amount.currency != t.Amount.currency:
		return p.differ(c, n, CurrencyMismatch, string(t.State))
	case n.Status == StatusWithdrawn:
		return p.withdraw(c, n)
	case n.Status == StatusReinstated:
		return p.reinstate(c, n, d)
	}
	return p.lose(c, n, d, t)
}

func (p Payment) withdraw(c Context, n Notice) []Fact {
	if !n.Amount.IsPositive() { // how much is unknown
		return p.differ(c, n, AmountMismatch, string(p.State()))
	}
	return []Fact{DisputeWithdrawn{
		TradeNo: n.TradeNo, DisputeID: n.DisputeID, Amount: n.Amount, Fee: n.Fee, Basis: c.basis(n), Dates: c.dates(n),
		Postings: withdrawnPostings(n.Channel, n.Amount, n.Fee), Rules: RulesVersion,
	}}
}

// reinstate books money that came back, also where we had taken the dispute
// for lost: it did move. That is then a difference, too.
func (p Payment) reinstate(c Context, n Notice, d Dispute) []Fact {
	m := n.Amount
	if !m.IsPositive() {
		m = d.Open
	}
	if !m.IsPositive() {
		return p.differ(c, n, StatusMismatch, string(d.State))
	}
	fs := []Fact{DisputeReinstated{
		TradeNo: n.TradeNo, DisputeID: n.DisputeID, Amount: m, Fee: n.Fee, Basis: c.basis(n), Dates: c.dates(n),
		Postings: reinstatedPostings(n.Channel, m, n.Fee), Rules: RulesVersion,
	}}
	if m.minor > d.Open.minor {
		fs = append(fs, p.differ(c, n, StatusMismatch, string(d.State))...)
	}
	return fs
}

// lose books who bears what is still away of the disputed money: by the
// channel's policy the wallet that has the money, else we.
func (p Payment) lose(c Context, n Notice, d Dispute, t Trade) []Fact {
	if !d.Open.IsPositive() {
		return p.differ(c, n, StatusMismatch, string(d.State))
	}
	var bearer AccountID
	if c.Channel.DisputeLost != LostByExpense && t.inWallet() {
		bearer = t.Account
	}
	return []Fact{DisputeLost{
		TradeNo: n.TradeNo, DisputeID: n.DisputeID, Account: bearer, Amount: d.Open, Basis: c.basis(n), Dates: c.dates(n),
		Postings: lostPostings(n.Channel, bearer, d.Open), Rules: RulesVersion,
	}}
}

// rememberDispute is p after a notice about a dispute was kept with outcome o.
func (p Payment) rememberDispute(n Notice, o Outcome) Payment {
	was, known := p.dispute(n.DisputeID)
	move, moves := movement(n.Status)
	switch {
	case was.elsewhere(n):
		return p
	case o == OutcomeHeld:
		if n.Source == SourceQuery || !moves {
			return p
		}
		return p.changeDispute(n, func(d *Dispute) { d.doubted[move] = true }, DisputeIsHeld)
	case len(n.Doubts) > 0:
		return p // it repeats what is known
	case !moves:
		if !known && n.DisputeID != "" && n.Status == StatusOpened {
			p = p.changeDispute(n, func(*Dispute) {}, DisputeIsOpen)
		}
		return p
	}
	return p.learnDispute(n, was, move)
}

// learnDispute takes over what a message says that may move money. What a
// callback repeats was known before a hint came: it is no answer to that.
func (p Payment) learnDispute(n Notice, was Dispute, move int) Payment {
	if !was.booked(n.Status) || n.Source == SourceQuery {
		p = p.releaseDisputes(n, move)
	}
	if was.booked(n.Status) {
		return p
	}
	waits := p.early(n)
	if waits && !slices.ContainsFunc(p.pending, n.tells) {
		p.pending = append(slices.Clip(p.pending), n)
	}
	return p.changeDispute(n, func(d *Dispute) {
		d.doubted[move] = false
		if waits {
			d.TradeNo, d.State = n.TradeNo, DisputeIsPending
		}
	}, DisputeIsOpen)
}

// releaseDisputes ends the wait of the messages that told n's movement of a
// dispute without its number.
func (p Payment) releaseDisputes(n Notice, move int) Payment {
	ds := slices.Clone(p.Disputes)
	for i, d := range ds {
		if d.DisputeID == "" && (d.TradeNo == "" || d.TradeNo == n.TradeNo) {
			ds[i].doubted[move] = false
		}
	}
	p.Disputes = slices.DeleteFunc(ds, func(d Dispute) bool { return d.DisputeID == "" && d.doubted == [3]bool{} })
	return p
}

// changeDispute changes the dispute of n's id in a copy: a new one, in state s,
// where there is none.
func (p Payment) changeDispute(n Notice, change func(*Dispute), s DisputeState) Payment {
	ds := slices.Clone(p.Disputes)
	i := slices.IndexFunc(ds, func(d Dispute) bool {
		return d.DisputeID == n.DisputeID && (n.DisputeID != "" || d.TradeNo == n.TradeNo)
	})
	if i < 0 {
		ds = append(ds, Dispute{TradeNo: n.TradeNo, DisputeID: n.DisputeID, State: s, Amount: n.Amount, FirstAt: n.ReceivedAt})
		i = len(ds) - 1
	}
	if ds[i].State == DisputeIsHeld && s != "" {
		ds[i].State = s
	}
	change(&ds[i])
	p.Disputes = ds
	return p
}

// applyDispute books a movement into the dispute it belongs to.
func (p Payment) applyDispute(trade, id string, at time.Time, s DisputeState, book func(*Dispute)) Payment {
	n := Notice{TradeNo: trade, DisputeID: id, ReceivedAt: at}
	return p.changeDispute(n, func(d *Dispute) {
		d.State = s
		book(d)
		for i, move := range movements {
			d.doubted[i] = d.doubted[i] && !d.booked(move) // nobody is left to ask about it
		}
	}, s).sift()
}

func (p Payment) applyWithdrawn(f DisputeWithdrawn) Payment {
	return p.applyDispute(f.TradeNo, f.DisputeID, f.Dates.ReceivedAt, DisputeIsWithdrawn, func(d *Dispute) {
		d.withdrawn, d.TradeNo, d.Amount, d.Open = true, f.TradeNo, f.Amount, plus(d.Open, f.Amount)
	})
}

func (p Payment) applyReinstated(f DisputeReinstated) Payment {
	return p.applyDispute(f.TradeNo, f.DisputeID, f.Dates.ReceivedAt, DisputeIsReinstated, func(d *Dispute) {
		d.reinstated, d.Open = true, plus(d.Open, f.Amount.Neg())
	})
}

func (p Payment) applyLost(f DisputeLost) Payment {
	return p.applyDispute(f.TradeNo, f.DisputeID, f.Dates.ReceivedAt, DisputeIsLost, func(d *Dispute) {
		d.lost, d.Open = true, plus(d.Open, f.Amount.Neg())
	})
}
