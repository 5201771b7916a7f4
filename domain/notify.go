package domain

import (
	"slices"
	"time"
)

// Verdict is what a command on a payment decided: the outcome to answer and
// the facts to append. No facts means that nothing new is to be kept.
type Verdict struct {
	Outcome Outcome
	Reason  Reason
	Facts   []Fact
}

// Notify says which facts follow from a verified notice, and what it comes to.
// ref ties the notice to its evidence; reply is the intended answer by
// outcome, nil for queries; repeats counts equal deliveries since the last
// event that were answered without one.
//
// It keeps R1 (every notice is kept, equal ones beyond the limit counted), R2
// (one credit an order, one decision a trade_no), R3 (the placed amount,
// currency and account only; an order nobody placed has those of its notice)
// and R7 (it takes only what the provider positively says went away). A query
// that changes nothing yields no facts: the sweep appends only what it changes.
//
// Refunds and disputes whose payment had not come before are booked in the same
// append as the credit.
func (p Payment) Notify(c Context, n Notice, ref EvidenceRef, reply func(Outcome) Reply, repeats int) Verdict {
	n = n.storable()
	v := p.judge(c, n, ref.Grade)
	if v.Facts = append(v.Facts, p.overdue(c, n, v)...); len(v.Facts) == 0 && !p.learns(n, v.Outcome) {
		if n.Source == SourceQuery {
			return v
		}
		if p.overLimit(n) && n.ReceivedAt.Sub(p.LastNoticeAt) < RepeatsEvery {
			return v
		}
	}
	v.Facts = slices.Insert(v.Facts, 0, Fact(notified(c, n, ref, reply, v, repeats)))
	return v
}

// storable is n as it is read back: 0 of a currency is not stored, and a time
// beyond the calendar of stored times is none. Deciding on anything else would
// make a fold that the log does not give again, or refuse the money for ever.
func (n Notice) storable() Notice {
	if n.Amount.IsZero() {
		n.Amount = Money{}
	}
	if !inCalendar(n.OccurredAt) {
		n.OccurredAt = time.Time{}
	}
	if n.Fee.IsZero() {
		n.Fee = Money{}
	}
	if _, err := ParseAccountID(string(n.Account)); err != nil {
		n.Account = ""
	}
	return n
}

// overdue are the facts for which other notices have waited until n.
func (p Payment) overdue(c Context, n Notice, v Verdict) []Fact {
	if len(p.pending) == 0 || len(v.Facts) == 0 {
		return nil
	}
	p = p.remember(n, v.Outcome)
	for _, f := range v.Facts {
		p = p.Apply(f)
	}
	return p.due(c)
}

// overLimit reports whether n equals an earlier notice of a payment that has
// kept enough of them.
func (p Payment) overLimit(n Notice) bool {
	return p.Notices >= MaxEqualNotices && slices.Contains(p.seen, notionOf(n))
}

func notified(c Context, n Notice, ref EvidenceRef, reply func(Outcome) Reply, v Verdict, repeats int) PaymentNotified {
	f := PaymentNotified{
		Delivery: n.Delivery, Index: n.Index, Source: n.Source, Channel: n.Channel, OrderNo: n.OrderNo,
		TradeNo: n.TradeNo, Amount: n.Amount, Status: n.Status, ProviderStatus: n.ProviderStatus, Doubts: n.Doubts,
		ReceivedAt: Instant(n.ReceivedAt), Run: n.Run, Evidence: ref, Repeats: repeats,
		Decision: Decision{Outcome: v.Outcome, Reason: v.Reason, Config: c.Revision, Rules: RulesVersion},
		About:    n.About, RefundID: n.RefundID, RefundNo: n.RefundNo, Total: n.Total, DisputeID: n.DisputeID,
		Fee: n.Fee, Account: n.Account,
	}
	if !n.OccurredAt.IsZero() {
		f.OccurredAt = Instant(n.OccurredAt)
	}
	if reply != nil {
		r := reply(v.Outcome)
		f.Reply = &r
	}
	return f
}

// basis is the id of the payment.notified that will stand before the effects
// of n.
func (c Context) basis(n Notice) ID {
	return c.ID(PaymentNotified{Delivery: n.Delivery, Index: n.Index})
}

// judge decides a notice on evidence of a grade; its facts are the effects
// only.
func (p Payment) judge(c Context, n Notice, g Grade) Verdict {
	switch n.About {
	case AboutRefund:
		return p.judgeRefund(c, n)
	case AboutDispute:
		return p.judgeDispute(c, n)
	case AboutPayment:
		return p.judgePayment(c, n, g)
	}
	return Verdict{Outcome: OutcomeNoted}
}

func (p Payment) judgePayment(c Context, n Notice, g Grade) Verdict {
	if n.Status != StatusPaid {
		return p.judgeUnpaid(c, n)
	}
	if !n.Amount.IsPositive() {
		return Verdict{Outcome: OutcomeNoted, Reason: ReasonNotPaid}
	}
	t, _ := p.Trade(p.numberOf(n.TradeNo, n.Amount))
	if t.State.Decided() {
		return p.judgeRepeat(c, n, t)
	}
	wait := p.waitReason(c, n, g)
	park := p.parkReason(c, n, t)
	if wait == ReasonNone {
		if park == ReasonNone {
			return p.credit(c, n, t)
		}
		return p.park(c, n, park, true)
	}
	if park != ReasonNone {
		return p.parkUnconfirmed(c, n, t, park)
	}
	if t.State.Waits() {
		return Verdict{Outcome: OutcomeHeld, Reason: wait}
	}
	held := PaymentHeld{TradeNo: n.TradeNo, Amount: n.Amount, Reason: wait, Basis: c.basis(n)}
	return Verdict{OutcomeHeld, wait, []Fact{held}}
}

// waitReason says why n alone may not move money; ReasonNone when it may. A
// query is the confirmation itself. Whose money it is that came for an order
// nobody placed, only strangers' proof or the query may say.
func (p Payment) waitReason(c Context, n Notice, g Grade) Reason {
	switch {
	case len(n.Doubts) > 0 || n.TradeNo == "":
		return ReasonDoubtful
	case n.Source == SourceQuery:
		return ReasonNone
	case c.needsQuery(n.Amount):
		return ReasonConfirmByQuery
	case p.names(c, n) && g != GradeA:
		return ReasonConfirmByQuery
	}
	return ReasonNone
}

// names reports whether n itself says whose money it is that came for an order
// nobody placed, by the channel's rule and in a currency that it takes.
func (p Payment) names(c Context, n Notice) bool {
	return !p.IsPlaced() && !p.settled && n.Account != "" && c.Channel.Takes(n.Amount.Currency())
}

// parkReason says why real money of n may not be credited to the order (R2,
// R3); ReasonNone when it may.
func (p Payment) parkReason(c Context, n Notice, t Trade) Reason {
	switch {
	case p.names(c, n):
		return ReasonNone
	case p.settled:
		return ReasonSecondPayment
	case !p.IsPlaced() || p.Placed.Channel != n.Channel:
		return ReasonUnknownOrder
	case n.Amount.Currency() != p.Placed.Amount.Currency():
		return ReasonOtherCurrency
	case n.Amount != p.Placed.Amount:
		return ReasonOtherAmount
	case p.Closed == ClosedMerchant:
		return ReasonCancelled
	case t.Reason == ReasonUnknownOrder && !p.placedInTime(t):
		return ReasonPlacedTooLate
	case t.Early && n.Account != p.Placed.Account && !p.placedInTime(t):
		return ReasonPlacedTooLate
	}
	return ReasonNone
}

// placedInTime: who places an order long after its money came may only have
// seen the number; people decide then.
func (p Payment) placedInTime(t Trade) bool {
	return p.Placed.PlacedAt.Sub(t.FirstAt) <= AllocateWithin
}

// credit gives the order its money; where nobody placed it, what and to whom
// the notice says. Money that no callback announced was lost on the way: the
// heal says so beside the credit.
func (p Payment) credit(c Context, n Notice, t Trade) Verdict {
	d := c.dates(n)
	to, m, late := n.Account, n.Amount, false
	if p.IsPlaced() {
		to, m, late = p.Placed.Account, p.Placed.Amount, p.Closed != "" || d.OccurredAt.After(p.Placed.ExpiresAt)
	}
	f := PaymentCredited{
		TradeNo: n.TradeNo, Account: to, Amount: m, Source: n.Source, Basis: c.basis(n), Late: late,
		Dates: d, Postings: creditPostings(n.Channel, to, m), Rules: RulesVersion,
	}
	v := Verdict{OutcomeCredited, ReasonNone, []Fact{f}}
	if n.Source == SourceQuery && !p.called(t) {
		v.Facts = append(v.Facts, p.heal(c, n, f)...)
	}
	return v
}

// called reports whether the provider had told us of the trade, or of one
// whose number it left out.
func (p Payment) called(t Trade) bool {
	nameless, _ := p.Trade("")
	return t.Called || nameless.Called
}

func (p Payment) heal(c Context, n Notice, credit PaymentCredited) []Fact {
	d := DiscrepancyFound{
		Kind: MissingCredit, TradeNo: n.TradeNo, Ours: string(p.State()), Theirs: string(n.Status),
		Amount: n.Amount, Run: n.Run, Basis: c.basis(n),
	}
	return []Fact{d, CorrectionIssued{
		Kind: MissingCredit, Auto: true, TradeNo: n.TradeNo, Corrects: c.ID(d), By: c.ID(credit), Run: n.Run,
		Reason: "the provider confirms a payment that no callback announced",
	}}
}

func (p Payment) park(c Context, n Notice, why Reason, confirmed bool) Verdict {
	f := PaymentParked{
		TradeNo: n.TradeNo, Amount: n.Amount, Reason: why, Confirmed: confirmed, Basis: c.basis(n),
		Dates: c.dates(n), Rules: RulesVersion,
	}
	if confirmed {
		f.Postings = parkPostings(n.Channel, n.Amount)
	}
	return Verdict{OutcomeParked, why, []Fact{f}}
}

func (p Payment) parkUnconfirmed(c Context, n Notice, t Trade, why Reason) Verdict {
	if t.State.Waits() {
		return Verdict{Outcome: OutcomeParked, Reason: why}
	}
	return p.park(c, n, why, false)
}

// judgeRepeat: the trade is decided; a differing amount is worth an alert, and
// when the provider's query says so, a difference.
func (p Payment) judgeRepeat(c Context, n Notice, t Trade) Verdict {
	if n.Amount == t.Amount {
		v := Verdict{Outcome: OutcomeRepeated}
		if t.State == TradeReversed && n.Source == SourceQuery {
			v.Facts = p.differ(c, n, StatusMismatch, string(t.State))
		}
		return v
	}
	v := Verdict{Outcome: OutcomeRepeated, Reason: ReasonAmountDisagrees}
	if n.Source == SourceQuery {
		v.Facts = p.differ(c, n, AmountMismatch, string(t.State))
	}
	return v
}

// judgeUnpaid: no money in it. A close ends the wait; a state that takes money
// back, or denies money we have credited, is a difference for people: absence
// never takes (R7).
func (p Payment) judgeUnpaid(c Context, n Notice) Verdict {
	v := Verdict{Outcome: OutcomeNoted, Reason: ReasonNotPaid}
	switch n.Status {
	case StatusClosed:
		v.Facts = p.closeByProvider(c, n)
	case StatusRefunded:
		v.Reason = ReasonTakenBack
		if !p.knowsRefund(n.TradeNo) {
			v.Facts = p.differ(c, n, RefundMissing, string(p.State()))
		}
	case StatusFrozen:
		v.Reason = ReasonTakenBack
		v.Facts = p.differ(c, n, Frozen, string(p.State()))
	case StatusPaid, StatusWaiting, StatusFailed, StatusOther,
		StatusSucceeded, StatusOpened, StatusWithdrawn, StatusReinstated, StatusLost:
	}
	if n.Source == SourceQuery && p.denies(n) {
		v.Facts = append(v.Facts, p.differ(c, n, StatusMismatch, string(p.State()))...)
	}
	return v
}

// knowsRefund reports whether refunds of a trade, or of the one that settled
// the order where none is named, are in the books or wait for their payment.
func (p Payment) knowsRefund(trade string) bool {
	if trade == "" {
		trade = p.Settled
	}
	t, _ := p.Trade(trade)
	return t.Refunded.IsPositive() || slices.ContainsFunc(p.pending, func(n Notice) bool {
		return n.About == AboutRefund && n.TradeNo == trade
	})
}

// denies reports whether an unpaid answer contradicts money we have decided.
// What was refunded as a whole may be closed.
func (p Payment) denies(n Notice) bool {
	if n.Status != StatusWaiting && n.Status != StatusClosed && n.Status != StatusFailed {
		return false
	}
	if n.TradeNo == "" {
		return p.settled && p.State() != StateRefunded && p.State() != StateReversed
	}
	t, _ := p.Trade(n.TradeNo)
	return t.State.Decided() && t.State != TradeReversed && (n.Status != StatusClosed || !t.gone())
}

func (p Payment) closeByProvider(c Context, n Notice) []Fact {
	if !p.IsPlaced() || p.settled || p.Closed != "" {
		return nil
	}
	return []Fact{PaymentClosed{Cause: ClosedProvider, Basis: c.basis(n)}}
}

// differ records a difference once, however often it is seen.
func (p Payment) differ(c Context, n Notice, kind DiscrepancyKind, ours string) []Fact {
	if slices.Contains(p.differs, notion{trade: n.TradeNo, kind: kind}) {
		return nil
	}
	return []Fact{DiscrepancyFound{
		Kind: kind, TradeNo: n.TradeNo, Ours: ours, Theirs: string(n.Status), Amount: n.Amount, Run: n.Run,
		Basis: c.basis(n),
	}}
}
