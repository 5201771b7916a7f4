package domain

import (
	"strings"
	"time"
)

// Stored names of a payout's stages. Never change one.
const (
	TypePayoutSent    = "payout.sent.v1"
	TypePayoutArrived = "payout.arrived.v1"
	TypePayoutFailed  = "payout.failed.v1"
)

// PayoutSent says that money left the balance at the provider for our bank.
type PayoutSent struct {
	Channel  ChannelID `json:"channel"`
	PayoutID string    `json:"payout_id"`
	Amount   Money     `json:"amount"`
	Line     string    `json:"line,omitempty"` // the provider's number of the bill's line
	Day      Day       `json:"day"`            // of the bill, in the channel's zone
	Bill     string    `json:"bill"`
	Run      string    `json:"run"`
	SHA256   string    `json:"sha256"`
	Row      int       `json:"row"`
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// PayoutFailed says that the money of a payout came back to the provider's
// balance: from the way, or from the bank where it had arrived.
type PayoutFailed struct {
	Channel  ChannelID `json:"channel"`
	PayoutID string    `json:"payout_id"`
	Amount   Money     `json:"amount"`
	Arrived  bool      `json:"arrived,omitempty"` // it had
	Line     string    `json:"line,omitempty"`
	Day      Day       `json:"day"`
	Bill     string    `json:"bill"`
	Run      string    `json:"run"`
	SHA256   string    `json:"sha256"`
	Row      int       `json:"row"`
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// PayoutArrived says that a payout stands on our bank account, by the word of a
// person with the bank's statement: no provider can know it.
type PayoutArrived struct {
	Channel   ChannelID `json:"channel"`
	PayoutID  string    `json:"payout_id"`
	Amount    Money     `json:"amount"`
	By        string    `json:"by"` // a person
	Reason    string    `json:"reason"`
	Reference string    `json:"reference,omitempty"` // the bank's number of the credit
	Statement string    `json:"statement,omitempty"` // hex SHA-256 of the bank's statement
	Dates     Dates     `json:"dates"`
	Postings  []Posting `json:"postings"`
	Rules     int       `json:"rules"`
}

// FactType is TypePayoutSent.
func (PayoutSent) FactType() string { return TypePayoutSent }

// FactType is TypePayoutArrived.
func (PayoutArrived) FactType() string { return TypePayoutArrived }

// FactType is TypePayoutFailed.
func (PayoutFailed) FactType() string { return TypePayoutFailed }

// Each stage of a payout happens once.
func (f PayoutSent) key() string    { return f.PayoutID }
func (f PayoutArrived) key() string { return f.PayoutID }
func (f PayoutFailed) key() string  { return f.PayoutID }

// The books a payout passes.
const (
	BookTransit = "assets:transit" // left the provider, not seen at the bank
	BookBank    = "assets:bank"    // by a bank's statement or a person's evidence only
)

// PayoutStream is the stream of one payout. A number outside the grammar of
// order numbers, or that starts with '~', is replaced as in PaymentStreamRaw.
func PayoutStream(ch ChannelID, payoutID string) Stream {
	if !isNumber(payoutID) || strings.HasPrefix(payoutID, hashMark) {
		payoutID = hashed(payoutID)
	}
	return Stream("payout-" + string(ch) + ":" + payoutID)
}

// Payout is the fold of a payout's stream: which of its stages were reached,
// nil for the others.
type Payout struct {
	Sent    *PayoutSent
	Arrived *PayoutArrived
	Failed  *PayoutFailed
}

// Apply folds a fact of the payout's stream into p. A fact of another stream is
// KindCorrupt.
func (p *Payout) Apply(f Fact) error {
	switch f := f.(type) {
	case PayoutSent:
		p.Sent = &f
	case PayoutArrived:
		p.Arrived = &f
	case PayoutFailed:
		p.Failed = &f
	default:
		return E(KindCorrupt, "a payout's stream holds a %s", f.FactType())
	}
	return nil
}

// Payout is the number of the payout that m is about: the line's own where the
// bill names none.
func (m Movement) Payout() string {
	if m.PayoutID != "" {
		return m.PayoutID
	}
	if m.ID != "" {
		return m.ID
	}
	return hashedLine(string(m.Kind)+"\x00"+m.Bill+"\x00"+m.Amount.String()+"\x00"+instantText(m.At), 1)
}

// paid is the money of a payout, positive whatever sign its line has.
func (m Movement) paid() Money {
	out := m.Amount
	if out.IsZero() {
		out = m.Net
	}
	if out.IsNegative() {
		out = out.Neg()
	}
	return out
}

// Line says what is to be booked for a bill's line about the payout, nil when
// its stage was reached before; differs reports that it was, with another
// amount. The stages may come in any order: a bill of an earlier day may be
// imported later.
func (p *Payout) Line(c Context, day Day, m Movement) (f Fact, differs bool, err error) {
	if _, err := ParseDay(string(day)); err != nil {
		return nil, false, err
	}
	amount := m.paid()
	if !amount.IsPositive() {
		return nil, false, EField(KindInvalid, "amount", "payout %s is of no money", quote(m.Payout()))
	}
	switch {
	case m.Kind == LinePayout && p.Sent != nil:
		return nil, p.Sent.Amount != amount, nil
	case m.Kind == LinePayoutFailed && p.Failed != nil:
		return nil, p.Failed.Amount != amount, nil
	case m.Kind == LinePayout && p.Failed != nil && p.Failed.Amount != amount,
		m.Kind == LinePayoutFailed && p.Sent != nil && p.Sent.Amount != amount:
		return nil, true, nil
	case m.Kind == LinePayout:
		return c.payoutSent(day, m, amount), false, nil
	case m.Kind == LinePayoutFailed:
		return c.payoutFailed(day, m, amount, p.Arrived != nil), false, nil
	}
	return nil, false, EField(KindInvalid, "kind", "a line of kind %q is about no payout", m.Kind)
}

func (c Context) payoutSent(day Day, m Movement, amount Money) PayoutSent {
	return PayoutSent{
		Channel: c.Channel.Channel, PayoutID: m.Payout(), Amount: amount, Line: m.ID, Day: day, Bill: m.Bill, Run: m.Run,
		SHA256: m.SHA256, Row: m.Row, Dates: c.lineDates(day, m.At), Rules: RulesVersion,
		Postings: transfer(Posting{Book: BookTransit}, Posting{Book: BookPSP(c.Channel.Channel)}, amount),
	}
}

func (c Context) payoutFailed(day Day, m Movement, amount Money, arrived bool) PayoutFailed {
	from := BookTransit
	if arrived {
		from = BookBank
	}
	return PayoutFailed{
		Channel: c.Channel.Channel, PayoutID: m.Payout(), Amount: amount, Arrived: arrived, Line: m.ID, Day: day, Bill: m.Bill,
		Run: m.Run, SHA256: m.SHA256, Row: m.Row, Dates: c.lineDates(day, m.At), Rules: RulesVersion,
		Postings: transfer(Posting{Book: BookPSP(c.Channel.Channel)}, Posting{Book: from}, amount),
	}
}

// Arrival is what a person says of a payout that stands on the bank account.
type Arrival struct {
	Amount    Money     // as the bank has it; zero Money for the amount that was sent
	At        time.Time // of the bank's credit; zero for now
	Reference string    // the bank's number of the credit
	Statement string    // hex SHA-256 of the bank's statement
	Reason    string
	By        string // a person, never a key
}

// Arrive books a payout that arrived, nil when the same was said before. A
// payout that no bill has sent is KindNotFound; one that failed, or that
// arrived by somebody else's word, KindConflict; another amount KindMismatch.
func (p *Payout) Arrive(c Context, a Arrival) (Fact, error) {
	if err := checkPerson("reason", a.By, a.Reason); err != nil {
		return nil, err
	}
	switch {
	case p.Sent == nil:
		return nil, EField(KindNotFound, "payout", "no bill says that this payout was sent")
	case p.Arrived != nil && p.Arrived.By == a.By && (a.Amount.currency == "" || a.Amount == p.Arrived.Amount):
		return nil, nil
	case p.Arrived != nil:
		return nil, EField(KindConflict, "payout", "%s said already that it arrived", p.Arrived.By)
	case p.Failed != nil:
		return nil, EField(KindConflict, "payout", "it failed: its money went back to the provider")
	case a.Amount.currency != "" && a.Amount != p.Sent.Amount:
		return nil, EField(KindMismatch, "amount", "%s was sent, not %s: the difference is for the provider or the bank to explain",
			p.Sent.Amount, a.Amount)
	case a.At.After(c.Now):
		return nil, EField(KindInvalid, "at", "%s is in the future", a.At.Format(time.RFC3339))
	case len(a.Reference) > maxReason || len(a.Statement) > 64:
		return nil, EField(KindInvalid, "reference", "a reference or hash this long is none")
	}
	return PayoutArrived{
		Channel: c.Channel.Channel, PayoutID: p.Sent.PayoutID, Amount: p.Sent.Amount, By: a.By, Reason: a.Reason,
		Reference: a.Reference, Statement: a.Statement, Dates: c.dates(Notice{OccurredAt: a.At, ReceivedAt: c.Now}), Rules: RulesVersion,
		Postings: transfer(Posting{Book: BookBank}, Posting{Book: BookTransit}, p.Sent.Amount),
	}, nil
}
