package wechatpay

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // v2 is defined with MD5; the confirmation policy bounds what that costs
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
)

// The signatures of v2 (signature algorithm page of v2). A channel's settings
// choose; a message that says otherwise is refused.
const (
	SignMD5  = "MD5"
	SignHMAC = "HMAC-SHA256"
)

// Field is one element of a flat XML message.
type Field struct{ Name, Value string }

// Fields are the elements of a flat XML message in their order, names unique.
type Fields []Field

// Value is the value of the element, "" if there is none.
func (f Fields) Value(name string) string {
	for i := range f {
		if f[i].Name == name {
			return f[i].Value
		}
	}
	return ""
}

// SignFields is the v2 signature in upper-case hex: over all fields but sign
// and empty ones, sorted by name, with the key behind them. It signs with any
// key, also with none, as anybody can; verifyFields is where an empty key ends.
func SignFields(f Fields, key, signType string) string {
	return strings.ToUpper(hex.EncodeToString(sumFields(f, key, signType)))
}

func sumFields(f Fields, key, signType string) []byte {
	text := appendFields(make([]byte, 0, 1024), f)
	text = append(append(text, "key="...), key...)
	if signType == SignHMAC {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(text)
		return mac.Sum(nil)
	}
	sum := md5.Sum(text) //nolint:gosec // see the import
	return sum[:]
}

// appendFields appends name=value& for every field that is signed. Unknown
// fields take part: WeChat adds new ones without notice.
func appendFields(text []byte, f Fields) []byte {
	order := make([]int, 0, 64)
	for i := range f {
		if f[i].Value != "" && f[i].Name != fieldSign {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(f[a].Name, f[b].Name) })
	for _, i := range order {
		text = append(append(append(append(text, f[i].Name...), '='), f[i].Value...), '&')
	}
	return text
}

// verifyFields reports whether the field sign is the v2 signature of the
// others. The bytes are compared, in constant time, so a sign in small letters
// holds as well.
func verifyFields(f Fields, key, signType string) bool {
	claimed, err := hex.DecodeString(f.Value(fieldSign))
	if err != nil || key == "" {
		return false
	}
	return subtle.ConstantTimeCompare(sumFields(f, key, signType), claimed) == 1
}

// ambiguous reports a value with &name= in it. The signed text escapes nothing,
// so such a value could have been two fields, or two fields such a value.
func ambiguous(value string) bool {
	for {
		_, rest, found := strings.Cut(value, "&")
		if !found {
			return false
		}
		end := 0
		for end < len(rest) && nameByte(rest[end], end) {
			end++
		}
		if end > 0 && end < len(rest) && rest[end] == '=' {
			return true
		}
		value = rest
	}
}
