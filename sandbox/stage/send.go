package stage

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// Manner is how a message travels.
type Manner uint8

// The manners.
const (
	Plainly     Manner = iota
	Dribbled           // a few bytes at a time, and reads as slowly
	HangingUp          // leaves before the answer
	BreakingOff        // leaves in the middle of the request
)

// maxAnswer is how much of an answer is read, in bytes; keptAnswer how much of
// it is remembered.
const (
	maxAnswer  = 64 << 10
	keptAnswer = 256
)

// Shot is what distinguishes one attempt to send a message from the others.
type Shot struct {
	Kind    string // "callback", "refund" and so on; or the class (and variant) of the fault that sends it
	Genuine bool   // the provider itself says so, and what it says is true
	Try     int    // 1 for the first of a series
	Manner  Manner
	Over    time.Duration // real time that a dribbled request takes
}

// Delivery is a message about to be sent, signed and complete.
type Delivery struct {
	Face     string // what it is logged under
	Merchant string
	TradeNo  string // the provider's number of what it is about
	OrderNo  string // the merchant's
	Shot

	Method  string
	URL     string
	Header  http.Header
	Body    string
	Timeout time.Duration // 0 means 10 s

	Redirects bool // follows them
	// Accepts says whether an answer ends the retries; nil accepts none. It is
	// not asked when there was no answer at all.
	Accepts func(Answer) bool
}

// Answer is what came back. Status is 0 when nothing did.
type Answer struct {
	Status   int
	Body     string // at most 64 KiB of it
	Err      error  // why there was no answer, or not all of it
	Accepted bool   // by the rule of the delivery
}

// Send sends one message, records the attempt and judges the answer. A body
// that broke off is judged by what came of it, as curl does.
func (s *Stage) Send(ctx context.Context, d Delivery) Answer {
	began := s.clock.wall()
	got := s.sender.send(ctx, d)
	got.Accepted = got.Status != 0 && d.Accepts != nil && d.Accepts(got)
	a := Attempt{
		At: began, Face: d.Face, Merchant: d.Merchant, TradeNo: d.TradeNo, OrderNo: d.OrderNo, Kind: d.Kind,
		Genuine: d.Genuine, Try: d.Try, Method: d.Method, URL: d.URL, Form: d.Body, Status: got.Status,
		Body: CutText(got.Body, keptAnswer), Accepted: got.Accepted,
		Took: Duration(s.clock.wall().Sub(began).Round(10 * time.Microsecond)),
	}
	if got.Err != nil {
		a.Error = reason(got.Err)
	}
	s.log.add(a)
	s.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "callback sent", slog.String("face", d.Face),
		slog.String("merchant", d.Merchant), slog.String("trade_no", d.TradeNo), slog.String("kind", a.Kind),
		slog.Int("status", a.Status), slog.Bool("accepted", a.Accepted), slog.Duration("took", time.Duration(a.Took)))
	return got
}

// Trouble is why an answer was not accepted, in a few words.
func (a Answer) Trouble() string {
	if a.Err != nil {
		return reason(a.Err)
	}
	return "answered " + http.StatusText(a.Status) + ": " + CutText(a.Body, 80)
}

// reason is why a request failed, without the long address in front.
func reason(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return err.Error()
}

// sender makes HTTP requests the way the providers' servers do.
type sender struct {
	transport http.RoundTripper
	own       bool // transport is ours, with real connections
}

// newSender takes a transport to use, or makes one that keeps connections to
// each target open.
func newSender(t http.RoundTripper) *sender {
	if t != nil {
		return &sender{transport: t}
	}
	return &sender{transport: newTransport(nil), own: true}
}

func (s *sender) closeIdle() {
	if t, ok := s.transport.(*http.Transport); ok && s.own {
		t.CloseIdleConnections()
	}
}

// send makes one request within its timeout.
func (s *sender) send(ctx context.Context, d Delivery) Answer {
	timeout := d.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if d.Manner == HangingUp {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			WroteRequest: func(httptrace.WroteRequestInfo) { cancel() },
		})
	}
	req, err := http.NewRequestWithContext(ctx, d.Method, d.URL, strings.NewReader(d.Body))
	if err != nil {
		return Answer{Err: err}
	}
	for name, values := range d.Header {
		req.Header[name] = values
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "Mozilla/5.0 (sandbox)")
	}
	client := &http.Client{Transport: s.transportFor(d.Shot)}
	if !d.Redirects {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return read(client.Do(req))
}

func read(resp *http.Response, err error) Answer {
	if err != nil {
		return Answer{Err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return Answer{Status: resp.StatusCode, Body: string(body), Err: err}
}
