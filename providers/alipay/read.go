package alipay

import (
	"bytes"
	"mime"
	"net/http"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Kinds of evidence.
const (
	kindCallback = "callback"
	kindQuery    = "query"
)

// message is a notice as it came, from the wire or from kept evidence.
type message struct {
	method string
	target string
	header http.Header
	body   []byte
}

// said is what a message says and what proves it.
type said struct {
	notices []domain.Notice // of the message only; nothing of the delivery
	key     string
}

// Read verifies a notice: a form that was POSTed. notify_time is verified with
// the rest, but an old one is no reason to refuse: Alipay sets no tolerance,
// repeats for a day, and kept ones are verified years later.
func (c *Channel) Read(r providers.Request) (providers.Read, providers.Refusal, error) {
	m := messageOf(r)
	s, reason, err := c.verified(m)
	if err != nil {
		return providers.Read{}, providers.Refusal{Reason: reason, OrderNo: m.claimedOrder()}, err
	}
	for i := range s.notices {
		s.notices[i].Delivery, s.notices[i].ReceivedAt = r.Delivery, r.ReceivedAt
	}
	return providers.Read{Notices: s.notices, Evidence: callbackEvidence(m, r, s.key)}, providers.Refusal{}, nil
}

func callbackEvidence(m message, r providers.Request, key string) domain.Evidence {
	return domain.Evidence{
		Kind:    kindCallback,
		Method:  m.method,
		Target:  m.target,
		Headers: providers.Headers(m.header, nil),
		Body:    bytes.Clone(m.body),
		Remote:  r.Remote,
		At:      r.ReceivedAt,
		Scheme:  SchemeRSA2,
		Key:     key,
		Grade:   domain.GradeA,
	}
}

func messageOf(r providers.Request) message {
	target := r.Target
	if r.RawQuery != "" && !strings.Contains(target, "?") {
		target += "?" + r.RawQuery // what is kept must be what was verified
	}
	return message{method: r.Method, target: target, header: r.Header, body: r.Body}
}

// claimedOrder is the order that a refused message names.
func (m message) claimedOrder() string {
	if len(m.body) > limit {
		return ""
	}
	return providers.ClaimedOrder(string(m.body), fieldOrderNo)
}

// form is the text of a message that holds its fields. Only the body does:
// fields in the query are what makes careless verifiers fail.
func (m message) form() (string, domain.Reason, error) {
	if m.method != http.MethodPost {
		return "", domain.ReasonWrongMethod, domain.E(domain.KindInvalid, "method is not POST")
	}
	if len(m.body) > limit {
		return "", domain.ReasonTooLarge, domain.E(domain.KindInvalid, "message has more than %d bytes", limit)
	}
	if _, query, _ := strings.Cut(m.target, "?"); query != "" {
		return "", domain.ReasonUnreadable, domain.E(domain.KindInvalid, "POST has a query")
	}
	if err := formBody(m.header); err != nil {
		return "", domain.ReasonUnreadable, err
	}
	return string(m.body), domain.ReasonNone, nil
}

// formBody refuses bodies that are no plain form. The charset that the header
// names is not asked: the signed field charset says which one it is.
func formBody(h http.Header) error {
	if len(h.Values("Content-Encoding")) > 0 {
		return domain.E(domain.KindInvalid, "body has a content encoding")
	}
	types := h.Values("Content-Type")
	if len(types) != 1 {
		return domain.E(domain.KindInvalid, "body has no content type, or several")
	}
	kind, _, err := mime.ParseMediaType(types[0])
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return domain.E(domain.KindInvalid, "body is not application/x-www-form-urlencoded")
	}
	return nil
}

// maxFields is how many fields a message may have; the pages name some sixty.
const maxFields = 128

// scan reads form-encoded text into dst; see providers.ScanForm. Values stay in
// the charset that the message names.
func scan(raw string, dst Params) (Params, error) { return providers.ScanForm(raw, dst, maxFields) }

// verified is what a message says, once its signature holds under one of
// Alipay's keys and it is addressed to this application and seller.
func (c *Channel) verified(m message) (said, domain.Reason, error) {
	raw, reason, err := m.form()
	if err != nil {
		return said{}, reason, err
	}
	var room [maxFields]Param
	fields, err := scan(raw, room[:0])
	if err == nil && len(fields) == 0 {
		err = domain.E(domain.KindInvalid, "message has no fields")
	}
	if err != nil {
		return said{}, domain.ReasonUnreadable, err
	}
	fields, key, err := c.proven(fields)
	if err != nil {
		return said{}, domain.ReasonWrongSignature, err
	}
	for _, own := range [...]Param{{fieldAppID, c.cfg.AppID}, {fieldSellerID, c.cfg.SellerID}} {
		if fields.Value(own.Name) != own.Value {
			return said{}, domain.ReasonForeignMerchant, domain.E(domain.KindForged, "rightly signed, but for another %s", own.Name)
		}
	}
	notices, err := c.notices(fields)
	if err != nil {
		return said{}, domain.ReasonUnreadable, err
	}
	return said{notices: notices, key: key}, domain.ReasonNone, nil
}

// proven answers the fields that the signature covers and the fingerprint of
// its key. The text is first taken with empty values, as the official Java
// check does; if that fails, once more without them, as others do, and then
// they are no part of the message. The same error for every way to fail.
func (c *Channel) proven(fields Params) (proven Params, key string, err error) {
	sign, ok := decodeSign(fields.Value(fieldSign))
	if !ok || fields.Value(fieldSignType) != SignRSA2 {
		return nil, "", errSignature()
	}
	var room [2048]byte
	if key = c.proof(appendText(room[:0], fields, notSignedInNotice, true), sign); key != "" {
		return fields, key, nil
	}
	dense := withoutEmpty(fields)
	if len(dense) == len(fields) {
		return nil, "", errSignature()
	}
	if key = c.proof(appendText(room[:0], dense, notSignedInNotice, false), sign); key != "" {
		return dense, key, nil
	}
	return nil, "", errSignature()
}

func errSignature() error { return domain.E(domain.KindForged, "signature does not hold") }

func withoutEmpty(fields Params) Params {
	dense := make(Params, 0, len(fields))
	for _, p := range fields {
		if p.Value != "" {
			dense = append(dense, p)
		}
	}
	return dense
}
