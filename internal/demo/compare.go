package demo

import (
	"maps"
	"slices"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// compare puts the shop's orders, the providers' books and our log side by
// side: every due order credited exactly once with its own amount to its own
// account, nothing else credited, and every refund and dispute of which a
// provider tells booked once.
func compare(orders map[string]order, truth map[string][]stage.Payment, log *journal) *verdict {
	v := newVerdict(log, len(orders))
	for _, name := range slices.Sorted(maps.Keys(orders)) {
		v.compareOrder(name, orders[name], truth[name], log.credits[name])
	}
	for name, credits := range log.credits {
		if _, ours := orders[name]; !ours {
			v.wrong("%s was credited %d times, and nobody placed it", name, len(credits))
		}
	}
	return v
}

// standing is what one order comes to by the provider's books.
type standing struct {
	due      bool  // its own money came
	forgot   bool  // the provider no longer knows of it
	accepted bool  // a callback of it was taken
	wallet   purse // what its account is to have of it
}

func standingOf(o order, paid []stage.Payment) standing {
	s := standing{wallet: purse{}}
	for _, p := range paid {
		s.forgot = s.forgot || p.Forgot
		if !p.Due {
			continue
		}
		s.due, s.accepted = true, p.Accepted
		s.wallet.add(p.Amount)
		if o.till.refunds {
			gone, lost, _ := whatWent(p)
			s.wallet.take(gone)
			s.wallet.take(lost)
		}
	}
	return s
}

// whatWent is the money of a payment that was refunded, lost in disputes, and
// is away in disputes that are open.
func whatWent(p stage.Payment) (refunded, lost, away domain.Money) {
	zero := domain.NewMoney(0, p.Amount.Currency())
	refunded, lost, away = zero, zero, zero
	for _, r := range p.Refunds {
		if !r.Failed {
			refunded = sum(refunded, r.Amount)
		}
	}
	for _, d := range p.Disputes {
		switch d.State {
		case stage.DisputeLost:
			lost = sum(lost, d.Amount)
		case stage.DisputeOpen:
			away = sum(away, d.Amount)
		case stage.DisputeWon:
		}
	}
	return refunded, lost, away
}

func (v *verdict) compareOrder(name string, o order, paid []stage.Payment, credits []credit) {
	s, line := standingOf(o, paid), v.line(o.till)
	line.placed++
	if v.due[o.account] == nil {
		v.due[o.account] = purse{}
	}
	if s.due {
		line.due++
		if !s.accepted {
			v.lost++
		}
	}
	switch {
	case len(credits) > 1:
		v.wrong("%s was credited %d times", name, len(credits))
	case s.due && len(credits) == 0 && s.forgot:
		v.forgotten++
		return
	case s.due && len(credits) == 0:
		v.wrong("%s was paid and is not credited", name)
	case !s.due && len(credits) > 0:
		v.wrong("%s was credited and is not paid", name)
	}
	if s.due {
		line.expected.add(o.amount)
	}
	for m := range s.wallet {
		v.due[o.account].add(s.wallet.of(m))
	}
	for _, c := range credits {
		line.count++
		line.credited.add(c.amount)
		if c.amount != o.amount || c.account != o.account {
			v.wrong("%s was credited with %s to %s, placed %s for %s", name, c.amount, c.account, o.amount, o.account)
		}
	}
	if o.till.refunds {
		v.compareBack(name, o.till, paid, line)
	} else {
		v.compareShown(name, paid)
	}
}

// compareShown: a refund of which the provider tells no amount is shown to
// people once it is asked about, and nothing else is.
func (v *verdict) compareShown(name string, paid []stage.Payment) {
	refunded := false
	for _, p := range paid {
		refunded = refunded || (len(p.Refunds) > 0 && !p.Forgot)
	}
	shown := v.log.missing[name]
	if refunded {
		v.shown++
	}
	switch {
	case refunded && shown == 0:
		v.wrong("%s was refunded, and nobody is shown that", name)
	case !refunded && shown > 0:
		v.wrong("%s was not refunded, and people are shown that it was", name)
	}
}

// compareBack holds what the log says left again against each payment.
func (v *verdict) compareBack(name string, t till, paid []stage.Payment, line *line) {
	for _, p := range paid {
		if p.Forgot {
			continue // nobody can ask any more
		}
		ours := v.log.trades[t.channel+"/"+p.TradeNo]
		if ours == nil {
			ours = &trade{}
		}
		refunded, lost, away := whatWent(p)
		c := p.Amount.Currency()
		for _, half := range []struct {
			what         string
			theirs, ours domain.Money
		}{
			{"refunded", refunded, ours.refunded.of(c)},
			{"lost in disputes", lost, ours.lost.of(c)},
			{"away in disputes", away, ours.away.of(c)},
		} {
			if half.theirs != half.ours {
				v.wrong("%s: %s %s by the provider's books, %s by ours (%s)", name, half.what, half.theirs, half.ours, p.TradeNo)
			}
		}
		line.refunded.add(ours.refunded.of(c))
		line.disputed.add(ours.lost.of(c))
		line.disputed.add(ours.away.of(c))
	}
}

// sum adds amounts of a demo, which cannot overflow.
func sum(a, b domain.Money) domain.Money {
	return domain.NewMoney(a.Minor()+b.Minor(), a.Currency())
}
