package wechatpay

import (
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// The states of a payout (withdrawal page of v3).
const (
	payoutSent = "SUCCESS"
	payoutBack = "REFUND" // 提现退票: the bank sent it back
)

// returnedAfter is how long a bank keeps a payout that it sends back.
const returnedAfter = 24 * time.Hour

// payout is money sent to a merchant's bank. Face.mu guards it.
type payout struct {
	id     string
	fen    int64
	at     time.Time
	backAt time.Time // when the bank sends it back; zero: never
}

func (p *payout) cameBack(now time.Time) bool { return !p.backAt.IsZero() && !now.Before(p.backAt) }

func (p *payout) view(now time.Time) stage.Payout {
	v := stage.Payout{ID: p.id, Amount: fen(p.fen), State: payoutSent, At: p.at}
	if p.cameBack(now) {
		v.State, v.Failed = payoutBack, true
	}
	return v
}

// Payout sends money to a merchant's bank. One that fails comes back a day
// later, by the books.
func (f *Face) Payout(in stage.PayoutOrder) (stage.Payout, error) {
	m, err := f.merchant(in.Merchant)
	if err != nil {
		return stage.Payout{}, err
	}
	currency := in.Amount.Currency()
	if currency == "" {
		currency = in.Currency
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	there := f.balance(m)
	give := in.Amount.Minor()
	if in.Amount.IsZero() {
		give = there
	}
	switch {
	case currency != "" && currency != domain.CNY:
		return stage.Payout{}, domain.EField(domain.KindInvalid, "amount", "balances here are of CNY, not %s", currency)
	case in.Amount.IsNegative():
		return stage.Payout{}, domain.EField(domain.KindInvalid, "amount", "%s cannot be paid out", in.Amount)
	case give <= 0 || give > there:
		return stage.Payout{}, domain.E(domain.KindConflict, "%s cannot be paid out: %s is there", fen(give), fen(there))
	}
	p := &payout{id: f.number("15000001234"), fen: give, at: f.stage.Books()}
	if in.Fails {
		p.backAt = p.at.Add(returnedAfter)
	}
	m.payouts = append(m.payouts, p)
	return p.view(p.at), nil
}

// Move moves money for a reason of WeChat's own.
func (f *Face) Move(in stage.MoveOrder) (stage.Move, error) {
	m, err := f.merchant(in.Merchant)
	if err != nil {
		return stage.Move{}, err
	}
	if in.Amount.IsZero() || in.Amount.Currency() != domain.CNY {
		return stage.Move{}, domain.EField(domain.KindInvalid, "amount", "%s is no movement of CNY", in.Amount)
	}
	if in.Word == "" {
		in.Word = wordAnyOther
	}
	if len(in.Word) > 64 || strings.ContainsAny(in.Word, "`,\r\n") {
		return stage.Move{}, domain.EField(domain.KindInvalid, "word", "%.64q cannot stand in a bill", in.Word)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	move := stage.Move{ID: f.number("16000001234"), Amount: in.Amount, Word: in.Word, At: f.stage.Books()}
	m.moves = append(m.moves, move)
	return move, nil
}

// balance is what stands there now. The caller holds f.mu.
func (f *Face) balance(m *merchant) int64 {
	all := f.movementsLocked(m)
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].balance
}

// bankBooks adds what became of a balance. The caller holds f.mu.
func (f *Face) bankBooks(m *merchant, b *stage.MerchantBooks) {
	b.Balance = []domain.Money{fen(f.balance(m))}
	for _, p := range m.payouts {
		b.Payouts = append(b.Payouts, p.view(f.stage.Books()))
	}
	b.Moves = append(b.Moves, m.moves...)
}
