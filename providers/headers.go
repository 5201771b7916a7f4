package providers

import (
	"net/http"
	"slices"
	"strings"

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
			lines = append(lines, domain.Header{Name: name, Value: value})
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
