package domain

import (
	"time"
)

// Source tells by which way a notice reached us.
type Source string

// The ways a notice can come.
const (
	SourceCallback Source = "callback" // the provider called us
	SourceQuery    Source = "query"    // we asked the provider about one order
	SourcePerson   Source = "person"   // two people decided without the provider's word
)

// About tells what a notice speaks of.
type About string

// What a notice can speak of. A payment's refunds and disputes have numbers of
// their own and move money by themselves.
const (
	AboutPayment About = ""
	AboutRefund  About = "refund"
	AboutDispute About = "dispute"
)

// Status is what the provider says of the payment, refund or dispute, in our
// closed vocabulary.
type Status string

// What a provider can say of a payment. Only StatusPaid moves money: a refunded
// or frozen order had been paid, but what is left of it is not for one message
// to tell. Waiting, failed and other are said of refunds too, other of disputes.
const (
	StatusPaid     Status = "paid"
	StatusWaiting  Status = "waiting"
	StatusClosed   Status = "closed"
	StatusFailed   Status = "failed"
	StatusRefunded Status = "refunded"
	StatusFrozen   Status = "frozen"
	StatusOther    Status = "other" // verified, but a word we do not know
)

// StatusSucceeded is what else a provider can say of a refund. StatusFailed
// takes back one that had succeeded: a bank may send money back.
const StatusSucceeded Status = "succeeded" // the money left us

// What a provider can say of a dispute.
const (
	StatusOpened     Status = "opened"     // asked, or a decision without a movement: no money moved
	StatusWithdrawn  Status = "withdrawn"  // the provider took the money away until it is decided
	StatusReinstated Status = "reinstated" // won: the money came back
	StatusLost       Status = "lost"       // lost: the money stays away
)

// Doubt is a reason why a rightly signed message may not move money alone.
type Doubt string

// The doubts a verifier can raise. A notice with a doubt is kept, answered
// success and held until the provider's query confirms it.
const (
	DoubtAmbiguousText Doubt = "ambiguous_text" // "&name=" inside a value: the signed text can be cut in two ways
	DoubtURLFields     Doubt = "url_fields"     // fields that belong to an order form, not to a callback
	DoubtUnknownFields Doubt = "unknown_fields" // fields the protocol page does not name
	DoubtNoTradeNo     Doubt = "no_trade_no"    // the provider's own number is missing
	DoubtLooseText     Doubt = "loose_text"     // verified only by a gateway's known deviation from the protocol
	DoubtUnsigned      Doubt = "unsigned"       // only encrypted, so that blocks of it could have been moved
	DoubtNoRefundID    Doubt = "no_refund_id"   // a refund that cannot be told from the next one
	DoubtNoOrderNo     Doubt = "no_order_no"    // money under the provider's number alone: another message or the query names the order
)

// Notice is what one verified message says: never what we want it to mean.
type Notice struct {
	Delivery       ID        // made on receipt; never derived from the content, so a repeat is a delivery of its own
	Index          int       // which notice of the delivery, from 0
	Source         Source    //
	Channel        ChannelID //
	OrderNo        string    // as the provider gave it; any valid UTF-8, compared as bytes
	TradeNo        string    // the provider's number; empty only with DoubtNoTradeNo or before payment
	Amount         Money     // the zero Money when the message names none
	Status         Status    //
	ProviderStatus string    // the provider's own word
	OccurredAt     time.Time // the provider's time of payment; zero when it names none
	ReceivedAt     time.Time //
	Doubts         []Doubt   //
	Run            string    // the reconciliation run that asked; empty for callbacks

	About     About     //
	RefundID  string    // the provider's number of the refund, or ours where it has none; with AboutRefund
	RefundNo  string    // the merchant's number of the refund, where there is one: what the refund query asks by
	Total     bool      // Amount is all that was refunded so far, not this refund alone (Alipay's refund_fee)
	DisputeID string    // the provider's number of the dispute; with AboutDispute
	Fee       Money     // what the dispute cost beside its amount; negative when it came back
	Account   AccountID // whose payment it is, as the message itself says by the channel's rule; empty where it says nothing
}

// Grade says who could have made a piece of evidence.
type Grade string

// Evidence grades: only A may be called proven by the provider.
const (
	GradeA Grade = "A" // asymmetric signature over the bytes: strangers can verify it
	GradeB Grade = "B" // shared secret: the operator could have made it
	GradeC Grade = "C" // unsigned, over TLS
	GradeD Grade = "D" // a person's word
)

// Header is one header line as it came.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"` // as it came, our secrets masked
}

// Evidence is the foreign message behind a notice, byte by byte. It holds
// personal data, so it is stored sealed and never in event JSON. Our own
// secrets are masked before they get here.
type Evidence struct {
	Kind    string    `json:"kind"`              // "callback": the request we received; "query": the answer to our question
	Method  string    `json:"method"`            // HTTP method of the request
	Target  string    `json:"target"`            // request target as on the wire; our own key masked in queries
	Status  int       `json:"status,omitempty"`  // HTTP status of the answer (query)
	Headers []Header  `json:"headers,omitempty"` //
	Body    []byte    `json:"body,omitempty"`    // request body (callback) or answer body (query), as received
	Remote  string    `json:"remote,omitempty"`  // peer address
	At      time.Time `json:"at"`                // when the bytes were complete
	Scheme  string    `json:"scheme"`            // how the proof is checked, e.g. "epay.md5.v1", "epay.rsa.v2", "https"
	Key     string    `json:"key,omitempty"`     // fingerprint of the key that verified it
	Grade   Grade     `json:"grade"`             //
}

// Reply is the exact answer to a provider.
type Reply struct {
	Status      int    `json:"status"`       // HTTP status
	ContentType string `json:"content_type"` // its header
	Body        string `json:"body"`         // to the byte
}
