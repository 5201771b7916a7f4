package domain

import "time"

// Fact is something that happened and stays true. Each fact type has a stored
// name with its version, a constant that outlives every rename; an
// incompatible change is a new fact and the old shape decodes for ever.
//
//sumtype:decl
type Fact interface {
	// FactType is the stored name, e.g. "payment.credited.v1".
	FactType() string
	// key is the business key inside the stream; with ledger id, stream and
	// type it makes the event's id, so that a repeated call is harmless.
	key() string
}

// Stored names. Never change one: they are in logs.
const (
	TypeLedgerOpened       = "ledger.opened.v1"
	TypeChannelConfigured  = "channel.configured.v1"
	TypePaymentPlaced      = "payment.placed.v1"
	TypePaymentNotified    = "payment.notified.v1"
	TypePaymentHeld        = "payment.held.v1"
	TypePaymentCredited    = "payment.credited.v1"
	TypePaymentParked      = "payment.parked.v1"
	TypePaymentAllocated   = "payment.allocated.v1"
	TypePaymentClosed      = "payment.closed.v1"
	TypePaymentRefunded    = "payment.refunded.v1"
	TypeRefundFailed       = "refund.failed.v1"
	TypeDisputeWithdrawn   = "dispute.withdrawn.v1"
	TypeDisputeReinstated  = "dispute.reinstated.v1"
	TypeDisputeLost        = "dispute.lost.v1"
	TypeDiscrepancyFound   = "discrepancy.found.v1"
	TypeCorrectionProposed = "correction.proposed.v1"
	TypeCorrectionApproved = "correction.approved.v1"
	TypeCorrectionRejected = "correction.rejected.v1"
	TypeCorrectionIssued   = "correction.issued.v1"
)

// Mode says for ever whether a store holds real money.
type Mode string

// A store is live or test from its first event on.
const (
	ModeLive Mode = "live"
	ModeTest Mode = "test"
)

// LedgerOpened is the first event of every log. Its id is the namespace of all
// other ids and the origin of the proof tree.
type LedgerOpened struct {
	Ledger ID   `json:"ledger"`
	Mode   Mode `json:"mode"`
}

// ConfirmMode says when a callback alone may move money.
type ConfirmMode string

// When the provider's query must confirm a callback before money moves.
const (
	ConfirmNever  ConfirmMode = "never"
	ConfirmAbove  ConfirmMode = "above"
	ConfirmAlways ConfirmMode = "always"
)

// PublicKey is a provider's or our own public key, whole, so that old evidence
// can be verified by anyone for ever.
type PublicKey struct {
	Fingerprint string `json:"fingerprint"` // "sha256:" + hex over the DER SubjectPublicKeyInfo
	Use         string `json:"use"`         // "platform" or "merchant"
	DER         []byte `json:"der"`         // SubjectPublicKeyInfo
	Obtained    string `json:"obtained"`    // how we came by it, e.g. "config"
}

// SecretMark names a shared secret without telling it: a salted fingerprint.
type SecretMark struct {
	Use         string `json:"use"`         // e.g. "md5"
	Fingerprint string `json:"fingerprint"` // "hmac:" + hex of HMAC-SHA256(secret, "counterfoil channel secret " + ledger id + channel)
}

// ChannelConfigured records the settings by which a channel's notices are
// judged from here on. Decisions name its revision.
type ChannelConfigured struct {
	Channel      ChannelID         `json:"channel"`
	Revision     uint64            `json:"revision"` // its own revision in the channel's stream
	Provider     string            `json:"provider"`
	Protocol     string            `json:"protocol"`          // e.g. "v1"
	Merchant     map[string]string `json:"merchant"`          // the provider's names for us, e.g. pid
	Currency     Currency          `json:"currency"`          //
	Zone         string            `json:"zone"`              // IANA zone of the provider's days
	Gateway      string            `json:"gateway"`           // base address of its API
	Confirm      ConfirmMode       `json:"confirm"`           //
	ConfirmAbove Money             `json:"above,omitzero"`    // with ConfirmAbove
	Funds        string            `json:"funds"`             // "gateway" or "own_account": who holds the money before payout
	PublicKeys   []PublicKey       `json:"keys,omitempty"`    //
	Secrets      []SecretMark      `json:"secrets,omitempty"` //
	Test         bool              `json:"test,omitempty"`    // play money: only in test stores, and they take nothing else

	Currencies  []Currency        `json:"currencies,omitempty"`   // all it takes, Currency among them; empty: Currency alone
	AccountFrom string            `json:"account_from,omitempty"` // the field of a notice that names the account of an order nobody placed, e.g. "attach"; empty: such money parks
	Corrections *CorrectionPolicy `json:"corrections,omitempty"`  // limits of what people may decide; nil sets none
	Tolerance   *Tolerance        `json:"tolerance,omitempty"`    // what comparisons with bills let pass; nil where nobody said
	DisputeLost string            `json:"dispute_lost,omitempty"` // who bears a lost dispute: "wallet" or "expense"; empty is wallet
}

// PaymentPlaced opens a payment: what is to be paid, and for whom.
type PaymentPlaced struct {
	Channel   ChannelID `json:"channel"`
	OrderNo   OrderNo   `json:"order_no"`
	Account   AccountID `json:"account"`
	Amount    Money     `json:"amount"`
	Method    string    `json:"method,omitempty"` // provider's pay method, e.g. "alipay"; not compared with anything
	PlacedAt  time.Time `json:"placed_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Config    uint64    `json:"channel_revision"`
}

// EvidenceRef ties an event to its sealed evidence.
type EvidenceRef struct {
	SHA256 string `json:"sha256"` // hex, over the encoded evidence before sealing
	Size   int    `json:"size"`   // bytes before sealing
	Grade  Grade  `json:"grade"`
	Scheme string `json:"scheme"`
	Key    string `json:"key,omitempty"`
}

// Decision is what was decided on a notice, and by which rules.
type Decision struct {
	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason,omitempty"`
	Config  uint64  `json:"channel_revision"` // of the channel's configuration that was used
	Rules   int     `json:"rules"`            // version of the decision rules
}

// PaymentNotified keeps one delivery: what it said, the evidence, what was
// decided and what was to be answered.
type PaymentNotified struct {
	Delivery       ID          `json:"delivery"`
	Index          int         `json:"index,omitempty"`
	Source         Source      `json:"source"`
	Channel        ChannelID   `json:"channel"`
	OrderNo        string      `json:"order_no"`
	TradeNo        string      `json:"trade_no,omitempty"`
	Amount         Money       `json:"amount,omitzero"`
	Status         Status      `json:"status"`
	ProviderStatus string      `json:"provider_status,omitempty"`
	Doubts         []Doubt     `json:"doubts,omitempty"`
	OccurredAt     time.Time   `json:"occurred_at,omitzero"`
	ReceivedAt     time.Time   `json:"received_at"`
	Run            string      `json:"run,omitempty"`
	Evidence       EvidenceRef `json:"evidence"`
	Decision       Decision    `json:"decision"`
	Reply          *Reply      `json:"reply,omitempty"`   // the intended answer; absent for queries
	Repeats        int         `json:"repeats,omitempty"` // equal deliveries since the last event that were counted, not kept one by one

	About     About     `json:"about,omitempty"`
	RefundID  string    `json:"refund_id,omitempty"`
	RefundNo  string    `json:"refund_no,omitempty"`
	Total     bool      `json:"total,omitempty"`
	DisputeID string    `json:"dispute_id,omitempty"`
	Fee       Money     `json:"fee,omitzero"`
	Account   AccountID `json:"account,omitempty"`
}

// Dates are the days a posted fact belongs to.
type Dates struct {
	OccurredAt time.Time `json:"occurred_at"`         // the provider's time, else the time of receipt
	Estimated  bool      `json:"estimated,omitempty"` // occurred_at is the time of receipt
	ReceivedAt time.Time `json:"received_at"`         //
	ValueDate  string    `json:"value_date"`          // YYYY-MM-DD in the channel's zone
	Period     string    `json:"period"`              // YYYY-MM the books count it in
}

// PaymentHeld says that a notice waits for the provider's confirmation.
type PaymentHeld struct {
	TradeNo string `json:"trade_no,omitempty"`
	Amount  Money  `json:"amount,omitzero"`
	Reason  Reason `json:"reason"`
	Basis   ID     `json:"basis"` // the payment.notified it rests on
}

// PaymentCredited gives the money to the account it was placed for.
type PaymentCredited struct {
	TradeNo  string    `json:"trade_no"`
	Account  AccountID `json:"account"`
	Amount   Money     `json:"amount"`
	Late     bool      `json:"late,omitempty"` // came after expiry or after the provider closed the order
	Source   Source    `json:"source"`         // which path credited
	Basis    ID        `json:"basis"`
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// PaymentParked keeps real money that may not be credited. Unconfirmed, it has
// no postings yet.
type PaymentParked struct {
	TradeNo   string    `json:"trade_no"`
	Amount    Money     `json:"amount"`
	Reason    Reason    `json:"reason"`
	Confirmed bool      `json:"confirmed"` // the provider's own answer, or a proof that no shared key made, says that the money is there
	Basis     ID        `json:"basis"`
	Dates     Dates     `json:"dates"`
	Postings  []Posting `json:"postings,omitempty"`
	Rules     int       `json:"rules"`
}

// PaymentAllocated moves parked money to an account: by rule when its order
// was placed right after it came, else by two persons.
type PaymentAllocated struct {
	TradeNo    string    `json:"trade_no"`
	Account    AccountID `json:"account"`
	Amount     Money     `json:"amount"`
	ByRule     bool      `json:"by_rule,omitempty"` // its order was placed after it came
	ProposedBy string    `json:"proposed_by,omitempty"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Dates      Dates     `json:"dates"`
	Postings   []Posting `json:"postings"`
	Rules      int       `json:"rules"`
}

// PaymentRefunded gives money back to the payer, once per refund. It is taken
// from where the money sits now; what exceeds it stands in suspense until
// people have looked. A wallet may fall below zero: that is a receivable.
type PaymentRefunded struct {
	TradeNo  string    `json:"trade_no"`
	RefundID string    `json:"refund_id"`
	RefundNo string    `json:"refund_no,omitempty"`
	Account  AccountID `json:"account,omitempty"` // whose money it was; empty when it was parked
	Amount   Money     `json:"amount"`
	Excess   Money     `json:"excess,omitzero"` // part of Amount beyond what was left of the money
	Source   Source    `json:"source"`
	Basis    ID        `json:"basis"` // the payment.notified it rests on
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// RefundFailed takes a refund back: its postings are the exact negation of
// those of the refund it names.
type RefundFailed struct {
	TradeNo  string    `json:"trade_no"`
	RefundID string    `json:"refund_id"`
	Amount   Money     `json:"amount"`
	Refund   ID        `json:"refund"` // the payment.refunded it takes back
	Basis    ID        `json:"basis"`
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// DisputeWithdrawn says that the provider took disputed money, and its fee,
// away until the dispute is decided.
type DisputeWithdrawn struct {
	TradeNo   string    `json:"trade_no"`
	DisputeID string    `json:"dispute_id"`
	Amount    Money     `json:"amount"`
	Fee       Money     `json:"fee,omitzero"`
	Basis     ID        `json:"basis"`
	Dates     Dates     `json:"dates"`
	Postings  []Posting `json:"postings"`
	Rules     int       `json:"rules"`
}

// DisputeReinstated says that the dispute was won and the money came back. Fee
// is negative where the fee came back too.
type DisputeReinstated struct {
	TradeNo   string    `json:"trade_no"`
	DisputeID string    `json:"dispute_id"`
	Amount    Money     `json:"amount"`
	Fee       Money     `json:"fee,omitzero"`
	Basis     ID        `json:"basis"`
	Dates     Dates     `json:"dates"`
	Postings  []Posting `json:"postings"`
	Rules     int       `json:"rules"`
}

// DisputeLost says that the money stays away, and by the channel's policy who
// bears it: the wallet it was credited to, or we.
type DisputeLost struct {
	TradeNo   string    `json:"trade_no"`
	DisputeID string    `json:"dispute_id"`
	Account   AccountID `json:"account,omitempty"` // who bears it; empty when we do
	Amount    Money     `json:"amount"`
	Basis     ID        `json:"basis"`
	Dates     Dates     `json:"dates"`
	Postings  []Posting `json:"postings"`
	Rules     int       `json:"rules"`
}

// CloseCause says who ended a payment.
type CloseCause string

// Who ended a payment. Late money still credits after expired and provider;
// after merchant it parks.
const (
	ClosedExpired  CloseCause = "expired"
	ClosedProvider CloseCause = "provider"
	ClosedMerchant CloseCause = "merchant"
)

// PaymentClosed says that no payment is expected any more.
type PaymentClosed struct {
	Cause  CloseCause `json:"cause"`
	Basis  ID         `json:"basis,omitzero"` // the notice that says so, for provider
	Reason string     `json:"reason,omitempty"`
}

// DiscrepancyKind names a difference between our books and the provider's.
type DiscrepancyKind string

// The kinds of difference.
const (
	MissingCredit    DiscrepancyKind = "missing_credit"
	AmountMismatch   DiscrepancyKind = "amount_mismatch"
	CurrencyMismatch DiscrepancyKind = "currency_mismatch"
	StatusMismatch   DiscrepancyKind = "status_mismatch"
	Frozen           DiscrepancyKind = "frozen"
	SecondPayment    DiscrepancyKind = "second_payment"
	DuplicateTradeNo DiscrepancyKind = "duplicate_trade_no"
	RefundMissing    DiscrepancyKind = "refund_missing"
)

// DiscrepancyFound records a difference, what we hold and what they say.
type DiscrepancyFound struct {
	Kind    DiscrepancyKind `json:"kind"`
	TradeNo string          `json:"trade_no,omitempty"`
	Ours    string          `json:"ours"`   // our state in words of the vocabulary, e.g. "placed"
	Theirs  string          `json:"theirs"` // the provider's status
	Amount  Money           `json:"amount,omitzero"`
	Run     string          `json:"run,omitempty"`
	Basis   ID              `json:"basis"`
	Again   int             `json:"again,omitempty"` // how often it was found before, and was over each time
}

// CorrectionIssued says that a difference was repaired. For a heal, and where
// people credited or allocated, it names the event that stands beside it (By)
// and posts nothing itself; other decisions of people post here.
type CorrectionIssued struct {
	Kind     DiscrepancyKind `json:"kind"`
	Auto     bool            `json:"auto"` // the reconciler did it; false: people
	TradeNo  string          `json:"trade_no,omitempty"`
	Corrects ID              `json:"corrects"` // the discrepancy
	By       ID              `json:"by"`       // the event that carries the postings; zero where this one does
	Run      string          `json:"run,omitempty"`
	Reason   string          `json:"reason"`

	Proposal ID        `json:"proposal,omitzero"` // what two people decided; zero for a heal
	Action   Action    `json:"action,omitempty"`
	Account  AccountID `json:"account,omitempty"` // who got the money, or lost it when it was reversed
	From     AccountID `json:"from,omitempty"`    // who lost it, with move
	Amount   Money     `json:"amount,omitzero"`
	Reverses ID        `json:"reverses,omitzero"` // the fact that gave what is taken back: a credit or an allocation
	Enters   LineKind  `json:"enters,omitempty"`  // what a provider's bill must have of it: money these books did not have before
	Dates    Dates     `json:"dates,omitzero"`    // with postings
	Postings []Posting `json:"postings,omitempty"`
	Rules    int       `json:"rules,omitzero"`
}
