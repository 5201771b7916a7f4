package wechatpay

import (
	"bytes"
	"net/http"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Kinds of evidence.
const (
	kindCallback = "callback"
	kindQuery    = "query"
)

// said is what a message says, once it is proven, and what proved it. What
// belongs to the delivery is left to the caller.
type said struct {
	notices []domain.Notice
	scheme  string
	key     string
	grade   domain.Grade
}

// Read verifies a callback: of v3 by its headers, of v2 by the field sign. Only
// here is the time of a v3 signature held against the time of receipt.
func (c *Channel) Read(r providers.Request) (providers.Read, providers.Refusal, error) {
	s, reason, err := c.verified(r)
	if err == nil && s.scheme == SchemeV3 {
		if err = fresh(r.Header, r.ReceivedAt); err != nil {
			reason = domain.ReasonStale
		}
	}
	if err != nil {
		return providers.Read{}, providers.Refusal{Reason: reason, OrderNo: c.claimedOrder(r.Body)}, err
	}
	for i := range s.notices {
		n := &s.notices[i]
		n.Index, n.Source, n.Delivery, n.ReceivedAt = i, domain.SourceCallback, r.Delivery, r.ReceivedAt
	}
	return providers.Read{Notices: s.notices, Evidence: callbackEvidence(r, s)}, providers.Refusal{}, nil
}

// verified is what a callback says, whenever it was received. A v3 channel
// takes XML too: refunds made by hand are told in it.
func (c *Channel) verified(r providers.Request) (said, domain.Reason, error) {
	switch {
	case r.Method != http.MethodPost:
		return said{}, domain.ReasonWrongMethod, domain.E(domain.KindInvalid, "method is not POST")
	case len(r.Body) > limit:
		return said{}, domain.ReasonTooLarge, domain.E(domain.KindInvalid, "body has more than %d bytes", limit)
	case len(r.Header.Values("Content-Encoding")) > 0:
		return said{}, domain.ReasonUnreadable, domain.E(domain.KindInvalid, "body has a content encoding")
	case c.v3 == nil:
		return c.readV2(r.Body)
	case isXML(r.Body):
		return c.readRefundXML(r.Body)
	}
	return c.readV3(r)
}

// isXML goes by the first byte: the content type is outside of what is signed.
func isXML(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && body[0] == '<'
}

// callbackEvidence keeps a verified message with the bytes that were verified.
func callbackEvidence(r providers.Request, s said) domain.Evidence {
	return domain.Evidence{
		Kind:    kindCallback,
		Method:  r.Method,
		Target:  r.Target,
		Headers: providers.Headers(r.Header, nil),
		Body:    bytes.Clone(r.Body),
		Remote:  r.Remote,
		At:      r.ReceivedAt,
		Scheme:  s.scheme,
		Key:     s.key,
		Grade:   s.grade,
	}
}

// claimedOrder is the order that a refused message names. What is encrypted is
// looked into: a callback that fails for want of a platform key then still
// leads to a question about its order.
func (c *Channel) claimedOrder(body []byte) string {
	if len(body) > limit {
		return ""
	}
	if isXML(body) {
		fields, err := ScanXML(body, "xml")
		if err != nil {
			return ""
		}
		return clip(fields.Value(fieldOutTradeNo))
	}
	if c.v3 == nil {
		return ""
	}
	e, err := readEnvelope(body)
	if err != nil {
		return ""
	}
	plain, err := c.openEnvelope(e)
	if err != nil {
		return ""
	}
	no, _ := plain.String(fieldOutTradeNo)
	return clip(no)
}

// clip keeps what a stranger says short; an order number is never longer.
func clip(text string) string {
	if len(text) > 200 {
		return ""
	}
	return text
}

// wechatTime reads RFC 3339; the zero time if it is none.
func wechatTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 2000 {
		return time.Time{}
	}
	return t.UTC()
}

// localTime reads a time of WeChat's zone; the zero time if it is none.
func (c *Channel) localTime(layout, text string) time.Time {
	t, err := time.ParseInLocation(layout, text, c.zone)
	if err != nil || t.Year() < 2000 {
		return time.Time{}
	}
	return t.UTC()
}
