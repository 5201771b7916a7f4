package providers

import (
	"slices"

	"counterfoil/domain"
)

// Content is n without what belongs to the delivery and not to the message:
// its id, the time of receipt and the run that asked. Times are brought to the
// form in which they are stored. It is what verification compares: the content
// of a kept notice must equal the content of the notice that its evidence
// yields again.
func Content(n domain.Notice) domain.Notice {
	n.Delivery = domain.ID{}
	n.ReceivedAt = domain.Notice{}.ReceivedAt
	n.Run = ""
	if !n.OccurredAt.IsZero() {
		n.OccurredAt = domain.Instant(n.OccurredAt)
	}
	if len(n.Doubts) == 0 {
		n.Doubts = nil
	}
	return n
}

// SameContent reports whether two notices say the same; see Content.
func SameContent(a, b domain.Notice) bool {
	a, b = Content(a), Content(b)
	return a.Index == b.Index && a.Source == b.Source && a.Channel == b.Channel &&
		a.OrderNo == b.OrderNo && a.TradeNo == b.TradeNo && a.Amount == b.Amount &&
		a.Status == b.Status && a.ProviderStatus == b.ProviderStatus &&
		a.OccurredAt.Equal(b.OccurredAt) && slices.Equal(a.Doubts, b.Doubts) &&
		a.About == b.About && a.RefundID == b.RefundID && a.RefundNo == b.RefundNo && a.Total == b.Total &&
		a.DisputeID == b.DisputeID && a.Fee == b.Fee && a.Account == b.Account
}
