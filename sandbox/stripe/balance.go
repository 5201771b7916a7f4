package stripe

import (
	"context"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// txn is a movement on the balance. Face.mu guards the list; one that is made
// never changes.
type txn struct {
	id       string
	kind     string // charge, refund, adjustment, …
	category string // reporting_category
	amount   sum    // signed
	fee      int64
	source   any // *order, *refund, *dispute, *payout or nil
	at       time.Time
}

// payout is money on its way to the bank.
type payout struct {
	a      *account
	id     string
	amount sum
	state  string // paid, failed
	at     time.Time
}

// disputeFee is what a dispute costs, in whole units of its currency.
const disputeFee = 15

// cardFee is what a payment of count costs: 2.9 % and 30 of the unit, but never
// more than itself.
func cardFee(count int64) int64 { return min(count, count*29/1000+30) }

// book adds a movement, dated by the books. The caller holds f.mu.
func (f *Face) book(a *account, kind, category string, amount sum, fee int64, source any) *txn {
	t := &txn{
		id: a.newID("txn", kind), kind: kind, category: category, amount: amount, fee: fee, source: source, at: f.stage.Books(),
	}
	a.txns = append(a.txns, t)
	return t
}

// newID makes an id that follows from its account and a name. The caller holds
// f.mu.
func (a *account) newID(prefix, name string) string {
	key := prefix + " " + name
	a.numbers[key]++
	return prefix + "_3" + digestHex(a.ID, key, strconv.Itoa(a.numbers[key]))[:22]
}

// balance is what stands on an account in a currency. The caller holds f.mu.
func (a *account) balance(code string) int64 {
	var n int64
	for _, t := range a.txns {
		if t.amount.code == code {
			n += t.amount.count - t.fee
		}
	}
	return n
}

// Payout sends an account's whole balance in a currency to its bank, and tells
// it. One that fails is told as paid first and fails five days later, as a bank
// sends it back. KindConflict where there is nothing to send.
func (f *Face) Payout(merchant string, c domain.Currency, fails bool) (id string, err error) {
	a, err := f.account(merchant)
	if err != nil {
		return "", err
	}
	s, err := sumOf(domain.NewMoney(0, c))
	if err != nil {
		return "", domain.EField(domain.KindInvalid, "currency", "%w", err)
	}
	f.mu.Lock()
	if s.count = a.balance(s.code); s.count <= 0 {
		f.mu.Unlock()
		return "", domain.E(domain.KindConflict, "there is nothing in %s to pay out", c)
	}
	p, tell := f.payOut(a, s)
	f.mu.Unlock()
	tell()
	if fails {
		f.stage.After(5*24*time.Hour, func(context.Context) { f.payoutFails(p) })
	}
	return p.id, nil
}

// payOut books a payout; the caller, who holds f.mu, tells it afterwards.
func (f *Face) payOut(a *account, s sum) (*payout, func()) {
	p := &payout{a: a, id: a.newID("po", s.code), amount: s, state: "paid", at: f.stage.Books()}
	a.payouts = append(a.payouts, p)
	f.book(a, "payout", "payout", sum{-s.count, s.code}, 0, p)
	about := subject{a: a, of: p.id, url: a.NotifyURL, kind: kindPayout}
	created := f.event(about, "payout.created", p.object())
	paid := f.event(about, "payout.paid", p.object())
	return p, func() {
		f.deliver(created, stage.Fault{})
		f.deliver(paid, stage.Fault{})
	}
}

func (f *Face) payoutFails(p *payout) {
	f.mu.Lock()
	p.state = failed
	f.book(p.a, "payout_failure", "payout_reversal", p.amount, 0, p)
	e := f.event(subject{a: p.a, of: p.id, url: p.a.NotifyURL, kind: kindPayout}, "payout.failed", p.object())
	f.mu.Unlock()
	f.deliver(e, stage.Fault{})
}
