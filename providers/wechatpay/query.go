package wechatpay

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Where v3 is asked (order and refund query of v3). A partner's orders have
// addresses of their own, his refunds have not.
const (
	ordersTarget        = "/v3/pay/transactions/"
	partnerOrdersTarget = "/v3/pay/partner/transactions/"
	refundsTarget       = "/v3/refund/domestic/refunds/"
	byOrderNo           = "out-trade-no/"
	byTradeNo           = "id/"
)

// asked is what a question is about. A refund is asked for by the merchant's
// number (v3), or by either (v2).
type asked struct {
	orderNo  string
	tradeNo  string
	refundNo string
	refundID string
}

func (a asked) refund() bool { return a.refundNo != "" || a.refundID != "" }

// verdict is what an answer says.
type verdict struct {
	said
	found bool
}

// Query asks WeChat about one order, or about one refund of it. With a trade
// number it asks by that. An answer that is not provably WeChat's answer to
// this question, one of trouble and one of too many questions are
// KindUnavailable; one that refuses our account is KindDenied. A refund that is
// to be asked from v3 needs its RefundNo: KindInvalid without.
func (c *Channel) Query(ctx context.Context, q providers.Question) (providers.Answer, error) {
	about := asked{orderNo: q.OrderNo, tradeNo: q.TradeNo, refundNo: q.RefundNo, refundID: q.RefundID}
	if about == (asked{}) {
		return providers.Answer{}, domain.EField(domain.KindInvalid, "order_no", "is missing")
	}
	e, v, err := c.answer(ctx, about)
	if err != nil {
		return providers.Answer{}, err
	}
	answer := providers.Answer{Found: v.found, Evidence: e}
	for i := range v.notices {
		n := &v.notices[i]
		n.Index, n.Delivery, n.Run, n.ReceivedAt = i, q.Delivery, q.Run, e.At
	}
	if v.found {
		answer.Notice, answer.Also = v.notices[0], v.notices[1:]
	}
	return answer, nil
}

func (c *Channel) answer(ctx context.Context, about asked) (domain.Evidence, verdict, error) {
	if c.v3 == nil {
		return c.answerV2(ctx, about)
	}
	target, err := c.question(about)
	if err != nil {
		return domain.Evidence{}, verdict{}, err
	}
	r, err := c.askV3(ctx, http.MethodGet, target, "")
	if err != nil {
		return domain.Evidence{}, verdict{}, err
	}
	now := c.clock()
	v, err := c.readAnswer(r, about, now)
	if err == nil {
		if stale := fresh(r.header, now); stale != nil {
			err = c.unusable("answered: %w", stale)
		}
	}
	if err != nil {
		return domain.Evidence{}, verdict{}, err
	}
	return c.queryEvidence(http.MethodGet, target, r, v, now), v, nil
}

// question is the target under the gateway's address.
func (c *Channel) question(about asked) (string, error) {
	if about.refund() {
		if about.refundNo == "" {
			return "", domain.EField(domain.KindInvalid, "refund_no", "is missing: v3 knows refunds by the merchant's number only")
		}
		target := refundsTarget + url.PathEscape(about.refundNo)
		if c.cfg.SubMchID != "" {
			target += "?sub_mchid=" + c.cfg.SubMchID
		}
		return target, nil
	}
	target, who := ordersTarget, "?mchid="+c.cfg.MchID
	if c.cfg.SubMchID != "" {
		target, who = partnerOrdersTarget, "?sp_mchid="+c.cfg.MchID+"&sub_mchid="+c.cfg.SubMchID
	}
	if about.tradeNo != "" {
		return target + byTradeNo + url.PathEscape(about.tradeNo) + who, nil
	}
	return target + byOrderNo + url.PathEscape(about.orderNo) + who, nil
}

// askedIn is what the target of a v3 question, also a kept one, was about.
func askedIn(target string) (asked, bool) {
	path, _, _ := strings.Cut(target, "?")
	for _, place := range [...]struct {
		prefix string
		set    func(*asked, string)
	}{
		{refundsTarget, func(a *asked, no string) { a.refundNo = no }},
		{ordersTarget + byOrderNo, func(a *asked, no string) { a.orderNo = no }},
		{ordersTarget + byTradeNo, func(a *asked, no string) { a.tradeNo = no }},
		{partnerOrdersTarget + byOrderNo, func(a *asked, no string) { a.orderNo = no }},
		{partnerOrdersTarget + byTradeNo, func(a *asked, no string) { a.tradeNo = no }},
	} {
		at := strings.Index(path, place.prefix)
		if at < 0 {
			continue
		}
		no, err := url.PathUnescape(path[at+len(place.prefix):])
		a := asked{}
		place.set(&a, no)
		return a, err == nil && no != ""
	}
	return asked{}, false
}

// readAnswer reads a v3 answer; at is the time by which keys count.
func (c *Channel) readAnswer(r response, about asked, at time.Time) (verdict, error) {
	if r.status != http.StatusOK && r.status != http.StatusNotFound {
		return verdict{}, c.failure(r)
	}
	m, key, err := c.provenBody(r, at)
	if err != nil {
		return verdict{}, err
	}
	if r.status == http.StatusNotFound {
		if code, _ := codeOf(r); !unknownThere(code) {
			return verdict{}, c.failure(r)
		}
		return verdict{said: said{scheme: SchemeV3, key: key.mark, grade: domain.GradeA}}, nil
	}
	var n domain.Notice
	if about.refund() {
		n, err = c.refund(m, "status")
	} else if err = c.ours(m, true); err == nil {
		n, err = c.transaction(m)
	}
	if err == nil {
		err = about.answeredBy(n)
	}
	if err != nil {
		return verdict{}, c.unusable("answered with something that cannot be used: %w", err)
	}
	n.Source = domain.SourceQuery
	return verdict{found: true, said: saidV3(key, n)}, nil
}

// unknownThere are the codes by which WeChat positively says that it does not
// know an order or a refund, the old spelling among them.
func unknownThere(code string) bool {
	switch code {
	case "ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS", "REFUNDNOTEXIST":
		return true
	}
	return false
}

// answeredBy refuses an answer about something else.
func (a asked) answeredBy(n domain.Notice) error {
	differs := func(asked, got string) bool { return asked != "" && asked != got }
	if differs(a.orderNo, n.OrderNo) || differs(a.tradeNo, n.TradeNo) ||
		differs(a.refundNo, n.RefundNo) || differs(a.refundID, n.RefundID) {
		return domain.E(domain.KindMismatch, "it %w", providers.ErrOther)
	}
	return nil
}

// queryEvidence keeps an answer. The question of v2 is a signed form, which is
// not kept: the answer names its order itself.
func (c *Channel) queryEvidence(method, target string, r response, v verdict, at time.Time) domain.Evidence {
	base, err := url.Parse(c.cfg.Gateway)
	if err != nil {
		base = &url.URL{}
	}
	return domain.Evidence{
		Kind:    kindQuery,
		Method:  method,
		Target:  base.Path + target,
		Status:  r.status,
		Headers: providers.Headers(r.header, nil),
		Body:    bytes.Clone(r.body),
		Remote:  base.Host,
		At:      at,
		Scheme:  v.scheme,
		Key:     v.key,
		Grade:   v.grade,
	}
}
