package alipay

import (
	"cmp"
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
	"counterfoil/internal/strictjson"
)

const (
	askTimeout = 10 * time.Second // for a whole question, unless the lent client has its own
	maxAnswer  = 256 << 10        // bytes; genuine answers have less than ten kilobytes
	maxQuoted  = 160              // bytes of Alipay's words in an error
)

// Codes of an answer (Alipay, common error codes).
const (
	codeOK       = "10000"
	codeBusy     = "20000" // service not available: ask again
	codeNoAuth   = "20001"
	codeMissing  = "40001"
	codeWrong    = "40002"
	codeBusiness = "40004" // sub_code says which
	codeNoRight  = "40006"
)

// Words of sub_code that decide something.
const (
	subNoTrade     = "ACQ.TRADE_NOT_EXIST"
	subNoBill      = "isp.bill_not_exist"
	subWrongSign   = "isv.invalid-signature"
	subWrongApp    = "isv.invalid-app-id"
	subWrongAppOld = "isv.missing-app-id"
	subLimited     = "call-limited" // ends isv.app-call-limited and isv.method-call-limited
)

// safeClient is a client that follows no redirect and keeps no cookies, and how
// long it may take for one question. Without a lent transport it also asks no
// proxy of the environment.
func safeClient(lent *http.Client) (client *http.Client, timeout time.Duration) {
	client, timeout = &http.Client{}, askTimeout
	if lent != nil {
		client.Transport = lent.Transport
		timeout = cmp.Or(lent.Timeout, askTimeout)
	}
	if client.Transport == nil {
		client.Transport = &http.Transport{
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  askTimeout,
			IdleConnTimeout:        30 * time.Second,
			MaxIdleConnsPerHost:    4,
			MaxResponseHeaderBytes: 16 << 10,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
		}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client, timeout
}

// response is an answer's bytes.
type response struct {
	status int
	header http.Header
	body   []byte
	target string
	remote string
}

// call asks the gateway one signed question.
func (c *Channel) call(ctx context.Context, method, content string) (response, error) {
	fields, err := c.request(method, content, c.clock())
	if err != nil {
		return response{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address(), strings.NewReader(Encode(inBody(fields))))
	if err != nil {
		return response{}, domain.E(domain.KindInternal, "make the question to %s: %w", c.cfg.Gateway, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "counterfoil")
	reply, err := c.client.Do(request)
	if err != nil {
		return response{}, c.unanswered(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxAnswer+1))
	switch {
	case err != nil:
		return response{}, c.unanswered(err)
	case len(body) > maxAnswer:
		return response{}, c.unusable("answered with more than %d bytes", maxAnswer)
	case len(reply.Header.Values("Content-Encoding")) > 0:
		return response{}, c.unusable("answered in an encoding that was not asked for")
	}
	return response{reply.StatusCode, reply.Header, body, request.URL.RequestURI(), request.URL.Host}, nil
}

// envelope is an opened answer: what was signed in it, and by which key.
type envelope struct {
	members strictjson.Members
	code    string
	subCode string
	key     string
}

// open verifies an answer to method (Alipay, verifying a synchronous answer):
// what is signed are the bytes of the inner object as they were sent. Whatever
// is not signed says nothing, error_response included: it is KindUnavailable.
func (c *Channel) open(r response, method string) (envelope, error) {
	if r.status != http.StatusOK {
		return envelope{}, c.unusable("answered with status %d", r.status)
	}
	outer, err := strictjson.Limits{MaxBytes: maxAnswer, MaxDepth: 16}.Object(r.body)
	if err != nil {
		if strings.HasPrefix(strings.TrimSpace(string(r.body)), "<") {
			return envelope{}, c.unusable("answered with a web page")
		}
		return envelope{}, c.unusable("answered with something else than JSON: %w", err)
	}
	inner := outer.Value(answerName(method))
	if inner == "" {
		return envelope{}, c.unknownAnswer(outer)
	}
	text, _ := outer.String(fieldSign)
	sign, ok := decodeSign(text)
	if !ok {
		return envelope{}, c.unusable("answered without a signature")
	}
	key := c.proof([]byte(inner), sign)
	if key == "" {
		return envelope{}, c.unusable("answered with a signature that does not hold")
	}
	members, err := inner.Object()
	if err != nil {
		return envelope{}, c.unusable("answered with no object: %w", err)
	}
	return envelopeOf(members, key), nil
}

func envelopeOf(members strictjson.Members, key string) envelope {
	e := envelope{members: members, key: key}
	e.code, _ = members.Text("code")
	e.subCode, _ = members.String("sub_code")
	return e
}

// answerName is the member that holds the answer to a method.
func answerName(method string) string { return strings.ReplaceAll(method, ".", "_") + "_response" }

func (c *Channel) unknownAnswer(outer strictjson.Members) error {
	inner, err := outer.Value(fieldErrorAnswer).Object()
	if err != nil {
		return c.unusable("answered another question")
	}
	code, _ := inner.Text("code")
	sub, _ := inner.Text("sub_code")
	msg, _ := inner.Text("sub_msg")
	return c.unusable("answered without a signature: %s %s %s", c.quoted(code), c.quoted(sub), c.quoted(msg))
}

// failure is the error for a signed answer that is not what was asked for.
func (c *Channel) failure(e envelope) error {
	msg, _ := e.members.String("msg")
	if sub, ok := e.members.String("sub_msg"); ok {
		msg = sub
	}
	kind, meaning := domain.KindUnavailable, "answered with code"
	switch {
	case e.code == codeNoAuth || e.code == codeNoRight, e.subCode == subWrongSign || e.subCode == subWrongApp || e.subCode == subWrongAppOld:
		kind, meaning = domain.KindDenied, "refuses this application, code"
	case strings.HasSuffix(e.subCode, subLimited): // come again
	case e.code == codeMissing || e.code == codeWrong:
		kind, meaning = domain.KindInvalid, "does not take the question, code"
	}
	return domain.E(kind, "gateway %s %s %s %s: %s", c.cfg.Gateway, meaning, c.quoted(e.code), c.quoted(e.subCode), c.quoted(msg))
}

// unanswered is a transport error, without the long address in front.
func (c *Channel) unanswered(err error) error {
	if cause, ok := errors.AsType[*url.Error](err); ok {
		err = cause.Err
	}
	return c.unusable("did not answer: %w", err)
}

// unusable is KindUnavailable about the gateway.
func (c *Channel) unusable(format string, args ...any) error {
	return domain.E(domain.KindUnavailable, "gateway %s %w", c.cfg.Gateway, fmt.Errorf(format, args...))
}

// quoted is foreign text for an error: escaped and short.
func (c *Channel) quoted(text string) string {
	if len(text) > maxQuoted {
		text = text[:maxQuoted] + "…"
	}
	return strconv.QuoteToGraphic(text)
}
