package epay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

const (
	askTimeout = 10 * time.Second // for the whole question, unless the lent client has its own
	maxAnswer  = 64 << 10         // bytes; genuine answers have less than two kilobytes
	maxQuoted  = 120              // bytes of a gateway's words in an error
)

// safeClient is a client that follows no redirect and keeps no cookies. Without
// a lent transport it also asks no proxy of the environment: the V1 key is in
// the address.
func safeClient(lent *http.Client) *http.Client {
	client := &http.Client{}
	if lent != nil {
		client.Transport, client.Timeout = lent.Transport, lent.Timeout
	}
	if client.Transport == nil {
		client.Transport = ownTransport()
	}
	if client.Timeout == 0 {
		client.Timeout = askTimeout
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

func ownTransport() *http.Transport {
	return &http.Transport{
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  askTimeout,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConnsPerHost:    4,
		MaxResponseHeaderBytes: 16 << 10,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// asked is the order a question is about.
type asked struct {
	orderNo string
	tradeNo string
}

// Query asks the gateway about one order: V1 by api.php?act=order, V2 by
// /api/pay/query. With a trade number it asks by that, because an order number
// can be used again. An answer that cannot be trusted to be the gateway's
// answer to this question is KindUnavailable, as if none had come; a gateway
// that refuses our account is KindDenied, one that does not understand the
// question KindInvalid.
func (c *Channel) Query(ctx context.Context, q providers.Question) (providers.Answer, error) {
	if q.OrderNo == "" && q.TradeNo == "" {
		return providers.Answer{}, domain.EField(domain.KindInvalid, "order_no", "is missing")
	}
	about := asked{orderNo: q.OrderNo, tradeNo: q.TradeNo}
	request, shown, err := c.question(ctx, about)
	if err != nil {
		return providers.Answer{}, err
	}
	r, err := c.ask(request)
	if err != nil {
		return providers.Answer{}, err
	}
	v, err := c.readAnswer(r, about)
	if err != nil {
		return providers.Answer{}, err
	}
	now := c.clock()
	answer := providers.Answer{Found: v.found, Notice: v.notice, Evidence: c.queryEvidence(request, shown, r, v, now)}
	if v.found {
		answer.Also = v.also
		answer.Notice.Delivery, answer.Notice.Run, answer.Notice.ReceivedAt = q.Delivery, q.Run, now
	}
	for i := range answer.Also {
		answer.Also[i].Delivery, answer.Also[i].Run, answer.Also[i].ReceivedAt = q.Delivery, q.Run, now
	}
	return answer, nil
}

// question is the request, and its target as it may be shown.
func (c *Channel) question(ctx context.Context, about asked) (request *http.Request, shown string, err error) {
	number := Param{fieldOrderNo, about.orderNo}
	if about.tradeNo != "" {
		number = Param{fieldTradeNo, about.tradeNo}
	}
	method, address, body := http.MethodGet, c.cfg.Gateway+"/api.php", ""
	if c.cfg.Version == V2 {
		method, address = http.MethodPost, c.cfg.Gateway+"/api/pay/query"
		if body, err = c.signedQuestion(number); err != nil {
			return nil, "", err
		}
	} else {
		address += "?act=order&" + encode(Params{{fieldPID, c.cfg.PID}, {"key", c.cfg.Key.Reveal()}, number})
	}
	request, err = http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, "", domain.E(domain.KindInternal, "make the question to %s: %s", c.cfg.Gateway, c.scheme.mask(err.Error()))
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "counterfoil")
	if body != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return request, c.scheme.mask(request.URL.RequestURI()), nil
}

func (c *Channel) signedQuestion(number Param) (string, error) {
	now := strconv.FormatInt(c.clock().Unix(), 10)
	fields, err := c.signed(Params{{fieldPID, c.cfg.PID}, number, {fieldTimestamp, now}})
	return encode(fields), err
}

// response is an answer's bytes, our key masked in them.
type response struct {
	status int
	header http.Header
	body   []byte
}

func (c *Channel) ask(request *http.Request) (response, error) {
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
	if len(reply.Header.Values("Content-Encoding")) > 0 {
		return response{}, c.unusable("answered in an encoding that was not asked for")
	}
	// A gateway that echoes the question would put the key into our evidence.
	if masked := c.scheme.mask(string(body)); masked != string(body) {
		body = []byte(masked)
	}
	return response{status: reply.StatusCode, header: reply.Header, body: body}, nil
}

// unanswered is a transport error without the address that net/http puts into
// it: the key is in that. The cause is not wrapped for the same reason, except
// for the end of the context.
func (c *Channel) unanswered(err error) error {
	if cause, ok := errors.AsType[*url.Error](err); ok {
		err = cause.Err
	}
	for _, end := range [...]error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return domain.E(domain.KindUnavailable, "gateway %s did not answer: %w", c.cfg.Gateway, end)
		}
	}
	return c.unusable("did not answer: %s", c.quoted(err.Error()))
}

// unusable is KindUnavailable about this gateway.
func (c *Channel) unusable(format string, args ...any) error {
	return domain.E(domain.KindUnavailable, "gateway %s %w", c.cfg.Gateway, fmt.Errorf(format, args...))
}

// quoted is foreign text for an error: masked, escaped and short.
func (c *Channel) quoted(text string) string {
	text = c.scheme.mask(text)
	if len(text) > maxQuoted {
		text = text[:maxQuoted] + "…"
	}
	return strconv.QuoteToGraphic(text)
}

// queryEvidence keeps an answer. The question of V2 is a signed form, which is
// not kept: the answer names its order itself.
func (c *Channel) queryEvidence(q *http.Request, shown string, r response, v verdict, at time.Time) domain.Evidence {
	return domain.Evidence{
		Kind:    kindQuery,
		Method:  q.Method,
		Target:  shown,
		Status:  r.status,
		Headers: providers.Headers(r.header, c.scheme.mask),
		Body:    bytes.Clone(r.body),
		Remote:  q.URL.Host,
		At:      at,
		Scheme:  v.scheme,
		Key:     v.key,
		Grade:   v.grade,
	}
}
