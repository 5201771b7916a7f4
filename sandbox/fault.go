package sandbox

import (
	"time"

	"counterfoil/domain"
)

// Class names a way in which a gateway, its operator, its network or an
// attacker departs from one good callback per payment.
type Class string

// Classes that act on callbacks. All but the last group leave the payment
// itself genuine, once, over the placed amount.
const (
	None       Class = ""
	Lost       Class = "lost"        // paid, and no callback ever comes
	NoRetry    Class = "no_retry"    // the first callback breaks off and none follows (no cron job)
	Repeated   Class = "repeated"    // Copies more, although the first was accepted
	Double     Class = "double"      // once by GET and at once again as a POST form
	Reordered  Class = "reordered"   // held back until a later payment's callback has gone out
	Concurrent Class = "concurrent"  // Copies at the same moment
	Late       Class = "late"        // the first callback comes after Delay
	Slow       Class = "slow"        // the sender dribbles its request and reads slowly
	ReplyLost  Class = "reply_lost"  // the sender hangs up before the answer, so it comes again
	Closed     Class = "closed"      // the connection breaks in the middle of the request
	ExtraField Class = "extra_field" // rightly signed, with a field nobody has documented

	ReturnReplay Class = "return_replay" // the payer sends the signed return address to the callback address, Copies times
	Forged       Class = "forged"        // signatures that do not hold: see Variant
	OtherPID     Class = "other_pid"     // another merchant's pid, signed with this merchant's key
	WrongStatus  Class = "wrong_status"  // rightly signed, but not TRADE_SUCCESS
	Ambiguous    Class = "ambiguous"     // the genuine text of a 0.01 order, cut anew so that it names this one
	Minted       Class = "minted"        // rightly signed with a leaked key, and no money behind it

	OtherAmount Class = "other_amount" // the payer paid Money, not what was placed; the gateway's books say so
	SecondTrade Class = "second_trade" // paid twice in two sessions: a second trade_no on the order number
	Reused      Class = "reused"       // the order number opened again after ten days, and paid again
)

// Classes that act on the gateway's answers about an order. They can be
// planted beside one of the others.
const (
	Query5xx      Class = "query_5xx"      // Copies answers are 502
	QueryClosed   Class = "query_closed"   // Copies connections close in the middle of the answer
	QueryHTML     Class = "query_html"     // Copies answers are a page with status 200
	QueryMissing  Class = "query_missing"  // Copies answers say that there is no such order
	QuerySlow     Class = "query_slow"     // Copies answers take Delay of real time
	QueryUnsigned Class = "query_unsigned" // Copies V2 answers come without a signature
	QueryForged   Class = "query_forged"   // Copies V2 answers carry a signature of another key
	Purged        Class = "purged"         // the operator deletes the order
)

// Variants of Forged. The empty variant is all that apply, one after another.
const (
	WrongSignature = "wrong_signature" // signed with some other key
	EmptyKey       = "empty_key"       // MD5 over the text and no key
	Downgraded     = "downgraded"      // the other sign_type, keyed with what is public or empty
	Tampered       = "tampered"        // genuine, but for an amount raised by one
)

// row says what a class needs and what its fields default to.
type row struct {
	query   bool // acts on answers, not callbacks
	spoof   bool // sends messages that are not the payment; may stand without one
	copies  int
	delay   time.Duration
	money   string
	version Version // only orders of this version, or all
}

var rows = map[Class]row{
	None: {}, Lost: {}, NoRetry: {}, Double: {}, Reordered: {delay: 3 * time.Minute}, Closed: {}, ReplyLost: {},
	Repeated: {copies: 3}, Concurrent: {copies: 4}, Late: {delay: 30 * time.Minute},
	Slow: {delay: 2 * time.Second}, ExtraField: {},
	ReturnReplay: {copies: 2}, Forged: {spoof: true}, OtherPID: {spoof: true}, WrongStatus: {spoof: true},
	Ambiguous: {spoof: true, money: "0.01"}, Minted: {spoof: true},
	OtherAmount: {money: "0.01"}, SecondTrade: {delay: 2 * time.Second}, Reused: {delay: 2 * time.Second},
	Query5xx: {query: true, copies: 2}, QueryClosed: {query: true, copies: 2}, QueryHTML: {query: true, copies: 2},
	QueryMissing: {query: true, copies: 2}, QuerySlow: {query: true, copies: 1, delay: time.Second},
	QueryUnsigned: {query: true, copies: 2, version: V2}, QueryForged: {query: true, copies: 2, version: V2},
	Purged: {query: true},
}

// CallbackClasses lists the classes that act on callbacks.
func CallbackClasses() []Class {
	return []Class{
		Lost, NoRetry, Repeated, Double, Reordered, Concurrent, Late, Slow, ReplyLost, Closed, ExtraField,
		ReturnReplay, Forged, OtherPID, WrongStatus, Ambiguous, Minted, OtherAmount, SecondTrade, Reused,
	}
}

// QueryClasses lists the classes that act on the gateway's answers.
func QueryClasses() []Class {
	return []Class{Query5xx, QueryClosed, QueryHTML, QueryMissing, QuerySlow, QueryUnsigned, QueryForged, Purged}
}

// Fault is one thing to go wrong. Zero fields take the class's default.
type Fault struct {
	Class  Class `json:"class"`
	Copies int   `json:"copies,omitempty"`
	// Delay is waiting time for callbacks (Late, Reordered, SecondTrade, Reused),
	// real time for Slow and QuerySlow.
	Delay   Duration `json:"delay,omitempty"`
	Money   string   `json:"money,omitempty"`   // OtherAmount: what was paid; Ambiguous: of the cheap order
	Status  string   `json:"status,omitempty"`  // WrongStatus: the word, TRADE_CLOSED by default
	Variant string   `json:"variant,omitempty"` // Forged
	// Unpaid plants the spoofed messages without the payment: nobody pays. Only
	// for classes that spoof.
	Unpaid bool `json:"unpaid,omitempty"`
}

// maxCopies bounds what one fault may multiply.
const maxCopies = 1000

// complete checks f and fills its defaults in.
func (f Fault) complete() (Fault, error) {
	r, known := rows[f.Class]
	switch {
	case !known:
		return f, domain.EField(domain.KindInvalid, "class", "there is no fault class %q", f.Class)
	case f.Unpaid && !r.spoof:
		return f, domain.EField(domain.KindInvalid, "unpaid", "%s is about a payment and cannot go without one", f.Class)
	case f.Copies < 0 || f.Copies > maxCopies:
		return f, domain.EField(domain.KindInvalid, "copies", "copies %d is not 0 to %d", f.Copies, maxCopies)
	case f.Delay < 0:
		return f, domain.EField(domain.KindInvalid, "delay", "delay %s is negative", f.Delay)
	}
	if f.Copies == 0 {
		f.Copies = r.copies
	}
	if f.Delay == 0 {
		f.Delay = Duration(r.delay)
	}
	if f.Money == "" {
		f.Money = r.money
	}
	if f.Class == WrongStatus && f.Status == "" {
		f.Status = "TRADE_CLOSED"
	}
	return f, f.checkTexts()
}

func (f Fault) checkTexts() error {
	if f.Money != "" {
		if _, err := domain.ParseMoney(f.Money, domain.CNY); err != nil {
			return domain.EField(domain.KindInvalid, "money", "money of fault %s: %w", f.Class, err)
		}
	}
	switch f.Variant {
	case "", WrongSignature, EmptyKey, Downgraded, Tampered:
		return nil
	}
	return domain.EField(domain.KindInvalid, "variant", "there is no variant %q of %s", f.Variant, f.Class)
}

// Duration is a time.Duration that JSON writes as "1m30s".
type Duration time.Duration

// String is that of time.Duration.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is time.ParseDuration; KindInvalid for what it refuses.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return domain.E(domain.KindInvalid, "duration: %w", err)
	}
	*d = Duration(parsed)
	return nil
}
