package domain

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
