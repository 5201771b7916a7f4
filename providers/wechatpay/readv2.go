package wechatpay

import (
	"slices"

	"counterfoil/domain"
)

// The elements of v2 messages that are read (callback and order query of v2),
// where they have other names than in v3.
const (
	fieldSign        = "sign"
	fieldSignType    = "sign_type"
	fieldReturnCode  = "return_code"
	fieldReturnMsg   = "return_msg"
	fieldResultCode  = "result_code"
	fieldErrCode     = "err_code"
	fieldErrText     = "err_code_des"
	fieldMchIDV2     = "mch_id"
	fieldSubMchIDV2  = "sub_mch_id"
	fieldTotalFee    = "total_fee"
	fieldFeeType     = "fee_type"
	fieldTimeEnd     = "time_end"
	fieldReqInfo     = "req_info"
	fieldRefundFee   = "refund_fee"
	fieldRefundState = "refund_status"
	fieldNonceV2     = "nonce_str"
)

const (
	wordSuccess  = "SUCCESS"
	layoutEndV2  = "20060102150405"
	layoutDateV2 = "2006-01-02 15:04:05"
)

// readV2 reads a callback of a v2 channel: a payment, signed, or a refund,
// encrypted only.
func (c *Channel) readV2(body []byte) (said, domain.Reason, error) {
	fields, err := ScanXML(body, "xml")
	if err != nil {
		return said{}, domain.ReasonUnreadable, err
	}
	if fields.Value(fieldReqInfo) != "" && fields.Value(fieldSign) == "" {
		return c.refundXML(fields)
	}
	if !c.v2.verify(fields) {
		return said{}, domain.ReasonWrongSignature, errSignature()
	}
	if err := c.oursV2(fields, true); err != nil {
		return said{}, domain.ReasonForeignMerchant, err
	}
	n, err := c.paymentV2(fields)
	if err != nil {
		return said{}, domain.ReasonUnreadable, err
	}
	return c.saidV2(n), domain.ReasonNone, nil
}

func (c *Channel) saidV2(n domain.Notice) said {
	return said{notices: andTakenBack(n), scheme: c.v2.scheme(), key: c.v2.mark, grade: domain.GradeB}
}

// oursV2 is ours for v2's names. A partner's mchid is the field mch_id too.
func (c *Channel) oursV2(f Fields, payment bool) error {
	names := merchantNames{
		payment: payment, mchID: f.Value(fieldMchIDV2), appID: f.Value(fieldAppID),
		subMchID: f.Value(fieldSubMchIDV2), subAppID: f.Value(fieldSubAppID),
	}
	return c.cfg.recognise(names)
}

// paymentV2 reads a signed callback. It has no trade_state: return_code speaks
// of the transport and result_code of the payment.
func (c *Channel) paymentV2(f Fields) (domain.Notice, error) {
	n := domain.Notice{Channel: c.cfg.Channel, ProviderStatus: f.Value(fieldResultCode)}
	switch {
	case f.Value(fieldReturnCode) != wordSuccess || f.Value(fieldOutTradeNo) == "":
		return n, domain.E(domain.KindInvalid, "the message has no return_code SUCCESS or no out_trade_no")
	case n.ProviderStatus == wordSuccess:
		n.Status = domain.StatusPaid
	case n.ProviderStatus == "FAIL":
		n.Status = domain.StatusFailed
	default:
		n.Status = domain.StatusOther
	}
	return c.withMoneyV2(n, f)
}

// withMoneyV2 fills in what callbacks and query answers of v2 have alike.
func (c *Channel) withMoneyV2(n domain.Notice, f Fields) (domain.Notice, error) {
	n.OrderNo, n.TradeNo = f.Value(fieldOutTradeNo), f.Value(fieldTransactionID)
	n.OccurredAt = c.localTime(layoutEndV2, f.Value(fieldTimeEnd))
	n.Account = c.account(f.Value(fieldAttach))
	paid := n.Status == domain.StatusPaid
	var err error
	if fen := f.Value(fieldTotalFee); fen != "" || paid {
		if n.Amount, err = money(fen, c.currencyV2(f), paid); err != nil {
			return domain.Notice{}, err
		}
	}
	n.Doubts = doubtsV2(f, paid)
	return n, nil
}

func (c *Channel) currencyV2(f Fields) string {
	if cur := f.Value(fieldFeeType); cur != "" {
		return cur
	}
	return string(c.cfg.Currency)
}

// doubtsV2 is what keeps a rightly signed message from moving money. Unknown
// elements are none: WeChat adds some, and they are signed.
func doubtsV2(f Fields, paid bool) []domain.Doubt {
	var doubts []domain.Doubt
	if slices.ContainsFunc(f, func(field Field) bool { return ambiguous(field.Value) }) {
		doubts = append(doubts, domain.DoubtAmbiguousText)
	}
	if paid && f.Value(fieldTransactionID) == "" {
		doubts = append(doubts, domain.DoubtNoTradeNo)
	}
	return doubts
}

// readRefundXML reads the notice of a refund that somebody made in the merchant
// platform: it comes as v2 XML to v3 merchants as well.
func (c *Channel) readRefundXML(body []byte) (said, domain.Reason, error) {
	fields, err := ScanXML(body, "xml")
	if err != nil {
		return said{}, domain.ReasonUnreadable, err
	}
	if fields.Value(fieldReqInfo) == "" || fields.Value(fieldSign) != "" {
		return said{}, domain.ReasonWrongSignature, errSignature() // signed with v2's key: not this channel's way
	}
	if c.v2 == nil {
		return said{}, domain.ReasonUnreadable, domain.E(domain.KindInvalid, "a refund notice in v2's XML, and no api_key to open it")
	}
	return c.refundXML(fields)
}

// refundXML opens a refund notice. Nothing in it is signed, so it is a hint
// that the refund query has to confirm.
func (c *Channel) refundXML(f Fields) (said, domain.Reason, error) {
	if err := c.oursV2(f, false); err != nil {
		return said{}, domain.ReasonForeignMerchant, err
	}
	plain, err := OpenReqInfo(c.v2.key, f.Value(fieldReqInfo))
	if err != nil {
		// Only the key's owner could have made one that opens: it is the proof.
		return said{}, domain.ReasonWrongSignature, domain.E(domain.KindForged, "%w", err)
	}
	inner, err := ScanXML(plain, "root")
	if err != nil {
		return said{}, domain.ReasonUnreadable, err
	}
	n, err := c.refundV2(inner)
	if err != nil {
		return said{}, domain.ReasonUnreadable, err
	}
	return said{notices: []domain.Notice{n}, scheme: SchemeReqInfo, key: c.v2.mark, grade: domain.GradeB}, domain.ReasonNone, nil
}

func (c *Channel) refundV2(f Fields) (domain.Notice, error) {
	n := domain.Notice{
		Channel: c.cfg.Channel, About: domain.AboutRefund, OrderNo: f.Value(fieldOutTradeNo), TradeNo: f.Value(fieldTransactionID),
		RefundID: f.Value(fieldRefundID), RefundNo: f.Value(fieldOutRefundNo),
		Status: refundStatus(f.Value(fieldRefundState)), ProviderStatus: f.Value(fieldRefundState),
		OccurredAt: c.localTime(layoutDateV2, f.Value(fieldSuccessTime)), Doubts: []domain.Doubt{domain.DoubtUnsigned},
	}
	if n.OrderNo == "" || n.ProviderStatus == "" {
		return n, domain.E(domain.KindInvalid, "the refund has no out_trade_no or no refund_status")
	}
	moved := n.Status == domain.StatusSucceeded
	var err error
	if fen := f.Value(fieldRefundFee); fen != "" || moved {
		if n.Amount, err = money(fen, c.currencyV2(f), moved); err != nil {
			return domain.Notice{}, err
		}
	}
	return withRefundID(n), nil
}
