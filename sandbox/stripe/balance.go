package stripe

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// txn is a movement on the balance. Face.mu guards the list; of one that is made
// only payout changes.
type txn struct {
	id       string
	kind     string         // charge, refund, adjustment, …
	category string         // reporting_category
	amount   sum            // signed, in the currency of the balance
	fee      int64          // in all
	fx       int64          // of it, what changing the money cost
	rate     string         // exchange_rate; empty where nothing was changed
	changed  stage.Exchange // with a rate: what it was before and after
	source   any            // *order, *refund, *dispute, *payout or nil
	at       time.Time
	payout   *payout // the automatic payout that it went into
}

// settling is after how long a movement can be paid out.
const settling = 48 * time.Hour

// disputeFee is what a dispute costs, in whole units of its currency.
const disputeFee = 15

// cardFee is what a payment of count costs: 2.9 % and 30 of the unit, but never
// more than itself.
func cardFee(count int64) int64 { return min(count, count*29/1000+30) }

// book adds a movement, dated by the books. The caller holds f.mu.
func (f *Face) book(a *account, t txn) *txn {
	t.id, t.at = a.newID("txn", t.kind), f.stage.Books()
	a.txns = append(a.txns, &t)
	return &t
}

// bookOf adds what a payment moves, in the currency of the balance, with the
// fee that comes with so much. The caller holds f.mu.
func (f *Face) bookOf(o *order, t txn, fee func(settled int64) int64) *txn {
	if o.settles == "" || o.settles == t.amount.code {
		t.fee = fee(t.amount.count)
		return f.book(o.a, t)
	}
	t.changed.TradeNo, t.changed.From = o.id, t.amount.money()
	t.amount, t.rate = f.change(t.amount, o.settles, o.id, t.kind, strconv.Itoa(len(o.a.txns)))
	t.changed.To = t.amount.money()
	t.fee = fee(t.amount.count)
	if t.kind == "charge" || t.kind == "payment" {
		t.fx = t.amount.count * fxPerMille / 1000
		t.fee += t.fx
	}
	return f.book(o.a, t)
}

// free is what costs nothing.
func free(int64) int64 { return 0 }

// newID makes an id that follows from its account and a name. The caller holds
// f.mu.
func (a *account) newID(prefix, name string) string {
	key := prefix + " " + name
	a.numbers[key]++
	return prefix + "_3" + digestHex(a.ID, key, strconv.Itoa(a.numbers[key]))[:22]
}

// net is what a movement moves.
func (t *txn) net() int64 { return t.amount.count - t.fee }

// balance is what stands on an account in a currency. The caller holds f.mu.
func (a *account) balance(code string) int64 {
	var n int64
	for _, t := range a.txns {
		if t.amount.code == code {
			n += t.net()
		}
	}
	return n
}

// balances is what stands on an account, by currency. The caller holds f.mu.
func (a *account) balances() []domain.Money {
	left := map[string]int64{}
	for _, t := range a.txns {
		left[t.amount.code] += t.net()
	}
	var all []domain.Money
	for code, n := range left {
		all = append(all, sum{n, code}.money())
	}
	slices.SortFunc(all, func(x, y domain.Money) int { return strings.Compare(string(x.Currency()), string(y.Currency())) })
	return all
}

// oddType is a type of movement that no list has.
const oddType = "climate_adjustment"

// Move moves an account's balance for a reason that its type alone tells: one
// of Stripe's, or any other.
func (f *Face) Move(in stage.MoveOrder) (stage.Move, error) {
	a, err := f.account(in.Merchant)
	if err != nil {
		return stage.Move{}, err
	}
	s, err := sumOf(in.Amount)
	if err != nil || s.count == 0 {
		return stage.Move{}, domain.EField(domain.KindInvalid, "amount", "%s is no amount to move: %w", in.Amount, err)
	}
	kind := in.Word
	if kind == "" {
		kind = oddType
	}
	if len(kind) > 40 || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return stage.Move{}, domain.EField(domain.KindInvalid, "word", "%.40q is not a type like %s", kind, oddType)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.book(a, txn{kind: kind, category: kind, amount: s})
	a.moved = append(a.moved, t)
	return t.view(), nil
}

func (t *txn) view() stage.Move {
	return stage.Move{ID: t.id, Amount: t.amount.money(), Word: t.kind, At: t.at}
}

// bank adds what an account's balance has to the truth. The caller holds f.mu.
func (a *account) bank(b *stage.MerchantBooks) {
	b.Balance = a.balances()
	for _, p := range a.payouts {
		b.Payouts = append(b.Payouts, p.view())
	}
	for _, t := range a.moved {
		b.Moves = append(b.Moves, t.view())
	}
	for _, t := range a.txns {
		if t.rate != "" {
			b.Exchanges = append(b.Exchanges, t.changed)
		}
	}
}
