package stripe

import (
	"bytes"
	"net/http"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

const kindCallback = "callback"

// Read verifies an event. It is refused as stale when its signature holds but
// was made more than five minutes before or after it arrived: Stripe signs
// every retry anew, so only a replay or a wrong clock looks like that.
func (c *Channel) Read(r providers.Request) (providers.Read, providers.Refusal, error) {
	notices, mark, reason, err := c.verified(r, c.secrets)
	if err != nil {
		return providers.Read{}, providers.Refusal{Reason: reason, OrderNo: c.claimedOrder(r.Body)}, err
	}
	for i := range notices {
		notices[i].Delivery, notices[i].ReceivedAt = r.Delivery, r.ReceivedAt
	}
	return providers.Read{Notices: notices, Evidence: domain.Evidence{
		Kind:    kindCallback,
		Method:  r.Method,
		Target:  r.Target,
		Headers: providers.Headers(r.Header, nil),
		Body:    bytes.Clone(r.Body),
		Remote:  r.Remote,
		At:      r.ReceivedAt,
		Scheme:  SchemeHMAC,
		Key:     mark,
		Grade:   domain.GradeB,
	}}, providers.Refusal{}, nil
}

// verified is what a message says once one of the secrets signed it and it is
// for this channel. What belongs to the delivery is left to the caller.
func (c *Channel) verified(r providers.Request, secrets []secret) ([]domain.Notice, string, domain.Reason, error) {
	switch {
	case r.Method != http.MethodPost:
		return nil, "", domain.ReasonWrongMethod, domain.E(domain.KindInvalid, "method is not POST")
	case len(r.Body) > limit:
		return nil, "", domain.ReasonTooLarge, domain.E(domain.KindInvalid, "message has more than %d bytes", limit)
	}
	mark, reason, err := proven(r.Header, r.Body, secrets, r.ReceivedAt)
	if err != nil {
		return nil, "", reason, err
	}
	o, err := parseObject(r.Body, limit)
	if err != nil {
		return nil, "", domain.ReasonUnreadable, err
	}
	e, reason, err := c.readEvent(o)
	if err != nil {
		return nil, "", reason, err
	}
	notices, err := c.say(e)
	if err != nil {
		return nil, "", domain.ReasonUnreadable, err
	}
	for i := range notices {
		notices[i].Source = domain.SourceCallback
	}
	return notices, mark, domain.ReasonNone, nil
}

// claimedOrder is the order that a refused message names, if it can be read at
// all: nobody has proved a word of it.
func (c *Channel) claimedOrder(body []byte) string {
	if len(body) == 0 || len(body) > limit {
		return ""
	}
	o, err := parseObject(body, limit)
	if err != nil {
		return ""
	}
	o = o.sub("data").sub("object")
	if no := o.text("client_reference_id"); no != "" && o.text("object") == objectSession {
		return no
	}
	return c.orderNo(o)
}

// received is the time at which notices of answers were had.
func received(notices []domain.Notice, q providers.Question, at time.Time) {
	for i := range notices {
		notices[i].Delivery, notices[i].Run, notices[i].ReceivedAt = q.Delivery, q.Run, at
	}
}
