package domain

import "slices"

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
// the order where none is named, are in the books, wait for their payment or,
// told by a message that may not move money alone, for the provider's word.
func (p Payment) knowsRefund(trade string) bool {
	if trade == "" {
		trade = p.Settled
	}
	t, _ := p.Trade(trade)
	return t.Refunded.IsPositive() || slices.ContainsFunc(p.pending, func(n Notice) bool {
		return n.About == AboutRefund && n.TradeNo == trade
	}) || slices.ContainsFunc(p.Refunds, func(r Refund) bool {
		return r.TradeNo == trade && r.RefundID != "" && r.waits()
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

// finding is a difference that was found about a trade, or about the order where
// it names none.
type finding struct {
	kind  DiscrepancyKind
	trade string
	times int  // it was found
	over  bool // since it was found last
}

// differ records a difference once, however often it is seen. One that was over
// is recorded again on the provider's answer: an old message may come late.
func (p Payment) differ(c Context, n Notice, kind DiscrepancyKind, ours string) []Fact {
	was := p.finding(kind, n.TradeNo)
	if was.times > 0 && (!was.over || n.Source != SourceQuery) {
		return nil
	}
	return []Fact{DiscrepancyFound{
		Kind: kind, TradeNo: n.TradeNo, Ours: ours, Theirs: string(n.Status), Amount: n.Amount, Run: n.Run,
		Basis: c.basis(n), Again: was.times,
	}}
}

func (p Payment) finding(kind DiscrepancyKind, trade string) finding {
	for _, f := range p.differs {
		if f.kind == kind && f.trade == trade {
			return f
		}
	}
	return finding{kind: kind, trade: trade}
}

func (p Payment) applyFound(f DiscrepancyFound) Payment {
	all := slices.Clone(p.differs)
	i := slices.IndexFunc(all, func(x finding) bool { return x.kind == f.Kind && x.trade == f.TradeNo })
	if i < 0 {
		i, all = len(all), append(all, finding{kind: f.Kind, trade: f.TradeNo})
	}
	all[i].times, all[i].over = all[i].times+1, false
	p.differs = all
	return p
}

// thaws reports whether n is the provider's answer that money is paid which it
// said to be frozen: that is over then.
func (p Payment) thaws(n Notice) bool {
	return n.About == AboutPayment && n.Status == StatusPaid && n.Source == SourceQuery && len(n.Doubts) == 0 &&
		slices.ContainsFunc(p.differs, func(f finding) bool { return f.frozen(n.TradeNo) })
}

// frozen reports whether the difference is that a trade is frozen, still.
func (f finding) frozen(trade string) bool {
	return f.kind == Frozen && !f.over && (f.trade == "" || f.trade == trade)
}

func (p Payment) thawed(trade string) Payment {
	p.differs = slices.Clone(p.differs)
	for i := range p.differs {
		p.differs[i].over = p.differs[i].over || p.differs[i].frozen(trade)
	}
	return p
}
