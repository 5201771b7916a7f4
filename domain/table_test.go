package domain_test

import "counterfoil/domain"

// books is what the table of outcomes looks at, read from the log in the
// plainest way: it shares nothing with the fold under test.
type books struct {
	order     *domain.PaymentPlaced
	settled   bool
	cancelled bool
	decided   map[string]domain.Money // by trade_no
	first     map[string]domain.PaymentNotified
	unknown   map[string]bool // noticed as paid before its order was placed, and not decided then
	early     map[string]bool // held before its order was placed
}

func readBooks(log []domain.Fact) books {
	b := books{
		decided: map[string]domain.Money{}, first: map[string]domain.PaymentNotified{}, unknown: map[string]bool{},
		early: map[string]bool{},
	}
	for _, f := range log {
		switch f := f.(type) {
		case domain.PaymentPlaced:
			b.order = &f
		case domain.PaymentNotified:
			if _, seen := b.first[f.TradeNo]; !seen && f.Status == domain.StatusPaid && f.About == domain.AboutPayment {
				b.first[f.TradeNo] = f
			}
		case domain.PaymentCredited:
			b.settled, b.decided[f.TradeNo] = true, f.Amount
		case domain.PaymentHeld:
			b.early[f.TradeNo] = b.order == nil
		case domain.PaymentParked:
			b.unknown[f.TradeNo] = f.Reason == domain.ReasonUnknownOrder
			if f.Confirmed {
				b.decided[f.TradeNo] = f.Amount
			}
		case domain.PaymentAllocated:
			b.settled = b.settled || (b.order != nil && f.Account == b.order.Account)
		case domain.CorrectionIssued:
			switch f.Action {
			case domain.ActionCredit: // beside a credit or in its place
				b.settled, b.decided[f.TradeNo] = true, f.Amount
			case domain.ActionAllocate: // likewise
				b.settled = b.settled || (b.order != nil && f.Account == b.order.Account)
			}
		case domain.PaymentClosed:
			b.cancelled = b.cancelled || f.Cause == domain.ClosedMerchant
		default: // decides nothing
		}
	}
	return b
}

// expected are the outcomes the table allows for a notice after a log: one,
// but for money without a number, of which only "not moved" is asked.
func expected(log []domain.Fact, n domain.Notice, confirm domain.ConfirmMode) []domain.Outcome {
	if n.About != domain.AboutPayment {
		return expectedAfter(n, confirm)
	}
	if n.Status != domain.StatusPaid || !n.Amount.IsPositive() {
		return []domain.Outcome{domain.OutcomeNoted}
	}
	b := readBooks(log)
	if b.repeats(n) {
		return []domain.Outcome{domain.OutcomeRepeated}
	}
	if n.TradeNo == "" {
		return []domain.Outcome{domain.OutcomeHeld, domain.OutcomeParked}
	}
	switch {
	case !b.wants(n):
		return []domain.Outcome{domain.OutcomeParked}
	case sure(n, confirm) && (b.order != nil || n.Source == domain.SourceQuery):
		return []domain.Outcome{domain.OutcomeCredited}
	}
	return []domain.Outcome{domain.OutcomeHeld}
}

// expectedAfter are the outcomes of a notice about a refund or a dispute: they
// have facts of their own, so it is noted or repeated; what may not move money
// alone is held, or repeats what is known.
func expectedAfter(n domain.Notice, confirm domain.ConfirmMode) []domain.Outcome {
	switch {
	case !moves(n):
		return []domain.Outcome{domain.OutcomeNoted}
	case leavesOut(n) || !sure(n, confirm) || !n.Amount.IsPositive():
		return []domain.Outcome{domain.OutcomeHeld, domain.OutcomeRepeated, domain.OutcomeNoted}
	}
	return []domain.Outcome{domain.OutcomeNoted, domain.OutcomeRepeated}
}

// repeats: the trade is decided, or it has no number and some trade of its
// amount is.
func (b books) repeats(n domain.Notice) bool {
	if n.TradeNo != "" {
		_, decided := b.decided[n.TradeNo]
		return decided
	}
	for _, m := range b.decided {
		if m == n.Amount {
			return true
		}
	}
	return false
}

// wants: the money is what the order waits for.
func (b books) wants(n domain.Notice) bool {
	switch {
	case b.settled:
		return false
	case b.order == nil:
		return n.Account != "" && n.Amount.Currency() == domain.CNY
	case b.cancelled, n.Amount != b.order.Amount:
		return false
	case b.early[n.TradeNo] && n.Account != b.order.Account:
		return b.order.PlacedAt.Sub(b.first[n.TradeNo].ReceivedAt) <= domain.AllocateWithin
	case b.unknown[n.TradeNo]:
		return b.order.PlacedAt.Sub(b.first[n.TradeNo].ReceivedAt) <= domain.AllocateWithin
	}
	return true
}

// sure: the notice alone may move money.
func sure(n domain.Notice, confirm domain.ConfirmMode) bool {
	if len(n.Doubts) > 0 {
		return false
	}
	return n.Source == domain.SourceQuery || confirm == domain.ConfirmNever ||
		(confirm == domain.ConfirmAbove && n.Amount.Currency() == domain.CNY && n.Amount.Minor() <= 500)
}
