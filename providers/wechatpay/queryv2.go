package wechatpay

import (
	"context"
	"net/http"
	"strings"

	"counterfoil/domain"
)

// Where v2 is asked (order and refund query of v2).
const (
	orderQueryV2  = "/pay/orderquery"
	refundQueryV2 = "/pay/refundquery"
)

func (c *Channel) answerV2(ctx context.Context, about asked) (domain.Evidence, verdict, error) {
	path, number := orderQueryV2, Field{fieldOutTradeNo, about.orderNo}
	switch {
	case about.refundID != "" && about.refundID != about.refundNo:
		path, number = refundQueryV2, Field{fieldRefundID, about.refundID}
	case about.refund():
		path, number = refundQueryV2, Field{fieldOutRefundNo, about.refundNo}
	case about.tradeNo != "":
		number = Field{fieldTransactionID, about.tradeNo}
	}
	r, err := c.askV2(ctx, path, Fields{number})
	if err != nil {
		return domain.Evidence{}, verdict{}, err
	}
	v, err := c.readAnswerV2(r, about)
	if err != nil {
		return domain.Evidence{}, verdict{}, err
	}
	return c.queryEvidence(http.MethodPost, path, r, v, c.clock()), v, nil
}

// readAnswerV2 reads a v2 answer. Without return_code SUCCESS it is not signed
// and says nothing about the order.
func (c *Channel) readAnswerV2(r response, about asked) (verdict, error) {
	if r.status != http.StatusOK {
		return verdict{}, c.unusable("answered with status %d", r.status)
	}
	f, err := ScanXML(r.body, "xml")
	if err != nil {
		return verdict{}, c.unusable("answered with something else than its XML: %w", err)
	}
	if f.Value(fieldReturnCode) != wordSuccess {
		return verdict{}, c.failureV2(f)
	}
	if !c.v2.verify(f) {
		return verdict{}, c.unusable("answered: %w", errSignature())
	}
	if code := f.Value(fieldErrCode); f.Value(fieldResultCode) != wordSuccess {
		if unknownThere(code) {
			return verdict{said: said{scheme: c.v2.scheme(), key: c.v2.mark, grade: domain.GradeB}}, nil
		}
		return verdict{}, c.unusable("answered %s: %s", quoted(code), quoted(f.Value(fieldErrText)))
	}
	n, err := c.foundV2(f, about)
	if err != nil {
		return verdict{}, c.unusable("answered with something that cannot be used: %w", err)
	}
	return verdict{found: true, said: c.saidV2(n)}, nil
}

// failureV2 is an error for an answer that v2 does not sign.
func (c *Channel) failureV2(f Fields) error {
	msg, kind := f.Value(fieldReturnMsg), domain.KindUnavailable
	if strings.Contains(msg, "签名") || strings.Contains(strings.ToUpper(msg), "SIGN") {
		kind = domain.KindDenied
	}
	return domain.E(kind, "WeChat Pay at %s answered %s", c.cfg.Gateway, quoted(msg))
}

func (c *Channel) foundV2(f Fields, about asked) (n domain.Notice, err error) {
	if err := c.oursV2(f, !about.refund()); err != nil {
		return n, err
	}
	if about.refund() {
		n, err = c.refundRowV2(f)
	} else {
		n = domain.Notice{
			Channel: c.cfg.Channel, ProviderStatus: f.Value(fieldTradeState), Status: tradeStatus(f.Value(fieldTradeState)),
		}
		if n.ProviderStatus == "" || f.Value(fieldOutTradeNo) == "" {
			return n, domain.E(domain.KindInvalid, "there is no trade_state or no out_trade_no")
		}
		n, err = c.withMoneyV2(n, f)
	}
	if err != nil {
		return n, err
	}
	n.Source = domain.SourceQuery
	return n, about.answeredBy(n)
}

// refundRowV2 reads the answer about one refund: its fields have _0 behind
// their names. Asked by the number of a refund, WeChat answers with that alone.
func (c *Channel) refundRowV2(f Fields) (domain.Notice, error) {
	if f.Value("refund_count") != "1" {
		return domain.Notice{}, domain.E(domain.KindInvalid, "there are %.10q refunds in it, not 1", f.Value("refund_count"))
	}
	row := Fields{
		{fieldOutTradeNo, f.Value(fieldOutTradeNo)}, {fieldTransactionID, f.Value(fieldTransactionID)}, {fieldFeeType, f.Value(fieldFeeType)},
	}
	for _, name := range [...]string{fieldRefundID, fieldOutRefundNo, fieldRefundFee, fieldRefundState} {
		row = append(row, Field{name, f.Value(name + "_0")})
	}
	row = append(row, Field{fieldSuccessTime, f.Value("refund_success_time_0")})
	n, err := c.refundV2(row)
	n.Doubts = doubtsV2(f, false)
	return n, err
}
