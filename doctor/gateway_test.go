package doctor

import (
	"net/http"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/epay"
	"counterfoil/sandbox"
)

// TestGatewayOfTheSandbox asks a gateway that behaves as real ones do.
func TestGatewayOfTheSandbox(t *testing.T) {
	t.Parallel()
	box, err := sandbox.New(sandbox.Config{Now: time.Now, Merchants: []sandbox.MerchantConfig{
		{PID: "1001", Key: sampleKey}, {PID: "1002", Key: sampleKey, Style: sandbox.Credit}, {PID: "2001", Version: sandbox.V2},
	}})
	must(t, err)
	s := serve(t, box.ServeHTTP)
	rsa := box.Credentials()[2]
	v2 := func(c *epay.Config) {
		c.PID, c.Version, c.Key = "2001", epay.V2, providers.Secret{}
		c.MerchantKey, c.PlatformKey = providers.NewSecret(rsa.MerchantKey), rsa.PlatformPublicKey
	}
	for name, c := range map[string]struct {
		change func(*epay.Config)
		want   Result
		text   string
	}{
		"V1":             {func(*epay.Config) {}, OK, "works: does not know an order that does not exist"},
		"V1, 404":        {func(c *epay.Config) { c.PID = "1002" }, OK, "works"},
		"V2":             {v2, OK, "works"},
		"another key":    {func(c *epay.Config) { c.Key = providers.NewSecret("another-key-of-32-characters-abc") }, Fail, "refuses our pid or key"},
		"another pid":    {func(c *epay.Config) { c.PID = "9999" }, Fail, "compare pid and key"},
		"V2, own key":    {func(c *epay.Config) { v2(c); c.PID = "1001" }, Fail, "for V2 this machine's clock"},
		"the wrong path": {func(c *epay.Config) { c.Gateway += "/epay" }, Fail, "confirm_by_query cannot work here, and it is always: callbacks stay held"},
	} {
		got := bare().gateway(t.Context(), channel(t, s.URL, c.change))
		t.Log(name)
		wants(t, got[0], c.want, c.text)
		wants(t, got[1], OK, "within 2s")
	}
}

func TestGatewayWithoutQuery(t *testing.T) {
	t.Parallel()
	s := serve(t, page(404, "", "<html>"))
	never := func(c *epay.Config) { c.Confirm = domain.ConfirmNever }
	wants(t, bare().gateway(t.Context(), channel(t, s.URL, never))[0], Warn, "confirm_by_query cannot work here")
	wants(t, bare().gateway(t.Context(), channel(t, s.URL))[0], Fail, "callbacks stay held")
	shop := serve(t, page(200, "", "<html>welcome"))
	wants(t, bare().gateway(t.Context(), channel(t, shop.URL))[0], Fail, "without submit.php")
	s.Close()
	got := bare().gateway(t.Context(), channel(t, s.URL, never))
	wants(t, got[0], Fail, "cannot be reached from here")
	if len(got) != 1 {
		t.Errorf("the clock of a gateway that is down is told: %v", got[1])
	}
}

// A gateway that says paid to everything would credit anything.
func TestGatewayThatClaimsEveryOrder(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"code":1,"trade_no":"T1","out_trade_no":"` + r.URL.Query().Get("out_trade_no") +
			`","pid":1001,"money":"1.00","status":1}`))
	})
	wants(t, bare().gateway(t.Context(), channel(t, s.URL))[0], Fail, "claims to know an order that does not exist")
}

func TestGatewayClock(t *testing.T) {
	t.Parallel()
	off := func(d time.Duration) http.HandlerFunc {
		return page(200, "Date: "+time.Now().Add(-d).UTC().Format(http.TimeFormat), `{"code":-1,"msg":"no"}`)
	}
	box, err := sandbox.New(sandbox.Config{Now: time.Now, Merchants: []sandbox.MerchantConfig{{PID: "2001", Version: sandbox.V2}}})
	must(t, err)
	rsa := box.Credentials()[0]
	v2 := func(c *epay.Config) {
		c.Version, c.Key = epay.V2, providers.Secret{}
		c.MerchantKey, c.PlatformKey = providers.NewSecret(rsa.MerchantKey), rsa.PlatformPublicKey
	}
	for _, c := range []struct {
		off    time.Duration
		change func(*epay.Config)
		want   Result
		text   string
	}{
		{0, v2, OK, "within 2s"},
		{10 * time.Second, v2, OK, ""},
		{-10 * time.Second, v2, OK, ""},
		{time.Minute, v2, Warn, ""},
		{-time.Minute, v2, Warn, ""},
		{10 * time.Minute, v2, Fail, "more than the 300 s it takes"},
		{10 * time.Minute, func(*epay.Config) {}, Warn, ""},
	} {
		got := bare().gateway(t.Context(), channel(t, serve(t, off(c.off)).URL, c.change))
		f := got[1]
		// Whole seconds of the header: one more or less is the same.
		if f.Result != c.want {
			t.Errorf("%s off: %s %s, want %s", c.off, f.Result, f.Seen, c.want)
		}
		if c.off == 0 || c.want == Fail {
			wants(t, f, c.want, c.text)
		}
	}
	silent := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil })
	wants(t, bare().gateway(t.Context(), channel(t, silent.URL))[1], Skipped, "does not say what time it is")
}
