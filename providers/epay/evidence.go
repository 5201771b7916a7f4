package epay

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Kinds of evidence.
const (
	kindCallback = "callback"
	kindQuery    = "query"
)

// callbackEvidence keeps a verified message with the bytes that were verified.
func (c *Channel) callbackEvidence(m message, r providers.Request) domain.Evidence {
	return domain.Evidence{
		Kind:    kindCallback,
		Method:  m.method,
		Target:  m.target,
		Headers: headers(m.header, nil),
		Body:    bytes.Clone(m.body),
		Remote:  r.Remote,
		At:      r.ReceivedAt,
		Scheme:  c.scheme.name(),
		Key:     c.scheme.mark(),
		Grade:   c.scheme.grade(),
	}
}

// headers lists header lines by name, lines of one name as they came. Login
// data of whatever stands before us is no evidence and stays out.
func headers(h http.Header, mask func(string) string) []domain.Header {
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

// header is the reverse of headers.
func header(lines []domain.Header) http.Header {
	h := make(http.Header, len(lines))
	for _, line := range lines {
		h.Add(line.Name, line.Value)
	}
	return h
}

// hidden stands where a key stood.
const hidden = "[hidden]"

// maskKey takes a key out of text: as it is, as an address shows it and as PHP
// writes it into JSON.
func maskKey(text, key string) string {
	for _, form := range [...]string{key, url.QueryEscape(key), url.PathEscape(key), strings.ReplaceAll(key, "/", `\/`)} {
		text = strings.ReplaceAll(text, form, hidden)
	}
	return text
}
