package sandbox

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The servers imitated here are written in PHP, and receivers see it: in how a
// form is read, how text is escaped and how JSON is spelled.

// fields is a form as PHP reads it: the last of equal names wins.
type fields map[string]string

// readForm reads a query string or form body. Arrays (a[]=1) are left out,
// because no signature covers them.
func readForm(raw string) fields {
	f := fields{}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name = unescape(name); name != "" && !strings.Contains(name, "[") {
			f[name] = unescape(value)
		}
	}
	return f
}

// unescape is PHP's urldecode: a "%" that starts no code stays what it is.
func unescape(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escape is PHP's urlencode, which unlike Go's writes "~" as %7E.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "~", "%7E")
}

var htmlSpecial = strings.NewReplacer("&", "&amp;", `"`, "&quot;", "'", "&#039;", "<", "&lt;", ">", "&gt;")

var slashes = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`, "\x00", `\0`)

// daunt is what Rainbow does to addresses and texts of a merchant, addslashes
// and then htmlspecialchars. An address with two query parameters comes out
// broken; that is how it is.
func daunt(s string) string { return htmlSpecial.Replace(slashes.Replace(s)) }

// member is one name of a JSON object. Values are string, int, nil (null) or
// []object.
type member struct {
	name  string
	value any
}

// object is a JSON object that keeps its order.
type object []member

// json is the object as PHP's json_encode writes it.
func (o object) json() []byte { return o.append(nil) }

func (o object) append(b []byte) []byte {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, m.name), ':')
		b = appendValue(b, m.value)
	}
	return append(b, '}')
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case string:
		return appendString(b, v)
	case []object:
		b = append(b, '[')
		for i, o := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = o.append(b)
		}
		return append(b, ']')
	}
	panic(fmt.Sprintf("sandbox: a JSON member of type %T", v))
}

// appendString quotes s the way json_encode does by default: "/" gets a
// backslash and everything beyond ASCII a \u code.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '/':
			b = append(b, '\\', byte(r))
		case r >= 0x20 && r < 0x80:
			b = append(b, byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}
