package domain

// creditOf is whom a credit by hand gives what: what q says, where it says it;
// else as it was placed, or as it was credited before people took it back.
func (p Payment) creditOf(q Correction, t Trade) (to AccountID, m Money) {
	switch {
	case p.IsPlaced():
		to, m = p.Placed.Account, p.Placed.Amount
	case t.State == TradeReversed:
		to, m = t.Account, t.Amount
	}
	if q.Account != "" {
		to = q.Account
	}
	if q.Amount.currency != "" {
		m = q.Amount
	}
	return to, m
}

// lives reports whether the order has its own credit now: it had one that nobody
// took back (R2).
func (p Payment) lives() bool {
	t, _ := p.Trade(p.Settled)
	return p.settled && t.inWallet()
}

// creditByHand gives the order its own credit (R2: at most one at a time). One
// that was taken back may be given back, or the right one given instead: under
// another number, or where nobody placed the order with another amount or
// account. Whoever placed it, it is the amount that the provider names for this
// number, where it did (R3): of other money there was never more.
func (p Payment) creditByHand(c Context, f CorrectionProposed, t Trade, issued CorrectionIssued) ([]Fact, error) {
	ch := c.Channel.Channel
	switch {
	case !f.Amount.IsPositive():
		return nil, EField(KindInvalid, "amount", "%s is not positive", f.Amount)
	case !c.Channel.Takes(f.Amount.currency):
		return nil, EField(KindMismatch, "currency", "channel %s does not take %s", ch, f.Amount.currency)
	case p.lives():
		return nil, notNow(f, "the order has its credit, by trade %s (R2)", quote(p.Settled))
	case t.State.Decided() && t.State != TradeReversed:
		return nil, notNow(f, "its money is %s: allocate it", t.State)
	case t.Refunded.IsPositive():
		return nil, notNow(f, "%s of it was refunded", t.Refunded)
	case p.Closed == ClosedMerchant && t.State != TradeReversed:
		return nil, notNow(f, "the merchant cancelled the order")
	case p.IsPlaced() && (f.Account != p.Placed.Account || f.Amount != p.Placed.Amount):
		return nil, notNow(f, "the order was placed for another account or amount (R3)")
	case t.told.currency != "" && f.Amount != t.told:
		return nil, EField(KindMismatch, "amount", "the provider says that %s came under trade %s (R3)", t.told, quote(t.TradeNo))
	}
	ps := creditPostings(ch, f.Account, f.Amount)
	if p.settled { // payment.credited is there, once and for ever
		if t.State != TradeReversed {
			issued.Enters = LinePayment
		}
		return issued.posted(c, f.ValueDate, ps), nil
	}
	return issued.beside(c, PaymentCredited{
		TradeNo: f.TradeNo, Account: f.Account, Amount: f.Amount, Late: p.Closed != "", Source: SourcePerson, Basis: c.ID(f),
		Dates: c.decidedDates(f.ValueDate), Postings: ps, Rules: RulesVersion,
	}), nil
}

func (p Payment) allocateByHand(c Context, f CorrectionProposed, t Trade, issued CorrectionIssued, approver string) ([]Fact, error) {
	switch {
	case t.State != TradeParked:
		return nil, notNow(f, "its money is not parked and confirmed")
	case t.Refunded.IsPositive():
		return nil, notNow(f, "%s of it was refunded", t.Refunded)
	case f.Amount != t.Amount:
		return nil, notNow(f, "its money is %s now, not %s", t.Amount, f.Amount)
	}
	ps := allocatePostings(f.Account, t.Amount)
	if t.returned { // its payment.allocated is there already
		return issued.posted(c, f.ValueDate, ps), nil
	}
	return issued.beside(c, PaymentAllocated{
		TradeNo: t.TradeNo, Account: f.Account, Amount: t.Amount, ProposedBy: f.By, ApprovedBy: approver, Reason: f.Reason,
		Dates: c.decidedDates(f.ValueDate), Postings: ps, Rules: RulesVersion,
	}), nil
}

// applyIssued changes where the money of a trade stands. A heal changes
// nothing: its money is in the credit beside it.
func (p Payment) applyIssued(f CorrectionIssued) Payment {
	if f.Proposal.IsZero() {
		return p
	}
	p.Proposals = withProposal(p.Proposals, f.Proposal, func(q *Proposal) { q.State = ProposalIssued })
	if f.gives() {
		p = p.applyGiven(f)
	}
	p.Trades = withTrade(p.Trades, f.TradeNo, func(t *Trade) {
		switch f.Action {
		case ActionReverse:
			if t.State == TradeAllocated {
				t.State, t.Account, t.returned, t.aside = TradeParked, "", true, Money{}
			} else {
				t.State = TradeReversed
			}
		case ActionMove:
			t.Account = f.Account
		case ActionWriteOff:
			t.State, t.aside = TradeWrittenOff, Money{}
		case ActionCredit, ActionAllocate:
		}
	})
	return p
}

// gives reports that f itself credits or allocates, because the fact which did it
// first was taken back.
func (f CorrectionIssued) gives() bool {
	return (f.Action == ActionCredit || f.Action == ActionAllocate) && len(f.Postings) > 0
}

func (p Payment) applyGiven(f CorrectionIssued) Payment {
	if f.Action == ActionCredit {
		p = p.settle(f.TradeNo, f.Account, f.Amount, TradeCredited)
	} else {
		p = p.applyAllocated(PaymentAllocated{TradeNo: f.TradeNo, Account: f.Account, Amount: f.Amount})
	}
	p.Trades = withTrade(p.Trades, f.TradeNo, func(t *Trade) { t.given = f.Corrects })
	return p
}
