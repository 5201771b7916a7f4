package alipay

import (
	"net/url"
	"slices"
	"strings"

	"counterfoil/providers"
)

// Param is one field of a message. The value has the bytes that were signed:
// in the charset that the message names.
type Param struct {
	Name  string
	Value string
}

// Params are the fields of a message. The order means nothing.
type Params []Param

// Lookup is the value of the first field of this name, and whether there is
// one.
func (p Params) Lookup(name string) (string, bool) {
	for i := range p {
		if p[i].Name == name {
			return p[i].Value, true
		}
	}
	return "", false
}

// Value is the value of the first field of this name, or "".
func (p Params) Value(name string) string {
	v, _ := p.Lookup(name)
	return v
}

// With is p with one field set.
func (p Params) With(name, value string) Params {
	for i := range p {
		if p[i].Name == name {
			p = slices.Clone(p)
			p[i].Value = value
			return p
		}
	}
	return append(slices.Clip(p), Param{name, value})
}

// NoticeText is what a notice's signature covers (Alipay, asynchronous notice,
// verification): all fields but sign, sign_type and alipay_cert_sn, sorted by
// the bytes of their names, as name=value joined by '&'. Fields without a value
// stand in it.
func NoticeText(p Params) string {
	return string(appendText(nil, providers.SortFields(slices.Clone(p)), notSignedInNotice, true))
}

// RequestText is what a request's signature covers (Alipay, signing a request):
// all fields but sign and those without a value; sign_type belongs to it.
func RequestText(p Params) string {
	return string(appendText(nil, providers.SortFields(slices.Clone(p)), notSignedInRequest, false))
}

func notSignedInNotice(name string) bool {
	return name == fieldSign || name == fieldSignType || name == fieldCertSN
}

func notSignedInRequest(name string) bool { return name == fieldSign }

// appendText appends the text of sorted fields to dst.
func appendText(dst []byte, p Params, skip func(string) bool, empties bool) []byte {
	start := len(dst)
	for i := range p {
		if (p[i].Value == "" && !empties) || skip(p[i].Name) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, '&')
		}
		dst = append(dst, p[i].Name...)
		dst = append(dst, '=')
		dst = append(dst, p[i].Value...)
	}
	return dst
}

// Encode is fields as a query string or form body.
func Encode(p Params) string {
	var b strings.Builder
	for i := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p[i].Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p[i].Value))
	}
	return b.String()
}
