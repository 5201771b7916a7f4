package stage

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// newTransport dials directly, never by a proxy from the environment, and does
// not check certificates, as some gateways do not: the merchant under test may
// have signed its own.
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

// transportFor is the shared transport, or one of its own for a message that
// travels badly. A transport that was handed in carries all alike.
func (s *sender) transportFor(shot Shot) http.RoundTripper {
	if !s.own {
		return s.transport
	}
	switch shot.Manner {
	case Dribbled:
		return newTransport(func(c net.Conn) net.Conn { return &slowConn{Conn: c, pause: shot.Over / slowSteps} })
	case BreakingOff:
		return newTransport(func(c net.Conn) net.Conn { return &brokenConn{Conn: c} })
	case Plainly, HangingUp:
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
