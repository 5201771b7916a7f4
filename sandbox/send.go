package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"counterfoil/providers/epay"
)

// manner is how a message travels.
type manner uint8

const (
	plainly     manner = iota
	dribbled           // a few bytes at a time, and reads as slowly
	hangingUp          // leaves before the answer
	breakingOff        // leaves in the middle of the request
)

// maxAnswer is how much of an answer is read, in bytes; keptAnswer how much of
// it is remembered.
const (
	maxAnswer  = 64 << 10
	keptAnswer = 256
)

// outgoing is a message about to be sent.
type outgoing struct {
	kind    string
	genuine bool
	try     int
	fields  epay.Params // signed
	post    bool
	manner  manner
	over    time.Duration // real time that a dribbled request takes
}

// sender makes HTTP requests the way the servers do.
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

// newTransport dials directly, never by a proxy from the environment, and like
// Rainbow does not check certificates: the merchant under test may have signed
// its own.
func newTransport(wrap func(net.Conn) net.Conn) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	t := &http.Transport{
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DialContext:         dialer.DialContext,
	}
	if wrap == nil {
		return t
	}
	t.DisableKeepAlives = true
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(c), nil
	}
	return t
}

func (s *sender) closeIdle() {
	if t, ok := s.transport.(*http.Transport); ok && s.own {
		t.CloseIdleConnections()
	}
}

// answer is what came back.
type answer struct {
	status int
	body   string
}

// send makes one request within the merchant's timeout.
func (s *sender) send(ctx context.Context, m *merchant, method, address, form string, out outgoing) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, m.habits.timeout)
	defer cancel()
	if out.manner == hangingUp {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			WroteRequest: func(httptrace.WroteRequestInfo) { cancel() },
		})
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form)) //nolint:gosec // calling the address of a signed order is what a gateway does
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (Epay sandbox)")
	req.Header.Set("Accept", "*/*")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{Transport: s.transportFor(out)}
	if !m.habits.redirects {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return read(client.Do(req)) //nolint:gosec // see above
}

func read(resp *http.Response, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return answer{resp.StatusCode, string(body)}, err
}

// transportFor is the shared transport, or one of its own for a message that
// travels badly. A transport that was handed in carries all alike.
func (s *sender) transportFor(out outgoing) http.RoundTripper {
	if !s.own {
		return s.transport
	}
	switch out.manner {
	case dribbled:
		return newTransport(func(c net.Conn) net.Conn { return &slowConn{Conn: c, pause: out.over / slowSteps} })
	case breakingOff:
		return newTransport(func(c net.Conn) net.Conn { return &brokenConn{Conn: c} })
	case plainly, hangingUp:
		return s.transport
	}
	return s.transport
}

// slowSteps is into how many pieces a dribbled request is cut.
const slowSteps = 20

// slowConn writes and reads in small pieces with a pause after each.
type slowConn struct {
	net.Conn
	pause time.Duration
}

// Write sends p in pieces.
func (c *slowConn) Write(p []byte) (n int, err error) {
	size := max(1, (len(p)+slowSteps-1)/slowSteps)
	for len(p) > 0 {
		piece := p[:min(size, len(p))]
		wrote, err := c.Conn.Write(piece)
		n += wrote
		if err != nil {
			return n, err
		}
		p = p[len(piece):]
		time.Sleep(c.pause)
	}
	return n, nil
}

// Read takes in a few bytes only.
func (c *slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:min(16, len(p))])
	time.Sleep(c.pause / slowSteps)
	return n, err
}

var errBrokenOff = errors.New("the connection broke in the middle of the request, as planted")

// brokenConn closes after half of the first write.
type brokenConn struct{ net.Conn }

// Write sends the first half of p and closes.
func (c *brokenConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	return n, errors.Join(errBrokenOff, c.Conn.Close())
}
