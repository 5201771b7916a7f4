package stage

import (
	"time"

	"counterfoil/domain"
)

// Banker is a face whose provider holds a balance for its merchants, which
// moves by more than payments. All of it is on the bills; Books tells the truth.
type Banker interface {
	// Payout sends money to a merchant's bank. KindConflict for more than there
	// is, KindInvalid with the field for what is no amount.
	Payout(PayoutOrder) (Payout, error)
	// Move moves money for a reason that the provider has a word for and nobody
	// else: a correction, a levy, a gift.
	Move(MoveOrder) (Move, error)
}

// PayoutOrder is money to send to a merchant's bank.
type PayoutOrder struct {
	Merchant string          `json:"pid"`                // empty means the face's first one
	Amount   domain.Money    `json:"amount,omitzero"`    // zero: all that stands there
	Currency domain.Currency `json:"currency,omitempty"` // of all that stands there; empty: the merchant's own
	Fails    bool            `json:"fails"`              // the bank sends it back days later
}

// Payout is money that was sent to a merchant's bank.
type Payout struct {
	ID     string       `json:"payout_id"`
	Amount domain.Money `json:"amount,omitzero"`
	State  string       `json:"state"`  // the provider's own word
	Failed bool         `json:"failed"` // it came back
	At     time.Time    `json:"at"`     // of the books, when it was sent
}

// MoveOrder is a movement to make.
type MoveOrder struct {
	Merchant string       `json:"pid"`             // empty means the face's first one
	Amount   domain.Money `json:"amount,omitzero"` // below zero: taken from the merchant
	Word     string       `json:"word"`            // what the bill calls it; empty: a word of the face's choice
}

// Exchange is money of a payment that was changed on its way to the balance, or
// back. Out of the balance both are below zero.
type Exchange struct {
	TradeNo string       `json:"trade_no"`
	From    domain.Money `json:"from,omitzero"` // in the payment's currency
	To      domain.Money `json:"to,omitzero"`   // in the balance's, before fees
}

// Move is a movement that is no payment, refund, dispute, fee or payout.
type Move struct {
	ID     string       `json:"move_id"`
	Amount domain.Money `json:"amount,omitzero"`
	Word   string       `json:"word"`
	At     time.Time    `json:"at"`
}
