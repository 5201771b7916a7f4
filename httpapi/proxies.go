package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"counterfoil/domain"
)

// proxies are the addresses whose X-Forwarded-For is believed.
type proxies []netip.Prefix

func parseProxies(cidrs []string) (proxies, error) {
	out := make(proxies, 0, len(cidrs))
	for _, c := range cidrs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			return nil, domain.EField(domain.KindInvalid, "limits.trusted_proxies", "%q is no CIDR", c)
		}
		out = append(out, p)
	}
	return out, nil
}

func (p proxies) trusts(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// client is the address of whoever speaks to us: the peer, or behind trusted
// proxies the rightmost hop that is none. It is for logs and limits, never
// proof of anything.
func (p proxies) client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	at, err := netip.ParseAddr(host)
	if err != nil || !p.trusts(at) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return host
		}
		host = hop.Unmap().String()
		if !p.trusts(hop) {
			return host
		}
	}
	return host
}
