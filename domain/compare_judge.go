package domain

import (
	"slices"
	"time"
)

// moved reports whether the line is about money that moved. A bill may also
// list what was tried; a refund that failed is one whose money came back.
func (b *BillLine) moved() bool {
	if b.Kind == LineRefundFailed {
		return true
	}
	switch b.Status {
	case StatusWaiting, StatusClosed, StatusFailed, StatusOpened:
		return false
	case "", StatusPaid, StatusRefunded, StatusFrozen, StatusOther, StatusSucceeded, StatusWithdrawn, StatusReinstated, StatusLost:
	}
	return true
}

// compared reports whether lines of this kind have a counterpart among ours.
func (k LineKind) compared() bool {
	switch k {
	case LinePayment, LineRefund, LineRefundFailed, LineDisputeWithdrawn, LineDisputeReinstated:
		return true
	case LineFee, LinePayout, LinePayoutFailed, LineOther:
	}
	return false
}

// pair judges two lines that mean the same movement.
func (c *comparison) pair(o *OurLine, t *BillLine) error {
	c.crossing(o, t)
	differs := Difference{State: DifferenceOpen, Ours: o, Theirs: t}
	switch {
	case t.Kind == LineRefund && t.Status == StatusWaiting:
		// The bill tells how it stood when it was made; we have heard since.
	case !t.moved():
		differs.Kind = StatusMismatch
	case t.Status == StatusFrozen:
		differs.Kind = Frozen
	case o.State == TradeReversed:
		differs.Kind, differs.Note = StatusMismatch, "people took it back, and the bill has it"
	case o.Amount.currency != t.Amount.currency:
		differs.Kind = CurrencyMismatch
	case o.Amount != t.Amount:
		differs.Kind = AmountMismatch
		var err error
		if differs.Delta, err = t.Amount.Sub(o.Amount); err != nil {
			return err
		}
	case o.OrderNo != "" && t.OrderNo != "" && o.OrderNo != t.OrderNo:
		differs.Kind, differs.Note = DuplicateTradeNo, "the bill names another order"
	}
	if differs.Kind == "" {
		c.sum.Matched++
	} else {
		c.tell(differs)
	}
	c.fee(o, t)
	c.apart(o, t)
	return nil
}

// crossing tells that a line of ours was found on the bill of another day than
// its own, or after it had waited.
func (c *comparison) crossing(o *OurLine, t *BillLine) {
	if o.ValueDate != c.policy.Day || o.Since != "" {
		c.tell(Difference{Kind: Timing, State: DifferenceSettled, Ours: o, Theirs: t})
	}
}

// fee holds the fee of a payment against the channel's rate.
func (c *comparison) fee(o *OurLine, t *BillLine) {
	p := c.policy
	if p.FeeRate.IsZero() || t.Kind != LinePayment || t.FeeCurrency == "" || t.FeeCurrency != t.Amount.currency {
		return
	}
	want := t.Amount.Decimal().Mul(p.FeeRate).Round(int32(t.FeeCurrency.Places()))
	off := t.Fee.Sub(want)
	switch {
	case off.IsZero():
	case off.Abs().GreaterThan(p.FeeWithin):
		c.tell(Difference{
			Kind: FeeMismatch, State: DifferenceOpen, Ours: o, Theirs: t,
			Note: "fee " + t.Fee.String() + ", by the rate " + want.String(),
		})
	default:
		c.sum.tolerateFee(t.FeeCurrency, off)
	}
}

// apart holds the two times of a movement against each other.
func (c *comparison) apart(o *OurLine, t *BillLine) {
	if c.policy.Apart == 0 || o.At.IsZero() || t.At.IsZero() {
		return
	}
	switch off := t.At.Sub(o.At).Abs(); {
	case off == 0:
	case off <= c.policy.Apart:
		c.sum.ToleratedTimes++
	default:
		c.tell(Difference{Kind: Timing, State: DifferenceOpen, Ours: o, Theirs: t, Note: "the times lie " + off.String() + " apart"})
	}
}

// lacking is a line of the bill that we have no counterpart of.
func (c *comparison) lacking(t *BillLine) {
	d := Difference{State: DifferenceOpen, Theirs: t}
	switch {
	case t.Kind == LineOther:
		d.Kind = UnclassifiedMovement
	case !t.Kind.compared() || !t.moved():
		c.sum.Noted++
		return
	case t.Kind == LineRefund:
		d.Kind = RefundMissing
	default:
		d.Kind = OnlyTheirs
	}
	if !t.Amount.IsZero() {
		d.Delta = t.Amount
	}
	c.tell(d)
}

// unlisted is a line of ours that the bill does not have.
func (c *comparison) unlisted(o *OurLine) {
	if o.ValueDate != c.policy.Day && o.Since == "" {
		return // its own day's bill has it or will be asked for it
	}
	if c.policy.Later(o) {
		c.tell(Difference{Kind: Timing, State: DifferenceWaiting, Ours: o})
		return
	}
	kind := OnlyOurs
	if o.Kind == LineRefund {
		kind = RefundUnknown
	}
	c.tell(Difference{Kind: kind, State: DifferenceOpen, Ours: o, Delta: o.Amount.Neg()})
}

// Later reports whether a later bill is waited for that may list what this one
// lacks. Money near midnight is given one more bill even by a policy that waits
// for none.
func (p ComparePolicy) Later(o *OurLine) bool {
	wait := p.Wait
	if wait < 1 && p.NearEdge(o.At, o.ValueDate) {
		wait = 1
	}
	return p.Day < o.ValueDate.Add(wait)
}

// NearEdge reports whether a moment lies so near to a day's beginning or end
// that the provider may count it to the neighbouring day.
func (p ComparePolicy) NearEdge(at time.Time, day Day) bool {
	if at.IsZero() || p.Cut <= 0 || p.Zone == nil {
		return false
	}
	begin, end := day.Start(p.Zone), day.Add(1).Start(p.Zone)
	return at.Before(begin.Add(p.Cut)) || !at.Before(end.Add(-p.Cut))
}

// countOurs counts a line of ours. One of a neighbouring day is another bill's.
func (c *comparison) countOurs(o *OurLine) error {
	if o.ValueDate != c.policy.Day {
		return nil
	}
	return c.sum.Ours.add(o.Kind, o.Amount)
}

// Explain says what a payment that only the bill has means for the order it
// names, as our books stand now, and that people took back what the bill says was
// never paid. Other differences are left as they are.
func (p Payment) Explain(d Difference) Difference {
	if d.Ours != nil && d.Ours.Kind == LinePayment {
		return p.explainOurs(d)
	}
	if d.Kind != OnlyTheirs || d.Theirs == nil || d.Theirs.Kind != LinePayment {
		return d
	}
	t, known := p.Trade(d.Theirs.TradeNo)
	switch {
	case known && t.State.Decided() && t.Amount == d.Theirs.Amount:
		d.Kind, d.State, d.Note = Timing, DifferenceSettled, "our books have it on another day"
	case known && t.State.Decided():
		d.Kind, d.Note = AmountMismatch, "our books have "+t.Amount.String()
	case known && t.State.Waits():
		d.Kind, d.Note = StatusMismatch, "our books have it waiting for the provider's word"
	case p.IsSettled():
		d.Kind = SecondPayment
	case !p.IsPlaced():
	case p.Placed.Amount.currency != d.Theirs.Amount.currency:
		d.Kind = CurrencyMismatch
	case p.Placed.Amount != d.Theirs.Amount:
		d.Kind = AmountMismatch
	case p.Closed != ClosedMerchant:
		d.Kind = MissingCredit
	}
	return d
}

// explainOurs says what people made of a payment that our books have since: they
// took it back, or gave it anew with another amount.
func (p Payment) explainOurs(d Difference) Difference {
	t, _ := p.Trade(d.Ours.TradeNo)
	listed := d.Theirs != nil && d.Theirs.moved()
	switch {
	case t.State == TradeReversed && !listed:
		d.Kind, d.State, d.Note = Timing, DifferenceSettled, "people took it back"
	case t.given.IsZero() || t.State != TradeCredited || t.Amount == d.Ours.Amount:
	case listed && d.Kind == AmountMismatch && t.Amount == d.Theirs.Amount:
		d.Kind, d.State, d.Note = Timing, DifferenceSettled, "people made it the bill's amount"
	default: // it still differs, but by what they made of it
		ours := *d.Ours
		ours.Amount, d.Ours, d.Delta = t.Amount, &ours, t.Amount.Neg()
		if listed {
			d.Delta, _ = d.Theirs.Amount.Sub(t.Amount) // the zero Money where they cannot be subtracted
		}
	}
	return d
}

// Has reports whether our books have a movement as a bill lists it.
func (p Payment) Has(b *BillLine) bool {
	switch b.Kind {
	case LinePayment:
		t, known := p.Trade(b.TradeNo)
		return known && t.State.Decided() && t.Amount == b.Amount
	case LineRefund, LineRefundFailed:
		return slices.ContainsFunc(p.Refunds, func(r Refund) bool {
			named := b.RefundID != "" && r.RefundID == b.RefundID || b.RefundNo != "" && r.RefundNo == b.RefundNo
			if b.RefundID == "" && b.RefundNo == "" {
				named = r.TradeNo == b.TradeNo
			}
			return named && r.Booked == b.Amount && (b.Kind == LineRefund || r.State == RefundReversed)
		})
	case LineDisputeWithdrawn, LineDisputeReinstated, LineFee, LinePayout, LinePayoutFailed, LineOther:
	}
	return false
}

// Homeless is what is to be done with parked money whose order is there by now,
// unpaid and for the same amount: it goes to the order's account, if people say
// so. ok is false where nothing speaks for it, or where people were asked.
func (p Payment) Homeless() (ask Correction, ok bool) {
	if !p.IsPlaced() || p.IsSettled() || p.Closed == ClosedMerchant {
		return ask, false
	}
	i := slices.IndexFunc(p.Trades, func(t Trade) bool {
		return t.State == TradeParked && t.TradeNo != "" && t.Refunded.IsZero() && t.Amount == p.Placed.Amount
	})
	if i < 0 || slices.ContainsFunc(p.Proposals, func(q Proposal) bool { return q.Ask.TradeNo == p.Trades[i].TradeNo && q.Ask.Action == ActionAllocate }) {
		return ask, false
	}
	return Correction{
		Action: ActionAllocate, TradeNo: p.Trades[i].TradeNo, Account: p.Placed.Account,
		Reason: "the money came before its order was placed: same order number, same amount, and the provider confirms it",
	}, true
}
