package domain

import "time"

// Again takes the decision behind a fact of the book stream once more: the fact
// that the rules lead to from what its bill said. b is the fold before it. An
// error says why the rules allow none.
func (b *Book) Again(c Context, f Fact) (Fact, error) {
	switch f := f.(type) {
	case FeesBooked:
		bill := BookedBill{Day: f.Day, Bill: f.Bill, Run: f.Run, SHA256: f.SHA256}
		again, due, err := b.fee(c, bill, Charge{Currency: f.Total.currency, Fees: f.Exact, Moved: f.Total})
		return owed(again, due, err)
	case DiscountBooked:
		bill := BookedBill{Day: f.Day, Bill: f.Bill, Run: f.Run, SHA256: f.SHA256}
		again, due, err := b.discount(c, bill, Charge{Currency: f.Total.currency, Discounts: f.Exact})
		return owed(again, due, err)
	case FXBooked:
		bill := BookedBill{Day: f.Day, Bill: f.Bill, Run: f.Run, SHA256: f.SHA256}
		again, due, err := b.exchange(c, bill, Exchange{f.TotalFrom, f.TotalTo})
		return owed(again, due, err)
	case MovementBooked:
		if _, booked := b.lines[f.Line]; booked {
			return nil, E(KindConflict, "line %s is booked already", quote(f.Line))
		}
		again := c.movement(f.Day, Movement{
			ID: f.Line, Amount: f.Amount, At: f.Dates.at(), Bill: f.Bill, Run: f.Run, SHA256: f.SHA256, Row: f.Row,
		}, nil)
		again.Line = f.Line // the provider's number of the line may have been none
		return owed(again, !f.Amount.IsZero(), nil)
	default:
		return nil, E(KindCorrupt, "a %s does not stand in a book", f.FactType())
	}
}

// owed is a decision's fact as one that can be compared.
func owed(f Fact, due bool, err error) (Fact, error) {
	if err == nil && !due {
		return nil, E(KindConflict, "nothing was left to book")
	}
	return f, err
}

// at is the time a line of a bill named, none where it named its day only.
func (d Dates) at() (t time.Time) {
	if d.Estimated {
		return t
	}
	return d.OccurredAt
}

// Again takes the decision behind a fact of the payout's stream once more; see
// Book.Again.
func (p *Payout) Again(c Context, f Fact) (Fact, error) {
	switch f := f.(type) {
	case PayoutSent:
		return p.line(c, f.Day, Movement{
			Kind: LinePayout, ID: f.Line, PayoutID: f.PayoutID, Amount: f.Amount, At: f.Dates.at(), Bill: f.Bill, Run: f.Run,
			SHA256: f.SHA256, Row: f.Row,
		})
	case PayoutFailed:
		return p.line(c, f.Day, Movement{
			Kind: LinePayoutFailed, ID: f.Line, PayoutID: f.PayoutID, Amount: f.Amount, At: f.Dates.at(), Bill: f.Bill, Run: f.Run,
			SHA256: f.SHA256, Row: f.Row,
		})
	case PayoutArrived:
		again, err := p.Arrive(c, Arrival{
			Amount: f.Amount, At: f.Dates.at(), Reference: f.Reference, Statement: f.Statement, Reason: f.Reason, By: f.By,
		})
		return owed(again, again != nil, err)
	default:
		return nil, E(KindCorrupt, "a %s does not stand in a payout's stream", f.FactType())
	}
}

func (p *Payout) line(c Context, day Day, m Movement) (Fact, error) {
	f, differs, err := p.Line(c, day, m)
	if err == nil && differs {
		return nil, E(KindMismatch, "another stage of the payout is of another amount")
	}
	return owed(f, f != nil, err)
}

// Again takes the decision behind a fact of the periods' stream once more; see
// Book.Again. That totals are those of the log is for whoever has all of it,
// that signatures hold for whoever has the keys.
func (p Periods) Again(c Context, f Fact) (Fact, error) {
	var facts []Fact
	var err error
	switch f := f.(type) {
	case PeriodClosing:
		_, facts, err = p.Propose(c, CloseAsk{
			Period: f.Period, Reason: f.Reason, By: f.By, Accept: names(f.Basis.Incomplete), Basis: p.basisOf(f.Period, f.Basis),
		})
		facts = WithSignature(facts, f.Signature)
	case PeriodRejected:
		facts, err = p.Reject(c, f.Period, f.By, f.Reason)
	case PeriodClosed:
		facts, err = p.Approve(c, f.Period, f.By, f.Reason, p.basisOf(f.Period, f.Basis))
		facts = WithSignature(facts, f.Signature)
	default:
		return nil, E(KindCorrupt, "a %s does not stand in the periods' stream", f.FactType())
	}
	if err != nil || len(facts) == 0 {
		return owed(nil, false, err)
	}
	return facts[0], nil
}

// basisOf is a stored basis as it was gathered. The first period to be closed
// is the first with a posting: whoever has all of the log sees whether it is.
func (p Periods) basisOf(period string, b PeriodBasis) CloseBasis {
	first := period
	if p.Last != nil {
		first = p.Last.Period
	}
	return CloseBasis{PeriodBasis: b, First: first}
}

func names(xs []PeriodException) []string {
	out := make([]string, len(xs))
	for i, x := range xs {
		out[i] = x.Name
	}
	return out
}
