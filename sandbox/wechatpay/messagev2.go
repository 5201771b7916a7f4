package wechatpay

import (
	"strconv"
	"time"

	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
)

// fieldsV2 are a payment's fields in v2's callback and query answer. The caller
// holds f.mu.
func (o *order) fieldsV2() form {
	f := form{
		{Name: "appid", Value: o.appID},
		{Name: "attach", Value: o.attach},
		{Name: "device_info", Value: ""},
		{Name: "fee_type", Value: "CNY"},
		{Name: "is_subscribe", Value: "N"},
		{Name: "mch_id", Value: o.m.MchID},
		{Name: "sub_mch_id", Value: o.m.SubMchID},
		{Name: "sub_appid", Value: o.m.SubAppID},
		{Name: "out_trade_no", Value: o.no},
		{Name: "trade_type", Value: o.kind},
		{Name: "total_fee", Value: whole(o.total)},
	}
	if !o.wasPaid() {
		return f
	}
	f = f.set("bank_type", "OTHERS").set("cash_fee", whole(o.settled())).set("openid", o.openID()).
		set("time_end", o.paidAt.In(stage.China).Format("20060102150405")).set("transaction_id", o.id).
		set("total_fee", whole(o.paid))
	if o.coupon > 0 {
		f = f.set("coupon_count", "1").set("coupon_fee", whole(o.coupon)).set("coupon_type_0", "NO_CASH").
			set("coupon_id_0", o.couponID()).set("coupon_fee_0", whole(o.coupon)).set("settlement_total_fee", whole(o.settled()))
	}
	return f
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

// signed is a v2 message with its signature.
func (m *merchant) signed(f form) []byte {
	if m.SignType == wechatpay.SignHMAC {
		f = f.set("sign_type", wechatpay.SignHMAC)
	}
	return signedWith(f, m.APIKey, m.SignType)
}

func signedWith(f form, key, signType string) []byte {
	return xmlOf(f.set("sign", wechatpay.SignFields(wechatpay.Fields(f), key, signType)))
}

func xmlOf(f form) []byte { return wechatpay.AppendXML(nil, "xml", wechatpay.Fields(f)) }

// refundXML is a refund's notice in v2's form: sealed, and not signed.
func (f *Face) refundXML(r *refund) []byte {
	status := map[string]string{paidFor: "SUCCESS", closedIt: "REFUNDCLOSE"}[r.status]
	done := r.doneAt
	if done.IsZero() {
		done = r.at
	}
	plain := wechatpay.AppendXML(nil, "root", wechatpay.Fields{
		{Name: "out_refund_no", Value: r.no},
		{Name: "out_trade_no", Value: r.o.no},
		{Name: "refund_account", Value: "REFUND_SOURCE_RECHARGE_FUNDS"},
		{Name: "refund_fee", Value: whole(r.fen)},
		{Name: "refund_id", Value: r.id},
		{Name: "refund_recv_accout", Value: wallet},
		{Name: "refund_request_source", Value: "VENDOR_PLATFORM"},
		{Name: "refund_status", Value: status},
		{Name: "settlement_refund_fee", Value: whole(r.settled())},
		{Name: "settlement_total_fee", Value: whole(r.o.settled())},
		{Name: "success_time", Value: done.In(stage.China).Format(time.DateTime)},
		{Name: "total_fee", Value: whole(r.o.paid)},
		{Name: "transaction_id", Value: r.o.id},
	})
	m := r.o.m
	return wechatpay.AppendXML(nil, "xml", wechatpay.Fields{
		{Name: "return_code", Value: "SUCCESS"},
		{Name: "appid", Value: r.o.appID},
		{Name: "mch_id", Value: m.MchID},
		{Name: "sub_mch_id", Value: m.SubMchID},
		{Name: "nonce_str", Value: f.nonce(32, Name, m.MchID, r.id)},
		{Name: "req_info", Value: wechatpay.SealReqInfo(m.APIKey, plain)},
	})
}
