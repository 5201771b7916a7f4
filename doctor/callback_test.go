package doctor

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
)

// page answers everything with these bytes.
func page(status int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// probed is what is found about a callback address.
func probed(t *testing.T, e *examiner, public string) Finding {
	t.Helper()
	e.PublicURL = public
	c := channel(t, "http://127.0.0.1:1")
	c.CallbackURL = providers.NotifyURL(public, c.ID)
	return e.callbackAddress(t.Context(), c)[0]
}

func TestCallbackAddressFindsWhatAnswersInstead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   Result
		text   string
	}{
		"our refusal":          {page(400, "", "fail"), OK, "answers as it must"},
		"with a line end":      {page(400, "", "fail\n"), OK, "answers as it must"},
		"redirect":             {page(301, "Location: https://pay.example.com/callbacks/epay-a?x=1", ""), Fail, "redirected (301) to https://pay.example.com/callbacks/epay-a, and"},
		"http to https":        {page(301, "Location: https://pay.example.com/callbacks/epay-a", ""), Fail, "set public_url to https://"},
		"to another path":      {page(302, "Location: /login", ""), Fail, "take the redirect away"},
		"redirect and success": {page(302, "Location: /login", "success"), Fail, "the callback is lost"},
		"success":              {page(200, "", "success"), Fail, "the callback is lost"},
		"success in an error":  {page(404, "", `{"success":false}`), Fail, "gateways take that for delivered"},
		"Success on a page":    {page(200, "", "<html><title>x</title>Success stories"), Fail, "gateways take that for delivered"},
		"forbidden":            {page(403, "Server: cloudflare", "<html><title>Attention\n Required</title>"), Fail, `titled "Attention Required" from cloudflare`},
		"challenge":            {page(200, "", "<!doctype html><title>Just a moment...</title>"), Fail, "firewall or bot check"},
		"challenge by header":  {page(503, "Cf-Mitigated: challenge", ""), Fail, "firewall or bot check"},
		"too many":             {page(429, "", "slow down"), Fail, "firewall or bot check"},
		"no such channel":      {page(404, "", "fail"), Fail, "no such channel"},
		"no such path":         {page(404, "", "not found\n"), Fail, "not at this path"},
		"cannot keep":          {page(503, "", "fail"), Fail, "with 503 instead of 400"},
		"no api behind":        {page(502, "Server: nginx", "<html><title>502 Bad Gateway</title>"), Fail, "the proxy does not reach the api"},
		"a shop":               {page(200, "Server: nginx", "<html><title>My &amp; shop</title>"), Fail, `status 200, a web page titled "My & shop" from nginx: that is not the api`},
		"an empty 200":         {page(200, "", ""), Fail, "that is not the api"},
		"something added":      {page(400, "", "fail<script>x</script>"), Fail, "that is not the api"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.answer)
			wants(t, probed(t, bare(), s.URL), c.want, c.text)
		})
	}
}

// A firewall may let GET through and stop POST.
func TestCallbackAddressIsCalledBothWays(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			page(403, "", "<html>")(w, r)
			return
		}
		page(400, "", "fail")(w, r)
	})
	wants(t, probed(t, bare(), s.URL), Fail, "POST "+s.URL+"/callbacks/epay-a: status 403")
}

// The probe is what gateways send: all fields, and nothing that could verify.
func TestCallbackProbeLooksLikeACallback(t *testing.T) {
	t.Parallel()
	seen := make(chan url.Values, 2)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		must(t, r.ParseForm())
		seen <- r.Form
		page(400, "", "fail")(w, r)
	})
	wants(t, probed(t, bare(), s.URL), OK, "")
	for range 2 {
		f := <-seen
		if f.Get("trade_status") != "TRADE_SUCCESS" || !strings.HasPrefix(f.Get("out_trade_no"), ProbePrefix) || f.Get("sign") != strings.Repeat("0", 32) {
			t.Errorf("probed with %v", f)
		}
	}
}

func TestCallbackAddressThatCannotBeReached(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	closed := "http://" + l.Addr().String()
	must(t, l.Close())
	wants(t, probed(t, bare(), closed), Fail, "connection refused")

	e := bare()
	wants(t, probed(t, e, "http://nothing.invalid"), Fail, "make the name resolve")

	stop := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-stop })
	defer close(stop)
	e = bare()
	e.client.Timeout = 50 * time.Millisecond
	wants(t, probed(t, e, s.URL), Fail, "no answer in time")
	wants(t, probed(t, bare(), ""), Skipped, "public_url is not set")
}

func TestCallbackAddressCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(page(400, "", "fail"))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	wants(t, probed(t, bare(), s.URL), Fail, "self-signed, or the chain is incomplete")

	trusting := func() *examiner {
		e := bare()
		pool := x509.NewCertPool()
		pool.AddCert(s.Certificate())
		transport := s.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.RootCAs = pool
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
		}
		e.client.Transport = transport
		return e
	}
	wants(t, probed(t, trusting(), s.URL), OK, "answers as it must")
	wants(t, probed(t, trusting(), "https://pay.example.org"), Fail, "the certificate is for another name")

	e := trusting()
	end := s.Certificate().NotAfter
	e.Clock = func() time.Time { return end.Add(-72 * time.Hour) }
	wants(t, probed(t, e, s.URL), Warn, "the TLS certificate ends in 3 days, on "+end.Format(time.DateOnly))

	plain := serve(t, page(400, "", "fail"))
	wants(t, probed(t, bare(), "https"+strings.TrimPrefix(plain.URL, "http")), Fail, "HTTP response to HTTPS client")
}

func TestSlowCallbackAddress(t *testing.T) {
	t.Parallel()
	s := serve(t, page(400, "", "fail"))
	e := bare()
	now := time.Now()
	e.Clock = func() time.Time { now = now.Add(5 * time.Second); return now }
	wants(t, probed(t, e, s.URL), Warn, "answers, but after 5s")
}

// logging answers as the api does and keeps the row in ops, from a remote.
func logging(ops operations.Store, remote string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		ops.LogCallback(operations.Callback{
			Channel: "epay-a", ReceivedAt: time.Now(), Remote: remote, Method: r.Method, Outcome: domain.OutcomeRefused,
			Reason: domain.ReasonWrongSignature, OrderNo: r.Form.Get("out_trade_no"), Reply: domain.Reply{Status: 400, Body: "fail"},
		})
		page(400, "", "fail")(w, r)
	}
}

// The right answer is not enough: it must be this installation's.
func TestCallbackAddressOfAnotherInstallation(t *testing.T) {
	t.Parallel()
	ops := opsStore(t)
	for _, c := range []struct {
		answer http.HandlerFunc
		public string // "" for the server's own address
		want   Result
		text   string
	}{
		{logging(ops, "203.0.113.7"), "", OK, "it is this installation"},
		{logging(ops, "127.0.0.1"), "", OK, "it is this installation"},
		{logging(ops, "203.0.113.7"), "http://pay.example.com", OK, "it is this installation"},
		{logging(ops, "127.0.0.1"), "http://pay.example.com", Warn, "limits.trusted_proxies"},
		{page(400, "", "fail"), "", Fail, "not in this installation's callback log"},
	} {
		s := serve(t, c.answer)
		e := bare()
		e.Operations = ops
		if c.want == Fail {
			e.logWait = 100 * time.Millisecond
		}
		if c.public == "" {
			c.public = s.URL
		}
		e.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
		}}
		wants(t, probed(t, e, c.public), c.want, c.text)
	}
}
