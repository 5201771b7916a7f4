package stripe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

const (
	askTimeout = 10 * time.Second // for one question, unless the lent client has its own
	maxAnswer  = 8 << 20          // bytes; a page of a hundred whole objects has up to one megabyte
	maxQuoted  = 120              // bytes of Stripe's words in an error
	hidden     = "[hidden]"       // stands where a key stood
)

// safeClient is a client that follows no redirect and keeps no cookies. Without
// a lent transport it also asks no proxy of the environment.
func safeClient(lent *http.Client) *http.Client {
	client := &http.Client{}
	if lent != nil {
		client.Transport, client.Timeout = lent.Transport, lent.Timeout
	}
	if client.Transport == nil {
		client.Transport = &http.Transport{
			TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: askTimeout, IdleConnTimeout: 30 * time.Second,
			MaxIdleConnsPerHost: 4, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		}
	}
	if client.Timeout == 0 {
		client.Timeout = askTimeout
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// response is an answer, with our keys masked.
type response struct {
	target string
	host   string
	status int
	header http.Header
	body   []byte
}

// get asks one question of the API. It fails with KindUnavailable only, or
// KindInternal where no question could be made.
func (c *Channel) get(ctx context.Context, path string, query url.Values) (response, error) {
	address := c.cfg.Gateway + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return response{}, domain.E(domain.KindInternal, "make a question to %s: %w", c.cfg.Gateway, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.cfg.APIKey.Reveal())
	request.Header.Set("Stripe-Version", c.cfg.APIVersion)
	request.Header.Set("User-Agent", "counterfoil")
	if c.cfg.Account != "" {
		request.Header.Set("Stripe-Account", c.cfg.Account)
	}
	reply, err := c.client.Do(request)
	if err != nil {
		return response{}, c.unanswered(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxAnswer+1))
	if err != nil {
		return response{}, c.unanswered(err)
	}
	if len(body) > maxAnswer {
		return response{}, c.unusable("answered with more than %d bytes", maxAnswer)
	}
	return response{
		target: request.URL.RequestURI(), host: request.URL.Host, status: reply.StatusCode, header: reply.Header, body: c.masked(body),
	}, nil
}

// and is two good answers as one: their targets with a blank between them, which
// no target has inside, and their bodies, each of which is JSON and ends by
// itself.
func (r response) and(more response) response {
	r.target += " " + more.target
	r.body = slices.Concat(r.body, more.body)
	return r
}

// masked takes our keys out of an answer that echoes them, since answers become
// evidence.
func (c *Channel) masked(body []byte) []byte {
	for _, s := range c.keys() {
		body = bytes.ReplaceAll(body, []byte(s), []byte(hidden))
	}
	return body
}

func (c *Channel) keys() []string {
	keys := []string{c.cfg.APIKey.Reveal()}
	for _, s := range c.secrets {
		keys = append(keys, string(s.key))
	}
	for _, s := range c.retired {
		keys = append(keys, string(s.key))
	}
	return keys
}

// unanswered is a transport error in one line.
func (c *Channel) unanswered(err error) error {
	if cause, ok := errors.AsType[*url.Error](err); ok {
		err = cause.Err
	}
	return c.unusable("did not answer: %w", err)
}

// unusable is KindUnavailable about the API.
func (c *Channel) unusable(format string, args ...any) error {
	return domain.E(domain.KindUnavailable, "%s %w", c.cfg.Gateway, fmt.Errorf(format, args...))
}

// fault is the error of an answer that is neither 200 nor a missing object:
// KindDenied for a key that is refused, KindInvalid for a question that is not
// understood, else KindUnavailable.
func (c *Channel) fault(status int, o object) error {
	kind := domain.KindUnavailable
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = domain.KindDenied
	case http.StatusBadRequest:
		kind = domain.KindInvalid
	}
	e := o.sub("error")
	return domain.E(kind, "%s answered with status %d %s: %s", c.cfg.Gateway, status, quoted(e.text("code")), quoted(e.text("message")))
}

// quoted is foreign text for an error: escaped and short.
func quoted(text string) string {
	if len(text) > maxQuoted {
		text = text[:maxQuoted] + "…"
	}
	return strconv.QuoteToGraphic(text)
}

// missing reports the one answer that means "no such object".
func missing(status int, o object) bool {
	return status == http.StatusNotFound && o.sub("error").text("code") == "resource_missing"
}

// evidence keeps an answer.
func (c *Channel) evidence(r response, at time.Time) domain.Evidence {
	e := domain.Evidence{
		Kind: kindQuery, Method: http.MethodGet, Target: r.target, Status: r.status,
		Headers: providers.Headers(r.header, nil), Body: r.body, Remote: r.host, At: at,
		Scheme: SchemeHTTPS, Grade: domain.GradeC,
	}
	if len(c.cfg.Gateway) > 5 && c.cfg.Gateway[:5] == "http:" {
		e.Scheme = SchemeHTTP
	}
	return e
}
