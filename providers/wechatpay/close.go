package wechatpay

import (
	"context"
	"net/http"
	"net/url"

	"counterfoil/domain"
)

// CloseOrder closes an order at WeChat, so that nobody can pay it any more (close
// order of v3 and v2). An order that is closed already is closed. KindConflict:
// it was paid; KindNotFound: WeChat does not know it; KindUnavailable: it may be
// closed or not, and can be asked to be closed again.
func (c *Channel) CloseOrder(ctx context.Context, orderNo domain.OrderNo) error {
	if c.v3 == nil {
		return c.closeV2(ctx, orderNo)
	}
	target, body := ordersTarget, `{"mchid":"`+c.cfg.MchID+`"}`
	if c.cfg.SubMchID != "" {
		target, body = partnerOrdersTarget, `{"sp_mchid":"`+c.cfg.MchID+`","sub_mchid":"`+c.cfg.SubMchID+`"}`
	}
	r, err := c.askV3(ctx, http.MethodPost, target+byOrderNo+url.PathEscape(string(orderNo))+"/close", body)
	if err != nil {
		return err
	}
	if r.status == http.StatusNoContent || r.status == http.StatusOK {
		_, _, err := c.provenBody(r, c.clock())
		return err
	}
	code, _ := codeOf(r)
	if known, err := closed(code, orderNo); known {
		return err
	}
	return c.failure(r)
}

// closed is what a code says about a close; the spellings are v3's and v2's.
func closed(code string, orderNo domain.OrderNo) (known bool, err error) {
	switch code {
	case "ORDER_CLOSED", "ORDERCLOSED", "TRADE_CLOSED":
		return true, nil
	case "ORDER_PAID", "ORDERPAID", "TRADE_ERROR":
		return true, domain.E(domain.KindConflict, "order %s was paid", orderNo)
	}
	if unknownThere(code) {
		return true, domain.E(domain.KindNotFound, "WeChat Pay does not know the order %s", orderNo)
	}
	return false, nil
}

func (c *Channel) closeV2(ctx context.Context, orderNo domain.OrderNo) error {
	r, err := c.askV2(ctx, "/pay/closeorder", Fields{{fieldOutTradeNo, string(orderNo)}})
	if err != nil {
		return err
	}
	f, err := ScanXML(r.body, "xml")
	if r.status != http.StatusOK || err != nil {
		return c.unusable("answered with status %d", r.status)
	}
	if f.Value(fieldReturnCode) != wordSuccess {
		return c.failureV2(f)
	}
	if !c.v2.verify(f) {
		return c.unusable("answered: %w", errSignature())
	}
	if f.Value(fieldResultCode) == wordSuccess {
		return nil
	}
	if known, err := closed(f.Value(fieldErrCode), orderNo); known {
		return err
	}
	return c.unusable("answered %s: %s", quoted(f.Value(fieldErrCode)), quoted(f.Value(fieldErrText)))
}
