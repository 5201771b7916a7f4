package stripe

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// The life of a payout: what it says of itself, and after how long.
const (
	inTransit = "in_transit"
	paidOut   = "paid"

	payoutReconciles = time.Hour          // an automatic one names its transactions for certain
	payoutArrives    = 2 * 24 * time.Hour // the bank has it
	payoutReturns    = 5 * 24 * time.Hour // a bank that has no such account sends it back by then
	rolls            = 24 * time.Hour     // from one automatic payout to the next
)

// payout is money on its way to the bank. Face.mu guards what changes.
type payout struct {
	a          *account
	id         string
	amount     sum
	automatic  bool // it names its transactions
	reconciled bool
	state      string // in_transit, paid, failed
	at         time.Time
}

// Payout sends money to an account's bank and tells it. All that stands there
// goes by an automatic payout, which names its transactions; an amount goes by
// one that does not. One that fails is told as paid first and fails five days
// after it was sent, as a bank sends it back.
func (f *Face) Payout(in stage.PayoutOrder) (stage.Payout, error) {
	a, err := f.account(in.Merchant)
	if err != nil {
		return stage.Payout{}, err
	}
	if in.Amount.Currency() == "" {
		if in.Currency == "" {
			in.Currency = a.Currency
		}
		in.Amount = domain.NewMoney(0, in.Currency)
	}
	s, err := sumOf(in.Amount)
	if err != nil || s.count < 0 {
		return stage.Payout{}, domain.EField(domain.KindInvalid, "amount", "%s is no amount to pay out: %w", in.Amount, err)
	}
	f.mu.Lock()
	all := s.count == 0
	if all {
		s.count = a.balance(s.code)
	}
	if s.count <= 0 || s.count > a.balance(s.code) {
		defer f.mu.Unlock()
		return stage.Payout{}, domain.EField(domain.KindConflict, "amount", "%s cannot be paid out of %s", s.money(), sum{a.balance(s.code), s.code}.money())
	}
	var named []*txn
	if all {
		named = a.unpaid(s.code, len(a.txns))
	}
	p, tell := f.payOut(a, s, named)
	view := p.view()
	f.mu.Unlock()
	tell()
	if in.Fails {
		f.stage.After(payoutReturns, func(context.Context) { f.payoutIs(p, failed, "payout.failed") })
	}
	return view, nil
}

// unpaid are those of the first movements, so many, that are in a currency and
// that no automatic payout has named. The caller holds f.mu.
func (a *account) unpaid(code string, first int) []*txn {
	var all []*txn
	for _, t := range a.txns[:first] {
		if t.amount.code == code && t.payout == nil {
			all = append(all, t)
		}
	}
	return all
}

// payOut books a payout; the caller, who holds f.mu, tells it afterwards. One
// that names its transactions is automatic.
func (f *Face) payOut(a *account, s sum, named []*txn) (*payout, func()) {
	p := &payout{a: a, id: a.newID("po", s.code), amount: s, automatic: named != nil, state: inTransit, at: f.stage.Books()}
	a.payouts = append(a.payouts, p)
	own := f.book(a, txn{kind: "payout", category: "payout", amount: sum{-s.count, s.code}, source: p})
	if p.automatic {
		for _, t := range append(named, own) {
			t.payout = p
		}
		f.stage.After(payoutReconciles, func(context.Context) { f.payoutIs(p, "", "payout.reconciliation_completed") })
	}
	f.stage.After(payoutArrives, func(context.Context) { f.payoutIs(p, paidOut, "payout.paid") })
	created := f.event(p.subject(), "payout.created", p.object())
	return p, func() { f.deliver(created, stage.Fault{}) }
}

func (p *payout) subject() subject {
	return subject{a: p.a, of: p.id, url: p.a.NotifyURL, kind: kindPayout}
}

// payoutIs tells what became of a payout; an empty state is that of before.
func (f *Face) payoutIs(p *payout, state, typ string) {
	f.mu.Lock()
	switch state {
	case "":
		p.reconciled = true
	case failed:
		f.book(p.a, txn{kind: "payout_failure", category: "payout_reversal", amount: p.amount, source: p})
		p.state = state
		f.roll(p.a)
	default:
		p.state = state
	}
	e := f.event(p.subject(), typ, p.object())
	f.mu.Unlock()
	f.deliver(e, stage.Fault{})
}

func (p *payout) view() stage.Payout {
	return stage.Payout{ID: p.id, Amount: p.amount.money(), State: p.state, Failed: p.state == failed, At: p.at}
}

// roll starts the account's automatic payouts, unless they wait already: each
// midnight all goes to the bank that had come two midnights before. Midnights
// are those of waiting time, which may pass faster than the books. The caller
// holds f.mu.
func (f *Face) roll(a *account) {
	if !a.DailyPayouts || a.rolling {
		return
	}
	a.rolling = true
	now := f.stage.Books().UTC()
	f.stage.After(now.Truncate(rolls).Add(rolls).Sub(now), func(context.Context) { f.rolled(a) })
}

// rolled is a midnight.
func (f *Face) rolled(a *account) {
	f.mu.Lock()
	a.rolling = false
	due := a.midnights[0]
	a.midnights = [...]int{a.midnights[1], len(a.txns)}
	var tells []func()
	for _, m := range a.balances() {
		s, _ := sumOf(domain.NewMoney(0, m.Currency())) // it has stood there
		named := a.unpaid(s.code, due)
		for _, t := range named {
			s.count += t.net()
		}
		if s.count <= 0 || s.count > a.balance(s.code) {
			continue // owed money waits until more came
		}
		_, tell := f.payOut(a, s, named)
		tells = append(tells, tell)
	}
	if due < a.midnights[1] {
		f.roll(a) // the rest is for the midnights to come
	}
	f.mu.Unlock()
	for _, tell := range tells {
		tell()
	}
}
