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
	if v.Facts = append(v.Facts, p.overdue(c, n, v)...); len(v.Facts) == 0 && !p.learns(n, v.Outcome) && !p.thaws(n) {
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
	if n.Account != "" {
		if _, err := ParseAccountID(string(n.Account)); err != nil {
			n.Account = ""
		}
	}
	return n
}

// overdue are the facts for which other notices have waited until n.
func (p Payment) overdue(c Context, n Notice, v Verdict) []Fact {
	if len(p.pending) == 0 {
		return nil
	}
	return p.remember(n, v.Outcome).dueAfter(c, v.Facts)
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
	return NewV5(c.Ledger, string(c.Stream), TypePaymentNotified, noticeKey(n.Delivery, n.Index))
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
	return !p.IsPlaced() && !p.settled && n.Account != "" && c.Channel.AccountFrom != "" && c.Channel.Takes(n.Amount.Currency())
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
