package wechatpay

import (
	"slices"

	"counterfoil/providers/wechatpay"
)

// form are the elements of a v2 message that is being made.
type form wechatpay.Fields

// set is f with another value under a name, or with one more element.
func (f form) set(name, value string) form {
	f = slices.Clone(f)
	for i := range f {
		if f[i].Name == name {
			f[i].Value = value
			return f
		}
	}
	return append(f, wechatpay.Field{Name: name, Value: value})
}
