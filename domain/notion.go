package domain

// notion is what makes two notices equal, whatever their bytes: V2 callbacks of
// one payment differ in timestamp and signature.
type notion struct {
	source  Source
	trade   string
	status  Status
	amount  Money
	doubted bool
	total   bool
	about   About
	id      string // of the refund or dispute
	number  string // the merchant's, of the refund
}

// content is what n says, whoever said it.
func (n notion) content() notion {
	n.source, n.doubted = "", false
	return n
}

func notionOf(n Notice) notion {
	return notion{
		source: n.Source, trade: n.TradeNo, status: n.Status, amount: n.Amount, doubted: len(n.Doubts) > 0,
		total: n.Total, about: n.About, id: n.RefundID + n.DisputeID, number: n.RefundNo,
	}
}

// Notice is the notice an event kept.
func (f PaymentNotified) Notice() Notice {
	return Notice{
		Delivery: f.Delivery, Index: f.Index, Source: f.Source, Channel: f.Channel, OrderNo: f.OrderNo,
		TradeNo: f.TradeNo, Amount: f.Amount, Status: f.Status, ProviderStatus: f.ProviderStatus,
		OccurredAt: f.OccurredAt, ReceivedAt: f.ReceivedAt, Doubts: f.Doubts, Run: f.Run,
		About: f.About, RefundID: f.RefundID, RefundNo: f.RefundNo, Total: f.Total, DisputeID: f.DisputeID,
		Fee: f.Fee, Account: f.Account,
	}
}
