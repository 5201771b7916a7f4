package providers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"counterfoil/domain"
)

// Headers lists header lines by name, lines of one name as they came, for
// evidence. Login data of whatever stands before us is no evidence and stays
// out. mask, when there is one, takes our own secrets out of a value.
func Headers(h http.Header, mask func(string) string) []domain.Header {
	names := make([]string, 0, len(h))
	for name := range h {
		switch name {
		case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie":
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	lines := make([]domain.Header, 0, len(names))
	for _, name := range names {
		for _, value := range h[name] {
			if mask != nil {
				value = mask(value)
			}
			lines = append(lines, domain.Header{Name: name, Value: Printable(value)})
		}
	}
	return lines
}

// RequestOf is the request that evidence of a callback was made from: what is
// needed to verify it again.
func RequestOf(e domain.Evidence, delivery domain.ID) Request {
	h := make(http.Header, len(e.Headers))
	for _, line := range e.Headers {
		h.Add(line.Name, line.Value)
	}
	_, query, _ := strings.Cut(e.Target, "?")
	return Request{
		Method: e.Method, Target: e.Target, RawQuery: query, Header: h, Body: e.Body, Remote: e.Remote, ReceivedAt: e.At,
		Delivery: delivery,
	}
}

// Printable is foreign text fit for evidence: bytes that are no UTF-8 stand as
// %XX, because JSON would replace them for ever.
func Printable(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, "%%%02X", text[i])
		} else {
			b.WriteString(text[i : i+size])
		}
		i += size
	}
	return b.String()
}
