package config

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
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

func wrong(field string, value any, want string) error {
	return domain.EField(domain.KindInvalid, field, "%q: %s", value, want)
}

func (c *Config) checkTop() error {
	if err := c.checkStore(); err != nil {
		return err
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" &&
		(err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.User != nil) {
		return wrong("public_url", c.PublicURL, "must be an http(s) address without query, e.g. https://pay.example.com")
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

func (ch *Channel) finish(dir string) error {
	field := func(name string) string { return "channels." + string(ch.ID) + "." + name }
	if _, err := domain.ParseChannelID(string(ch.ID)); err != nil {
		return wrong("channels", string(ch.ID), "a channel's id is 1 to 32 of a-z, 0-9 and -, not beginning with -")
	}
	if ch.Currency == "" {
		ch.Currency = "CNY"
	}
	if ch.Zone == "" {
		ch.Zone = "Asia/Shanghai"
	}
	if ch.Funds == "" {
		ch.Funds = "gateway"
	}
	if _, err := domain.ParseCurrency(ch.Currency); err != nil {
		return wrong(field("currency"), ch.Currency, "must be an ISO 4217 code in capitals, e.g. CNY")
	}
	if _, err := time.LoadLocation(ch.Zone); err != nil {
		return wrong(field("zone"), ch.Zone, "must be an IANA time zone, e.g. Asia/Shanghai")
	}
	if ch.Funds != "gateway" && ch.Funds != "own_account" {
		return wrong(field("funds"), ch.Funds, "must be gateway or own_account")
	}
	if ch.Provider == "" {
		return wrong(field("provider"), ch.Provider, "must name the provider, e.g. epay")
	}
	if err := ch.readSecrets(dir, field); err != nil {
		return err
	}
	return ch.parseConfirm(field("confirm_by_query"))
}

// readSecrets fills keys from their files. A key given twice is an error: one
// of them would be without effect.
func (ch *Channel) readSecrets(dir string, field func(string) string) error {
	platform := providers.NewSecret(ch.PlatformKey)
	for _, s := range []struct {
		name string
		file string
		into *providers.Secret
	}{
		{"key", ch.KeyFile, &ch.Key},
		{"merchant_key", ch.MerchantKeyFile, &ch.MerchantKey},
		{"platform_key", ch.PlatformKeyFile, &platform},
	} {
		if s.file == "" {
			continue
		}
		if !s.into.IsZero() {
			return domain.EField(domain.KindInvalid, field(s.name), "set both here and as %s_file", s.name)
		}
		path := s.file
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return domain.EField(domain.KindInvalid, field(s.name+"_file"), "%w", err)
		}
		*s.into = providers.NewSecret(strings.TrimSpace(string(raw)))
	}
	ch.PlatformKey = platform.Reveal()
	return nil
}

func (ch *Channel) parseConfirm(field string) error {
	mode, amount, _ := strings.Cut(ch.Confirm, " ")
	switch domain.ConfirmMode(mode) {
	case "", domain.ConfirmNever, domain.ConfirmAlways:
		if amount != "" {
			return wrong(field, ch.Confirm, "must be never, always or above AMOUNT")
		}
	case domain.ConfirmAbove:
		m, err := domain.ParseMoney(strings.TrimSpace(amount), domain.Currency(ch.Currency))
		if err != nil {
			return wrong(field, ch.Confirm, "must be never, always or above AMOUNT, e.g. above 100.00")
		}
		ch.ConfirmAbove = m
	default:
		return wrong(field, ch.Confirm, "must be never, always or above AMOUNT")
	}
	ch.ConfirmMode = domain.ConfirmMode(mode)
	return nil
}
