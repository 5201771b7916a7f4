package domain

import (
	"iter"
	"time"

	"github.com/shopspring/decimal"
)

// The kinds of difference that only a bill can show.
const (
	OnlyOurs             DiscrepancyKind = "only_ours"             // we booked it, no bill has listed it in time
	OnlyTheirs           DiscrepancyKind = "only_theirs"           // the bill lists it, we know nothing of it
	RefundUnknown        DiscrepancyKind = "refund_unknown"        // we booked a refund that no bill has listed in time
	FeeMismatch          DiscrepancyKind = "fee_mismatch"          // another fee than the channel's rate gives
	PayoutMismatch       DiscrepancyKind = "payout_mismatch"       // a payout is not the sum of what went into it
	UnclassifiedMovement DiscrepancyKind = "unclassified_movement" // a movement we have no name for
	BillTotalMismatch    DiscrepancyKind = "bill_total_mismatch"   // two bills of one day disagree
	Timing               DiscrepancyKind = "timing"                // the same money on another day or at another hour
)

// NeedsTwo reports whether it takes two persons to set a difference of this kind
// aside. One that may stand for money that is missing or too much does; one
// about fees, hours or words does not.
func (k DiscrepancyKind) NeedsTwo() bool {
	switch k {
	case FeeMismatch, Timing, StatusMismatch, Frozen:
		return false
	default: // also a kind that only newer software knows
		return true
	}
}

// OurLine is one movement on the provider's account in our books: what a line
// of the bill must have as its counterpart.
type OurLine struct {
	Kind      LineKind   `json:"kind"`
	OrderNo   string     `json:"order_no"` // empty where the reader does not know it
	TradeNo   string     `json:"trade_no"`
	RefundID  string     `json:"refund_id"` // with refunds
	RefundNo  string     `json:"refund_no"`
	DisputeID string     `json:"dispute_id"`      // with disputes
	Amount    Money      `json:"amount,omitzero"` // gross and positive, as a bill has it
	State     TradeState `json:"state"`           // of the payment's money
	ValueDate Day        `json:"value_date"`      // the book day, in the channel's zone
	At        time.Time  `json:"at"`              // when it happened by our books
	Position  uint64     `json:"position"`        // of the event that booked it
	Since     Day        `json:"since"`           // it waits since the bill of this day lacked it; empty while it does not
}

// ComparePolicy says what is compared and what may differ. Amounts may not.
type ComparePolicy struct {
	Day       Day            // of the bill
	Zone      *time.Location // in which days are cut
	Cut       time.Duration  // money this near to midnight may stand on the neighbour's bill
	Wait      int            // days for which later bills are waited for before only we have it
	Apart     time.Duration  // how far the two times of one movement may lie apart; 0 does not look
	FeeRate   decimal.Decimal
	FeeWithin decimal.Decimal // how far a fee may lie from what FeeRate gives; the zero rate does not look
}

// DifferenceState says whether somebody has to act.
type DifferenceState string

// A difference is open until it is resolved, waiting while the next bill may
// explain it, and settled when it explained itself.
const (
	DifferenceOpen    DifferenceState = "open"
	DifferenceWaiting DifferenceState = "waiting"
	DifferenceSettled DifferenceState = "settled"
)

// Difference is one item in which the books and the bill do not agree. At least
// one side is there.
type Difference struct {
	Kind   DiscrepancyKind
	State  DifferenceState
	Ours   *OurLine
	Theirs *BillLine
	Delta  Money  // what the bill has more than we; zero Money where the two cannot be subtracted
	Note   string // what else a person needs to know; may be empty
}

// ItemKey names the item of a bill or of our books that is compared, whatever
// the day and the run.
type ItemKey struct {
	Kind    LineKind `json:"kind"`
	TradeNo string   `json:"trade_no"`
	Ref     string   `json:"ref"` // the refund's or the dispute's number; for a line without trade number what else it has
}

// Key is the item that the difference is about.
func (d Difference) Key() ItemKey {
	if d.Ours != nil && (d.Ours.TradeNo != "" || d.Theirs == nil) {
		return d.Ours.Key()
	}
	return d.Theirs.Key()
}

// OrderNo is the order that the difference is about, as far as either side
// names one.
func (d Difference) OrderNo() string {
	if d.Ours != nil && d.Ours.OrderNo != "" {
		return d.Ours.OrderNo
	}
	if d.Theirs != nil {
		return d.Theirs.OrderNo
	}
	return ""
}

// Key names the item.
func (o OurLine) Key() ItemKey {
	return ItemKey{Kind: o.Kind, TradeNo: o.TradeNo, Ref: refOf(o.Kind, o.RefundID, o.RefundNo, o.DisputeID)}
}

// Key names the item. A line that names no payment is known by its own number,
// or by the order or payout that it names.
func (b *BillLine) Key() ItemKey {
	k := ItemKey{Kind: b.Kind, TradeNo: b.TradeNo, Ref: refOf(b.Kind, b.RefundID, b.RefundNo, b.DisputeID)}
	for _, name := range []string{b.ID, b.PayoutID, b.OrderNo} {
		if k.TradeNo == "" && k.Ref == "" {
			k.Ref = name
		}
	}
	return k
}

// refOf is the number that tells the movements of one payment apart.
func refOf(k LineKind, refundID, refundNo, disputeID string) string {
	switch k {
	case LineRefund, LineRefundFailed:
		if refundID == "" {
			return refundNo
		}
		return refundID
	case LineDisputeWithdrawn, LineDisputeReinstated:
		return disputeID
	case LinePayment, LineFee, LinePayout, LinePayoutFailed, LineOther:
	}
	return ""
}

// maxGroup bounds the lines of one side under one trade number: what does not
// fit is no payment with its refunds.
const maxGroup = 2000

// Compare lays our books beside a bill, item by item, and yields where they do
// not agree. Both sides come sorted by trade number; in what order the lines of
// one trade number come does not matter. It reads each side once, keeps the
// lines of one trade number at a time, and counts into sum, which is whole
// when the last difference was yielded without an error.
//
// A match consumes a line of each side, so nothing is matched twice and what is
// left over on either side is found: a trade number that stands twice is
// duplicate_trade_no. Payments are matched by trade number, refunds and disputes
// by their own numbers; several lines of one payment that have numbers of their
// own match it when they add up to it.
//
// Our lines are those of the bill's day, of the hours next to it (within Cut),
// and those that wait since an earlier bill. One that the bill lacks waits while
// a later bill may list it, as timing, and becomes only_ours or refund_unknown
// then. One of a neighbouring day that the bill lacks is that day's affair.
//
// An error of either side, or a side that is not sorted (KindInternal), ends
// the pass; what was yielded before it must not be acted on.
func Compare(ours iter.Seq2[OurLine, error], theirs iter.Seq2[BillLine, error], p ComparePolicy, sum *Compared) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		*sum = Compared{}
		c := comparison{policy: p, sum: sum, yield: yield}
		nextOurs, stopOurs := iter.Pull2(ours)
		defer stopOurs()
		nextTheirs, stopTheirs := iter.Pull2(theirs)
		defer stopTheirs()
		c.ours = side[OurLine]{name: "our", next: nextOurs, key: func(o *OurLine) string { return o.TradeNo }}
		c.theirs = side[BillLine]{name: "the bill's", next: nextTheirs, key: func(b *BillLine) string { return b.TradeNo }}
		if err := c.run(); err != nil {
			yield(Difference{}, err)
		}
	}
}

// comparison is one merge pass.
type comparison struct {
	policy  ComparePolicy
	sum     *Compared
	yield   func(Difference, error) bool
	stopped bool // nobody listens any more
	ours    side[OurLine]
	theirs  side[BillLine]
}

func (c *comparison) run() error {
	if err := c.ours.advance(); err != nil {
		return err
	}
	if err := c.theirs.advance(); err != nil {
		return err
	}
	return merge(&c.ours, &c.theirs, &c.stopped, c.nameless, c.settle)
}

// merge walks two sorted sides with their first lines read: unnamed takes one
// line without a key, settle the groups that both sides have under the next key.
func merge[A, B any](a *side[A], b *side[B], stopped *bool, unnamed, settle func() error) error {
	for (a.more || b.more) && !*stopped {
		key := b.at()
		if !b.more || a.more && a.at() < key {
			key = a.at()
		}
		if key == "" {
			if err := unnamed(); err != nil {
				return err
			}
			continue
		}
		if err := a.take(key); err != nil {
			return err
		}
		if err := b.take(key); err != nil {
			return err
		}
		if err := settle(); err != nil {
			return err
		}
	}
	return nil
}

// side is one side of the pass: the next line, and those of the trade number
// at hand.
type side[T any] struct {
	name  string
	next  func() (T, error, bool)
	key   func(*T) string
	head  T
	more  bool
	group []T
}

func (s *side[T]) at() string { return s.key(&s.head) }

// advance reads the next line.
func (s *side[T]) advance() error {
	last, first := s.at(), !s.more
	var err error
	s.head, err, s.more = s.next()
	if err != nil {
		return err
	}
	if s.more && !first && s.at() < last {
		return E(KindInternal, "%s lines are not sorted: trade number %s after %s", s.name, quote(s.at()), quote(last))
	}
	return nil
}

// take gathers the lines under key.
func (s *side[T]) take(key string) error {
	s.group = s.group[:0]
	for s.more && s.at() == key {
		if len(s.group) == maxGroup {
			return E(KindCorrupt, "more than %d of %s lines have the trade number %s", maxGroup, s.name, quote(key))
		}
		s.group = append(s.group, s.head)
		if err := s.advance(); err != nil {
			return err
		}
	}
	return nil
}

// nameless handles one line without trade number of either side: there may be
// any number of them, so they are not gathered.
func (c *comparison) nameless() error {
	if c.theirs.more && c.theirs.at() == "" {
		line := c.theirs.head
		if err := c.sum.addTheirs(&line); err != nil {
			return err
		}
		c.lacking(&line)
		return c.theirs.advance()
	}
	line := c.ours.head
	if err := c.countOurs(&line); err != nil {
		return err
	}
	c.unlisted(&line)
	return c.ours.advance()
}

// tell yields a difference. The lines at hand are about to be overwritten, so
// it hands out copies.
func (c *comparison) tell(d Difference) {
	if d.Ours != nil {
		o := *d.Ours
		d.Ours = &o
	}
	if d.Theirs != nil {
		t := *d.Theirs
		d.Theirs = &t
	}
	c.sum.count(d)
	if !c.stopped && !c.yield(d, nil) {
		c.stopped = true
	}
}
