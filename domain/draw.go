package domain

import (
	"strings"
	"time"
)

// Stored names of what the application reports of spending. Never change one.
const (
	TypeAccountDrawn = "account.drawn.v1"
	TypeDrawReversed = "draw.reversed.v1"
)

// DrawNo is the application's own number of a draw: the grammar of OrderNo. One
// number is one draw, whatever its account. ParseDrawNo is the way in.
type DrawNo string

// AccountDrawn says that an account's owner has spent money, by the word of the
// application that sells to it: the account has less, also below zero, and what
// was spent stands in liabilities:drawn.
type AccountDrawn struct {
	Number   DrawNo    `json:"number"`
	Account  AccountID `json:"account"`
	Amount   Money     `json:"amount"` // always positive
	Zone     string    `json:"zone"`   // IANA zone its day is cut in: a draw belongs to no channel
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// DrawReversed takes a draw back, whole and once: its postings are the exact
// negation of those of the draw it names.
type DrawReversed struct {
	Number   DrawNo    `json:"number"`
	Account  AccountID `json:"account"`
	Amount   Money     `json:"amount"`   // that of the draw
	Reverses ID        `json:"reverses"` // its account.drawn
	Reason   string    `json:"reason"`
	Zone     string    `json:"zone"` // as with the draw
	Dates    Dates     `json:"dates"`
	Postings []Posting `json:"postings"`
	Rules    int       `json:"rules"`
}

// FactType is TypeAccountDrawn.
func (AccountDrawn) FactType() string { return TypeAccountDrawn }

// FactType is TypeDrawReversed.
func (DrawReversed) FactType() string { return TypeDrawReversed }

// A draw happens once, and is taken back once.
func (f AccountDrawn) key() string { return string(f.Number) }
func (f DrawReversed) key() string { return string(f.Number) }

func (AccountDrawn) ofBooks() {}
func (DrawReversed) ofBooks() {}

// BookDrawn is what customers have spent: owed to them no more, and waiting for
// the application's own accounts to call it revenue.
const BookDrawn = "liabilities:drawn"

// DrawAhead is how far the application's clock may be ahead of ours.
const DrawAhead = 5 * time.Minute

// DrawStream is the stream of one draw. A number that starts with '~' is
// replaced as in PaymentStreamRaw.
func DrawStream(no DrawNo) Stream {
	name := string(no)
	if strings.HasPrefix(name, hashMark) {
		name = hashed(name)
	}
	return Stream("draw-" + name)
}

// ParseDrawNo is s as a draw's number, or KindInvalid.
func ParseDrawNo(s string) (DrawNo, error) {
	if !isNumber(s) {
		return "", EField(KindInvalid, "number", "draw number %s is not 1 to 200 bytes of printable ASCII without blank", quote(s))
	}
	return DrawNo(s), nil
}

// MarshalText is the number; KindInvalid for one that ParseDrawNo refuses.
func (n DrawNo) MarshalText() ([]byte, error) { return marshalID(n, ParseDrawNo) }

// UnmarshalText is ParseDrawNo.
func (n *DrawNo) UnmarshalText(text []byte) error { return unmarshalID(n, text, ParseDrawNo) }

// Draw is the fold of a draw's stream: nil for what has not happened.
type Draw struct {
	Drawn    *AccountDrawn
	Reversed *DrawReversed
}

// Apply folds a fact of the draw's stream into d. A fact of another stream is
// KindCorrupt.
func (d *Draw) Apply(f Fact) error {
	switch f := f.(type) {
	case AccountDrawn:
		d.Drawn = &f
	case DrawReversed:
		d.Reversed = &f
	default:
		return E(KindCorrupt, "a draw's stream holds a %s", f.FactType())
	}
	return nil
}

// DrawAsk is what the application reports of one draw.
type DrawAsk struct {
	Number  DrawNo
	Account AccountID
	Amount  Money
	At      time.Time // when it was spent; zero for now
}

// Report books a draw, nil when the same was reported before, taken back since
// or not. Another account, amount or time under the number is KindConflict,
// which names the field. The balance is not asked: what is reported was spent,
// and a refusal here would only make the balance we show a wrong one.
func (d *Draw) Report(c Context, q DrawAsk) (Fact, error) {
	if err := q.check(c); err != nil {
		return nil, err
	}
	if d.Drawn != nil {
		return nil, d.Drawn.same(q)
	}
	return AccountDrawn{
		Number: q.Number, Account: q.Account, Amount: q.Amount, Zone: c.Zone.String(),
		Dates: c.dates(Notice{OccurredAt: q.At, ReceivedAt: c.Now}), Rules: RulesVersion,
		Postings: transfer(Posting{Book: BookWallet, Wallet: q.Account}, Posting{Book: BookDrawn}, q.Amount),
	}, nil
}

// check sees that q says something that can be booked.
func (q DrawAsk) check(c Context) error {
	if _, err := ParseDrawNo(string(q.Number)); err != nil {
		return err
	}
	if _, err := ParseAccountID(string(q.Account)); err != nil {
		return err
	}
	switch {
	case q.Account == TestAccount:
		return EField(KindInvalid, "account", "%s holds money that tries channels: nobody spends it", TestAccount)
	case !q.Amount.IsPositive():
		return EField(KindInvalid, "amount", "%s is not positive: a draw is taken back by its number", q.Amount)
	case q.At.After(c.Now.Add(DrawAhead)):
		return EField(KindInvalid, "at", "%s is in the future", Instant(q.At).Format(time.RFC3339))
	}
	return nil
}

// same is nil when q is what f says, else the conflict.
func (f AccountDrawn) same(q DrawAsk) error {
	switch {
	case f.Account != q.Account:
		return EField(KindConflict, "account", "draw %s was reported for another account", f.Number)
	case f.Amount != q.Amount:
		return EField(KindConflict, "amount", "draw %s was reported with %s, not %s", f.Number, f.Amount, q.Amount)
	case instantText(f.Dates.at()) != instantText(q.At):
		return EField(KindConflict, "at", "draw %s was reported with another time", f.Number)
	}
	return nil
}

// Reverse takes the draw back, nil when it was before: the first reason stays.
// A draw that nobody reported of the account is KindNotFound.
func (d *Draw) Reverse(c Context, account AccountID, reason string) (Fact, error) {
	switch {
	case d.Drawn == nil || d.Drawn.Account != account:
		return nil, EField(KindNotFound, "number", "no draw of this number was reported of account %s", account)
	case d.Reversed != nil:
		return nil, nil
	case reason == "" || len(reason) > maxReason:
		return nil, EField(KindInvalid, "reason", "a reason has 1 to %d bytes", maxReason)
	}
	return DrawReversed{
		Number: d.Drawn.Number, Account: account, Amount: d.Drawn.Amount, Reverses: c.ID(*d.Drawn), Reason: reason, Zone: c.Zone.String(),
		Dates: c.dates(Notice{ReceivedAt: c.Now}), Rules: RulesVersion, Postings: negated(d.Drawn.Postings),
	}, nil
}

// Again takes the decision behind a fact of the draw's stream once more, in the
// zone that the fact names; see Book.Again.
func (d *Draw) Again(c Context, f Fact) (again Fact, err error) {
	switch f := f.(type) {
	case AccountDrawn:
		if c.Zone, err = time.LoadLocation(f.Zone); err != nil {
			return nil, E(KindInvalid, "zone %s: %w", quote(f.Zone), err)
		}
		again, err = d.Report(c, DrawAsk{Number: f.Number, Account: f.Account, Amount: f.Amount, At: f.Dates.at()})
	case DrawReversed:
		if c.Zone, err = time.LoadLocation(f.Zone); err != nil {
			return nil, E(KindInvalid, "zone %s: %w", quote(f.Zone), err)
		}
		again, err = d.Reverse(c, f.Account, f.Reason)
	default:
		return nil, E(KindCorrupt, "a %s does not stand in a draw's stream", f.FactType())
	}
	return owed(again, again != nil, err)
}
