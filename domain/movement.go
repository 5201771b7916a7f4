package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// TypeMovementBooked is stored; never change it.
const TypeMovementBooked = "movement.booked.v1"

// Movement is a line of a bill that moves money on the merchant's balance
// without being about one payment.
type Movement struct {
	Kind     LineKind  // LinePayout, LinePayoutFailed or LineOther
	ID       string    // the provider's number of the line, empty where it has none
	PayoutID string    // with payouts
	Amount   Money     // gross; never negative but for LineOther
	Net      Money     // what moved on the balance, signed; zero Money where the bill does not say
	At       time.Time // zero where the bill names its day only
	Bill     string    // its kind
	Run      string
	SHA256   string // of the bill
	Row      int    // in the bill, for people
}

// MovementBooked books a movement that we have no name for: the money is there
// or gone, and stands in suspense until people have looked. A line is booked
// once.
type MovementBooked struct {
	Channel  ChannelID `json:"channel"`
	Day      Day       `json:"day"`    // of the bill, in the channel's zone
	Line     string    `json:"line"`   // its number at the provider, or "~" and a hash of what it says
	Amount   Money     `json:"amount"` // signed: what came is positive
	Bill     string    `json:"bill"`
	Run      string    `json:"run"`
	SHA256   string    `json:"sha256"`
	Row      int       `json:"row"`
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// FactType is TypeMovementBooked.
func (MovementBooked) FactType() string { return TypeMovementBooked }

func (f MovementBooked) key() string { return f.Line }

// moved is what m did to the balance, signed.
func (m Movement) moved() Money {
	if m.Net.currency != "" {
		return m.Net
	}
	return m.Amount
}

// Movements says what is to be booked of the lines of a day that nobody can
// name, and which lines are booked with another amount. Lines without a number
// are told apart by what they say and how often they say it. Payouts have
// streams of their own: they are KindInvalid here, and a line that moves
// nothing is left out.
func (b *Book) Movements(c Context, day Day, ms []Movement) (facts []Fact, differing []Movement, err error) {
	if _, err := ParseDay(string(day)); err != nil {
		return nil, nil, err
	}
	now := map[string]Money{}
	same := map[string]int{}
	for _, m := range ms {
		if m.Kind != LineOther {
			return nil, nil, EField(KindInvalid, "kind", "a line of kind %q is no other movement", m.Kind)
		}
		f := c.movement(day, m, same)
		if f.Amount.IsZero() {
			continue
		}
		before, ok := b.lines[f.Line]
		if !ok {
			before, ok = now[f.Line]
		}
		switch {
		case !ok:
			now[f.Line], facts = f.Amount, append(facts, f)
		case before != f.Amount:
			differing = append(differing, m)
		}
	}
	return facts, differing, nil
}

// movement is m as a fact. same counts lines without a number.
func (c Context) movement(day Day, m Movement, same map[string]int) MovementBooked {
	line, amount := m.ID, m.moved()
	if line == "" {
		said := string(m.Kind) + "\x00" + m.Bill + "\x00" + amount.String() + "\x00" + instantText(m.At)
		same[said]++
		line = hashedLine(said, same[said])
	} else if !isNumber(line) || strings.HasPrefix(line, hashMark) {
		line = hashed(line)
	}
	return MovementBooked{
		Channel: c.Channel.Channel, Day: day, Line: line, Amount: amount, Bill: m.Bill, Run: m.Run, SHA256: m.SHA256, Row: m.Row,
		Dates: c.lineDates(day, m.At), Rules: RulesVersion,
		Postings: transfer(Posting{Book: BookPSP(c.Channel.Channel)}, Posting{Book: BookSuspense(c.Channel.Channel)}, amount),
	}
}

// lineDates are those of one line of a bill.
func (c Context) lineDates(day Day, at time.Time) Dates {
	if at.IsZero() {
		return c.billDates(day)
	}
	return c.dates(Notice{OccurredAt: at, ReceivedAt: c.Now})
}

func instantText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return Instant(t).Format(time.RFC3339Nano)
}

// hashedLine stands for the number of a line that has none.
func hashedLine(said string, nth int) string {
	sum := sha256.Sum256([]byte(said + "\x00" + strconv.Itoa(nth)))
	return hashMark + hex.EncodeToString(sum[:12])
}
