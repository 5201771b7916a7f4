package epay

import (
	"slices"
	"strings"

	"counterfoil/providers"
)

// Param is one field of a message, decoded.
type Param struct {
	Name  string
	Value string
}

// Params are the fields of a message. The order means nothing.
type Params []Param

// The fields that carry the signature and are no part of what is signed.
const (
	fieldSign     = "sign"
	fieldSignType = "sign_type"
)

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

// Text is what both versions sign (Rainbow Epay, signature rules): all fields
// but sign, sign_type and those without a value, sorted by the bytes of their
// names, as name=value joined by '&'. Values stand in it raw: nothing escapes
// an '&' or '=' inside one, which is why one text can belong to two messages.
func Text(p Params) string {
	return string(appendText(nil, providers.SortFields(slices.Clone(p))))
}

// appendText appends the text of sorted fields to dst.
func appendText(dst []byte, p Params) []byte {
	start := len(dst)
	for i := range p {
		if p[i].Value == "" || p[i].Name == fieldSign || p[i].Name == fieldSignType {
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

// blank reports a value of nothing but what PHP's trim takes off. Rainbow
// leaves such values out of the text since 2025, others keep them.
func blank(value string) bool {
	return value != "" && strings.Trim(value, " \t\n\r\x00\x0b") == ""
}
