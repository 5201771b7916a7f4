package alipay

import (
	"context"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// When the bank has a payout, and when it sends one back that fails.
const (
	payoutArrives = 2 * time.Hour
	payoutReturns = 24 * time.Hour
)

// The states of a payout, in Alipay's words.
const (
	payoutDealing  = "DEALING"
	payoutDone     = "SUCCESS"
	payoutReturned = "REFUND"
)

// oddWord is a movement that no list of Alipay's words has.
const oddWord = "账户调整"

// entry is one movement of a merchant's balance. Face.mu guards the list; one
// that is made never changes.
type entry struct {
	id      string // 账务流水号
	about   string // 业务流水号
	o       *order // nil for what no order is behind
	word    string // 业务类型
	fen     int64  // signed
	balance int64  // after it
	at      time.Time
}

// payout is money that went to a merchant's bank. Face.mu guards it.
type payout struct {
	m     *merchant
	id    string
	fen   int64
	state string
	at    time.Time
}

// enter books a movement; of nothing there is none. The caller holds f.mu.
func (f *Face) enter(m *merchant, o *order, about, word string, amount int64) *entry {
	if amount == 0 {
		return nil
	}
	e := &entry{o: o, about: about, word: word, fen: amount, balance: m.balance() + amount, at: f.stage.Books()}
	e.id = digitsOf(20, m.AppID, about, word, strconv.Itoa(len(m.entries)))
	m.entries = append(m.entries, e)
	return e
}

// balance is what stands there. The caller holds Face.mu.
func (m *merchant) balance() int64 {
	if len(m.entries) == 0 {
		return 0
	}
	return m.entries[len(m.entries)-1].balance
}

// enterPayment and enterRefund book what an order moves, each with its fee. The
// caller holds f.mu.
func (f *Face) enterPayment(o *order) {
	f.enter(o.m, o, o.id, "在线支付", o.received())
	f.enter(o.m, o, o.id, "收费", -fee(o.received()))
}

func (f *Face) enterRefund(o *order, r *refund) {
	f.enter(o.m, o, o.id, "交易退款", -(r.fen - r.given))
	f.enter(o.m, o, o.id, "退费", fee(r.fen-r.given))
}

// fee is what Alipay keeps of an amount, or gives back with it.
func fee(fen int64) int64 { return (fen*feePerMille + 500) / 1000 }

// Payout sends money to a merchant's bank account. Nobody is told of it: it is
// on the bill of the account, and so is what the bank sends back.
func (f *Face) Payout(in stage.PayoutOrder) (stage.Payout, error) {
	m, err := f.merchant(in.Merchant)
	if err != nil {
		return stage.Payout{}, err
	}
	if c := in.Amount.Currency(); (c != "" && c != domain.CNY) || (in.Currency != "" && in.Currency != domain.CNY) {
		return stage.Payout{}, domain.EField(domain.KindInvalid, "currency", "Alipay pays out yuan")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	amount := in.Amount.Minor()
	if in.Amount.IsZero() {
		amount = m.balance()
	}
	switch {
	case amount < 0:
		return stage.Payout{}, domain.EField(domain.KindInvalid, "amount", "%s cannot be paid out", fen(amount))
	case amount == 0 || amount > m.balance():
		return stage.Payout{}, domain.EField(domain.KindConflict, "amount", "%s cannot be paid out of %s", fen(amount), fen(m.balance()))
	}
	p := &payout{m: m, id: f.number(), fen: amount, state: payoutDealing, at: f.stage.Books()}
	m.payouts = append(m.payouts, p)
	f.enter(m, nil, p.id, "提现", -amount)
	f.stage.After(payoutArrives, func(context.Context) { f.payoutIs(p, payoutDone) })
	if in.Fails {
		f.stage.After(payoutReturns, func(context.Context) { f.payoutIs(p, payoutReturned) })
	}
	return p.view(), nil
}

func (f *Face) payoutIs(p *payout, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.state = state; state == payoutReturned {
		f.enter(p.m, nil, p.id, "提现退票", p.fen)
	}
}

func (p *payout) view() stage.Payout {
	return stage.Payout{ID: p.id, Amount: fen(p.fen), State: p.state, Failed: p.state == payoutReturned, At: p.at}
}

// Move moves a merchant's balance for a reason that only its word in the bill
// tells.
func (f *Face) Move(in stage.MoveOrder) (stage.Move, error) {
	m, err := f.merchant(in.Merchant)
	if err != nil {
		return stage.Move{}, err
	}
	word := in.Word
	if word == "" {
		word = oddWord
	}
	switch {
	case in.Amount.IsZero() || in.Amount.Currency() != domain.CNY:
		return stage.Move{}, domain.EField(domain.KindInvalid, "amount", "%s is no amount of yuan to move", in.Amount)
	case !plainCell(word):
		return stage.Move{}, domain.EField(domain.KindInvalid, "word", "%.40q cannot stand in a bill", word)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.enter(m, nil, f.number(), word, in.Amount.Minor())
	m.moved = append(m.moved, e)
	return e.view(), nil
}

func (e *entry) view() stage.Move {
	return stage.Move{ID: e.id, Amount: fen(e.fen), Word: e.word, At: e.at}
}

// bank adds what a merchant's balance has to the truth. The caller holds Face.mu.
func (m *merchant) bank(b *stage.MerchantBooks) {
	b.Balance = []domain.Money{fen(m.balance())}
	for _, p := range m.payouts {
		b.Payouts = append(b.Payouts, p.view())
	}
	for _, e := range m.moved {
		b.Moves = append(b.Moves, e.view())
	}
}
