package wechatpay

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
)

const (
	askTimeout = 10 * time.Second // for one question, unless the lent client has its own
	maxAnswer  = 256 << 10        // bytes; certificates have the longest, some ten kilobytes
	maxQuoted  = 120              // bytes of foreign words in an error
)

// safeClient is a client that follows no redirect, keeps no cookies and, without
// a lent transport, asks no proxy of the environment.
func safeClient(lent *http.Client) *http.Client {
	client := &http.Client{}
	if lent != nil {
		client.Transport, client.Timeout = lent.Transport, lent.Timeout
	}
	if client.Transport == nil {
		client.Transport = ownTransport()
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

// response is an answer's bytes.
type response struct {
	status int
	header http.Header
	body   []byte
}

// SignRequest is the Authorization of a v3 request (request signature page of
// v3). target is the path with its query as on the wire.
func SignRequest(mchID, serial, method, target, timestamp, nonce, body string, sign func([]byte) (string, error)) (string, error) {
	signature, err := sign(Message(method, target, timestamp, nonce, body))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`%s mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		AuthScheme, mchID, nonce, timestamp, serial, signature), nil
}

// newNonce is a fresh nonce of 32 characters.
func newNonce() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	return strings.ToUpper(hex.EncodeToString(raw[:]))
}

// requestV3 is a signed request to an address of the gateway's host.
func (c *Channel) requestV3(ctx context.Context, method, address, body string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, domain.E(domain.KindInternal, "make a request to %s: %w", c.cfg.Gateway, err)
	}
	now := strconv.FormatInt(c.clock().Unix(), 10)
	sign := func(text []byte) (string, error) { return SignRSA(text, c.v3.merchant) }
	auth, err := SignRequest(c.cfg.MchID, c.v3.serial, method, r.URL.RequestURI(), now, newNonce(), body, sign)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", auth)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "counterfoil")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if id := c.v3.platform.publicKeyID(); id != "" {
		r.Header.Set(HeaderSerial, id) // asks for answers signed with it
	}
	return r, nil
}

// askV3 sends a request under the gateway's address and reads its whole answer.
func (c *Channel) askV3(ctx context.Context, method, target, body string) (response, error) {
	r, err := c.requestV3(ctx, method, c.cfg.Gateway+target, body)
	if err != nil {
		return response{}, err
	}
	return c.ask(r)
}

// askV2 sends a signed v2 question.
func (c *Channel) askV2(ctx context.Context, path string, fields Fields) (response, error) {
	r, err := c.requestV2(ctx, path, fields)
	if err != nil {
		return response{}, err
	}
	return c.ask(r)
}

func (c *Channel) requestV2(ctx context.Context, path string, fields Fields) (*http.Request, error) {
	fields = append(c.namesV2(), fields...)
	fields = append(fields, Field{fieldSign, SignFields(fields, c.v2.key, c.v2.signType)})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.Gateway+path, bytes.NewReader(AppendXML(nil, "xml", fields)))
	if err != nil {
		return nil, domain.E(domain.KindInternal, "make a request to %s: %w", c.cfg.Gateway, err)
	}
	r.Header.Set("Content-Type", "text/xml")
	r.Header.Set("User-Agent", "counterfoil")
	return r, nil
}

// namesV2 is what every v2 question begins with.
func (c *Channel) namesV2() Fields {
	f := Fields{
		{fieldAppID, c.cfg.AppIDs[0]},
		{fieldMchIDV2, c.cfg.MchID},
		{fieldNonceV2, newNonce()},
		{fieldSignType, c.v2.signType},
	}
	if c.cfg.SubMchID != "" {
		f = append(f, Field{fieldSubMchIDV2, c.cfg.SubMchID})
	}
	return f
}

func (c *Channel) ask(r *http.Request) (response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	reply, err := c.client.Do(r.WithContext(ctx))
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
	return response{status: reply.StatusCode, header: reply.Header, body: body}, nil
}

// unanswered is a transport error.
func (c *Channel) unanswered(err error) error {
	if cause, ok := errors.AsType[*url.Error](err); ok {
		err = cause.Err
	}
	return domain.E(domain.KindUnavailable, "WeChat Pay at %s did not answer: %w", c.cfg.Gateway, err)
}

// unusable is KindUnavailable about this gateway.
func (c *Channel) unusable(format string, args ...any) error {
	return domain.E(domain.KindUnavailable, "WeChat Pay at %s %w", c.cfg.Gateway, fmt.Errorf(format, args...))
}

// quoted is foreign text for an error: escaped and short.
func quoted(text string) string {
	if len(text) > maxQuoted {
		text = text[:maxQuoted] + "…"
	}
	return strconv.QuoteToGraphic(text)
}

// codeOf is the error code of an answer and its words; "" for what is no error
// in v3's form. An error decides nothing about money, so its form is all that
// is asked of it.
func codeOf(r response) (code, message string) {
	m, err := jsonLimits.Object(r.body)
	if err != nil {
		return "", ""
	}
	code, _ = m.String("code")
	message, _ = m.String("message")
	return code, message
}

// failure is an error for an answer that is not the wanted one (error code pages
// of v3). Rate limits and their own trouble mean: ask again later.
func (c *Channel) failure(r response) error {
	code, message := codeOf(r)
	kind := domain.KindUnavailable
	switch {
	case code == "":
		return c.unusable("answered with status %d", r.status)
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		kind = domain.KindDenied
	case r.status == http.StatusBadRequest && (code == "PARAM_ERROR" || code == "INVALID_REQUEST"):
		kind = domain.KindInvalid
	}
	return domain.E(kind, "WeChat Pay at %s answered with status %d, %s: %s", c.cfg.Gateway, r.status, quoted(code), quoted(message))
}

// provenBody verifies a v3 answer and reads it; at is the time by which keys
// count. An answer that is not provably WeChat's is as none.
func (c *Channel) provenBody(r response, at time.Time) (strictjson.Members, *platformKey, error) {
	key, unknown, err := c.v3.proven(r.header, r.body, at)
	if err != nil {
		c.missKey(unknown)
		return nil, nil, c.unusable("answered with status %d: %w", r.status, err)
	}
	if len(r.body) == 0 {
		return nil, key, nil
	}
	m, err := jsonLimits.Object(r.body)
	if err != nil {
		return nil, nil, c.unusable("answered with something else than JSON: %w", err)
	}
	return m, key, nil
}
