package domain

import "slices"

// rememberRefund is p after a notice about a refund was kept with outcome o.
func (p Payment) rememberRefund(n Notice, o Outcome) Payment {
	r, known := p.refund(n.RefundID)
	switch {
	case o == OutcomeHeld:
		if n.Source == SourceQuery {
			return p
		}
		return p.holdRefund(n)
	case len(n.Doubts) > 0:
		return p // it repeats what is known
	case n.Status == StatusSucceeded && n.Amount.IsPositive():
		told := known && (r.State == RefundReversed || r.settles(n) || r.waitsAs(n))
		if n.Source == SourceQuery || !(told || p.toldSum(n)) {
			p = p.releaseRefunds(n)
		}
		if told {
			return p
		}
		return p.learnRefund(n)
	case n.Status == StatusFailed && !(known && r.elsewhere(n)):
		if n.Source == SourceQuery || !(known && r.State == RefundReversed) {
			p = p.releaseRefunds(n)
		}
		return p.voidRefund(n)
	case n.Status == StatusWaiting && n.RefundID != "" && !known:
		return p.changeRefund(n, func(r *Refund) { r.State = RefundWaiting })
	}
	return p
}

// voidRefund remembers that a refund which is in no book never will be.
func (p Payment) voidRefund(n Notice) Payment {
	if n.RefundID == "" {
		return p
	}
	return p.changeRefund(n, func(r *Refund) {
		if r.State != RefundBooked && !r.Booked.IsPositive() {
			r.State, r.named = RefundReversed, false
		}
	}).sift()
}

// holdRefund remembers that the provider must be asked about what n says.
func (p Payment) holdRefund(n Notice) Payment {
	if n.RefundID == "" && slices.ContainsFunc(p.Refunds, func(r Refund) bool {
		return r.waits() && r.RefundID == "" && r.TradeNo == n.TradeNo && r.RefundNo == n.RefundNo && r.Amount == n.Amount
	}) {
		return p
	}
	known, _ := p.refund(n.RefundID)
	return p.changeRefund(n, func(r *Refund) {
		if r.doubted != StatusFailed {
			r.doubted = n.Status
		}
		if r.State == "" || (r.named != known.named && !r.Booked.IsPositive()) {
			r.State, r.Amount, r.named = RefundHeld, Money{}, false
		}
		if r.Amount.IsZero() && !r.named {
			r.Amount = n.Amount
		}
	})
}

// learnRefund takes over what a refund that went through says.
func (p Payment) learnRefund(n Notice) Payment {
	t, _ := p.Trade(n.TradeNo)
	waits := !t.State.Decided()
	if !waits && n.Amount.currency != t.Amount.currency {
		p.Refunds = slices.DeleteFunc(slices.Clone(p.Refunds), n.ends)
		return p
	}
	if waits && !slices.ContainsFunc(p.pending, n.tells) {
		p.pending = append(slices.Clip(p.pending), n)
	}
	if n.Total {
		p.totals = withTotal(p.totals, n.TradeNo, n.Amount)
		if !slices.ContainsFunc(p.Refunds, n.ends) {
			return p
		}
		return p.changeRefund(n, func(r *Refund) { r.State = wentThrough(waits) })
	}
	known, _ := p.refund(n.RefundID)
	return p.changeRefund(n, func(r *Refund) {
		if !known.named {
			r.Amount, r.named = n.Amount, true
		}
		if !r.Booked.IsPositive() {
			r.TradeNo = n.TradeNo
		}
		r.State = wentThrough(waits)
	})
}

// wentThrough is the state of a refund that went through, by itself or within a
// sum, and perhaps waits for its payment.
func wentThrough(waits bool) RefundState {
	if waits {
		return RefundPending
	}
	return RefundBooked
}

// ends reports whether the wait of r, which nobody knew to have gone through, is
// over with n.
func (n Notice) ends(r Refund) bool {
	return r.State == RefundWaiting && r.RefundID == n.RefundID && n.RefundID != ""
}

func withTotal(ts []tradeTotal, trade string, m Money) []tradeTotal {
	out := slices.Clone(ts)
	i := slices.IndexFunc(out, func(t tradeTotal) bool { return t.of(trade, m) })
	switch {
	case i < 0:
		out = append(out, tradeTotal{trade, m})
	case out[i].most.minor < m.minor:
		out[i].most = m
	}
	return out
}

// toldSum reports whether n tells a sum that was told before.
func (p Payment) toldSum(n Notice) bool {
	return n.Total && slices.ContainsFunc(p.totals, func(s tradeTotal) bool {
		return s.of(n.TradeNo, n.Amount) && s.most.minor >= n.Amount.minor
	})
}

// releaseRefunds ends the wait of those messages that n, which may move money,
// answers. What a callback repeats was known before they came: it is no answer.
func (p Payment) releaseRefunds(n Notice) Payment {
	if !slices.ContainsFunc(p.Refunds, n.answers) {
		return p
	}
	rs := slices.DeleteFunc(slices.Clone(p.Refunds), func(r Refund) bool {
		return n.answers(r) && r.State == RefundHeld && (r.RefundID == "" || r.RefundID != n.RefundID)
	})
	for i := range rs {
		if !n.answers(rs[i]) {
			continue
		}
		if rs[i].doubted = ""; rs[i].State == RefundHeld {
			rs[i].State = RefundWaiting // until what n says is taken over
		}
	}
	p.Refunds = rs
	return p
}

// answers reports whether n tells what the waiting r asks for: a refund of the
// same number or id, or where one of them names none, of the same money and
// amount. That a refund went through is no answer to whether it failed since,
// unless it was asked for.
func (n Notice) answers(r Refund) bool {
	switch {
	case r.doubted == "" || (r.doubted == StatusFailed && n.Status != StatusFailed && n.Source != SourceQuery):
		return false
	case r.RefundNo != "" && r.RefundNo == n.RefundNo:
		return true
	case r.RefundID != "" && n.RefundID != "":
		return r.RefundID == n.RefundID
	case r.RefundNo != "" && n.RefundNo != "":
		return false
	case r.TradeNo != "" && r.TradeNo != n.TradeNo:
		return false
	case r.Amount.IsZero() || r.Amount == n.Amount:
		return true
	}
	return n.Total && n.Amount.currency == r.Amount.currency && n.Amount.minor >= r.Amount.minor
}

// tells reports whether o says what n says.
func (n Notice) tells(o Notice) bool { return notionOf(n).content() == notionOf(o).content() }

// changeRefund changes the refund of n's id, or one without an id, in a copy:
// a new one where there is none.
func (p Payment) changeRefund(n Notice, change func(*Refund)) Payment {
	rs := slices.Clone(p.Refunds)
	i := slices.IndexFunc(rs, func(r Refund) bool { return r.RefundID == n.RefundID && n.RefundID != "" })
	if i < 0 {
		rs = append(rs, Refund{TradeNo: n.TradeNo, RefundID: n.RefundID, Total: n.Total, FirstAt: n.ReceivedAt})
		i = len(rs) - 1
	}
	if rs[i].RefundNo == "" {
		rs[i].RefundNo = n.RefundNo
	}
	change(&rs[i])
	p.Refunds = rs
	return p
}

func (p Payment) applyRefunded(f PaymentRefunded) Payment {
	p.Trades = withTrade(p.Trades, f.TradeNo, func(t *Trade) { t.refund(f.Amount, f.Postings) })
	n := Notice{TradeNo: f.TradeNo, RefundID: f.RefundID, RefundNo: f.RefundNo, ReceivedAt: f.Dates.ReceivedAt}
	p = p.changeRefund(n, func(r *Refund) {
		r.TradeNo, r.State, r.Booked, r.Account, r.postings = f.TradeNo, RefundBooked, f.Amount, f.Account, f.Postings
	})
	p.Refunds = slices.DeleteFunc(p.Refunds, func(r Refund) bool { // a copy already
		return r.State == RefundHeld && p.covers(r.TradeNo, r.Amount, r.Total)
	})
	return p.sift()
}

// applyRefundFailed: what came back is no part of a sum any more.
func (p Payment) applyRefundFailed(f RefundFailed) Payment {
	p.Trades = withTrade(p.Trades, f.TradeNo, func(t *Trade) { t.refund(f.Amount.Neg(), f.Postings) })
	p.totals = slices.Clone(p.totals)
	for i, s := range p.totals {
		if s.of(f.TradeNo, f.Amount) {
			p.totals[i].most.minor = max(0, s.most.minor-f.Amount.minor)
		}
	}
	n := Notice{TradeNo: f.TradeNo, RefundID: f.RefundID, ReceivedAt: f.Dates.ReceivedAt}
	return p.changeRefund(n, func(r *Refund) { r.State = RefundReversed })
}

// refund takes m of the money, or gives it back, by ps. What comes back of parked
// money is parked, wherever the rest went meanwhile.
func (t *Trade) refund(m Money, ps []Posting) {
	t.Refunded = plus(t.Refunded, m)
	for _, q := range ps {
		if q.Book == BookParked && t.State != TradeParked {
			t.aside = plus(t.aside, q.Amount.Neg())
		}
	}
}

// left is what is left of the money where it sits: never below zero, and nothing
// of what people took from there or of what stayed parked.
func (t Trade) left() Money {
	switch t.State {
	case TradeReversed:
		return Money{0, t.Amount.currency}
	case TradeWrittenOff:
		return Money{t.aside.minor, t.Amount.currency}
	default:
		return Money{max(0, t.Amount.minor-t.Refunded.minor-t.aside.minor), t.Amount.currency}
	}
}

// inWallet reports whether the money is in a wallet.
func (t Trade) inWallet() bool { return t.State == TradeCredited || t.State == TradeAllocated }

// gone reports whether all of the money went back to its payer.
func (t Trade) gone() bool {
	taken := t.State == TradeReversed || t.State == TradeWrittenOff
	return t.Refunded.IsPositive() && (taken || t.Refunded.minor >= t.Amount.minor)
}

// minus is m − o for a part o of m.
func minus(m, o Money) Money { return Money{m.minor - o.minor, m.currency} }

// plus is m + o. A sum beyond the range of money, which no provider moves,
// stays what it was: a fold cannot fail.
func plus(m, o Money) Money {
	if m.currency == "" {
		return o
	}
	sum, err := m.Add(o)
	if err != nil {
		return m
	}
	return sum
}
