package sandbox

import (
	"strconv"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers/epay"
)

// message is what a callback says.
type message struct {
	version    Version
	pid        string
	tradeNo    string
	outTradeNo string
	method     string
	name       string
	param      string
	amount     string
	status     string
	apiTradeNo string
	buyer      string
	at         time.Time // V2 timestamp
	extra      epay.Params
}

// success is the one status word of a payment.
const success = "TRADE_SUCCESS"

// messageOf is the genuine callback of a paid order at an instant.
func (m *merchant) messageOf(o *order, at time.Time) message {
	msg := message{
		version: o.version, pid: o.pid, tradeNo: o.tradeNo, outTradeNo: o.outTradeNo, method: o.method,
		name: o.name, param: o.param, amount: m.habits.amount(o.money), status: success, at: at,
		apiTradeNo: o.apiTradeNo, buyer: o.buyer,
	}
	if m.HideName {
		msg.name = "product"
	}
	if o.extra {
		msg.extra = epay.Params{{Name: "channel_fee", Value: "0.01"}}
	}
	return msg
}

// params are the fields in the order the servers send them, without the
// signature. Fields without a value are not sent.
func (msg message) params() epay.Params {
	all := epay.Params{
		{Name: "pid", Value: msg.pid},
		{Name: "trade_no", Value: msg.tradeNo},
		{Name: "out_trade_no", Value: msg.outTradeNo},
		{Name: "type", Value: msg.method},
		{Name: "name", Value: msg.name},
		{Name: "money", Value: msg.amount},
		{Name: "trade_status", Value: msg.status},
		{Name: "param", Value: msg.param},
	}
	if msg.version == V2 {
		all = append(
			all, epay.Param{Name: "api_trade_no", Value: msg.apiTradeNo}, epay.Param{Name: "buyer", Value: msg.buyer},
			epay.Param{Name: "timestamp", Value: strconv.FormatInt(msg.at.Unix(), 10)},
		)
	}
	kept := all[:0]
	for _, p := range append(all, msg.extra...) {
		if p.Value != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

// sign adds the merchant's genuine signature.
func (m *merchant) sign(p epay.Params, v Version) (epay.Params, error) {
	text := m.text(p)
	if v == V1 {
		return m.withMD5(p, epay.SignMD5(text, m.keys.md5)), nil
	}
	if m.keys.platform == nil {
		return nil, domain.E(domain.KindInvalid, "merchant %s has no platform key to sign V2 with", m.PID)
	}
	sign, err := epay.SignRSA(text, m.keys.platform)
	if err != nil {
		return nil, err
	}
	return withSign(p, sign, "RSA"), nil
}

// withMD5 adds sign, and sign_type where the style sends one.
func (m *merchant) withMD5(p epay.Params, sign string) epay.Params {
	if m.habits.signType {
		return withSign(p, sign, "MD5")
	}
	return append(p, epay.Param{Name: "sign", Value: sign})
}

func withSign(p epay.Params, sign, signType string) epay.Params {
	return append(p, epay.Param{Name: "sign", Value: sign}, epay.Param{Name: "sign_type", Value: signType})
}

// encode is the query string, as PHP's http_build_query writes it.
func encode(p epay.Params) string {
	var b strings.Builder
	for i := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(p[i].Name))
		b.WriteByte('=')
		b.WriteString(escape(p[i].Value))
	}
	return b.String()
}

// join puts a query behind an address.
func (m *merchant) join(address, query string) string {
	if strings.Contains(address, "?") && !m.habits.alwaysAsk {
		return address + "&" + query
	}
	return address + "?" + query
}
