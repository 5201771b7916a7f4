package domain

import (
	"fmt"
	"slices"
)

// RulesVersion is the version of the decision and posting rules written into
// every decision. Verify derives postings again with the version an event
// names.
const RulesVersion = 1

// Posting is one leg of a double entry, stored inside the fact that causes it.
// Amount is signed: + debit, − credit. Wallet names whose money it is where the
// book is split by wallet.
type Posting struct {
	Book   string    `json:"book"`
	Wallet AccountID `json:"wallet,omitempty"`
	Amount Money     `json:"amount"`
}

// The books money stands in. Assets at a provider are kept per channel.
const (
	BookWallet     = "liabilities:wallet"
	BookParked     = "liabilities:parked"
	BookChargeback = "expenses:chargeback" // lost disputes that we bear
	BookUnclaimed  = "income:unclaimed"    // parked money that nobody claimed
)

// BookPSP is the money the provider of a channel holds for us.
func BookPSP(ch ChannelID) string { return "assets:psp:" + string(ch) }

// BookSuspense is what a channel's movements have taken without our knowing
// from whom, until people have looked.
func BookSuspense(ch ChannelID) string { return "suspense:" + string(ch) }

// BookDisputes is disputed money that the provider of a channel keeps away
// until it is decided.
func BookDisputes(ch ChannelID) string { return "assets:disputes:" + string(ch) }

// BookDisputeFee is what disputes of a channel cost beside their amounts.
func BookDisputeFee(ch ChannelID) string { return "expenses:dispute-fee:" + string(ch) }

// transfer is a debit of one book and the credit of another by the same amount.
func transfer(debit, credit Posting, m Money) []Posting {
	debit.Amount, credit.Amount = m, m.Neg()
	return []Posting{debit, credit}
}

// creditPostings: the provider holds the money, the wallet owns it.
func creditPostings(ch ChannelID, account AccountID, m Money) []Posting {
	return transfer(Posting{Book: BookPSP(ch)}, Posting{Book: BookWallet, Wallet: account}, m)
}

// parkPostings: the provider holds the money, nobody owns it yet.
func parkPostings(ch ChannelID, m Money) []Posting {
	return transfer(Posting{Book: BookPSP(ch)}, Posting{Book: BookParked}, m)
}

// allocatePostings: parked money finds its wallet; the provider's side stays.
func allocatePostings(account AccountID, m Money) []Posting {
	return transfer(Posting{Book: BookParked}, Posting{Book: BookWallet, Wallet: account}, m)
}

// refundPostings take m from where the money sits now; excess of it, which is
// more than was left of the money, from suspense.
func refundPostings(ch ChannelID, from []Posting, m, excess Money) []Posting {
	if excess.IsPositive() {
		from = append(from, Posting{Book: BookSuspense(ch), Amount: excess})
	}
	return append(from, Posting{Book: BookPSP(ch), Amount: m.Neg()})
}

// negated is the exact opposite of ps.
func negated(ps []Posting) []Posting {
	out := slices.Clone(ps)
	for i := range out {
		out[i].Amount = out[i].Amount.Neg()
	}
	return out
}

// withdrawnPostings: the provider took m, and its fee, away.
func withdrawnPostings(ch ChannelID, m, fee Money) []Posting {
	return append(transfer(Posting{Book: BookDisputes(ch)}, Posting{Book: BookPSP(ch)}, m), disputeFee(ch, fee)...)
}

// reinstatedPostings: m came back, and its fee where that is negative.
func reinstatedPostings(ch ChannelID, m, fee Money) []Posting {
	return append(transfer(Posting{Book: BookPSP(ch)}, Posting{Book: BookDisputes(ch)}, m), disputeFee(ch, fee)...)
}

func disputeFee(ch ChannelID, fee Money) []Posting {
	if fee.IsZero() {
		return nil
	}
	return transfer(Posting{Book: BookDisputeFee(ch)}, Posting{Book: BookPSP(ch)}, fee)
}

// lostPostings: m stays away, and the wallet bears it; we do where it is empty.
func lostPostings(ch ChannelID, bearer AccountID, m Money) []Posting {
	debit := Posting{Book: BookWallet, Wallet: bearer}
	if bearer == "" {
		debit = Posting{Book: BookChargeback}
	}
	return transfer(debit, Posting{Book: BookDisputes(ch)}, m)
}

// PostingsOf are the postings a fact carries; nil for facts that move no money.
func PostingsOf(f Fact) []Posting {
	switch f := f.(type) {
	case PaymentCredited:
		return f.Postings
	case PaymentParked:
		return f.Postings
	case PaymentAllocated:
		return f.Postings
	case PaymentRefunded:
		return f.Postings
	case RefundFailed:
		return f.Postings
	case DisputeWithdrawn:
		return f.Postings
	case DisputeReinstated:
		return f.Postings
	case DisputeLost:
		return f.Postings
	case CorrectionIssued:
		return f.Postings
	case FeesBooked:
		return f.Postings
	case DiscountBooked:
		return f.Postings
	case FXBooked:
		return f.Postings
	case MovementBooked:
		return f.Postings
	case PayoutSent:
		return f.Postings
	case PayoutArrived:
		return f.Postings
	case PayoutFailed:
		return f.Postings
	case OpeningBooked:
		return f.Postings
	case AccountDrawn:
		return f.Postings
	case DrawReversed:
		return f.Postings
	case LedgerOpened, ChannelConfigured, PaymentPlaced, PaymentNotified, PaymentHeld, PaymentClosed,
		DiscrepancyFound, CorrectionProposed, CorrectionSeconded, CorrectionApproved, CorrectionRejected,
		PeopleFact, ReconciliationFact, PeriodClosing, PeriodRejected, PeriodClosed, OpeningProposed, OpeningRejected:
		return nil
	}
	return nil
}

// DatesOf are the dates of a fact that posts, and whether it has any.
func DatesOf(f Fact) (Dates, bool) {
	switch f := f.(type) {
	case PaymentCredited:
		return f.Dates, true
	case PaymentParked:
		return f.Dates, len(f.Postings) > 0
	case PaymentAllocated:
		return f.Dates, true
	case PaymentRefunded:
		return f.Dates, true
	case RefundFailed:
		return f.Dates, true
	case DisputeWithdrawn:
		return f.Dates, true
	case DisputeReinstated:
		return f.Dates, true
	case DisputeLost:
		return f.Dates, true
	case CorrectionIssued:
		return f.Dates, len(f.Postings) > 0
	case FeesBooked:
		return f.Dates, true
	case DiscountBooked:
		return f.Dates, true
	case FXBooked:
		return f.Dates, true
	case MovementBooked:
		return f.Dates, true
	case PayoutSent:
		return f.Dates, true
	case PayoutArrived:
		return f.Dates, true
	case PayoutFailed:
		return f.Dates, true
	case OpeningBooked:
		return f.Dates, true
	case AccountDrawn:
		return f.Dates, true
	case DrawReversed:
		return f.Dates, true
	case LedgerOpened, ChannelConfigured, PaymentPlaced, PaymentNotified, PaymentHeld, PaymentClosed,
		DiscrepancyFound, CorrectionProposed, CorrectionSeconded, CorrectionApproved, CorrectionRejected,
		PeopleFact, ReconciliationFact, PeriodClosing, PeriodRejected, PeriodClosed, OpeningProposed, OpeningRejected:
		return Dates{}, false
	}
	return Dates{}, false
}

// CheckPostings asserts R5: the postings sum to zero in every currency, and
// none of them is empty. It is called before a write and after a read.
func CheckPostings(ps []Posting) error {
	sums := Totals{}
	for i, p := range ps {
		if p.Book == "" || p.Amount.IsZero() {
			return E(KindCorrupt, "posting %d has no book or no amount", i)
		}
		if (p.Book == BookWallet) != (p.Wallet != "") {
			return E(KindCorrupt, "posting %d: book %s and wallet %q do not go together", i, p.Book, p.Wallet)
		}
		if err := sums.Add(p.Amount); err != nil {
			return fmt.Errorf("posting %d: %w", i, err)
		}
	}
	if !sums.IsZero() {
		return E(KindCorrupt, "postings do not sum to zero: %v", ps)
	}
	return nil
}

// checkPosted asserts R5 of a whole fact: its postings are in order, and money
// that moved has some.
func checkPosted(f Fact) error {
	ps := PostingsOf(f)
	_, moved := DatesOf(f)
	switch f := f.(type) {
	case PaymentParked:
		moved = f.Confirmed
	case CorrectionIssued:
		moved = f.Dates != (Dates{})
	default:
	}
	if moved != (len(ps) > 0) {
		return E(KindCorrupt, "money moved: %t, postings: %d", moved, len(ps))
	}
	return CheckPostings(ps)
}
