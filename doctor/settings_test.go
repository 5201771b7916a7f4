package doctor

import (
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/epay"
)

func TestPublicURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode domain.Mode
		url  string
		want Result
		text string
	}{
		{domain.ModeTest, "", Fail, "is not set"},
		{domain.ModeTest, "http://127.0.0.1:8080", OK, "a test store may use any address"},
		{domain.ModeLive, "http://127.0.0.1:8080", Fail, "no provider can reach"},
		{domain.ModeLive, "https://localhost", Fail, "no provider can reach"},
		{domain.ModeLive, "https://pay", Fail, "no provider can reach"},
		{domain.ModeLive, "https://pay.local", Fail, "no provider can reach"},
		{domain.ModeLive, "https://192.168.1.4/pay", Fail, "no provider can reach"},
		{domain.ModeLive, "https://100.64.0.9", Fail, "no provider can reach"},
		{domain.ModeLive, "https://[fd00::1]", Fail, "no provider can reach"},
		{domain.ModeLive, "https://[::ffff:10.0.0.1]", Fail, "no provider can reach"},
		{domain.ModeLive, "http://203.0.113.7", Warn, "plain http"},
		{domain.ModeLive, "https://203.0.113.7", OK, "https"},
		{domain.ModeLive, "https://203.0.113.7/", OK, "https"},
		{domain.ModeLive, "https://203.0.113.7//", Warn, "its path looks wrong"},
		{domain.ModeLive, "https://203.0.113.7/callbacks", Warn, "its path looks wrong"},
		{domain.ModeLive, "https://203.0.113.7/callbacks/epay-a", Warn, "its path looks wrong"},
	} {
		e := bare()
		e.Mode, e.PublicURL = c.mode, c.url
		wants(t, e.publicURL(t.Context()), c.want, c.text)
	}
}

func TestCallbackURLIsDerived(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{
		"https://pay.example.com":      "https://pay.example.com/callbacks/epay-a",
		"https://pay.example.com/":     "https://pay.example.com/callbacks/epay-a",
		"https://pay.example.com/cf":   "https://pay.example.com/cf/callbacks/epay-a",
		"https://pay.example.com:8443": "https://pay.example.com:8443/callbacks/epay-a",
	} {
		if got := providers.NotifyURL(public, "epay-a"); got != want {
			t.Errorf("%s -> %s, want %s", public, got, want)
		}
	}
}

func TestChannelSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gateway string
		change  func(*epay.Config)
		test    bool
		want    []Result
		text    string
	}{
		"good":          {"https://gw.example.com", func(*epay.Config) {}, false, []Result{OK}, "epay v1, pid 1001, confirm_by_query always"},
		"never":         {"https://gw.example.com", func(c *epay.Config) { c.Confirm = domain.ConfirmNever }, false, []Result{Warn}, "whoever learns it can credit anything"},
		"cut key":       {"https://gw.example.com", func(c *epay.Config) { c.Key = providers.NewSecret(sampleKey[:31]) }, false, []Result{Warn}, "the key has 31 characters"},
		"plain":         {"http://203.0.113.9", func(*epay.Config) {}, false, []Result{Warn}, "the key travels in clear"},
		"plain, test":   {"http://203.0.113.9", func(*epay.Config) {}, true, []Result{Warn}, "the key travels in clear"},
		"sandbox here":  {"http://127.0.0.1:7080", func(*epay.Config) {}, true, []Result{OK}, ""},
		"all together":  {"http://203.0.113.9", func(c *epay.Config) { c.Confirm, c.Key = domain.ConfirmNever, providers.NewSecret(sampleKey[:20]) }, false, []Result{Warn, Warn, Warn}, ""},
		"not sandboxed": {"http://127.0.0.1:7080", func(*epay.Config) {}, false, []Result{Warn}, "the key travels in clear"},
	} {
		ch := channel(t, c.gateway, c.change)
		ch.Test = c.test
		got := bare().channel(t.Context(), ch)
		if len(got) != len(c.want) {
			t.Errorf("%s: %d findings %v, want %v", name, len(got), got, c.want)
			continue
		}
		for i := range got {
			wants(t, got[i], c.want[i], c.text)
		}
	}
	wrong := Channel{ID: "epay-a", Err: domain.EField(domain.KindInvalid, "channels.epay-a.pid", "is missing")}
	wants(t, bare().channel(t.Context(), wrong)[0], Fail, "channels.epay-a.pid: is missing")
}

func TestOneMerchantTwice(t *testing.T) {
	t.Parallel()
	named := func(id domain.ChannelID, gateway string, change func(*epay.Config)) Channel {
		return channel(t, gateway, func(c *epay.Config) { c.Channel = id; change(c) })
	}
	same := func(*epay.Config) {}
	otherKey := func(c *epay.Config) { c.Key = providers.NewSecret("another-key-of-32-characters-abc") }
	for name, c := range map[string]struct {
		other Channel
		want  Result
	}{
		"the same":                   {named("b", "https://gw.example.com", same), Fail},
		"with a slash":               {named("b", "https://gw.example.com/", same), Fail},
		"another key":                {named("b", "https://gw.example.com", otherKey), Fail},
		"the same key elsewhere":     {named("b", "https://other.example.com", same), Fail},
		"another merchant elsewhere": {named("b", "https://other.example.com", otherKey), OK},
		"another pid":                {named("b", "https://gw.example.com", func(c *epay.Config) { c.PID = "1002" }), OK},
		"one that is wrong":          {Channel{ID: "b", Err: domain.E(domain.KindInvalid, "wrong")}, OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := bare()
			e.Channels = []Channel{named("a", "https://gw.example.com", same), c.other}
			wants(t, e.twins()[0], c.want, "")
		})
	}
	wants(t, bare().settings(t.Context())[1], Warn, "none is configured")
}
