package wechatpay

import (
	"net/url"
	"strconv"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

// maxSubject is the longest description of an order, in characters.
const maxSubject = 127

// Form is what the site puts into its own order at WeChat (order page of v3 and
// v2): an order is created by a call to WeChat, which no Form makes, so it has
// neither an Action nor a URL. The fields have the names of the request that
// the site sends; those of v3's objects are written with a point, and amounts
// are fen.
func (c *Channel) Form(o providers.Order) (providers.Form, error) {
	for _, check := range []func() error{
		func() error { return checkOrderNo(o.OrderNo) },
		func() error { return c.checkAmount(o.Amount) },
		func() error { return c.checkNotifyURL(o.NotifyURL) },
		func() error { return checkSubject(o.Subject) },
	} {
		if err := check(); err != nil {
			return providers.Form{}, err
		}
	}
	fen, currency := strconv.FormatInt(o.Amount.Minor(), 10), string(o.Amount.Currency())
	fields := map[string]string{"out_trade_no": string(o.OrderNo), "notify_url": o.NotifyURL}
	if c.cfg.Protocol == V2 {
		fields["mch_id"], fields["total_fee"], fields["fee_type"], fields["body"] = c.cfg.MchID, fen, currency, o.Subject
		if c.cfg.SubMchID != "" {
			fields["sub_mch_id"] = c.cfg.SubMchID
		}
		return c.formOf(fields, "appid"), nil
	}
	fields["amount.total"], fields["amount.currency"], fields["description"] = fen, currency, o.Subject
	if c.cfg.SubMchID != "" {
		fields["sp_mchid"], fields["sub_mchid"] = c.cfg.MchID, c.cfg.SubMchID
		return c.formOf(fields, "sp_appid"), nil
	}
	fields["mchid"] = c.cfg.MchID
	return c.formOf(fields, "appid"), nil
}

// formOf names the app where there is no choice.
func (c *Channel) formOf(fields map[string]string, app string) providers.Form {
	if len(c.cfg.AppIDs) == 1 {
		fields[app] = c.cfg.AppIDs[0]
	}
	return providers.Form{Fields: fields}
}

// checkOrderNo is WeChat's grammar: 6 to 32 of digits, letters and _ - | * @.
func checkOrderNo(no domain.OrderNo) error {
	ok := len(no) >= 6 && len(no) <= 32
	for i := range len(no) {
		ok = ok && (nameByte(no[i], 1) || strings.IndexByte("-|*@", no[i]) >= 0)
	}
	if !ok {
		return domain.EField(domain.KindInvalid, "order_no", "%.40q is not 6 to 32 digits, letters or _ - | * @, as WeChat Pay wants", no)
	}
	return nil
}

func (c *Channel) checkAmount(m domain.Money) error {
	if !m.IsPositive() || m.Currency() != c.cfg.Currency {
		return domain.EField(domain.KindInvalid, "amount", "%s is not a positive amount of %s", m, c.cfg.Currency)
	}
	return nil
}

// checkNotifyURL: WeChat refuses plain http and drops a query.
func (c *Channel) checkNotifyURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || len(text) > 255:
		return domain.EField(domain.KindInvalid, "notify_url", "is not a whole web address of at most 255 characters")
	case u.Scheme != "https" && (u.Scheme != "http" || !c.cfg.AllowPlainHTTP):
		return domain.EField(domain.KindInvalid, "notify_url", "is not https")
	case u.User != nil || strings.ContainsAny(text, "?#"):
		return domain.EField(domain.KindInvalid, "notify_url", "has a user name, a query or a fragment")
	}
	return nil
}

func checkSubject(text string) error {
	if n := len([]rune(text)); n > maxSubject || !plainText(text) {
		return domain.EField(domain.KindInvalid, "subject", "has more than %d characters, or control characters", maxSubject)
	}
	return nil
}
