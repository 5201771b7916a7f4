package domain

// Unmatched keeps a notice that names no order and whose payment nobody knows:
// it moves nothing until the provider's answer tells its order. An answer that
// does not yields no facts.
func Unmatched(c Context, n Notice, ref EvidenceRef, reply func(Outcome) Reply) Verdict {
	n = n.storable()
	v := Verdict{Outcome: OutcomeNoted, Reason: ReasonUnmatched}
	if n.Source == SourceCallback {
		v.Facts = []Fact{notified(c, n, ref, reply, v, 0)}
	}
	return v
}

// HomeOf is the stream that a kept notice belongs into.
func HomeOf(f PaymentNotified) Stream {
	switch {
	case f.Decision.Reason == ReasonUnmatched:
		return UnmatchedStream(f.Channel)
	case f.OrderNo != "" || f.TradeNo == "":
		return PaymentStreamRaw(f.Channel, f.OrderNo)
	}
	return TradeStream(f.Channel, TradeNo(f.TradeNo))
}
