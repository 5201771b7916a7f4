package wechatpay

import (
	"net/http"
	"net/url"
	"strings"
)

// owner is how a v3 call names whose it is: a merchant himself, or a partner
// (service provider) and one of the merchants he collects for.
type owner struct{ mchID, spMchID, subMchID string }

func ownerIn(q url.Values) owner {
	return owner{q.Get("mchid"), q.Get("sp_mchid"), q.Get("sub_mchid")}
}

// partner reports whether a call came to a partner's address. Partners' orders
// have addresses of their own (order pages of v3 for partners); refunds, bills
// and certificates have not.
func (c *call) partner() bool { return strings.Contains(c.r.URL.Path, "/partner/") }

// of finds the merchant that a call about an order is about.
func (c *call) of(o owner) error {
	switch {
	case c.partner() != (c.m.SubMchID != ""):
		return trouble{http.StatusBadRequest, "INVALID_REQUEST", "商户与服务商的接口不可混用"}
	case c.partner() && o.spMchID == c.m.MchID:
		return c.on(o.subMchID)
	case !c.partner() && o.mchID == c.m.MchID:
		return nil
	}
	return trouble{http.StatusBadRequest, "PARAM_ERROR", "mchid"}
}

// on finds the merchant that a call names beside the one who signed it: a
// partner must name one of his, nobody else may name any.
func (c *call) on(subMchID string) error {
	m, found := c.f.on(c.m, subMchID)
	if !found {
		return trouble{http.StatusForbidden, "NO_AUTH", "特约商户未授权"}
	}
	c.m = m
	return nil
}

// on is the account that a signer acts for, by the sub_mchid of a call.
func (f *Face) on(signer *merchant, subMchID string) (m *merchant, found bool) {
	if signer.SubMchID == "" && subMchID == "" {
		return signer, true
	}
	m = f.merchants[subMchID]
	if m == nil || m.SubMchID != subMchID || m.MchID != signer.MchID {
		return nil, false
	}
	return m, true
}
