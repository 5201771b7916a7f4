package httpapi

import (
	"net"
	"net/netip"
	"sync"
)

// LimitPerAddress closes connections beyond limit from one address, so that
// one stranger cannot take them all. Trusted proxies stand for many people and
// are not limited.
func LimitPerAddress(l net.Listener, limit int, trusted []string) net.Listener {
	p, err := parseProxies(trusted)
	if err != nil {
		p = nil // the configuration was checked; without proxies the limit is only stricter
	}
	return &limited{Listener: l, limit: limit, trusted: p, open: map[netip.Addr]int{}}
}

type limited struct {
	net.Listener
	limit   int
	trusted proxies
	mu      sync.Mutex
	open    map[netip.Addr]int
}

// Accept waits for the next connection within its address's limit.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		at, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil || l.trusted.trusts(at.Addr()) {
			return c, nil
		}
		if l.enter(at.Addr()) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { l.leave(at.Addr()) })}, nil
		}
		_ = c.Close()
	}
}

func (l *limited) enter(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[a] >= l.limit {
		return false
	}
	l.open[a]++
	return true
}

func (l *limited) leave(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[a]--; l.open[a] <= 0 {
		delete(l.open, a)
	}
}

// counted gives its place back when it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close closes the connection, once.
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
