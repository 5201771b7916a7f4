package domain

import (
	"slices"
	"time"
)

// RefundState is where one refund of a payment stands.
type RefundState string

// The states of a refund. Waiting, held and pending ones are asked about.
const (
	RefundWaiting  RefundState = "waiting" // asked for or on its way: no money moved yet
	RefundHeld     RefundState = "held"    // told by a message that may not move money alone
	RefundPending  RefundState = "pending" // it went through, but the money it is taken from has not come yet
	RefundBooked   RefundState = "booked"
	RefundReversed RefundState = "failed" // it never came through, or came back: final
)

// Refund is what is known of one refund of a payment.
type Refund struct {
	TradeNo  string
	RefundID string // empty for a message that names none
	RefundNo string // the merchant's number, where one was named
	State    RefundState
	Amount   Money     // as the provider says it, zero while it never did; with Total, of all refunds together
	Total    bool      //
	Booked   Money     // what was booked under its id, also when it failed later
	Account  AccountID // whose money it was; empty when it was parked or nothing is booked
	FirstAt  time.Time // receipt of the first notice of it

	named    bool      // the provider told this refund's own amount
	doubted  Status    // what a message says that may not move money alone, and waits for the provider's word
	postings []Posting // of its booking
}

// waits reports whether the provider must be asked about r.
func (r Refund) waits() bool {
	return r.doubted != "" || r.State == RefundWaiting || r.State == RefundHeld
}

// elsewhere reports whether n speaks of another trade than the one that r was
// told of first.
func (r Refund) elsewhere(n Notice) bool {
	return (r.named || r.Booked.IsPositive()) && n.TradeNo != "" && r.TradeNo != n.TradeNo
}

// settles reports whether n, which says that a refund of r's id went through,
// books nothing more: r is booked as it was told, or was told of another trade
// or amount first.
func (r Refund) settles(n Notice) bool {
	return !n.Total && (r.elsewhere(n) || (r.named && (r.State == RefundBooked || r.Amount != n.Amount)))
}

// waitsAs reports whether r waits for its payment as n tells it again.
func (r Refund) waitsAs(n Notice) bool {
	return r.named && !n.Total && r.State == RefundPending && r.Amount == n.Amount
}

// tradeTotal is all that was refunded of a trade in one currency by a provider
// that tells sums.
type tradeTotal struct {
	trade string
	most  Money
}

// of reports whether s is of a trade, in the currency of m.
func (s tradeTotal) of(trade string, m Money) bool {
	return s.trade == trade && s.most.currency == m.currency
}

// WaitingRefunds are the refunds that the provider must be asked about, oldest
// first: those on their way, those told by a message that may not move money
// alone, and those whose payment has not come.
func (p Payment) WaitingRefunds() []Refund {
	var out []Refund
	for _, r := range p.Refunds {
		if !r.waits() {
			continue
		}
		if r.State == RefundPending {
			r.State = RefundHeld // what a later message tells of it
		}
		out = append(out, r)
	}
	for _, n := range p.pending {
		if n.About == AboutRefund && p.waitsStill(n) {
			out = append(out, Refund{
				TradeNo: n.TradeNo, RefundID: n.RefundID, RefundNo: n.RefundNo, State: RefundPending,
				Amount: n.Amount, Total: n.Total, FirstAt: n.ReceivedAt,
			})
		}
	}
	slices.SortStableFunc(out, func(a, b Refund) int { return a.FirstAt.Compare(b.FirstAt) })
	return out
}

// refund is what is known under one refund id. That it is of a currency of which
// nothing came is no word that holds.
func (p Payment) refund(id string) (Refund, bool) {
	i := slices.IndexFunc(p.Refunds, func(r Refund) bool { return r.RefundID == id && id != "" })
	if i < 0 {
		return Refund{}, false
	}
	r := p.Refunds[i]
	if t, _ := p.Trade(r.TradeNo); t.State.Decided() && r.Amount.currency != t.Amount.currency {
		r.named = false
	}
	return r, true
}

// judgeRefund decides a notice about a refund. It books a refund once, takes
// it back once when it failed, and lets nothing that is doubtful move money.
func (p Payment) judgeRefund(c Context, n Notice) Verdict {
	r, known := p.refund(n.RefundID)
	switch n.Status {
	case StatusSucceeded:
		if known && r.State == RefundReversed {
			return Verdict{Outcome: OutcomeNoted} // failed is final
		}
		if known && r.settles(n) {
			return p.repeatRefund(c, n, r)
		}
		if known && r.waitsAs(n) {
			return Verdict{Outcome: OutcomeNoted, Reason: ReasonBeforePayment}
		}
	case StatusFailed:
		switch {
		case known && r.State == RefundReversed:
			return Verdict{Outcome: OutcomeRepeated}
		case known && r.elsewhere(n):
			return p.strayWord(c, n, string(r.State))
		}
	case StatusPaid, StatusWaiting, StatusClosed, StatusRefunded, StatusFrozen, StatusOther,
		StatusOpened, StatusWithdrawn, StatusReinstated, StatusLost:
		return Verdict{Outcome: OutcomeNoted, Reason: ReasonNotPaid}
	default:
		return Verdict{Outcome: OutcomeNoted, Reason: ReasonNotPaid}
	}
	if wait := p.doubtOf(c, n); wait != ReasonNone {
		if p.covers(n.TradeNo, n.Amount, n.Total && n.Status == StatusSucceeded) {
			return Verdict{Outcome: OutcomeRepeated}
		}
		v := Verdict{Outcome: OutcomeHeld, Reason: wait}
		if n.Source == SourceQuery { // nobody is left to ask
			v.Facts = p.differ(c, n, RefundMissing, string(p.State()))
		}
		return v
	}
	if n.Status == StatusFailed {
		return Verdict{Outcome: OutcomeNoted, Facts: p.failRefund(c, n, r)}
	}
	return p.bookRefund(c, n)
}

// repeatRefund: it is known; another amount is worth an alert, and when the
// provider's query says so, a difference. So is another trade.
func (p Payment) repeatRefund(c Context, n Notice, r Refund) Verdict {
	v := Verdict{Outcome: OutcomeRepeated}
	kind := RefundMissing
	switch {
	case n.Amount != r.Amount:
		v.Reason, kind = ReasonAmountDisagrees, AmountMismatch
	case n.TradeNo == r.TradeNo:
		return v
	}
	if n.Source == SourceQuery {
		v.Facts = p.differ(c, n, kind, string(r.State))
	}
	return v
}

// strayWord: what a message says of another trade does not happen to a refund or
// dispute of ours; worth a difference when the provider's query says it.
func (p Payment) strayWord(c Context, n Notice, ours string) Verdict {
	v := Verdict{Outcome: OutcomeNoted}
	if n.Source == SourceQuery {
		v.Facts = p.differ(c, n, StatusMismatch, ours)
	}
	return v
}

// doubtOf says why n, about a refund or a dispute, may not move money alone;
// ReasonNone when it may.
func (p Payment) doubtOf(c Context, n Notice) Reason {
	nameless := n.About == AboutRefund && n.RefundID == "" && !n.Total
	nameless = nameless || (n.About == AboutDispute && n.DisputeID == "")
	switch {
	case len(n.Doubts) > 0 || n.TradeNo == "" || nameless:
		return ReasonDoubtful
	case n.Source == SourceQuery:
		return ReasonNone
	case c.needsQuery(n.Amount):
		return ReasonConfirmByQuery
	}
	return ReasonNone
}

// bookRefund books a refund that nothing speaks against, or keeps it until the
// money it is taken from has come.
func (p Payment) bookRefund(c Context, n Notice) Verdict {
	if !n.Amount.IsPositive() { // how much is unknown, never assumed to be all
		return Verdict{OutcomeNoted, ReasonTakenBack, p.differ(c, n, RefundMissing, string(p.State()))}
	}
	if t, _ := p.Trade(n.TradeNo); !t.State.Decided() {
		return Verdict{Outcome: OutcomeNoted, Reason: ReasonBeforePayment}
	}
	fs := p.remember(n, OutcomeNoted).refundFacts(c, n)
	if len(fs) == 0 {
		return Verdict{Outcome: OutcomeRepeated}
	}
	return Verdict{Outcome: OutcomeNoted, Facts: fs}
}

// refundFacts are what follows from a refund whose money is here, once the
// fold knows of it: none when all of it is booked.
func (p Payment) refundFacts(c Context, n Notice) []Fact {
	t, _ := p.Trade(n.TradeNo)
	if n.Amount.currency != t.Amount.currency {
		return p.differ(c, n, CurrencyMismatch, string(t.State))
	}
	m, due := p.refundDue(n, t)
	if !due {
		return nil
	}
	from, excess := t.refundFrom(m)
	var account AccountID
	if t.inWallet() {
		account = t.Account
	}
	return []Fact{PaymentRefunded{
		TradeNo: n.TradeNo, RefundID: p.refundName(n, m), RefundNo: n.RefundNo, Account: account,
		Amount: m, Excess: excess, Source: n.Source, Basis: c.basis(n), Dates: c.dates(n),
		Postings: refundPostings(n.Channel, from, m, excess), Rules: RulesVersion,
	}}
}

// refundFrom is where m is taken from, as the money sits now, and what is more
// than was left of it.
func (t Trade) refundFrom(m Money) (from []Posting, excess Money) {
	take := func(q Posting, most Money) {
		if q.Amount = (Money{min(m.minor, most.minor), m.currency}); q.Amount.IsPositive() {
			from, m = append(from, q), minus(m, q.Amount)
		}
	}
	if t.inWallet() {
		take(Posting{Book: BookWallet, Wallet: t.Account}, t.left())
		take(Posting{Book: BookParked}, t.aside)
	} else {
		take(Posting{Book: BookParked}, t.left())
	}
	if m.IsPositive() {
		excess = m
	}
	return from, excess
}

// refundDue is how much of n is still to be booked. What is known to have gone
// back of the trade is the larger of the greatest sum that was told and of the
// single refunds that were told: a provider may tell both of one refund, in
// either order.
func (p Payment) refundDue(n Notice, t Trade) (Money, bool) {
	booked, named := p.refundSums(t)
	due := max(named.minor, p.toldTotal(t).minor) - booked.minor
	m := n.Amount.minor
	if n.Total {
		m -= booked.minor
	}
	if m = min(m, due); m <= 0 {
		return Money{}, false
	}
	return Money{m, t.Amount.currency}, true
}

// refundSums are what is booked of a trade's refunds, and what single refunds
// were told to be, both without those that failed.
func (p Payment) refundSums(t Trade) (booked, named Money) {
	for _, r := range p.Refunds {
		if r.TradeNo != t.TradeNo || r.State == RefundReversed {
			continue
		}
		booked = plus(booked, r.Booked)
		if r.named && r.Amount.currency == t.Amount.currency {
			named = plus(named, r.Amount)
		}
	}
	return booked, named
}

// covers reports whether what is booked of a trade's refunds makes up the sum
// that a message tells: then it tells nothing new, whoever made it.
func (p Payment) covers(trade string, m Money, isSum bool) bool {
	t, _ := p.Trade(trade)
	booked, _ := p.refundSums(t)
	return isSum && m.IsPositive() && booked.currency == m.currency && booked.minor >= m.minor
}

// toldTotal is the greatest sum of refunds that was told of a trade.
func (p Payment) toldTotal(t Trade) Money {
	i := slices.IndexFunc(p.totals, func(s tradeTotal) bool { return s.of(t.TradeNo, t.Amount) })
	if i < 0 {
		return Money{}
	}
	return p.totals[i].most
}

// refundName is the id under which m of n is booked: the provider's own, or
// where that has none or another use, the sum of all that was ever booked.
func (p Payment) refundName(n Notice, m Money) string {
	used := func(id string) bool {
		r, _ := p.refund(id)
		return r.Booked.IsPositive() || (n.Total && r.named)
	}
	if n.RefundID != "" && !used(n.RefundID) {
		return n.RefundID
	}
	for _, r := range p.Refunds {
		if r.TradeNo == n.TradeNo {
			m = plus(m, r.Booked)
		}
	}
	if id := "total:" + m.Amount(); !used(id) {
		return id
	}
	return "total:" + m.Amount() + "@" + n.TradeNo
}

// failRefund takes back what was booked of a refund that failed. One that only
// a sum of refunds had covered is for people.
func (p Payment) failRefund(c Context, n Notice, r Refund) []Fact {
	switch {
	case r.Booked.IsPositive() && (r.Booked == r.Amount || r.Booked == n.Amount):
		return []Fact{RefundFailed{
			TradeNo: r.TradeNo, RefundID: r.RefundID, Amount: r.Booked, Refund: c.ID(PaymentRefunded{RefundID: r.RefundID}),
			Basis: c.basis(n), Dates: c.dates(n), Postings: negated(r.postings), Rules: RulesVersion,
		}}
	case r.State == RefundBooked:
		return p.differ(c, n, StatusMismatch, string(r.State))
	}
	return nil // it never came through, or stands in no book yet
}
