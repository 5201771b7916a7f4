package epay

import (
	"mime"
	"net/http"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// tradeSuccess is the one word that means money (Rainbow Epay, callback).
const tradeSuccess = "TRADE_SUCCESS"

// message is a callback as it came, from the wire or from kept evidence.
type message struct {
	method string
	target string
	header http.Header
	body   []byte
}

// Read verifies a callback: GET with everything in the query, or POST with
// everything in a form body. The timestamp of V2 is verified with the rest and
// kept in the evidence, but an old one is no reason to refuse: whether a
// message is a repeat is for the ledger to say, and kept ones are verified
// years later.
func (c *Channel) Read(r providers.Request) (providers.Read, providers.Refusal, error) {
	m := messageOf(r)
	notice, reason, err := c.verified(m)
	if err != nil {
		return providers.Read{}, providers.Refusal{Reason: reason, OrderNo: m.claimedOrder()}, err
	}
	notice.Delivery = r.Delivery
	notice.ReceivedAt = r.ReceivedAt
	return providers.Read{
		Notices:  []domain.Notice{notice},
		Evidence: c.callbackEvidence(m, r),
	}, providers.Refusal{}, nil
}

func messageOf(r providers.Request) message {
	return message{method: r.Method, target: wholeTarget(r), header: r.Header, body: r.Body}
}

// wholeTarget is the request target with its query: what is kept must be what
// was verified, also when a caller splits the two.
func wholeTarget(r providers.Request) string {
	if r.RawQuery != "" && !strings.Contains(r.Target, "?") {
		return r.Target + "?" + r.RawQuery
	}
	return r.Target
}

func (m message) query() string {
	_, query, _ := strings.Cut(m.target, "?")
	return query
}

// claimedOrder is the order a refused message names, wherever it does.
func (m message) claimedOrder() string {
	if len(m.query()) > limit || len(m.body) > limit {
		return ""
	}
	if no := providers.ClaimedOrder(m.query(), fieldOrderNo); no != "" {
		return no
	}
	return providers.ClaimedOrder(string(m.body), fieldOrderNo)
}

// form is the one text of a message that holds its fields: the query of a GET
// or the body of a POST. A message with fields in both is none.
func (m message) form() (string, domain.Reason, error) {
	query := m.query()
	if len(query) > limit || len(m.body) > limit {
		return "", domain.ReasonTooLarge, domain.E(domain.KindInvalid, "message has more than %d bytes", limit)
	}
	switch m.method {
	case http.MethodGet:
		if len(m.body) > 0 {
			return "", domain.ReasonUnreadable, domain.E(domain.KindInvalid, "GET has a body")
		}
		return query, domain.ReasonNone, nil
	case http.MethodPost:
		if query != "" {
			return "", domain.ReasonUnreadable, domain.E(domain.KindInvalid, "POST has a query")
		}
		if err := formBody(m.header); err != nil {
			return "", domain.ReasonUnreadable, err
		}
		return string(m.body), domain.ReasonNone, nil
	}
	return "", domain.ReasonWrongMethod, domain.E(domain.KindInvalid, "method is neither GET nor POST")
}

// formBody refuses bodies that are no plain UTF-8 form.
func formBody(h http.Header) error {
	if len(h.Values("Content-Encoding")) > 0 {
		return domain.E(domain.KindInvalid, "body has a content encoding")
	}
	types := h.Values("Content-Type")
	if len(types) != 1 {
		return domain.E(domain.KindInvalid, "body has no content type, or several")
	}
	kind, params, err := mime.ParseMediaType(types[0])
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return domain.E(domain.KindInvalid, "body is not application/x-www-form-urlencoded")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8") {
		return domain.E(domain.KindInvalid, "body is not UTF-8")
	}
	return nil
}

// verified is what a message says, once its signature holds under this
// channel's key and it is addressed to this channel's merchant. What belongs
// to the delivery is left to the caller.
func (c *Channel) verified(m message) (domain.Notice, domain.Reason, error) {
	raw, reason, err := m.form()
	if err != nil {
		return domain.Notice{}, reason, err
	}
	var room [maxFields]Param
	fields, err := scan(raw, room[:0])
	if err == nil && len(fields) == 0 {
		err = domain.E(domain.KindInvalid, "message has no fields")
	}
	if err != nil {
		return domain.Notice{}, domain.ReasonUnreadable, err
	}
	fields, loose, err := c.proven(fields)
	if err != nil {
		return domain.Notice{}, domain.ReasonWrongSignature, err
	}
	if fields.Value(fieldPID) != c.cfg.PID {
		return domain.Notice{}, domain.ReasonForeignMerchant, domain.E(domain.KindForged, "rightly signed, but for another pid")
	}
	notice, err := c.notice(fields, loose)
	if err != nil {
		return domain.Notice{}, domain.ReasonUnreadable, err
	}
	return notice, domain.ReasonNone, nil
}

// proven answers the fields that the signature covers. The text is first taken
// as the protocol says; if that fails, once more without values of nothing but
// blanks, which Rainbow leaves out. The same error for every way to fail.
func (c *Channel) proven(fields Params) (proven Params, loose bool, err error) {
	sign := fields.Value(fieldSign)
	if t := fields.Value(fieldSignType); sign == "" || (t != "" && t != c.scheme.signType()) {
		return nil, false, errSignature()
	}
	buf := make([]byte, 0, 1024)
	if c.scheme.verify(appendText(buf, fields), sign) {
		return fields, false, nil
	}
	dense := withoutBlanks(fields)
	if len(dense) < len(fields) && c.scheme.verify(appendText(buf, dense), sign) {
		return dense, true, nil
	}
	return nil, false, errSignature()
}

func errSignature() error { return domain.E(domain.KindForged, "signature does not hold") }

func withoutBlanks(fields Params) Params {
	dense := make(Params, 0, len(fields))
	for _, p := range fields {
		if !blank(p.Value) {
			dense = append(dense, p)
		}
	}
	return dense
}

// notice reads proven fields. A missing field is how our own signed order form
// looks when it is sent back to us: it has no trade_status.
func (c *Channel) notice(fields Params, loose bool) (domain.Notice, error) {
	for _, name := range [...]string{fieldOrderNo, fieldMoney, fieldTradeStatus} {
		if fields.Value(name) == "" {
			return domain.Notice{}, domain.E(domain.KindInvalid, "the field %s is missing", name)
		}
	}
	amount, err := domain.ParseMoney(fields.Value(fieldMoney), c.cfg.Currency)
	if err != nil {
		return domain.Notice{}, err
	}
	word := fields.Value(fieldTradeStatus)
	status := callbackStatus(word)
	if status == domain.StatusPaid && !amount.IsPositive() {
		return domain.Notice{}, domain.E(domain.KindInvalid, "paid, but nothing")
	}
	return domain.Notice{
		Source:         domain.SourceCallback,
		Channel:        c.cfg.Channel,
		OrderNo:        strings.Clone(fields.Value(fieldOrderNo)),
		TradeNo:        strings.Clone(fields.Value(fieldTradeNo)),
		Amount:         amount,
		Status:         status,
		ProviderStatus: strings.Clone(word),
		OccurredAt:     c.gatewayTime(fields.Value(fieldEndTime)),
		Doubts:         doubtsOf(fields, loose),
	}, nil
}

// callbackStatus is what a trade_status means, compared byte by byte.
func callbackStatus(word string) domain.Status {
	switch word {
	case tradeSuccess:
		return domain.StatusPaid
	case "TRADE_CLOSED":
		return domain.StatusClosed
	case "WAIT_BUYER_PAY":
		return domain.StatusWaiting
	}
	return domain.StatusOther
}

// gatewayTime reads a time in the gateway's zone; zero if it is none.
func (c *Channel) gatewayTime(text string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, text, c.zone)
	if err != nil || t.Year() < 2000 {
		return time.Time{}
	}
	return t.UTC()
}
