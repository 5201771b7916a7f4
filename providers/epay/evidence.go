package epay

import (
	"bytes"
	"net/url"
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
		Headers: providers.Headers(m.header, nil),
		Body:    bytes.Clone(m.body),
		Remote:  r.Remote,
		At:      r.ReceivedAt,
		Scheme:  c.scheme.name(),
		Key:     c.scheme.mark(),
		Grade:   c.scheme.grade(),
	}
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
