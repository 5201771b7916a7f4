package domain

import (
	"reflect"
	"slices"
)

// remember is p after a notice about a refund or a dispute was kept with
// outcome o, but for the facts that follow from it.
func (p Payment) remember(n Notice, o Outcome) Payment {
	switch n.About {
	case AboutRefund:
		return p.rememberRefund(n, o)
	case AboutDispute:
		return p.rememberDispute(n, o)
	case AboutPayment:
	}
	return p
}

// learns reports whether keeping n changes what is known of refunds and
// disputes: then it must be kept, whatever became of it.
func (p Payment) learns(n Notice, o Outcome) bool {
	if n.About == AboutPayment {
		return false
	}
	q := p.remember(n, o)
	return !reflect.DeepEqual(p.Refunds, q.Refunds) || !reflect.DeepEqual(p.Disputes, q.Disputes) ||
		!slices.Equal(p.totals, q.totals) || len(p.pending) != len(q.pending)
}

// dueAfter are the facts for which notices have waited until facts.
func (p Payment) dueAfter(c Context, facts []Fact) []Fact {
	if len(p.pending) == 0 || len(facts) == 0 {
		return nil
	}
	for _, f := range facts {
		p = p.Apply(f)
	}
	return p.due(c)
}

// due are the facts that follow from notices which had come too early, once
// what they waited for is in p: first refunds, then disputes, each of which may
// be what another one waits for.
func (p Payment) due(c Context) []Fact {
	out, p := p.followUp(c, p.pending, AboutRefund)
	for again := true; again; {
		var fs []Fact
		fs, p = p.followUp(c, p.pending, AboutDispute)
		out, again = append(out, fs...), len(fs) > 0
	}
	return out
}

// followUp decides on each pending notice of one kind that waits no more, once.
func (p Payment) followUp(c Context, pending []Notice, about About) (out []Fact, after Payment) {
	for _, n := range pending {
		if n.About != about || p.waitsStill(n) {
			continue
		}
		fs := p.effects(c, n)
		for _, f := range fs {
			p = p.Apply(f)
		}
		out = append(out, fs...)
	}
	return out, p
}

func (p Payment) effects(c Context, n Notice) []Fact {
	switch {
	case n.About == AboutRefund:
		return p.refundFacts(c, n)
	case p.spent(n):
		return nil
	}
	return p.disputeFacts(c, n)
}

// waitsStill reports whether what a pending notice waits for has not come.
func (p Payment) waitsStill(n Notice) bool {
	if n.About == AboutDispute {
		return p.early(n)
	}
	t, _ := p.Trade(n.TradeNo)
	return !t.State.Decided()
}

// sift drops pending notices on which was decided.
func (p Payment) sift() Payment {
	if !slices.ContainsFunc(p.pending, p.spent) {
		return p
	}
	p.pending = slices.DeleteFunc(slices.Clone(p.pending), p.spent)
	rs := slices.Clone(p.Refunds)
	for i, r := range rs {
		if r.State == RefundPending && !slices.ContainsFunc(p.pending, func(n Notice) bool { return n.RefundID == r.RefundID }) {
			rs[i].State = RefundBooked // by itself or within a sum
		}
	}
	p.Refunds = rs
	return p
}

// spent reports whether a pending notice was decided on. All refunds of a trade
// are, in the append that decides the trade.
func (p Payment) spent(n Notice) bool {
	if n.About == AboutDispute {
		d, _ := p.dispute(n.DisputeID)
		return d.booked(n.Status)
	}
	r, _ := p.refund(n.RefundID)
	t, _ := p.Trade(n.TradeNo)
	return r.State == RefundReversed || (t.State.Decided() && n.Amount.currency == t.Amount.currency)
}
