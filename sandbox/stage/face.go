package stage

import (
	"net/http"
	"time"

	"counterfoil/domain"
)

// Face is one provider as the sandbox plays it. It stands on a Stage, has its
// own lock and books, and is mounted under /<name>/ by the sandbox, which adds
// the control interface, the pay pages, faults by chance and the books of all.
// All methods may be called at the same time. Their errors are domain errors:
// KindNotFound for an id that is not there, KindConflict for what an order's
// state forbids, KindInvalid with the field.
type Face interface {
	// Name is the provider's name: "wechatpay", "alipay", "stripe".
	Name() string
	// Routes is the provider's API. The path comes without /<name>; RequestURI
	// keeps what was on the wire, which is what signatures cover. /pay/{id} is
	// the sandbox's own page, where a payer is sent.
	Routes() http.Handler
	// Channels is one ready Counterfoil channel for each merchant.
	Channels() []Channel
	// Classes are the faults it knows: CommonClasses and its own.
	Classes() Classes
	// Troubles is where faults of its answers are planted.
	Troubles() *Troubles
	// Open makes an order as the provider's own create call would, for tests and
	// the control page.
	Open(OpenOrder) (Order, error)
	// Orders lists orders, the newest first.
	Orders(OrderFilter) []Order
	// Pay lets the payer pay the order with exactly these faults: at most one
	// that acts on callbacks.
	Pay(id string, faults ...Fault) (Order, error)
	// Fire lets a fault happen to an order now, paid or not: on an unpaid one it
	// is Pay; on a paid one the genuine message goes out again in its manner.
	Fire(id string, f Fault) (Order, error)
	// Refund gives money back, notifies where the provider does, and is done once
	// for each RefundOrder.No.
	Refund(RefundOrder) (Refund, error)
	// Books is the truth: what was really paid, refunded and disputed.
	Books() []MerchantBooks
}

// Disputer is a face whose provider has disputes.
type Disputer interface {
	// Dispute takes money of a payment away until it is decided; the zero amount
	// means all of it.
	Dispute(id string, amount domain.Money) (Dispute, error)
	// Decide ends a dispute: won gives the money back.
	Decide(disputeID string, won bool) (Dispute, error)
}

// Rotator is a face whose provider changes the key it signs with.
type Rotator interface {
	// Rotate makes a new key for a merchant and signs with it from now on. What
	// was sent before keeps its signature.
	Rotate(merchant string) error
}

// Channel is what Counterfoil's configuration needs to know of a merchant. It
// holds secrets: of a sandbox, but treat them as if they were real.
type Channel struct {
	ID       string    `json:"id"`       // a proposal, such as wechatpay-1900000109
	Merchant string    `json:"merchant"` // as in orders and books
	Settings []Setting `json:"settings"` // in the order they are written, provider first
}

// Setting is one line of a channel's configuration. Value is a string, a bool,
// a []string or a map[string]string.
type Setting struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// OpenOrder is an order to make.
type OpenOrder struct {
	Merchant  string       `json:"pid"` // empty means the face's first one
	OrderNo   string       `json:"out_trade_no"`
	Amount    domain.Money `json:"amount,omitzero"`
	Subject   string       `json:"name"`
	NotifyURL string       `json:"notify_url"` // empty means the merchant's own, where it has one
	ReturnURL string       `json:"return_url"`
	Attach    string       `json:"attach"` // what the merchant wants back: attach, passback_params, metadata
}

// OrderFilter chooses orders. Empty fields choose all.
type OrderFilter struct {
	ID       string // one order
	Merchant string
	OrderNo  string
	Limit    int // the newest so many; 0 means all
}

// Order is an order as people and programs see it.
type Order struct {
	Face      string       `json:"face"`
	Merchant  string       `json:"pid"`
	ID        string       `json:"trade_no"`     // names it here: the provider's number
	OrderNo   string       `json:"out_trade_no"` // the merchant's
	Subject   string       `json:"name"`
	Placed    domain.Money `json:"placed,omitzero"`
	Paid      domain.Money `json:"paid,omitzero"` // zero until paid; differs from Placed where the payer paid another amount
	Refunded  domain.Money `json:"refunded,omitzero"`
	State     string       `json:"state"`    // the provider's own word
	Payable   bool         `json:"payable"`  // a payer can pay it now
	WasPaid   bool         `json:"was_paid"` // money came, also if it went back
	NotifyURL string       `json:"notify_url"`
	ReturnURL string       `json:"return_url,omitempty"`
	OpenedAt  time.Time    `json:"opened_at"`
	PaidAt    time.Time    `json:"paid_at,omitzero"`
	Accepted  bool         `json:"accepted"` // a genuine callback of the payment was taken for delivered
	Attempts  int          `json:"attempts"` // genuine callbacks sent
	Trouble   string       `json:"trouble,omitempty"`
	Faults    []Fault      `json:"faults,omitempty"`
	Refunds   []Refund     `json:"refunds,omitempty"`
	Disputes  []Dispute    `json:"disputes,omitempty"`
}

// RefundOrder is money to give back.
type RefundOrder struct {
	ID     string       `json:"-"`               // of the order
	Amount domain.Money `json:"amount,omitzero"` // zero: all that is left
	No     string       `json:"out_refund_no"`
	// Fails lets the refund not arrive: where the provider had called it done
	// before, it takes that back afterwards.
	Fails bool  `json:"fails"`
	Fault Fault `json:"fault"` // how its notice travels
}

// Refund is money given back.
type Refund struct {
	ID     string       `json:"refund_id"`     // the provider's number
	No     string       `json:"out_refund_no"` // the merchant's
	Amount domain.Money `json:"amount,omitzero"`
	Failed bool         `json:"failed"` // it did not arrive, and the merchant has it again
	At     time.Time    `json:"at"`     // of the books
}

// Dispute is money that a payer's bank claims back.
type Dispute struct {
	ID     string       `json:"dispute_id"`
	Amount domain.Money `json:"amount,omitzero"`
	Fee    domain.Money `json:"fee,omitzero"` // kept by the provider, less what it gave back
	State  DisputeState `json:"state"`
	At     time.Time    `json:"at"`
}

// DisputeState is where a dispute stands.
type DisputeState string

// The states of a dispute.
const (
	DisputeOpen DisputeState = "open" // the money is away until it is decided
	DisputeWon  DisputeState = "won"  // the money came back
	DisputeLost DisputeState = "lost" // the money stays away
)

// MerchantBooks is one merchant's part of the truth.
type MerchantBooks struct {
	Face     string        `json:"face"`
	Merchant string        `json:"pid"`
	Opened   int           `json:"opened"` // orders
	Payments []Payment     `json:"payments"`
	Planted  map[Class]int `json:"planted"`
	// What a Banker has besides: what stands there by currency, and what became
	// of the rest.
	Balance   []domain.Money `json:"balance,omitempty"`
	Payouts   []Payout       `json:"payouts,omitempty"`
	Moves     []Move         `json:"moves,omitempty"`
	Exchanges []Exchange     `json:"exchanges,omitempty"`
}

// Payment is money that came, with all that became of it.
type Payment struct {
	TradeNo  string       `json:"trade_no"`
	OrderNo  string       `json:"out_trade_no"`
	Amount   domain.Money `json:"amount,omitzero"`
	Placed   domain.Money `json:"placed,omitzero"` // what the order asked for
	PaidAt   time.Time    `json:"paid_at"`
	Accepted bool         `json:"accepted"` // a callback was taken for delivered
	Forgot   bool         `json:"forgot"`   // the provider no longer knows it, and nobody can ask
	// Due says that this money is due to its order: it has the placed amount and
	// is the first to have it. All other money is to be set aside.
	Due      bool      `json:"due"`
	Refunds  []Refund  `json:"refunds,omitempty"`
	Disputes []Dispute `json:"disputes,omitempty"`
}
