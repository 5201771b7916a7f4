package domain_test

import (
	"time"

	"counterfoil/domain"
)

// spent are the legs of a draw of m.
func spent(account domain.AccountID, m domain.Money) []domain.Posting {
	return []domain.Posting{{Book: "liabilities:wallet", Wallet: account, Amount: m}, {Book: "liabilities:drawn", Amount: m.Neg()}}
}

// bookFixtures are the fixtures of bills, payouts and periods.
func bookFixtures() map[string]domain.Fact {
	id := domain.ID{0: 0x5e, 6: 0x40, 8: 0x80, 15: 0x2a}
	dates := domain.Dates{OccurredAt: noon, ReceivedAt: noon.Add(1234567 * time.Microsecond), ValueDate: "2026-03-14", Period: "2026-04"}
	estimated := domain.Dates{OccurredAt: noon, Estimated: true, ReceivedAt: noon, ValueDate: "2026-03-14", Period: "2026-03"}
	yen, dollars := domain.NewMoney(700, domain.JPY), domain.NewMoney(138, domain.USD)
	nothing := domain.NewMoney(0, domain.CNY)
	exchange := []domain.Posting{
		{Book: "assets:psp:epay-main", Amount: ten.Neg()},
		{Book: "equity:conversion", Amount: ten},
		{Book: "equity:conversion", Amount: dollars.Neg()},
		{Book: "assets:psp:epay-main", Amount: dollars},
	}
	totals := []domain.PeriodTotal{
		{Book: "assets:psp:epay-main", Opening: five, Closing: ten}, {Book: "liabilities:wallet", Opening: five.Neg(), Closing: ten.Neg()},
	}
	full := domain.PeriodBasis{
		Totals: totals, Events: 1234, Root: "9f86d081884c7d65", Tree: 1230, Zones: []string{"Asia/Shanghai", "UTC"},
		Incomplete: []domain.PeriodException{{Name: "run:epay-main:2026-03-31:trade", What: "bill_missing", Amount: five}},
		Exceptions: 7, Open: []domain.PeriodException{{Name: "discrepancy:" + id.String(), What: "only_ours", Amount: ten}},
	}
	bare := domain.PeriodBasis{Events: 9, Zones: []string{"UTC"}}
	return map[string]domain.Fact{
		"discount.booked.v1.full":     domain.DiscountBooked{Channel: channel, Day: "2026-03-14", Bill: "trade", Amount: five, Total: ten, Exact: "10", Run: "bill-1", SHA256: "ab12", Dates: estimated, Postings: legs("expenses:discount:epay-main", "assets:psp:epay-main", "", five), Rules: 1},
		"discount.booked.v1.minimal":  domain.DiscountBooked{Channel: channel, Day: "2026-03-14", Bill: "trade", Amount: five.Neg(), Total: nothing, Exact: "0", Run: "bill-2", Dates: dates, Postings: legs("expenses:discount:epay-main", "assets:psp:epay-main", "", five.Neg()), Rules: 1},
		"fees.booked.v1.rounded":      domain.FeesBooked{Channel: channel, Day: "2026-03-14", Bill: "trade", Amount: nothing, Total: ten, Exact: "9.99", Run: "bill-3", Dates: estimated, Postings: legs("expenses:fee:rounding", "expenses:fee:epay-main", "", domain.NewMoney(1, domain.CNY)), Rules: 1},
		"fx.booked.v1.full":           domain.FXBooked{Channel: channel, Day: "2026-03-14", Bill: "fund_flow", From: ten, To: dollars, TotalFrom: ten, TotalTo: dollars, Run: "bill-1", SHA256: "ab12", Dates: estimated, Postings: exchange, Rules: 1},
		"fx.booked.v1.minimal":        domain.FXBooked{Channel: channel, Day: "2026-03-14", Bill: "fund_flow", From: nothing, To: dollars.Neg(), TotalFrom: ten, TotalTo: domain.NewMoney(0, domain.USD), Run: "bill-2", Dates: dates, Postings: legs("equity:conversion", "assets:psp:epay-main", "", dollars), Rules: 1},
		"movement.booked.v1.full":     domain.MovementBooked{Channel: channel, Day: "2026-03-14", Line: "txn_1", Amount: five, Bill: "fund_flow", Run: "bill-1", SHA256: "ab12", Row: 12, Dates: estimated, Postings: legs("assets:psp:epay-main", "suspense:epay-main", "", five), Rules: 1},
		"movement.booked.v1.minimal":  domain.MovementBooked{Channel: channel, Day: "2026-03-14", Line: "~0a1b", Amount: five.Neg(), Bill: "fund_flow", Run: "bill-1", Dates: dates, Postings: legs("assets:psp:epay-main", "suspense:epay-main", "", five.Neg()), Rules: 1},
		"payout.sent.v1.full":         domain.PayoutSent{Channel: channel, PayoutID: "po_1", Amount: ten, Line: "txn_1", Day: "2026-03-14", Bill: "fund_flow", Run: "bill-1", SHA256: "ab12", Row: 12, Dates: estimated, Postings: legs("assets:transit", "assets:psp:epay-main", "", ten), Rules: 1},
		"payout.sent.v1.minimal":      domain.PayoutSent{Channel: channel, PayoutID: "提现1", Amount: yen, Day: "2026-03-14", Bill: "fund_flow", Run: "bill-1", Dates: dates, Postings: legs("assets:transit", "assets:psp:epay-main", "", yen), Rules: 1},
		"payout.arrived.v1.full":      domain.PayoutArrived{Channel: channel, PayoutID: "po_1", Amount: ten, By: "person:li", Reason: "on the statement of <March>&", Reference: "B-1", Statement: "ab12", Dates: estimated, Postings: legs("assets:bank", "assets:transit", "", ten), Rules: 1},
		"payout.arrived.v1.minimal":   domain.PayoutArrived{Channel: channel, PayoutID: "po_1", Amount: yen, By: "li", Reason: "x", Dates: dates, Postings: legs("assets:bank", "assets:transit", "", yen), Rules: 1},
		"payout.failed.v1.full":       domain.PayoutFailed{Channel: channel, PayoutID: "po_1", Amount: ten, Arrived: true, Line: "txn_2", Day: "2026-03-16", Bill: "fund_flow", Run: "bill-1", SHA256: "ab12", Row: 3, Dates: estimated, Postings: legs("assets:psp:epay-main", "assets:bank", "", ten), Rules: 1},
		"payout.failed.v1.minimal":    domain.PayoutFailed{Channel: channel, PayoutID: "po_1", Amount: yen, Day: "2026-03-16", Bill: "fund_flow", Run: "bill-1", Dates: dates, Postings: legs("assets:psp:epay-main", "assets:transit", "", yen), Rules: 1},
		"opening.proposed.v1.full":    domain.OpeningProposed{Proposal: id, Channel: channel, Day: "2026-03-13", Balance: []domain.Money{ten}, Wallets: []domain.OpeningWallet{{Account: alice, Amount: five}}, By: "person:li", Reason: "taken over from the old system", Config: 3},
		"opening.proposed.v1.minimal": domain.OpeningProposed{Proposal: id, Channel: channel, Day: "2026-03-13", By: "li", Reason: "x"},
		"opening.rejected.v1.full":    domain.OpeningRejected{Proposal: id, By: "person:wang", Reason: "another balance on the provider's page"},
		"opening.rejected.v1.minimal": domain.OpeningRejected{Proposal: id, By: "wang", Reason: "x"},
		"opening.booked.v1.full":      domain.OpeningBooked{Proposal: id, ProposedBy: "person:li", By: "person:wang", Reason: "seen on the provider's page", Config: 3, Dates: estimated, Postings: []domain.Posting{{Book: "liabilities:wallet", Wallet: alice, Amount: five.Neg()}, {Book: "assets:psp:epay-main", Amount: ten}, {Book: "equity:opening", Amount: five.Neg()}}, Rules: 1},
		"opening.booked.v1.minimal":   domain.OpeningBooked{Proposal: id, ProposedBy: "li", By: "wang", Dates: dates, Postings: legs("assets:psp:epay-main", "equity:opening", "", yen), Rules: 1},
		"account.drawn.v1.full":       domain.AccountDrawn{Number: "log-8812<&>", Account: alice, Amount: five, Zone: "Asia/Shanghai", Dates: estimated, Postings: spent(alice, five), Rules: 1},
		"account.drawn.v1.minimal":    domain.AccountDrawn{Number: "~1", Account: bob, Amount: yen, Zone: "UTC", Dates: dates, Postings: spent(bob, yen), Rules: 1},
		"draw.reversed.v1.full":       domain.DrawReversed{Number: "log-8812<&>", Account: alice, Amount: five, Reverses: id, Reason: "the task <7> failed & was not charged", Zone: "Asia/Shanghai", Dates: estimated, Postings: spent(alice, five.Neg()), Rules: 1},
		"draw.reversed.v1.minimal":    domain.DrawReversed{Number: "~1", Account: bob, Amount: yen, Reverses: ledgerID, Reason: "x", Zone: "UTC", Dates: dates, Postings: spent(bob, yen.Neg()), Rules: 1},
		"period.closing.v1.full":      domain.PeriodClosing{Proposal: id, Period: "2026-03", By: "person:li", Reason: "the month is done", EffectiveAt: noon, Basis: full, Rules: 1},
		"period.closing.v1.minimal":   domain.PeriodClosing{Proposal: id, Period: "2026-03", By: "li", Reason: "x", EffectiveAt: noon, Basis: bare, Rules: 1},
		"period.rejected.v1.full":     domain.PeriodRejected{Proposal: id, Period: "2026-03", By: "person:wang", Reason: "the fees of the 31st are missing", EffectiveAt: noon},
		"period.rejected.v1.minimal":  domain.PeriodRejected{Proposal: id, Period: "2026-03", By: "wang", Reason: "x", EffectiveAt: noon},
		"period.closed.v1.full":       domain.PeriodClosed{Proposal: id, Period: "2026-03", ProposedBy: "person:li", By: "person:wang", Reason: "checked", Basis: full, Rules: 1},
		"period.closed.v1.minimal":    domain.PeriodClosed{Proposal: id, Period: "2026-03", ProposedBy: "li", By: "wang", Basis: bare, Rules: 1},
	}
}
