package alipay

import (
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

// The fields that are read or written (Alipay, asynchronous notice; common
// request parameters).
const (
	fieldSign         = "sign"
	fieldSignType     = "sign_type"
	fieldCertSN       = "alipay_cert_sn"
	fieldAppID        = "app_id"
	fieldSellerID     = "seller_id"
	fieldCharset      = "charset"
	fieldTradeStatus  = "trade_status"
	fieldOrderNo      = "out_trade_no"
	fieldTradeNo      = "trade_no"
	fieldRefundNo     = "out_biz_no"
	fieldTotal        = "total_amount"
	fieldRefundFee    = "refund_fee"
	fieldCurrency     = "trans_currency"
	fieldPaidAt       = "gmt_payment"
	fieldRefundedAt   = "gmt_refund"
	fieldClosedAt     = "gmt_close"
	fieldPassback     = "passback_params"
	fieldMethod       = "method"
	fieldFormat       = "format"
	fieldVersion      = "version"
	fieldTimestamp    = "timestamp"
	fieldBizContent   = "biz_content"
	fieldNotifyURL    = "notify_url"
	fieldReturnURL    = "return_url"
	fieldErrorAnswer  = "error_response"
	fieldSubject      = "subject"
	fieldRequestNo    = "out_request_no"
	fieldRefundStatus = "refund_status"
)

// noticeFields are the names of the pages on asynchronous notices of payment
// products: page, wap, app, face-to-face, mini program and JSAPI.
var noticeFields = map[string]bool{
	"notify_time": true, "notify_type": true, "notify_id": true, "app_id": true, "auth_app_id": true, "charset": true,
	"version": true, "sign_type": true, "sign": true, "alipay_cert_sn": true, "trade_no": true, "out_trade_no": true,
	"out_biz_no": true, "buyer_id": true, "buyer_open_id": true, "buyer_logon_id": true, "seller_id": true,
	"seller_email": true, "trade_status": true, "total_amount": true, "receipt_amount": true, "invoice_amount": true,
	"buyer_pay_amount": true, "point_amount": true, "mdiscount_amount": true, "discount_amount": true,
	"refund_fee": true, "send_back_fee": true, "subject": true, "body": true, "gmt_create": true, "gmt_payment": true,
	"gmt_refund": true, "gmt_close": true, "fund_bill_list": true, "voucher_detail_list": true, "passback_params": true,
	"biz_settle_mode": true, "store_id": true, "store_name": true, "terminal_id": true, "operator_id": true,
	"auth_trade_pay_mode": true, "charge_amount": true, "charge_flags": true, "settlement_id": true,
	"discount_goods_detail": true, "industry_sepc_detail": true, "enterprise_pay_info": true, "medical_insurance_info": true,
	"async_payment_mode": true, "credit_pay_mode": true, "credit_biz_order_id": true, "hb_fq_pay_info": true,
	"chargeback_info": true, "ext_infos": true, "business_params": true, "merchant_order_no": true, "agreement_no": true,
	"external_agreement_no": true, "period_scene": true, "trade_settle_info": true, "pay_currency": true,
	"settle_currency": true, "trans_currency": true, "refund_status": true, "refund_reason": true, "dback_status": true,
	"dback_amount": true, "bank_ack_time": true, "est_bank_receipt_time": true, "pre_auth_type": true, "open_id": true,
}

// ambiguous reports a value with &name= in it. Only such a value lets the
// signed text be cut in two ways: to read a text differently, an '&' that
// stood before a field must go into a value or one from a value must come
// before a field, and in the reading where it is in the value, the name and
// its '=' follow it there. Names outside [A-Za-z0-9_] need no thought: the
// other reading would have an unknown field.
func ambiguous(value string) bool {
	for {
		_, rest, found := strings.Cut(value, "&")
		if !found {
			return false
		}
		end := 0
		for end < len(rest) && providers.IsWordByte(rest[end]) {
			end++
		}
		if end > 0 && end < len(rest) && rest[end] == '=' {
			return true
		}
		value = rest
	}
}

// doubtsOf collects what keeps a rightly signed notice from moving money, in
// the order of the list in domain.
func doubtsOf(p Params) []domain.Doubt {
	var cut, unknown bool
	for i := range p {
		if !notSignedInNotice(p[i].Name) {
			unknown = unknown || !noticeFields[p[i].Name]
			cut = cut || ambiguous(p[i].Value)
		}
	}
	for _, name := range [...]string{fieldOrderNo, fieldTradeNo, fieldRefundNo} {
		cut = cut || strings.ContainsAny(p.Value(name), "&=%")
	}
	var doubts []domain.Doubt
	if cut {
		doubts = append(doubts, domain.DoubtAmbiguousText)
	}
	if unknown {
		doubts = append(doubts, domain.DoubtUnknownFields)
	}
	if p.Value(fieldTradeNo) == "" {
		doubts = append(doubts, domain.DoubtNoTradeNo)
	}
	return doubts
}
