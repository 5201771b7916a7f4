package epay

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Rainbow's limits on the goods name: 127 bytes, and 64 characters in its
// table.
const (
	maxNameBytes = 127
	maxNameRunes = 64
	maxURL       = 1000 // bytes of an address in a form
	moneyPlaces  = 2    // digits after the point; the protocol allows no more
)

// Form signs an order for the payer's browser (Rainbow Epay, page payment). A
// value with an '&' in it is refused: the signed text passes through the
// payer's hands, and in V1 one key signs both directions, so such a form could
// be sent back as a callback for an unpaid order.
func (c *Channel) Form(o providers.Order) (providers.Form, error) {
	fields, err := c.orderFields(o)
	if err != nil {
		return providers.Form{}, err
	}
	fields, err = c.signed(fields)
	if err != nil {
		return providers.Form{}, err
	}
	action := c.cfg.Gateway + "/submit.php"
	if c.cfg.Version == V2 {
		action = c.cfg.Gateway + "/api/pay/submit"
	}
	form := providers.Form{Action: action, Method: "POST", Fields: make(map[string]string, len(fields))}
	for _, p := range fields {
		form.Fields[p.Name] = p.Value
	}
	form.URL = action + "?" + encode(fields)
	return form, nil
}

// signed is fields, sorted, without the empty ones and with their signature.
func (c *Channel) signed(fields Params) (Params, error) {
	kept := make(Params, 0, len(fields)+2)
	for _, p := range fields {
		if p.Value != "" {
			kept = append(kept, p)
		}
	}
	sign, err := c.scheme.sign(string(appendText(nil, providers.SortFields(kept))))
	if err != nil {
		return nil, err
	}
	return append(kept, Param{fieldSign, sign}, Param{fieldSignType, c.scheme.signType()}), nil
}

// encode is fields as a query string or form body.
func encode(fields Params) string {
	var b strings.Builder
	for i, p := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.Value))
	}
	return b.String()
}

func (c *Channel) orderFields(o providers.Order) (Params, error) {
	name, err := goodsName(o.Subject)
	if err != nil {
		return nil, err
	}
	money, err := c.orderMoney(o.Amount)
	if err != nil {
		return nil, err
	}
	for _, err := range [...]error{
		checkOrderNo(o.OrderNo), checkMethod(o.Method), checkURL("notify_url", o.NotifyURL, true), checkReturnURL(o.ReturnURL),
	} {
		if err != nil {
			return nil, err
		}
	}
	fields := Params{
		{fieldPID, c.cfg.PID},
		{fieldType, o.Method},
		{fieldOrderNo, string(o.OrderNo)},
		{fieldNotifyURL, o.NotifyURL},
		{fieldReturnURL, o.ReturnURL},
		{fieldName, name},
		{fieldMoney, money},
	}
	if c.cfg.Version == V2 {
		fields = append(fields, Param{fieldTimestamp, c.timestamp(o)})
	}
	return fields, nil
}

// timestamp is in seconds; gateways accept five minutes to either side.
func (c *Channel) timestamp(o providers.Order) string {
	at := o.At
	if at.IsZero() {
		at = c.clock()
	}
	return strconv.FormatInt(at.Unix(), 10)
}

// goodsName is subject as far as a gateway keeps it, cut between characters. A
// name of only blanks is refused, because gateways disagree whether it is
// signed.
func goodsName(subject string) (string, error) {
	switch {
	case subject == "" || blank(subject):
		return "", domain.EField(domain.KindInvalid, "subject", "is empty")
	case strings.Contains(subject, "&"):
		return "", domain.EField(domain.KindInvalid, "subject", "has an & in it, which cannot be signed safely")
	case !providers.Readable(subject):
		return "", domain.EField(domain.KindInvalid, "subject", "has control characters or is not UTF-8")
	}
	runes := 0
	for i, r := range subject {
		if runes == maxNameRunes || i+utf8.RuneLen(r) > maxNameBytes {
			return subject[:i], nil
		}
		runes++
	}
	return subject, nil
}

// orderMoney is the amount at two places.
func (c *Channel) orderMoney(m domain.Money) (string, error) {
	if m.Currency() != c.cfg.Currency {
		return "", domain.EField(domain.KindMismatch, "amount", "%s is not in %s, the currency of the channel", m, c.cfg.Currency)
	}
	if !m.IsPositive() {
		return "", domain.EField(domain.KindInvalid, "amount", "%s is not above zero", m)
	}
	d := m.Decimal()
	if !d.Equal(d.Truncate(moneyPlaces)) {
		return "", domain.EField(domain.KindInvalid, "amount", "%s has more than two places, which Epay cannot carry", m)
	}
	return d.StringFixed(moneyPlaces), nil
}

// checkOrderNo refuses what would raise a doubt in the callback.
func checkOrderNo(no domain.OrderNo) error {
	if _, err := domain.ParseOrderNo(string(no)); err != nil {
		return domain.EField(domain.KindInvalid, "order_no", "%w", err)
	}
	if strings.ContainsAny(string(no), "&=%") {
		return domain.EField(domain.KindInvalid, "order_no", "%q has one of & = %% in it, which cannot be signed safely", no)
	}
	return nil
}

// checkMethod wants [A-Za-z0-9._-]{0,32}: "alipay", "usdt.trc20".
func checkMethod(method string) error {
	if method != "" && (len(method) > 32 || !providers.IsFieldName(method)) {
		return domain.EField(domain.KindInvalid, "method", "is not a pay method like alipay")
	}
	return nil
}

// checkReturnURL: the pay pages of both versions refuse an order without one.
func checkReturnURL(text string) error {
	if text == "" {
		return domain.EField(domain.KindInvalid, "return_url", "is missing: the gateway wants an address for after paying")
	}
	return checkURL("return_url", text, false)
}

// checkURL wants an absolute web address without '&'. The notify address must
// be bare: gateways append to it, and Rainbow breaks a query of two fields.
func checkURL(field, text string, bare bool) error {
	wrong := func(why string) error { return domain.EField(domain.KindInvalid, field, "%s", why) }
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return wrong("is too long")
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return wrong("is not a whole web address")
	case u.User != nil:
		return wrong("has a user name in it")
	case strings.ContainsAny(text, "& ") || !providers.Readable(text):
		return wrong("has an & or a blank in it, which cannot be signed safely")
	case strings.Contains(text, "#"):
		return wrong("has a fragment")
	case bare && strings.Contains(text, "?"):
		return wrong("has a query; gateways append their own")
	}
	return nil
}
