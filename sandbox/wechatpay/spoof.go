package wechatpay

import (
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"

	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
)

// stranger is a key of nobody's.
var stranger = sync.OnceValues(func() (*rsa.PrivateKey, error) { return keyOr("") })

// spoof sends the messages of a fault that are not the payment, and then, when
// somebody paid, the genuine one.
func (f *Face) spoof(o *order, fault stage.Fault) {
	var series *stage.Series
	if !fault.Unpaid {
		series = o.m.lane.Join(f.series(f.payment(o, stage.Fault{}), ""))
	}
	f.stage.After(0, func(ctx context.Context) {
		for _, s := range f.spoofed(o, fault) {
			f.send(ctx, stage.Shot{Kind: s.kind, Try: 1}, s.message)
		}
		if series != nil {
			series.Run(ctx)
		}
	})
}

type spoofed struct {
	kind string
	message
}

// spoofed are the messages of a fault.
func (f *Face) spoofed(o *order, fault stage.Fault) []spoofed {
	var all []spoofed
	add := func(kind string, msg message) { all = append(all, spoofed{kind, msg}) }
	v2 := o.m.Protocol == wechatpay.V2
	switch fault.Class {
	case stage.OtherPID:
		add(string(fault.Class), f.foreign(o))
	case stage.WrongStatus:
		word := fault.Status
		if word == "" {
			word = closedIt
		}
		add(string(fault.Class), f.changed(o, func(t *transaction) { t.TradeState = word }, "result_code", "FAIL"))
	case stage.Forged:
		for _, variant := range []string{stage.WrongSignature, stage.EmptyKey, stage.Downgraded, stage.Tampered} {
			if fault.Variant != "" && fault.Variant != variant {
				continue
			}
			if msg, ok := f.forged(o, variant, v2); ok {
				add(string(fault.Class)+":"+variant, msg)
			}
		}
	default:
	}
	return all
}

// foreign is another merchant's payment: a partner's under the same partner.
func (f *Face) foreign(o *order) message {
	const other = "1999999999"
	if o.m.SubMchID != "" {
		return f.changed(o, func(t *transaction) { t.SubMchID = other }, "sub_mch_id", other)
	}
	return f.changed(o, func(t *transaction) { t.MchID = other }, "mch_id", other)
}

// changed is a rightly signed message that says something else. It says that
// the order was paid, whether it was or not.
func (f *Face) changed(o *order, change func(*transaction), field, value string) message {
	f.mu.Lock()
	t, fields := o.transaction(), o.fieldsV2()
	f.mu.Unlock()
	t.TransactionID, t.TradeState, t.SuccessTime = o.id, paidFor, rfc3339(f.stage.Books())
	change(&t)
	msg := message{m: o.m, tradeNo: o.id, orderNo: o.no, url: o.notifyURL}
	if o.m.Protocol == wechatpay.V2 {
		msg.xml, msg.body = true, o.m.signed(f.paidV2(o, fields).set(field, value))
		return msg
	}
	msg.body = f.callbackV3(o.m, "TRANSACTION.SUCCESS", "transaction", compact(t), o.id, "spoof")
	return msg
}

// paidV2 makes the fields of any order those of a paid one.
func (f *Face) paidV2(o *order, fields form) form {
	return fields.set("return_code", "SUCCESS").set("result_code", "SUCCESS").set("transaction_id", o.id).
		set("time_end", f.stage.Books().Format("20060102150405")).set("nonce_str", f.nonce(32, Name, o.id, "spoof"))
}

// forged is a message whose signature does not hold; false where the protocol
// has no such forgery.
func (f *Face) forged(o *order, variant string, v2 bool) (message, bool) {
	msg := f.changed(o, func(*transaction) {}, "device_info", "")
	if v2 {
		return f.forgedV2(o, msg, variant), true
	}
	switch variant {
	case stage.EmptyKey:
		return msg, false
	case stage.WrongSignature:
		key, err := stranger()
		if err != nil {
			return msg, false
		}
		msg.key = &platformKey{id: f.signer(o.m, "").id, key: key}
	case stage.Downgraded:
		msg.header = f.downgraded
	case stage.Tampered:
		msg.header = func(body []byte, key *platformKey) http.Header {
			return f.signedHeader(append([]byte(" "), body...), key) // of another text
		}
	}
	return msg, true
}

// downgraded is an HMAC keyed with what everybody has: the public key.
func (f *Face) downgraded(body []byte, key *platformKey) http.Header {
	h := f.signedHeader(body, key)
	mac := hmac.New(sha256.New, []byte(key.pem))
	mac.Write(wechatpay.Message(h.Get(wechatpay.HeaderTimestamp), h.Get(wechatpay.HeaderNonce), string(body)))
	h.Set(wechatpay.HeaderSignature, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h
}

func (f *Face) forgedV2(o *order, msg message, variant string) message {
	f.mu.Lock()
	fields := o.fieldsV2()
	f.mu.Unlock()
	fields = f.paidV2(o, fields)
	other := map[string]string{wechatpay.SignMD5: wechatpay.SignHMAC, wechatpay.SignHMAC: wechatpay.SignMD5}[o.m.SignType]
	switch variant {
	case stage.WrongSignature:
		msg.body = signedWith(fields, digestHex("somebody else's key")[:32], o.m.SignType)
	case stage.EmptyKey:
		msg.body = signedWith(fields, "", o.m.SignType)
	case stage.Downgraded:
		msg.body = signedWith(fields.set("sign_type", other), "", other)
	case stage.Tampered:
		sign := wechatpay.SignFields(wechatpay.Fields(fields), o.m.APIKey, o.m.SignType)
		msg.body = xmlOf(fields.set("total_fee", whole(o.total+1)).set("sign", sign))
	}
	return msg
}
