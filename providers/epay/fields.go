package epay

import (
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

// The fields that are read (Rainbow Epay, callback and order query).
const (
	fieldPID         = "pid"
	fieldTradeNo     = "trade_no"
	fieldOrderNo     = "out_trade_no"
	fieldType        = "type"
	fieldName        = "name"
	fieldMoney       = "money"
	fieldTradeStatus = "trade_status"
	fieldEndTime     = "endtime"
	fieldRefundMoney = "refundmoney"
	fieldTimestamp   = "timestamp"
	fieldNotifyURL   = "notify_url"
	fieldReturnURL   = "return_url"
	fieldCode        = "code"
	fieldMsg         = "msg"
	fieldStatus      = "status"
)

// fieldClass says what a field does in a callback.
type fieldClass uint8

const (
	unknownField  fieldClass = iota // the protocol's pages do not name it
	callbackField                   // belongs there
	formField                       // belongs to an order form
)

// classOf is the class of a name, compared byte by byte. V1 and V2 share the
// list: V1 gateways send some of V2's fields, and an honest extra field of
// this list opens no second reading (see ambiguous).
func classOf(name string) fieldClass {
	switch name {
	case fieldPID, fieldTradeNo, fieldOrderNo, fieldType, fieldName, fieldMoney, fieldTradeStatus, "param",
		"api_trade_no", "buyer", fieldTimestamp, "addtime", fieldEndTime, fieldSign, fieldSignType:
		return callbackField
	case fieldNotifyURL, fieldReturnURL, "device", "clientip", "method", "sitename", "channel_id",
		"auth_code", "sub_openid", "sub_appid":
		return formField
	}
	return unknownField
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

// doubtsOf collects what keeps a rightly signed callback from moving money, in
// the order of the list in domain.
func doubtsOf(p Params, loose bool) []domain.Doubt {
	var cut, form, unknown bool
	for i := range p {
		if p[i].Name == fieldSign || p[i].Name == fieldSignType {
			continue
		}
		class := classOf(p[i].Name)
		form = form || class == formField
		unknown = unknown || class == unknownField
		cut = cut || ambiguous(p[i].Value)
	}
	cut = cut || strings.ContainsAny(p.Value(fieldOrderNo), "&=%") || strings.ContainsAny(p.Value(fieldTradeNo), "&=%")
	var doubts []domain.Doubt
	for _, d := range [...]struct {
		holds bool
		doubt domain.Doubt
	}{
		{cut, domain.DoubtAmbiguousText},
		{form, domain.DoubtURLFields},
		{unknown, domain.DoubtUnknownFields},
		{p.Value(fieldTradeNo) == "", domain.DoubtNoTradeNo},
		{loose, domain.DoubtLooseText},
	} {
		if d.holds {
			doubts = append(doubts, d.doubt)
		}
	}
	return doubts
}
