package domain

// LineOf is what a provider's bill must have of a fact; ok is false for facts
// that move nothing on the provider's account.
func LineOf(f Fact) (line OurLine, ok bool) {
	switch f := f.(type) {
	case PaymentCredited:
		return lineOf(LinePayment, f.TradeNo, f.Amount, f.Dates, TradeCredited), true
	case PaymentParked:
		return lineOf(LinePayment, f.TradeNo, f.Amount, f.Dates, TradeParked), f.Confirmed
	case CorrectionIssued:
		return lineOf(f.Enters, f.TradeNo, f.Amount, f.Dates, TradeCredited), f.Enters != ""
	case PaymentRefunded:
		line = lineOf(LineRefund, f.TradeNo, f.Amount, f.Dates, "")
		line.RefundID, line.RefundNo = f.RefundID, f.RefundNo
		return line, true
	case RefundFailed:
		line = lineOf(LineRefundFailed, f.TradeNo, f.Amount, f.Dates, "")
		line.RefundID = f.RefundID
		return line, true
	case DisputeWithdrawn:
		line = lineOf(LineDisputeWithdrawn, f.TradeNo, f.Amount, f.Dates, "")
		line.DisputeID = f.DisputeID
		return line, true
	case DisputeReinstated:
		line = lineOf(LineDisputeReinstated, f.TradeNo, f.Amount, f.Dates, "")
		line.DisputeID = f.DisputeID
		return line, true
	default: // an allocation or a lost dispute moves money among our own books
		return OurLine{}, false
	}
}

func lineOf(k LineKind, trade string, m Money, d Dates, s TradeState) OurLine {
	return OurLine{Kind: k, TradeNo: trade, Amount: m, State: s, ValueDate: Day(d.ValueDate), At: d.OccurredAt}
}
