package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"counterfoil/domain"
)

// finish fills what follows from other fields and checks everything; the
// first wrong field is named.
func (c *Config) finish() error {
	if err := c.checkTop(); err != nil {
		return err
	}
	if err := c.checkReconciler(); err != nil {
		return err
	}
	if err := c.Tree.check(); err != nil {
		return err
	}
	if err := c.Bills.finish(c.Dir); err != nil {
		return err
	}
	for _, id := range c.ChannelIDs() {
		ch := c.Channels[string(id)]
		ch.ID = id
		if err := ch.finish(c.Dir); err != nil {
			return err
		}
		c.Channels[string(id)] = ch
	}
	return nil
}

// ChannelIDs are the configured channels, sorted.
func (c *Config) ChannelIDs() []domain.ChannelID {
	out := make([]domain.ChannelID, 0, len(c.Channels))
	for id := range c.Channels {
		out = append(out, domain.ChannelID(id))
	}
	slices.Sort(out)
	return out
}

// ChannelZone is the zone of a channel's days; UTC for a channel that is not
// configured.
func (c *Config) ChannelZone(id domain.ChannelID) *time.Location {
	zone, err := time.LoadLocation(c.Channels[string(id)].Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// DrawZone is the zone of the days of draws.
func (c *Config) DrawZone() *time.Location {
	zone, err := time.LoadLocation(c.Draws.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

func wrong(field string, value any, want string) error {
	return domain.EField(domain.KindInvalid, field, "%q: %s", value, want)
}

func (c *Config) checkTop() error {
	if err := c.checkStore(); err != nil {
		return err
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" &&
		(err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.User != nil) {
		return wrong("public_url", withoutLogin(c.PublicURL), "must be an http(s) address without query, e.g. https://pay.example.com")
	}
	for _, l := range [][2]string{
		{"listen", c.Listen}, {"ops_listen", c.OpsListen}, {"reconciler.ops_listen", c.Reconciler.OpsListen},
	} {
		if _, _, err := net.SplitHostPort(l[1]); err != nil {
			return wrong(l[0], l[1], "must be host:port, e.g. 127.0.0.1:8080")
		}
	}
	if !slices.Contains([]string{"json", "text"}, c.LogFormat) {
		return wrong("log_format", c.LogFormat, "must be json or text")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return wrong("log_level", c.LogLevel, "must be debug, info, warn or error")
	}
	for _, p := range c.Limits.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			return wrong("limits.trusted_proxies", p, "must be a CIDR such as 10.0.0.0/8")
		}
	}
	if c.Limits.ConnsPerAddress < 1 {
		return domain.EField(domain.KindInvalid, "limits.conns_per_address", "%d: must be at least 1", c.Limits.ConnsPerAddress)
	}
	if c.Limits.CacheMB < 8 || c.Limits.CacheMB > 16384 {
		return domain.EField(domain.KindInvalid, "limits.cache_mb", "%d: must be 8 to 16384", c.Limits.CacheMB)
	}
	if _, err := time.LoadLocation(c.Draws.Zone); err != nil || c.Draws.Zone == "" || c.Draws.Zone == "Local" {
		return wrong("draws.zone", c.Draws.Zone, "must be an IANA time zone, e.g. Asia/Shanghai")
	}
	return between("limits.reply_within", c.Limits.ReplyWithin, 100*time.Millisecond, 30*time.Second)
}

func between(field string, d, low, high time.Duration) error {
	if d < low || d > high {
		return domain.EField(domain.KindInvalid, field, "%s: must be %s to %s", d, low, high)
	}
	return nil
}

func (c *Config) checkReconciler() error {
	r := c.Reconciler
	for _, d := range []struct {
		field     string
		value     time.Duration
		low, high time.Duration
	}{
		{"payments.expire_after", c.Payments.ExpireAfter, time.Minute, 90 * 24 * time.Hour},
		{"reconciler.sweep_every", r.SweepEvery, 100 * time.Millisecond, time.Hour},
		{"reconciler.first_ask", r.FirstAsk, 0, time.Hour},
		{"reconciler.self_check_every", r.SelfCheck, time.Second, 24 * time.Hour},
		{"alerts.held_after", c.Alerts.HeldAfter, time.Second, 24 * time.Hour},
		{"alerts.silence_after", c.Alerts.SilenceAfter, 0, 30 * 24 * time.Hour},
	} {
		if err := between(d.field, d.value, d.low, d.high); err != nil {
			return err
		}
	}
	switch {
	case r.Pace < 1 || r.Pace > 1e5:
		return domain.EField(domain.KindInvalid, "reconciler.pace", "%v: must be 1 to 100000", r.Pace)
	case r.Queries < 1 || r.Queries > 256:
		return domain.EField(domain.KindInvalid, "reconciler.queries", "%d: must be 1 to 256", r.Queries)
	case r.AskPerSecond <= 0 || r.AskPerSecond > 10000:
		return domain.EField(domain.KindInvalid, "reconciler.ask_per_second", "%v: must be above 0, to 10000", r.AskPerSecond)
	}
	return nil
}
