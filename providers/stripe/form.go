package stripe

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"counterfoil/domain"
	"counterfoil/providers"
)

// maxReference is the longest client_reference_id, in characters.
const maxReference = 200

// maxName is the longest product name, in bytes; Stripe shows fewer.
const maxName = 250

// Form is what the site must send to make a checkout session for the order
// (POST /v1/checkout/sessions with the site's own key; the names are Stripe's):
// the price, and the order number where callbacks and the search find it again.
// Nothing is signed and nobody is called, because a session is made by the
// merchant's server and not by the payer's browser: these fields are not a page
// to send a payer to. The site adds what it likes. One that makes payment
// intents itself passes amount, currency and metadata[<order key>] on.
func (c *Channel) Form(o providers.Order) (providers.Form, error) {
	if _, err := domain.ParseOrderNo(string(o.OrderNo)); err != nil {
		return providers.Form{}, domain.EField(domain.KindInvalid, "order_no", "%w", err)
	}
	if len(o.OrderNo) > maxReference {
		return providers.Form{}, domain.EField(domain.KindInvalid, "order_no", "has more than %d characters", maxReference)
	}
	if !o.Amount.IsPositive() {
		return providers.Form{}, domain.EField(domain.KindInvalid, "amount", "%s is not a positive amount", o.Amount)
	}
	count, currency, err := Count(o.Amount)
	if err != nil {
		return providers.Form{}, domain.EField(domain.KindInvalid, "amount", "%w", err)
	}
	name := strings.ToValidUTF8(strings.TrimSpace(o.Subject), "")
	if name == "" {
		return providers.Form{}, domain.EField(domain.KindInvalid, "subject", "is missing")
	}
	for len(name) > maxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	number, metadata := string(o.OrderNo), "metadata["+c.cfg.OrderKey+"]"
	fields := map[string]string{
		"mode":                "payment",
		"client_reference_id": number,
		metadata:              number,
		"payment_intent_data[metadata][" + c.cfg.OrderKey + "]": number,
		"line_items[0][quantity]":                               "1",
		"line_items[0][price_data][currency]":                   currency,
		"line_items[0][price_data][unit_amount]":                strconv.FormatInt(count, 10),
		"line_items[0][price_data][product_data][name]":         name,
	}
	if o.Method != "" {
		fields["payment_method_types[0]"] = o.Method
	}
	if o.ReturnURL != "" {
		fields["success_url"] = o.ReturnURL
	}
	action := c.cfg.Gateway + pathSessions
	return providers.Form{Action: action, Method: http.MethodPost, Fields: fields, URL: action + "?" + encode(fields)}, nil
}

func encode(fields map[string]string) string {
	values := make(url.Values, len(fields))
	for name, value := range fields {
		values.Set(name, value)
	}
	return values.Encode()
}
