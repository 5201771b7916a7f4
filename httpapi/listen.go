package httpapi

import (
	"net"
	"net/netip"
	"sync"
)

// LimitPerAddress closes connections beyond limit from one address (of IPv6: one
// /64), so that one stranger cannot take them all. Trusted proxies stand for
// many people and are not limited.
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
		if who := sameHands(at.Addr()); l.enter(who) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { l.leave(who) })}, nil
		}
		_ = c.Close()
	}
}

// sameHands stands for every address that one stranger surely has: an IPv6
// customer gets a whole /64.
func sameHands(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is4() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Masked().Addr()
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
