package alipay

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Pay methods of an order (providers.Order.Method).
const (
	MethodPage = "page" // a computer's browser, the default
	MethodWap  = "wap"  // a phone's browser
)

// Alipay's limits on an order.
const (
	maxOrderNo = 64  // bytes
	maxSubject = 256 // characters
	maxURL     = 256 // bytes
)

// payMethods are the gateway's name and the product of each pay method.
var payMethods = map[string][2]string{
	"":         {"alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"},
	MethodPage: {"alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"},
	MethodWap:  {"alipay.trade.wap.pay", "QUICK_WAP_WAY"},
}

// payOrder is the biz_content of both. Members stand in this order.
type payOrder struct {
	OrderNo string `json:"out_trade_no"`
	Product string `json:"product_code"`
	Subject string `json:"subject"`
	Total   string `json:"total_amount"`
}

// Form signs an order for the payer's browser (alipay.trade.page.pay and
// alipay.trade.wap.pay). It calls nobody: Alipay learns of the trade when the
// browser arrives. charset stands in the address, because the gateway reads it
// there before it can read anything else.
func (c *Channel) Form(o providers.Order) (providers.Form, error) {
	method, ok := payMethods[o.Method]
	if !ok {
		return providers.Form{}, domain.EField(domain.KindInvalid, "method", "is neither %s nor %s", MethodPage, MethodWap)
	}
	for _, err := range [...]error{
		checkOrderNo(o.OrderNo), checkSubject(o.Subject), checkAmount(o.Amount),
		checkURL("notify_url", o.NotifyURL, true), checkURL("return_url", o.ReturnURL, false),
	} {
		if err != nil {
			return providers.Form{}, err
		}
	}
	content, err := json.Marshal(payOrder{string(o.OrderNo), method[1], o.Subject, o.Amount.Amount()})
	if err != nil {
		return providers.Form{}, domain.E(domain.KindInternal, "write an order: %w", err)
	}
	at := o.At
	if at.IsZero() {
		at = c.clock()
	}
	fields, err := c.request(method[0], string(content), at, Param{fieldNotifyURL, o.NotifyURL}, Param{fieldReturnURL, o.ReturnURL})
	if err != nil {
		return providers.Form{}, err
	}
	return c.formOf(fields), nil
}

func (c *Channel) formOf(fields Params) providers.Form {
	form := providers.Form{Action: c.address(), Method: "POST", Fields: make(map[string]string, len(fields))}
	for _, p := range inBody(fields) {
		form.Fields[p.Name] = p.Value
	}
	form.URL = form.Action + "&" + Encode(inBody(fields))
	return form
}

// address is the gateway's with the charset of what is sent to it.
func (c *Channel) address() string { return c.cfg.Gateway + "?charset=utf-8" }

// inBody are the fields that do not stand in the address.
func inBody(fields Params) Params {
	return slices.DeleteFunc(slices.Clone(fields), func(p Param) bool { return p.Name == fieldCharset })
}

// request is a signed request: the common parameters of the gateway around a
// method's own content.
func (c *Channel) request(method, content string, at time.Time, more ...Param) (Params, error) {
	fields := Params{
		{fieldAppID, c.cfg.AppID},
		{fieldMethod, method},
		{fieldFormat, "JSON"},
		{fieldCharset, "utf-8"},
		{fieldSignType, SignRSA2},
		{fieldTimestamp, at.In(beijing).Format(time.DateTime)},
		{fieldVersion, "1.0"},
		{fieldBizContent, content},
	}
	for _, p := range slices.Concat(c.certs, more) {
		if p.Value != "" {
			fields = append(fields, p)
		}
	}
	sign, err := Sign(RequestText(fields), c.app)
	if err != nil {
		return nil, err
	}
	return append(providers.SortFields(fields), Param{fieldSign, sign}), nil
}

// checkOrderNo wants what Alipay takes: letters, digits and underscores.
func checkOrderNo(no domain.OrderNo) error {
	ok := no != "" && len(no) <= maxOrderNo
	for i := range len(no) {
		ok = ok && providers.IsWordByte(no[i])
	}
	if !ok {
		return domain.EField(domain.KindInvalid, "order_no", "%.80q is not 1 to %d letters, digits and underscores", no, maxOrderNo)
	}
	return nil
}

// checkSubject wants what Alipay takes. A '&' would come back in the notice and
// make its signed text ambiguous.
func checkSubject(subject string) error {
	switch {
	case strings.TrimSpace(subject) == "":
		return domain.EField(domain.KindInvalid, "subject", "is empty")
	case !providers.Readable(subject):
		return domain.EField(domain.KindInvalid, "subject", "has control characters or is not UTF-8")
	case strings.ContainsAny(subject, "/=&"):
		return domain.EField(domain.KindInvalid, "subject", "has one of / = & in it, which Alipay refuses")
	case len([]rune(subject)) > maxSubject:
		return domain.EField(domain.KindInvalid, "subject", "has more than %d characters", maxSubject)
	}
	return nil
}

// maxOrder is the greatest amount of one order: a hundred million yuan.
var maxOrder = domain.NewMoney(100_000_000_00, domain.CNY)

func checkAmount(m domain.Money) error {
	if m.Currency() != domain.CNY {
		return domain.EField(domain.KindMismatch, "amount", "%s is not in CNY, the currency of the channel", m)
	}
	if !m.IsPositive() || m.Minor() > maxOrder.Minor() {
		return domain.EField(domain.KindInvalid, "amount", "%s is not above zero and up to %s", m, maxOrder)
	}
	return nil
}

func checkURL(field, text string, needed bool) error {
	wrong := func(why string) error { return domain.EField(domain.KindInvalid, field, "%s", why) }
	if text == "" && !needed {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return wrong("is too long")
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return wrong("is not a whole web address")
	case u.User != nil:
		return wrong("has a user name in it")
	case strings.ContainsAny(text, " #") || !providers.Readable(text):
		return wrong("has a blank or a fragment in it")
	case needed && strings.Contains(text, "?"):
		return wrong("has a query; notices are read from the body alone")
	}
	return nil
}
