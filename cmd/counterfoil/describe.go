package main

import (
	"strconv"
	"strings"

	"counterfoil/domain"
)

// describe says what a fact tells, in one line for people.
func describe(f domain.Fact) string {
	switch f := f.(type) {
	case domain.LedgerOpened:
		return words("ledger", f.Ledger.String(), string(f.Mode))
	case domain.ChannelConfigured:
		return words(f.Provider, f.Protocol, string(f.Currency), "confirm", string(f.Confirm))
	case domain.PaymentPlaced:
		return words(f.Amount.String(), "for", string(f.Account), "until", moment(f.ExpiresAt))
	case domain.PaymentNotified:
		return describeNotice(f)
	case domain.PaymentHeld:
		return words(amount(f.Amount), "waits:", string(f.Reason), trade(f.TradeNo))
	case domain.PaymentCredited:
		late := ""
		if f.Late {
			late = "late"
		}
		return words(f.Amount.String(), "to", string(f.Account), "by", string(f.Source), late, trade(f.TradeNo))
	case domain.PaymentParked:
		state := "unconfirmed"
		if f.Confirmed {
			state = "confirmed"
		}
		return words(f.Amount.String(), string(f.Reason), state, trade(f.TradeNo))
	case domain.PaymentAllocated:
		return words(f.Amount.String(), "to", string(f.Account), f.Reason, trade(f.TradeNo))
	case domain.PaymentRefunded:
		excess := ""
		if f.Excess.IsPositive() {
			excess = f.Excess.String() + " more than was left"
		}
		return words(f.Amount.String(), "refunded from", whose(f.Account, "parked money"), "refund "+f.RefundID, excess, trade(f.TradeNo))
	case domain.RefundFailed:
		return words(f.Amount.String(), "came back, refund", f.RefundID, trade(f.TradeNo))
	case domain.DisputeWithdrawn:
		return words(f.Amount.String(), "taken away, dispute", f.DisputeID, fee(f.Fee), trade(f.TradeNo))
	case domain.DisputeReinstated:
		return words(f.Amount.String(), "came back, dispute", f.DisputeID, fee(f.Fee), trade(f.TradeNo))
	case domain.DisputeLost:
		return words(f.Amount.String(), "lost, borne by", whose(f.Account, "us")+",", "dispute", f.DisputeID, trade(f.TradeNo))
	case domain.PaymentClosed:
		return words(string(f.Cause), f.Reason)
	case domain.DiscrepancyFound:
		return words(string(f.Kind), "ours:", f.Ours, "theirs:", f.Theirs, amount(f.Amount), trade(f.TradeNo))
	case domain.ReconciliationCompared:
		return words(f.Bill, "bill", strconv.Itoa(f.Import), "of", string(f.Day)+":", strconv.Itoa(f.Matched), "matched,",
			strconv.Itoa(f.Differing), "differ")
	case domain.ReconciliationDiffered:
		if f.Resolved && f.AskedBy != "" {
			return words(string(f.Kind), "resolved by", f.AskedBy, "and", f.By+":", f.How, trade(f.TradeNo))
		}
		if f.Resolved {
			return words(string(f.Kind), "resolved by", f.By+":", f.How, trade(f.TradeNo))
		}
		return words(string(f.Kind), "ours:", amount(f.Ours), "theirs:", amount(f.Theirs), trade(f.TradeNo))
	case domain.ReconciliationAsked:
		return words(f.By, "asks to set aside", string(f.Kind), "ours:", amount(f.Ours), "theirs:", amount(f.Theirs), trade(f.TradeNo)+":", f.Reason)
	case domain.FeesBooked:
		return words(f.Amount.String(), "charged by the bill of", string(f.Day)+",", f.Total.String(), "in all")
	case domain.DiscountBooked:
		return words(f.Amount.String(), "given to payers by the bill of", string(f.Day)+",", f.Total.String(), "in all")
	case domain.FXBooked:
		return words(f.From.String(), "became", f.To.String(), "by the bill of", string(f.Day))
	case domain.MovementBooked:
		return words(f.Amount.String(), "moved without a name, line", f.Line)
	case domain.PayoutSent:
		return words(f.Amount.String(), "sent to the bank, payout", f.PayoutID)
	case domain.PayoutArrived:
		return words(f.Amount.String(), "arrived, says", f.By+":", f.Reason+", payout", f.PayoutID)
	case domain.PayoutFailed:
		return words(f.Amount.String(), "came back, payout", f.PayoutID)
	case domain.OpeningProposed:
		return words(f.By, "proposes what", string(f.Channel), "began with:", strconv.Itoa(len(f.Wallets)), "accounts,", f.Reason)
	case domain.OpeningRejected:
		return words(f.By, "rejects", f.Proposal.String()+":", f.Reason)
	case domain.OpeningBooked:
		return words("booked by", f.ProposedBy, "and", f.By+":", f.Reason)
	case domain.AccountDrawn:
		return words(f.Amount.String(), "spent by", string(f.Account)+", draw", string(f.Number))
	case domain.DrawReversed:
		return words(f.Amount.String(), "given back to", string(f.Account)+", draw", string(f.Number)+":", f.Reason)
	case domain.PeriodClosing:
		return words(f.By, "proposes to close", f.Period+":", f.Reason)
	case domain.PeriodRejected:
		return words(f.By, "rejects to close", f.Period+":", f.Reason)
	case domain.PeriodClosed:
		return words(f.Period, "closed by", f.ProposedBy, "and", f.By+":", f.Reason)
	case domain.CorrectionProposed:
		return words(f.By, "proposes to", string(f.Action), f.Amount.String(), whose(f.Account, ""), trade(f.TradeNo)+":", f.Reason)
	case domain.CorrectionSeconded:
		return words(f.By, "seconds", f.Proposal.String(), f.Reason)
	case domain.CorrectionApproved:
		return words(f.By, "approves", f.Proposal.String(), f.Reason)
	case domain.CorrectionRejected:
		return words(f.By, "rejects", f.Proposal.String()+":", f.Reason)
	case domain.PeopleFact:
		return describePeople(f)
	case domain.CorrectionIssued:
		return words(string(f.Kind), string(f.Action), f.Reason, trade(f.TradeNo))
	}
	return ""
}

// whose names an account, or what stands for none.
func whose(account domain.AccountID, none string) string {
	if account == "" {
		return none
	}
	return string(account)
}

func describeNotice(f domain.PaymentNotified) string {
	doubts := make([]string, len(f.Doubts))
	for i, d := range f.Doubts {
		doubts[i] = string(d)
	}
	answered := ""
	if f.Reply != nil {
		answered = "answered " + f.Reply.Body
	}
	about := words(string(f.About), f.RefundID+f.DisputeID)
	return words(string(f.Source), "says", about, string(f.Status), amount(f.Amount), "->", string(f.Decision.Outcome),
		string(f.Decision.Reason), strings.Join(doubts, ","), answered, "evidence", string(f.Evidence.Grade), trade(f.TradeNo))
}

func amount(m domain.Money) string {
	if m.Currency() == "" {
		return ""
	}
	return m.String()
}

func fee(m domain.Money) string {
	if m.IsZero() {
		return ""
	}
	return "fee " + m.String()
}

func trade(no string) string {
	if no == "" {
		return ""
	}
	return "(trade " + no + ")"
}

// words joins what is not empty.
func words(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		if p == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(p)
	}
	return b.String()
}
