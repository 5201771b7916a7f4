package domain

import (
	"strconv"
)

// FactID is the id of fact f in stream: UUIDv5 under the ledger id over stream,
// type and business key. The same call made again makes the same ids, so a
// store recognises a repeated append.
func FactID(ledger ID, stream Stream, f Fact) ID {
	return NewV5(ledger, string(stream), f.FactType(), f.key())
}

// FactType is TypeLedgerOpened.
func (LedgerOpened) FactType() string { return TypeLedgerOpened }

// FactType is TypeChannelConfigured.
func (ChannelConfigured) FactType() string { return TypeChannelConfigured }

// FactType is TypePaymentPlaced.
func (PaymentPlaced) FactType() string { return TypePaymentPlaced }

// FactType is TypePaymentNotified.
func (PaymentNotified) FactType() string { return TypePaymentNotified }

// FactType is TypePaymentHeld.
func (PaymentHeld) FactType() string { return TypePaymentHeld }

// FactType is TypePaymentCredited.
func (PaymentCredited) FactType() string { return TypePaymentCredited }

// FactType is TypePaymentParked.
func (PaymentParked) FactType() string { return TypePaymentParked }

// FactType is TypePaymentAllocated.
func (PaymentAllocated) FactType() string { return TypePaymentAllocated }

// FactType is TypePaymentClosed.
func (PaymentClosed) FactType() string { return TypePaymentClosed }

// FactType is TypeDiscrepancyFound.
func (DiscrepancyFound) FactType() string { return TypeDiscrepancyFound }

// FactType is TypeCorrectionProposed.
func (CorrectionProposed) FactType() string { return TypeCorrectionProposed }

// FactType is TypeCorrectionSeconded.
func (CorrectionSeconded) FactType() string { return TypeCorrectionSeconded }

// FactType is TypeCorrectionApproved.
func (CorrectionApproved) FactType() string { return TypeCorrectionApproved }

// FactType is TypeCorrectionRejected.
func (CorrectionRejected) FactType() string { return TypeCorrectionRejected }

// FactType is TypeCorrectionIssued.
func (CorrectionIssued) FactType() string { return TypeCorrectionIssued }

// FactType is TypePaymentRefunded.
func (PaymentRefunded) FactType() string { return TypePaymentRefunded }

// FactType is TypeRefundFailed.
func (RefundFailed) FactType() string { return TypeRefundFailed }

// FactType is TypeDisputeWithdrawn.
func (DisputeWithdrawn) FactType() string { return TypeDisputeWithdrawn }

// FactType is TypeDisputeReinstated.
func (DisputeReinstated) FactType() string { return TypeDisputeReinstated }

// FactType is TypeDisputeLost.
func (DisputeLost) FactType() string { return TypeDisputeLost }

func (f LedgerOpened) key() string { return f.Ledger.String() }

// Settings may come back to an earlier value, so their key cannot be their
// content: the ledger adds the revision they are appended at.
func (f ChannelConfigured) key() string { return strconv.FormatUint(f.Revision, 10) }
func (PaymentPlaced) key() string       { return "placed" }
func (f PaymentNotified) key() string   { return noticeKey(f.Delivery, f.Index) }
func (f PaymentHeld) key() string       { return moneyKey(f.TradeNo, f.Basis) }
func (PaymentCredited) key() string     { return "credited" }
func (f PaymentAllocated) key() string  { return f.TradeNo }
func (f PaymentClosed) key() string     { return string(f.Cause) }

func (f PaymentRefunded) key() string   { return f.RefundID }
func (f RefundFailed) key() string      { return f.RefundID }
func (f DisputeWithdrawn) key() string  { return f.DisputeID }
func (f DisputeReinstated) key() string { return f.DisputeID }
func (f DisputeLost) key() string       { return f.DisputeID }

func (f PaymentParked) key() string {
	return moneyKey(f.TradeNo, f.Basis) + "/" + string(f.Reason) + "/" + strconv.FormatBool(f.Confirmed)
}

// moneyKey names money by the provider's number, or where that is missing by
// the notice that told of it: such money may come more than once.
func moneyKey(trade string, basis ID) string {
	if trade == "" {
		return " " + basis.String() // no number starts with a blank
	}
	return trade
}

// A difference is the same difference whichever run finds it, until it is over.
func (f DiscrepancyFound) key() string {
	if f.Again > 0 { // no kind has a blank
		return string(f.Kind) + " " + strconv.Itoa(f.Again) + "/" + f.TradeNo
	}
	return string(f.Kind) + "/" + f.TradeNo
}

func (f CorrectionProposed) key() string { return f.Proposal.String() }
func (f CorrectionSeconded) key() string { return f.Proposal.String() }
func (f CorrectionApproved) key() string { return f.Proposal.String() }
func (f CorrectionRejected) key() string { return f.Proposal.String() }

// A correction's key names the event corrected, never the day or run.
func (f CorrectionIssued) key() string {
	return string(f.Kind) + "/" + f.TradeNo + "/" + f.Corrects.String()
}

func noticeKey(delivery ID, index int) string {
	var room [idText + 20]byte
	return string(strconv.AppendInt(append(delivery.Append(room[:0]), '/'), int64(index), 10))
}
