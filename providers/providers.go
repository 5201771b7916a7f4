// Package providers is the port to payment providers: one adapter package per
// provider, each meeting its protocol to the byte. A Channel is met twice by
// every callback: to read the question and to write the answer, because who
// knows the question's grammar knows the answer's. providertest is the suite
// that every adapter passes.
package providers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"counterfoil/domain"
)

// Request is a callback as it came: the bytes, never a parsed form.
type Request struct {
	Method     string
	Target     string // request target as on the wire, path and query
	RawQuery   string // the part after the first '?', undecoded
	Header     http.Header
	Body       []byte // at most Channel.Limit bytes; longer ones never get here
	Remote     string
	ReceivedAt time.Time
	Delivery   domain.ID // made for this request
}

// Refusal is what was readable of a refused callback, unverified: good enough
// to ask the provider about an open order, never to act on.
type Refusal struct {
	Reason  domain.Reason
	OrderNo string // as the message claims; may be empty or forged
}

// Read is a verified callback.
type Read struct {
	Notices  []domain.Notice
	Evidence domain.Evidence
}

// Order is what a payer is asked to pay.
type Order struct {
	OrderNo   domain.OrderNo
	Amount    domain.Money
	Subject   string // goods name the payer sees
	Method    string // provider's pay method; empty lets the provider ask
	NotifyURL string // derived from the public address and the channel, never typed
	ReturnURL string // where the browser goes after paying; may be empty
	ClientIP  string
	At        time.Time
}

// Form is a signed order for the payer's browser: POST the fields to Action,
// or open URL, which is the same by GET.
type Form struct {
	Action string            `json:"action"`
	Method string            `json:"method"`
	Fields map[string]string `json:"fields"`
	URL    string            `json:"url"`
}

// Question asks a provider about one order.
type Question struct {
	OrderNo  string
	TradeNo  string // preferred when known: order numbers can be used again
	RefundID string // set: the question is about this refund of the order
	RefundNo string // the merchant's number of that refund, where it is known
	Delivery domain.ID
	Run      string
	At       time.Time
}

// Answer is what the provider said: of the payment in Notice and, where the
// same answer tells of them, of its refunds and disputes in Also, with Index
// counting on from Notice's 0. An answer about a refund has it in Notice. Found is false when it positively said
// that it does not know the order now; that is never proof that it was not
// paid. An answer that could not be had at all is an error (KindUnavailable),
// never an Answer.
type Answer struct {
	Found    bool
	Notice   domain.Notice
	Also     []domain.Notice
	Evidence domain.Evidence
	Cursor   string // with Recoverer: where to go on behind this answer
}

// ErrOther is in the chain of the error of an answer about another order or
// trade than the one asked about. The provider was not silent: it says that the
// number belongs elsewhere.
var ErrOther = errors.New("answered about another order")

// Channel is one merchant account at one provider, ready to work: it has its
// keys, or it cannot be built.
type Channel interface {
	// Config describes the channel as it is recorded in the log.
	Config() domain.ChannelConfigured
	// Limit is the largest callback body in bytes.
	Limit() int64
	// Read verifies a callback over the bytes as they came. Errors are
	// KindForged (signature, foreign merchant) or KindInvalid (unreadable); the
	// Refusal says which reason and which order the message claims.
	Read(r Request) (Read, Refusal, error)
	// Reply is the exact answer for an outcome.
	Reply(o domain.Outcome) domain.Reply
	// Form signs an order. KindInvalid names the field that cannot be signed
	// safely. It calls nobody.
	Form(o Order) (Form, error)
	// Query asks the provider about one order.
	Query(ctx context.Context, q Question) (Answer, error)
	// Reverify checks kept evidence again with the channel's keys and returns
	// the notices it yields: what verify compares the log with.
	Reverify(e domain.Evidence) ([]domain.Notice, error)
}
