package domain

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
)

// Stored names of what these books begin with. Never change one.
const (
	TypeOpeningProposed = "opening.proposed.v1"
	TypeOpeningRejected = "opening.rejected.v1"
	TypeOpeningBooked   = "opening.booked.v1"
)

// OpeningWallet is what an account had before these books.
type OpeningWallet struct {
	Account AccountID `json:"account"`
	Amount  Money     `json:"amount"`
}

// OpeningProposed asks for a second person's yes to what a channel and its
// accounts had before these books.
type OpeningProposed struct {
	Proposal ID              `json:"proposal"`
	Channel  ChannelID       `json:"channel"`
	Day      Day             `json:"day"`               // at whose end they had it
	Balance  []Money         `json:"balance,omitempty"` // at the provider, in order of the currencies
	Wallets  []OpeningWallet `json:"wallets,omitempty"` // in order of account and currency
	By       string          `json:"by"`                // a person, never a key
	Reason   string          `json:"reason"`
	Config   uint64          `json:"channel_revision"`
}

// OpeningRejected ends a proposal: another person's no, or the proposer's own
// withdrawal.
type OpeningRejected struct {
	Proposal ID     `json:"proposal"`
	By       string `json:"by"`
	Reason   string `json:"reason"`
}

// OpeningBooked is the second person's yes: what was proposed is booked, and
// what lies between the two sides stands in equity:opening.
type OpeningBooked struct {
	Proposal   ID        `json:"proposal"`
	ProposedBy string    `json:"proposed_by"`
	By         string    `json:"by"`
	Reason     string    `json:"reason,omitempty"`
	Config     uint64    `json:"channel_revision"`
	Dates      Dates     `json:"dates"`
	Postings   []Posting `json:"postings"`
	Rules      int       `json:"rules"`

	Signature *Signature `json:"signature,omitempty"` // with the approver's own key over OpeningStatement; absent: their API key's word
}

// FactType is TypeOpeningProposed.
func (OpeningProposed) FactType() string { return TypeOpeningProposed }

// FactType is TypeOpeningRejected.
func (OpeningRejected) FactType() string { return TypeOpeningRejected }

// FactType is TypeOpeningBooked.
func (OpeningBooked) FactType() string { return TypeOpeningBooked }

func (f OpeningProposed) key() string { return f.Proposal.String() }
func (f OpeningRejected) key() string { return f.Proposal.String() }
func (f OpeningBooked) key() string   { return f.Proposal.String() }

func (OpeningProposed) ofBooks() {}
func (OpeningRejected) ofBooks() {}
func (OpeningBooked) ofBooks()   {}

// BookOpening is what these books began with: nobody's, and never moved again.
const BookOpening = "equity:opening"

// MaxOpeningWallets bounds one opening; more accounts take several.
const MaxOpeningWallets = 400

// OpeningStream is the stream of what a channel began with.
func OpeningStream(ch ChannelID) Stream { return Stream("opening-" + string(ch)) }

// OpeningAsk is what a person asks to have booked.
type OpeningAsk struct {
	Day     Day
	Balance []Money
	Wallets []OpeningWallet
	Reason  string
	By      string
}

// OpeningProposal is a proposal and what became of it.
type OpeningProposal struct {
	Ask       OpeningProposed
	State     ProposalState
	DecidedBy string
	Reason    string // of the one who decided
}

// Openings is the fold of a channel's opening stream.
type Openings struct {
	Proposals []OpeningProposal // in their order
}

// Apply folds a fact of the stream; one of another stream is KindCorrupt.
func (o *Openings) Apply(f Fact) error {
	switch f := f.(type) {
	case OpeningProposed:
		o.Proposals = append(o.Proposals, OpeningProposal{Ask: f, State: ProposalOpen})
	case OpeningRejected:
		o.decide(f.Proposal, ProposalRejected, f.By, f.Reason)
	case OpeningBooked:
		o.decide(f.Proposal, ProposalIssued, f.By, f.Reason)
	default:
		return E(KindCorrupt, "an opening's stream holds a %s", f.FactType())
	}
	return nil
}

func (o *Openings) decide(id ID, s ProposalState, by, reason string) {
	if i := o.find(id); i >= 0 {
		o.Proposals[i].State, o.Proposals[i].DecidedBy, o.Proposals[i].Reason = s, by, reason
	}
}

func (o *Openings) find(id ID) int {
	return slices.IndexFunc(o.Proposals, func(q OpeningProposal) bool { return q.Ask.Proposal == id })
}

// Propose asks for the second person's yes. The same asked for again while it
// is open yields no fact and the same proposal; what is booked already is
// KindConflict.
func (o *Openings) Propose(c Context, q OpeningAsk) (OpeningProposal, Fact, error) {
	if err := checkPerson("reason", q.By, q.Reason); err != nil {
		return OpeningProposal{}, nil, err
	}
	f := OpeningProposed{
		Channel: c.Channel.Channel, Day: q.Day, Balance: slices.Clone(q.Balance), Wallets: slices.Clone(q.Wallets), By: q.By, Reason: q.Reason,
		Config: c.Revision,
	}
	slices.SortFunc(f.Balance, func(a, b Money) int { return cmp.Compare(a.currency, b.currency) })
	slices.SortFunc(f.Wallets, func(a, b OpeningWallet) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Amount.currency, b.Amount.currency))
	})
	if err := f.check(c); err != nil {
		return OpeningProposal{}, nil, err
	}
	attempt := 0
	for _, earlier := range o.Proposals {
		if earlier.Ask.content() != f.content() {
			continue
		}
		switch {
		case earlier.State == ProposalRejected:
			attempt++
		case earlier.State == ProposalOpen && earlier.Ask.By == q.By:
			return earlier, nil, nil
		default:
			return earlier, nil, EField(KindConflict, "proposal", "%s proposed this already; it is %s", earlier.Ask.By, earlier.State)
		}
	}
	f.Proposal = NewV5(c.Ledger, string(c.Stream), "opening", f.content(), strconv.Itoa(attempt))
	return OpeningProposal{Ask: f, State: ProposalOpen}, f, nil
}

// content names what f would book.
func (f OpeningProposed) content() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%v\x00%v", f.Channel, f.Day, f.Balance, f.Wallets))
	return hex.EncodeToString(sum[:])
}

// check sees that f says something that can be booked.
func (f OpeningProposed) check(c Context) error {
	if _, err := ParseDay(string(f.Day)); err != nil {
		return err
	}
	if f.Day.Start(c.Zone).After(c.Now) {
		return EField(KindInvalid, "day", "%s is in the future", f.Day)
	}
	if len(f.Wallets) > MaxOpeningWallets {
		return EField(KindTooLarge, "wallets", "%d are more than %d: propose them in parts", len(f.Wallets), MaxOpeningWallets)
	}
	for i, m := range f.Balance {
		switch {
		case !c.Channel.Takes(m.currency):
			return EField(KindMismatch, "balance", "channel %s does not take %q", f.Channel, m.currency)
		case i > 0 && f.Balance[i-1].currency == m.currency:
			return EField(KindInvalid, "balance", "%s stands there twice", m.currency)
		}
	}
	for i, w := range f.Wallets {
		if _, err := ParseAccountID(string(w.Account)); err != nil {
			return err
		}
		switch {
		case !c.Channel.Takes(w.Amount.currency) || !w.Amount.IsPositive():
			return EField(KindInvalid, "wallets", "account %s: %s is not a positive amount of the channel's currencies", w.Account, w.Amount)
		case i > 0 && f.Wallets[i-1].Account == w.Account && f.Wallets[i-1].Amount.currency == w.Amount.currency:
			return EField(KindInvalid, "wallets", "account %s stands there twice", w.Account)
		}
	}
	ps, err := f.postings()
	if err == nil && len(ps) == 0 {
		err = EField(KindInvalid, "balance", "there is nothing to book")
	}
	return err
}

// postings put the balance at the provider against the accounts, and the rest
// into equity:opening.
func (f OpeningProposed) postings() ([]Posting, error) {
	var ps []Posting
	rest := Totals{}
	for _, m := range f.Balance {
		ps = append(ps, Posting{Book: BookPSP(f.Channel), Amount: m})
		if err := rest.Add(m.Neg()); err != nil {
			return nil, err
		}
	}
	for _, w := range f.Wallets {
		ps = append(ps, Posting{Book: BookWallet, Wallet: w.Account, Amount: w.Amount.Neg()})
		if err := rest.Add(w.Amount); err != nil {
			return nil, err
		}
	}
	for m := range rest.All() {
		ps = append(ps, Posting{Book: BookOpening, Amount: m})
	}
	return nonZero(ps...), nil
}

// Approve books a proposal: the second person's yes. Approving again what the
// same person approved yields no fact.
func (o *Openings) Approve(c Context, id ID, by, reason string) (Fact, error) {
	q, err := o.decided(id, by, ProposalIssued)
	if err != nil || q.State == ProposalIssued {
		return nil, err
	}
	switch {
	case by == "":
		return nil, EField(KindDenied, "by", "an approval needs a person")
	case by == q.Ask.By:
		return nil, EField(KindDenied, "by", "%s proposed it: another person must approve", by)
	case len(reason) > maxReason:
		return nil, EField(KindInvalid, "reason", "%d bytes are more than %d", len(reason), maxReason)
	}
	ps, err := q.Ask.postings()
	if err != nil {
		return nil, err
	}
	return OpeningBooked{
		Proposal: id, ProposedBy: q.Ask.By, By: by, Reason: reason, Config: c.Revision, Dates: c.billDates(q.Ask.Day), Postings: ps,
		Rules: RulesVersion,
	}, nil
}

// Reject ends a proposal, with a reason.
func (o *Openings) Reject(id ID, by, reason string) (Fact, error) {
	q, err := o.decided(id, by, ProposalRejected)
	if err != nil || q.State == ProposalRejected {
		return nil, err
	}
	if err := checkPerson("reason", by, reason); err != nil {
		return nil, err
	}
	return OpeningRejected{Proposal: id, By: by, Reason: reason}, nil
}

func (o *Openings) decided(id ID, by string, want ProposalState) (OpeningProposal, error) {
	i := o.find(id)
	if i < 0 {
		return OpeningProposal{}, EField(KindNotFound, "opening", "no opening %s was proposed on this channel", id)
	}
	q := o.Proposals[i]
	if q.State != ProposalOpen && (q.State != want || q.DecidedBy != by) {
		return q, EField(KindConflict, "opening", "%s is %s already", id, q.State)
	}
	return q, nil
}

// Again takes the decision behind a fact of the stream once more; see
// Book.Again.
func (o *Openings) Again(c Context, f Fact) (again Fact, err error) {
	switch f := f.(type) {
	case OpeningProposed:
		_, again, err = o.Propose(c, OpeningAsk{Day: f.Day, Balance: f.Balance, Wallets: f.Wallets, Reason: f.Reason, By: f.By})
	case OpeningRejected:
		again, err = o.Reject(f.Proposal, f.By, f.Reason)
	case OpeningBooked:
		if again, err = o.Approve(c, f.Proposal, f.By, f.Reason); again != nil {
			again = WithSignature([]Fact{again}, f.Signature)[0]
		}
	default:
		return nil, E(KindCorrupt, "a %s does not stand in an opening's stream", f.FactType())
	}
	return owed(again, again != nil, err)
}
