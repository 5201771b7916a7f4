package domain_test

import (
	"maps"
	"time"

	"counterfoil/domain"
)

// fixtures are facts with their stored form in testdata/facts/<name>.json: for
// each type one with every member, one with as few as may be, and what else
// has a form of its own. Stored forms never change, so neither do these files.
func fixtures() map[string]domain.Fact {
	id := domain.ID{0: 0x5e, 6: 0x40, 8: 0x80, 15: 0x2a}
	dates := domain.Dates{OccurredAt: noon, ReceivedAt: noon.Add(1234567 * time.Microsecond), ValueDate: "2026-03-14", Period: "2026-04"}
	estimated := domain.Dates{OccurredAt: noon, Estimated: true, ReceivedAt: noon, ValueDate: "2026-03-14", Period: "2026-03"}
	yen := domain.NewMoney(700, domain.JPY)
	all := map[string]domain.Fact{
		"ledger.opened.v1.full":         domain.LedgerOpened{Ledger: ledgerID, Mode: domain.ModeLive},
		"ledger.opened.v1.minimal":      domain.LedgerOpened{Ledger: ledgerID, Mode: domain.ModeTest},
		"channel.configured.v1.full":    fullChannel(),
		"channel.configured.v1.minimal": minimalChannel(),
		"channel.configured.v1.wide":    wideChannel(),
		"payment.placed.v1.full":        placed(),
		"payment.placed.v1.minimal":     domain.PaymentPlaced{Channel: "a", OrderNo: "!", Account: "b", Amount: yen, PlacedAt: noon, ExpiresAt: expiry},
		"payment.notified.v1.full":      fullNotice(),
		"payment.notified.v1.callback":  kept(callback(1, "2026031422001412345678901234", ten), domain.OutcomeCredited, ""),
		"payment.notified.v1.query":     kept(query(2, "T1", ten), domain.OutcomeCredited, ""),
		"payment.notified.v1.minimal":   minimalNotice(),
		"payment.notified.v1.refund":    refundNotice(),
		"payment.notified.v1.dispute":   disputeNotice(),
		"payment.held.v1.full":          domain.PaymentHeld{TradeNo: "T1", Amount: ten, Reason: domain.ReasonConfirmByQuery, Basis: id},
		"payment.held.v1.minimal":       domain.PaymentHeld{Reason: domain.ReasonDoubtful, Basis: id},
		"payment.credited.v1.full":      domain.PaymentCredited{TradeNo: "T1", Account: alice, Amount: ten, Late: true, Source: domain.SourceQuery, Basis: id, Dates: estimated, Postings: legs("assets:psp:epay-main", "liabilities:wallet", alice, ten), Rules: 1},
		"payment.credited.v1.minimal":   domain.PaymentCredited{TradeNo: "T1", Account: alice, Amount: yen, Source: domain.SourceCallback, Basis: id, Dates: dates, Postings: legs("assets:psp:epay-main", "liabilities:wallet", alice, yen), Rules: 1},
		"payment.parked.v1.full":        domain.PaymentParked{TradeNo: "T1", Amount: five, Reason: domain.ReasonOtherAmount, Confirmed: true, Basis: id, Dates: dates, Postings: legs("assets:psp:epay-main", "liabilities:parked", "", five), Rules: 1},
		"payment.parked.v1.minimal":     domain.PaymentParked{Amount: five, Reason: domain.ReasonUnknownOrder, Basis: id, Dates: estimated, Rules: 1},
		"payment.allocated.v1.full":     domain.PaymentAllocated{TradeNo: "T1", Account: bob, Amount: five, ProposedBy: "person:li", ApprovedBy: "person:wang", Reason: "ticket 12", Dates: dates, Postings: legs("liabilities:parked", "liabilities:wallet", bob, five), Rules: 1},
		"payment.allocated.v1.rule":     domain.PaymentAllocated{TradeNo: "T1", Account: bob, Amount: five, ByRule: true, Reason: "the order was placed right after its money came", Dates: estimated, Postings: legs("liabilities:parked", "liabilities:wallet", bob, five), Rules: 1},
		"payment.allocated.v1.minimal":  domain.PaymentAllocated{TradeNo: "T1", Account: bob, Amount: five, Dates: dates, Postings: legs("liabilities:parked", "liabilities:wallet", bob, five), Rules: 1},
		"payment.refunded.v1.full":      domain.PaymentRefunded{TradeNo: "T1", RefundID: "R1", RefundNo: "our-1", Account: alice, Amount: ten, Excess: five, Source: domain.SourceQuery, Basis: id, Dates: estimated, Postings: three("liabilities:wallet", alice, five, "suspense:epay-main", five, "assets:psp:epay-main"), Rules: 1},
		"payment.refunded.v1.parked":    domain.PaymentRefunded{TradeNo: "T1", RefundID: "total:5.00", Amount: five, Source: domain.SourceCallback, Basis: id, Dates: dates, Postings: legs("liabilities:parked", "assets:psp:epay-main", "", five), Rules: 1},
		"payment.refunded.v1.minimal":   domain.PaymentRefunded{TradeNo: "T1", RefundID: "R1", Amount: yen, Source: domain.SourceCallback, Basis: id, Dates: dates, Postings: legs("suspense:epay-main", "assets:psp:epay-main", "", yen), Rules: 1},
		"refund.failed.v1.full":         domain.RefundFailed{TradeNo: "T1", RefundID: "R1", Amount: five, Refund: ledgerID, Basis: id, Dates: estimated, Postings: []domain.Posting{{Book: "liabilities:wallet", Wallet: alice, Amount: five.Neg()}, {Book: "assets:psp:epay-main", Amount: five}}, Rules: 1},
		"refund.failed.v1.minimal":      domain.RefundFailed{TradeNo: "T1", RefundID: "R1", Amount: yen, Refund: ledgerID, Basis: id, Dates: dates, Postings: legs("assets:psp:epay-main", "liabilities:parked", "", yen), Rules: 1},
		"dispute.withdrawn.v1.full":     domain.DisputeWithdrawn{TradeNo: "T1", DisputeID: "D1", Amount: ten, Fee: five, Basis: id, Dates: estimated, Postings: append(legs("assets:disputes:epay-main", "assets:psp:epay-main", "", ten), legs("expenses:dispute-fee:epay-main", "assets:psp:epay-main", "", five)...), Rules: 1},
		"dispute.withdrawn.v1.minimal":  domain.DisputeWithdrawn{TradeNo: "T1", DisputeID: "D1", Amount: yen, Basis: id, Dates: dates, Postings: legs("assets:disputes:epay-main", "assets:psp:epay-main", "", yen), Rules: 1},
		"dispute.reinstated.v1.full":    domain.DisputeReinstated{TradeNo: "T1", DisputeID: "D1", Amount: ten, Fee: five.Neg(), Basis: id, Dates: estimated, Postings: append(legs("assets:psp:epay-main", "assets:disputes:epay-main", "", ten), legs("expenses:dispute-fee:epay-main", "assets:psp:epay-main", "", five.Neg())...), Rules: 1},
		"dispute.reinstated.v1.minimal": domain.DisputeReinstated{TradeNo: "T1", DisputeID: "D1", Amount: yen, Basis: id, Dates: dates, Postings: legs("assets:psp:epay-main", "assets:disputes:epay-main", "", yen), Rules: 1},
		"dispute.lost.v1.full":          domain.DisputeLost{TradeNo: "T1", DisputeID: "D1", Account: alice, Amount: ten, Basis: id, Dates: estimated, Postings: []domain.Posting{{Book: "liabilities:wallet", Wallet: alice, Amount: ten}, {Book: "assets:disputes:epay-main", Amount: ten.Neg()}}, Rules: 1},
		"dispute.lost.v1.minimal":       domain.DisputeLost{TradeNo: "T1", DisputeID: "D1", Amount: yen, Basis: id, Dates: dates, Postings: legs("expenses:chargeback", "assets:disputes:epay-main", "", yen), Rules: 1},
		"payment.closed.v1.full":        domain.PaymentClosed{Cause: domain.ClosedProvider, Basis: id, Reason: "TRADE_CLOSED"},
		"payment.closed.v1.minimal":     domain.PaymentClosed{Cause: domain.ClosedExpired},
		"discrepancy.found.v1.full":     domain.DiscrepancyFound{Kind: domain.Frozen, TradeNo: "T1", Ours: "credited", Theirs: "frozen", Amount: five, Run: "run-7", Basis: id, Again: 1},
		"discrepancy.found.v1.first":    domain.DiscrepancyFound{Kind: domain.AmountMismatch, TradeNo: "T1", Ours: "credited", Theirs: "paid", Amount: five, Run: "run-7", Basis: id},
		"discrepancy.found.v1.minimal":  domain.DiscrepancyFound{Kind: domain.StatusMismatch, Ours: "credited", Theirs: "waiting", Basis: id},
		"reconciliation.compared.v1.full": domain.ReconciliationCompared{
			Run: "bill-7", Channel: "epay-main", Day: "2026-03-13", Bill: "trade", Import: 2, SHA256: "9f86d081884c7d65", Size: 1234,
			Empty: true, Final: true, Ours: 9, Theirs: 8, Matched: 5, Waiting: 1, Settled: 2, Tolerated: 3, Differing: 4, Healed: 6,
			Kinds:  []domain.KindCount{{Kind: domain.OnlyOurs, Count: 3}, {Kind: domain.OnlyTheirs, Count: 1}},
			Totals: []domain.ComparedTotal{{OurPayments: ten, TheirPayments: five, OurRefunds: five, TheirRefunds: ten, Fees: "0.0438", Tolerated: "-0.01"}},
			Balances: []domain.BillBalance{
				{
					Currency: domain.CNY, Opening: five, In: ten, Out: five, Closing: ten, Held: true, Book: five, Before: five.Neg(),
					Parts: []domain.BalancePart{{What: domain.PartRefund, Bill: five.Neg(), Book: ten.Neg()}, {What: domain.PartOpening, Bill: ten.Neg(), Book: five.Neg()}},
				},
				{Currency: domain.JPY, Opening: yen, In: yen, Out: yen, Closing: yen},
			},
		},
		"reconciliation.compared.v1.minimal": domain.ReconciliationCompared{Run: "bill-7", Channel: "a", Day: "2026-03-13", Bill: "answers", Import: 1, SHA256: "e3b0"},
		"reconciliation.differed.v1.full": domain.ReconciliationDiffered{
			Discrepancy: id, Kind: domain.AmountMismatch, Resolved: true, Line: domain.LineRefund, OrderNo: "订单 <1>&", TradeNo: "T1", Ref: "R1",
			Ours: ten, Theirs: five, How: "agreed on the phone", By: "person:li",
		},
		"reconciliation.differed.v1.minimal": domain.ReconciliationDiffered{Discrepancy: id, Kind: domain.UnclassifiedMovement, Line: domain.LineOther, By: "bill-7"},
		"channel.configured.v1.limited":      limitedChannel(),
		"correction.proposed.v1.full":        domain.CorrectionProposed{Proposal: id, Action: domain.ActionMove, TradeNo: "T1", Account: bob, From: alice, Amount: five, Discrepancy: ledgerID, Reason: "ticket 12: <她>&", By: "person:li", Config: 3},
		"correction.proposed.v1.minimal":     domain.CorrectionProposed{Proposal: id, Action: domain.ActionWriteOff, TradeNo: "T1", Amount: yen, Reason: "x", By: "li"},
		"correction.proposed.v1.run":         domain.CorrectionProposed{Proposal: id, Action: domain.ActionReverse, TradeNo: "T1", Account: alice, Amount: ten, Discrepancy: ledgerID, Reason: "the provider says closed", By: "bill-7", ByRun: true, ValueDate: "2026-03-13", Config: 3},
		"correction.seconded.v1.full":        domain.CorrectionSeconded{Proposal: id, By: "person:li", Reason: "seen in the provider's console", Config: 3},
		"correction.seconded.v1.minimal":     domain.CorrectionSeconded{Proposal: id, By: "li"},
		"reconciliation.differed.v1.two":     domain.ReconciliationDiffered{Discrepancy: id, Kind: domain.OnlyOurs, Resolved: true, Line: domain.LinePayment, TradeNo: "T1", Ours: ten, How: "agreed on the phone", By: "person:wang", AskedBy: "person:li"},
		"correction.approved.v1.full":        domain.CorrectionApproved{Proposal: id, By: "person:wang", Reason: "seen at the counter", Config: 3},
		"correction.approved.v1.minimal":     domain.CorrectionApproved{Proposal: id, By: "wang"},
		"correction.rejected.v1.full":        domain.CorrectionRejected{Proposal: id, By: "person:wang", Reason: "no receipt"},
		"correction.rejected.v1.minimal":     domain.CorrectionRejected{Proposal: id, By: "wang", Reason: "x"},
		"correction.issued.v1.person":        domain.CorrectionIssued{TradeNo: "T1", Corrects: ledgerID, Reason: "paid by nobody", Proposal: id, Action: domain.ActionReverse, Account: alice, From: bob, Amount: ten, Reverses: ledgerID, Dates: estimated, Postings: []domain.Posting{{Book: "liabilities:wallet", Wallet: alice, Amount: ten}, {Book: "assets:psp:epay-main", Amount: ten.Neg()}}, Rules: 1},
		"correction.issued.v1.entered":       domain.CorrectionIssued{TradeNo: "T1", Corrects: ledgerID, Reason: "the right number", Proposal: id, Action: domain.ActionCredit, Account: alice, Amount: ten, Enters: domain.LinePayment, Dates: estimated, Postings: legs("assets:psp:epay-main", "liabilities:wallet", alice, ten), Rules: 1},
		"fees.booked.v1.full":                domain.FeesBooked{Channel: channel, Day: "2026-03-14", Bill: "trade", Amount: five, Total: ten, Exact: "9.99600", Run: "bill-1", SHA256: "ab12", Dates: estimated, Postings: legs("expenses:fee:epay-main", "assets:psp:epay-main", "", five), Rules: 1},
		"fees.booked.v1.minimal":             domain.FeesBooked{Channel: channel, Day: "2026-03-14", Bill: "fund_flow", Amount: five.Neg(), Total: five.Neg(), Exact: "-5", Run: "bill-2", Dates: dates, Postings: legs("expenses:fee:epay-main", "assets:psp:epay-main", "", five.Neg()), Rules: 1},
		"correction.issued.v1.full":          domain.CorrectionIssued{Kind: domain.MissingCredit, Auto: true, TradeNo: "T1", Corrects: id, By: ledgerID, Run: "run-7", Reason: "the provider confirms a payment that no callback announced"},
		"correction.issued.v1.minimal":       domain.CorrectionIssued{Kind: domain.MissingCredit, Corrects: id, By: ledgerID, Reason: "by hand"},
	}
	maps.Copy(all, peopleFixtures())
	maps.Copy(all, bookFixtures())
	return all
}

func fullChannel() domain.ChannelConfigured {
	f := minimalChannel()
	f.Merchant["app"] = "2021000"
	f.Confirm, f.ConfirmAbove = domain.ConfirmAbove, domain.NewMoney(50_000, domain.CNY)
	f.PublicKeys = []domain.PublicKey{{Fingerprint: "sha256:0a1b", Use: "platform", DER: []byte{0x30, 0x82, 0x01, 0xff}, Obtained: "config"}}
	f.Secrets = []domain.SecretMark{{Use: "md5", Fingerprint: "hmac:2c3d"}}
	f.Test = true
	return f
}

// wideChannel takes more than one currency, and names accounts.
func wideChannel() domain.ChannelConfigured {
	f := minimalChannel()
	f.Currencies = []domain.Currency{domain.CNY, domain.USD}
	f.AccountFrom, f.DisputeLost = "attach", domain.LostByExpense
	return f
}

// limitedChannel bounds what people may decide.
func limitedChannel() domain.ChannelConfigured {
	f := minimalChannel()
	f.Corrections = &domain.CorrectionPolicy{Item: ten, PersonDay: domain.NewMoney(50_000, domain.CNY), AccountDay: five}
	return f
}

// refundNotice names its payer's account, and a refund in two ways.
func refundNotice() domain.PaymentNotified {
	f := kept(callback(3, "T1", five), domain.OutcomeNoted, domain.ReasonBeforePayment)
	f.Status, f.About, f.RefundID, f.RefundNo, f.Total = domain.StatusSucceeded, domain.AboutRefund, "R1", "our-1", true
	f.Account = alice
	return f
}

func disputeNotice() domain.PaymentNotified {
	f := kept(query(4, "T1", ten), domain.OutcomeNoted, "")
	f.Status, f.About, f.DisputeID, f.Fee = domain.StatusWithdrawn, domain.AboutDispute, "D1", five
	return f
}

func minimalChannel() domain.ChannelConfigured {
	return domain.ChannelConfigured{
		Channel: channel, Revision: 3, Provider: "epay", Protocol: "v1", Merchant: map[string]string{"pid": "1001"},
		Currency: domain.CNY, Zone: "Asia/Shanghai", Gateway: "https://pay.example/", Confirm: domain.ConfirmAlways,
		Funds: "gateway",
	}
}

// fullNotice has text that JSON or HTML might want to change.
func fullNotice() domain.PaymentNotified {
	f := kept(callback(1, "T1", ten), domain.OutcomeRepeated, domain.ReasonAmountDisagrees)
	f.Index, f.Repeats, f.Run = 2, 41, "run-7"
	f.OrderNo, f.ProviderStatus = "订单<1>&\"\\\u2028é", "TRADE_SUCCESS"
	f.Doubts = []domain.Doubt{domain.DoubtAmbiguousText, domain.DoubtURLFields}
	f.OccurredAt = noon.Add(-time.Second)
	f.Evidence.Key = "sha256:0a1b"
	return f
}

func minimalNotice() domain.PaymentNotified {
	return domain.PaymentNotified{
		Delivery: delivery(1), Source: domain.SourceQuery, Channel: channel, Status: domain.StatusWaiting,
		ReceivedAt: noon, Decision: domain.Decision{Outcome: domain.OutcomeNoted, Rules: 1},
	}
}
