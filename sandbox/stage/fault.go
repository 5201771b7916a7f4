package stage

import (
	"maps"
	"slices"
	"time"

	"counterfoil/domain"
)

// Class names a way in which a provider, its operator, its network or an
// attacker departs from one good callback per payment. A face may have classes
// of its own beside these.
type Class string

// Classes of callbacks that Lane.Deliver knows. All of them leave the payment
// itself genuine, once, over the placed amount.
const (
	None       Class = ""
	Lost       Class = "lost"       // paid, and no callback ever comes
	NoRetry    Class = "no_retry"   // the first callback breaks off and none follows
	Repeated   Class = "repeated"   // Copies more, although the first was accepted
	Twice      Class = "twice"      // again one second later by a second link, although the first was accepted
	Reordered  Class = "reordered"  // held back until a later payment's callback has gone out
	Concurrent Class = "concurrent" // Copies at the same moment
	Late       Class = "late"       // the first callback comes after Delay
	Slow       Class = "slow"       // the sender dribbles its request and reads slowly
	ReplyLost  Class = "reply_lost" // the sender hangs up before the answer, so it comes again
	Closed     Class = "closed"     // the connection breaks in the middle of the request
)

// Classes of callbacks that a face makes itself, where its provider can have
// them.
const (
	ExtraField  Class = "extra_field"  // rightly signed, with a field nobody has documented
	Forged      Class = "forged"       // signatures that do not hold: see Variant
	OtherPID    Class = "other_pid"    // another merchant's account, signed with this merchant's key
	WrongStatus Class = "wrong_status" // rightly signed, but not a payment that succeeded
	OtherAmount Class = "other_amount" // the payer paid Money, not what was placed; the books say so
	SecondTrade Class = "second_trade" // paid twice in two sessions: a second trade_no on the order number
	Probe       Class = "probe"        // first a deliberately wrong signature, then the good one
	Rotated     Class = "rotated"      // the provider's key changes between two attempts of one message
)

// Classes of a provider's answers about an order that Spoil knows. They can be
// planted beside one that acts on callbacks.
const (
	Query5xx    Class = "query_5xx"    // Copies answers are 502
	QueryClosed Class = "query_closed" // Copies connections close in the middle of the answer
	QueryHTML   Class = "query_html"   // Copies answers are a page with status 200
	QuerySlow   Class = "query_slow"   // Copies answers take Delay of real time
)

// Classes of answers that a face makes itself.
const (
	QueryMissing  Class = "query_missing"  // Copies answers say that there is no such order
	QueryUnsigned Class = "query_unsigned" // Copies answers come without a signature
	QueryForged   Class = "query_forged"   // Copies answers carry a signature of another key
	QueryLimited  Class = "query_limited"  // Copies answers refuse because of too many requests
)

// Classes of a day's bill, planted for a whole merchant: see Troubles.Bill.
const (
	BillLate    Class = "bill_late"    // not ready yet
	BillChanged Class = "bill_changed" // a later download has other rows than the first
	BillCut     Class = "bill_cut"     // breaks off in the middle of a row
	BillGrows   Class = "bill_grows"   // has new rows between two pages
)

// Variants of Forged. The empty variant is all that apply, one after another.
const (
	WrongSignature = "wrong_signature" // signed with some other key
	EmptyKey       = "empty_key"       // a shared secret left empty
	Downgraded     = "downgraded"      // another algorithm, keyed with what is public or empty
	Tampered       = "tampered"        // genuine, but for an amount raised by one
)

// Needs says what a class needs and what the empty fields of its faults become.
type Needs struct {
	Query  bool // acts on answers, not callbacks
	Bill   bool // acts on bills
	Spoof  bool // sends messages that are not the payment; may stand without one
	Copies int
	Delay  time.Duration
	Money  string
}

// Classes are what a face can have happen.
type Classes map[Class]Needs

// CommonClasses are those that every face gets from Lane.Deliver and Spoil.
func CommonClasses() Classes {
	return Classes{ //nolint:exhaustive // faces have the others
		None: {}, Lost: {}, NoRetry: {}, Repeated: {Copies: 3}, Twice: {}, Reordered: {Delay: 3 * time.Minute},
		Concurrent: {Copies: 4}, Late: {Delay: 30 * time.Minute}, Slow: {Delay: 2 * time.Second}, ReplyLost: {}, Closed: {},
		Query5xx: {Query: true, Copies: 2}, QueryClosed: {Query: true, Copies: 2}, QueryHTML: {Query: true, Copies: 2},
		QuerySlow: {Query: true, Copies: 1, Delay: time.Second},
	}
}

// With is c and more: what more says wins.
func (c Classes) With(more Classes) Classes {
	all := maps.Clone(c)
	maps.Copy(all, more)
	return all
}

// List is the classes by name: of callbacks, of answers or of bills.
func (c Classes) List(fits func(Needs) bool) []Class {
	var found []Class
	for class, needs := range c {
		if class != None && fits(needs) {
			found = append(found, class)
		}
	}
	slices.Sort(found)
	return found
}

// Fault is one thing to go wrong. Zero fields take the class's default.
type Fault struct {
	Class  Class `json:"class"`
	Copies int   `json:"copies,omitempty"`
	// Delay is waiting time for callbacks (Late, Reordered, SecondTrade), real
	// time for Slow and QuerySlow.
	Delay   Duration `json:"delay,omitempty"`
	Money   string   `json:"money,omitempty"`   // OtherAmount: what was paid
	Status  string   `json:"status,omitempty"`  // WrongStatus: the provider's word
	Variant string   `json:"variant,omitempty"` // Forged
	// Unpaid plants the spoofed messages without the payment: nobody pays. Only
	// for classes that spoof.
	Unpaid bool `json:"unpaid,omitempty"`
}

// maxCopies bounds what one fault may multiply.
const maxCopies = 1000

// Complete checks f and fills its defaults in.
func (c Classes) Complete(f Fault) (Fault, error) {
	n, known := c[f.Class]
	switch {
	case !known:
		return f, domain.EField(domain.KindInvalid, "class", "there is no fault class %q", f.Class)
	case f.Unpaid && !n.Spoof:
		return f, domain.EField(domain.KindInvalid, "unpaid", "%s is about a payment and cannot go without one", f.Class)
	case f.Copies < 0 || f.Copies > maxCopies:
		return f, domain.EField(domain.KindInvalid, "copies", "copies %d is not 0 to %d", f.Copies, maxCopies)
	case f.Delay < 0:
		return f, domain.EField(domain.KindInvalid, "delay", "delay %s is negative", f.Delay)
	}
	if f.Copies == 0 {
		f.Copies = n.Copies
	}
	if f.Delay == 0 {
		f.Delay = Duration(n.Delay)
	}
	if f.Money == "" {
		f.Money = n.Money
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

// Sort completes the faults of one payment and tells the one that acts on its
// callbacks, None without any, from those that act on answers. KindInvalid for
// two of the first sort, and for those of bills.
func (c Classes) Sort(faults []Fault) (onCallbacks Fault, onAnswers []Fault, err error) {
	for _, f := range faults {
		if f, err = c.Complete(f); err != nil {
			return Fault{}, nil, err
		}
		switch n := c[f.Class]; {
		case f.Class == None:
		case n.Bill:
			return Fault{}, nil, domain.EField(domain.KindInvalid, "faults", "%s happens to a day's bill, not to a payment", f.Class)
		case n.Query:
			onAnswers = append(onAnswers, f)
		case onCallbacks.Class != None:
			return Fault{}, nil, domain.EField(domain.KindInvalid, "faults", "a payment has at most one fault that acts on callbacks")
		default:
			onCallbacks = f
		}
	}
	return onCallbacks, onAnswers, nil
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
