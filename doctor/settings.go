package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"counterfoil/domain"
)

// settings looks at what concerns the installation as a whole.
func (e *examiner) settings(ctx context.Context) []Finding {
	found := one(e.publicURL(ctx))
	if len(e.Channels) == 0 {
		return append(found, about("channels").warn("none is configured", "enter your channels in counterfoil.yaml", "尚未配置支付渠道"))
	}
	return append(found, e.twins()...)
}

func (e *examiner) publicURL(ctx context.Context) Finding {
	f := about("public_url", e.PublicURL)
	do, zh := "set public_url to the address under which providers reach this API", "public_url 必须是支付平台能访问到的地址"
	if e.PublicURL == "" {
		return f.fail("is not set: no callback address can be derived, and nothing can be placed", do, zh)
	}
	u, err := url.Parse(e.PublicURL)
	if err != nil {
		return f.fail(err.Error(), do, zh)
	}
	if strings.Contains(u.Path, "/callbacks") || strings.Contains(u.Path, "//") || strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/") {
		return f.warn("its path looks wrong: /callbacks/CHANNEL is added to it", "public_url ends before /callbacks, without a slash", "public_url 不含 /callbacks，末尾不带斜杠")
	}
	if e.Mode != domain.ModeLive {
		return f.ok("set; a test store may use any address")
	}
	if near, literal := privateHost(ctx, u.Hostname()); near != "" {
		seen := fmt.Sprintf("%s is %s, which no provider can reach", u.Hostname(), near)
		if literal {
			return f.fail(seen, do, zh)
		}
		return f.warn(seen+" if it means the same to them", do+"; if names mean something else inside your network, probe from outside", zh)
	}
	if u.Scheme != "https" {
		return f.warn("plain http: whoever is on the way can read callbacks", "put a TLS proxy before the API and use https", "建议使用 https 回调地址")
	}
	return f.ok("https, and not a private address")
}

// shared is the carriers' own address space (RFC 6598), private to them.
var shared = netip.MustParsePrefix("100.64.0.0/10")

func private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || shared.Contains(a)
}

// privateHost is the private address that a host name means here, or "".
// Literal tells whether the name itself says so. A name that does not resolve
// is for the probe to find.
func privateHost(ctx context.Context, host string) (address string, literal bool) {
	if a, err := netip.ParseAddr(host); err == nil {
		if private(a) {
			return "a private address", true
		}
		return "", true
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || !strings.Contains(host, ".") {
		return "a name of this machine or network", true
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", false
	}
	for _, a := range addresses {
		if !private(a) {
			return "", false
		}
		address = a.Unmap().String()
	}
	return address, false
}

// twins finds channels for which one signed message is good at two addresses:
// an order number used on both could be credited twice for one payment.
func (e *examiner) twins() []Finding {
	var found []Finding
	for i, a := range e.Channels {
		for _, b := range e.Channels[i+1:] {
			if !twins(a, b) {
				continue
			}
			found = append(found, about("one merchant twice", string(a.ID)+",", string(b.ID)).fail(
				"both are one pid with one key: a callback for one is rightly signed for the other, too",
				"keep one channel for a merchant account and protocol; take the other out once its orders are settled",
				"同一商户号配置了两个渠道：同一回调在两处都验签通过，请只保留一个"))
		}
	}
	if len(found) == 0 {
		found = one(about("channels").ok(fmt.Sprintf("%d configured, no merchant account twice", len(e.Channels))))
	}
	return found
}

func twins(a, b Channel) bool {
	if a.Port == nil || b.Port == nil {
		return false
	}
	x, y := a.Port.Config(), b.Port.Config()
	if x.Provider != y.Provider || x.Protocol != y.Protocol || x.Merchant["pid"] != y.Merchant["pid"] {
		return false
	}
	sameKey := !a.Key.IsZero() && a.Key.Reveal() == b.Key.Reveal()
	return sameKey || strings.EqualFold(x.Gateway, y.Gateway)
}

// usualKey is how many characters Rainbow Epay makes a shared key of.
const usualKey = 32

// channel looks at one channel's settings.
func (e *examiner) channel(ctx context.Context, c Channel) []Finding {
	f := about("settings", string(c.ID))
	if c.Err != nil {
		return one(f.fail(c.Err.Error(), "mend it in counterfoil.yaml; `counterfoil config check` says when it is good", "渠道配置有误"))
	}
	cfg := c.Port.Config()
	var found []Finding
	md5 := len(cfg.Secrets) > 0 && len(cfg.PublicKeys) == 0
	if md5 && cfg.Confirm == domain.ConfirmNever {
		found = append(found, f.warn("confirm_by_query is never, and one shared key signs both orders and callbacks: whoever learns it can credit anything",
			"set confirm_by_query: always, unless this gateway has no query", "共享密钥渠道建议 confirm_by_query: always"))
	}
	if n := len(c.Key.Reveal()); md5 && n != usualKey {
		found = append(found, f.warn(fmt.Sprintf("the key has %d characters, gateways of this kind make them of %d", n, usualKey),
			"compare it with the merchant page: a part may be missing or a blank too many", "密钥长度异常：请核对是否少复制或多了空格"))
	}
	if u, err := url.Parse(cfg.Gateway); err == nil && u.Scheme == "http" && !(c.Test && local(ctx, u.Hostname())) {
		found = append(found, f.warn("the gateway is asked over plain http: the key travels in clear, and an answer can be forged on the way",
			"use the gateway's https address", "网关请使用 https"))
	}
	if len(found) == 0 {
		found = one(f.ok(fmt.Sprintf("%s %s, pid %s, confirm_by_query %s", cfg.Provider, cfg.Protocol, cfg.Merchant["pid"], cfg.Confirm)))
	}
	return found
}

func local(ctx context.Context, host string) bool {
	address, _ := privateHost(ctx, host)
	return address != ""
}
