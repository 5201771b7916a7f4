package domain

import (
	"reflect"
	"slices"
)

// Same reports whether a and b are one fact, member by member. It is for those
// who decide a whole log again: the two types that a log is full of are compared
// without reflection, which takes longer than the decision.
func Same(a, b Fact) bool {
	switch a := a.(type) {
	case PaymentNotified:
		b, ok := b.(PaymentNotified)
		return ok && a.same(&b)
	case PaymentCredited:
		b, ok := b.(PaymentCredited)
		return ok && a.same(&b)
	default:
		return reflect.DeepEqual(a, b)
	}
}

func (f *PaymentNotified) same(o *PaymentNotified) bool {
	return f.Delivery == o.Delivery && f.Index == o.Index && f.Source == o.Source && f.Channel == o.Channel &&
		f.OrderNo == o.OrderNo && f.TradeNo == o.TradeNo && f.Amount == o.Amount && f.Status == o.Status &&
		f.ProviderStatus == o.ProviderStatus && slices.Equal(f.Doubts, o.Doubts) &&
		f.OccurredAt.Equal(o.OccurredAt) && f.ReceivedAt.Equal(o.ReceivedAt) &&
		f.Run == o.Run && f.Evidence == o.Evidence && f.Decision == o.Decision && f.Reply.same(o.Reply) && f.Repeats == o.Repeats &&
		f.About == o.About && f.RefundID == o.RefundID && f.RefundNo == o.RefundNo && f.Total == o.Total &&
		f.DisputeID == o.DisputeID && f.Fee == o.Fee && f.Account == o.Account
}

func (r *Reply) same(o *Reply) bool { return r == o || (r != nil && o != nil && *r == *o) }

func (f *PaymentCredited) same(o *PaymentCredited) bool {
	return f.TradeNo == o.TradeNo && f.Account == o.Account && f.Amount == o.Amount && f.Late == o.Late &&
		f.Source == o.Source && f.Basis == o.Basis && f.Dates == o.Dates && slices.Equal(f.Postings, o.Postings) && f.Rules == o.Rules
}
