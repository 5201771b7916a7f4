package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/httpapi"
	"counterfoil/internal/assembly"
	"counterfoil/operations"
	"counterfoil/projections"
)

// TestClientAddress: X-Forwarded-For is believed from listed proxies only, and
// then the rightmost hop that is none.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	cases := []struct {
		peer   string
		header []string
		want   string
	}{
		{"203.0.113.9:1234", nil, "203.0.113.9"},
		{"203.0.113.9:1234", []string{"198.51.100.1"}, "203.0.113.9"}, // a stranger says so
		{"10.1.2.3:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3:1234", []string{"6.6.6.6, 198.51.100.1"}, "198.51.100.1"}, // what stands left of it is the client's word
		{"10.1.2.3:1234", []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"10.1.2.3:1234", []string{"6.6.6.6", "198.51.100.1"}, "198.51.100.1"}, // two lines are one list
		{"10.1.2.3:1234", []string{"198.51.100.1, garbage"}, "10.1.2.3"},
		{"10.1.2.3:1234", []string{""}, "10.1.2.3"},
		{"10.1.2.3:1234", nil, "10.1.2.3"},
		{"10.1.2.3:1234", []string{"10.4.4.4, 10.5.5.5"}, "10.4.4.4"},
		{"[::ffff:10.1.2.3]:1234", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"[fd00::1]:1234", []string{"2001:db8::7"}, "2001:db8::7"},
		{"[2001:db8::1]:1234", []string{"2001:db8::7"}, "2001:db8::1"},
	}
	s := newSite(t, func(_ *httpapi.Deps, c *httpapi.Config) { c.TrustedProxies = []string{"10.0.0.0/8", "fd00::/8"} })
	for _, c := range cases {
		r := get("nobody", "")
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.header
		s.serve(r)
	}
	for i, row := range s.callbackRows(len(cases)) {
		if row.Remote != cases[i].want {
			t.Errorf("%+v: %s", cases[i], row.Remote)
		}
	}
	if _, err := httpapi.New(httpapi.Deps{}, httpapi.Config{TrustedProxies: []string{"10.0.0.1"}}); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("an address for a network: %v", err)
	}
}

// dialled is a listener whose connections come from addresses the test names.
type dialled struct {
	net.Listener
	from []string
}

type connFrom struct {
	net.Conn
	addr   net.Addr
	closed int
}

func (c *connFrom) RemoteAddr() net.Addr { return c.addr }
func (c *connFrom) Close() error         { c.closed++; return nil }

func (d *dialled) Accept() (net.Conn, error) {
	if len(d.from) == 0 {
		return nil, net.ErrClosed
	}
	at := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(d.from[0]))
	d.from = d.from[1:]
	return &connFrom{addr: at}, nil
}

// TestLimitPerAddress: a stranger has so many connections, also over many
// addresses of his IPv6 network; proxies have as many as they like.
func TestLimitPerAddress(t *testing.T) {
	t.Parallel()
	l := &dialled{}
	limited := httpapi.LimitPerAddress(l, 2, []string{"10.0.0.0/8"})
	accept := func(from ...string) (got []net.Conn) {
		l.from = from
		for {
			c, err := limited.Accept()
			if err != nil {
				return got
			}
			got = append(got, c)
		}
	}
	stranger := accept("203.0.113.9:1", "203.0.113.9:2", "203.0.113.9:3", "[::ffff:203.0.113.9]:4")
	if len(stranger) != 2 {
		t.Errorf("a stranger has %d connections", len(stranger))
	}
	if got := accept("198.51.100.1:1"); len(got) != 1 {
		t.Errorf("another one has %d", len(got))
	}
	if got := accept("[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "[2001:db8:0:1::1]:1"); len(got) != 3 {
		t.Errorf("two networks have %d", len(got))
	}
	if got := accept("10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", "[::ffff:10.0.0.1]:4"); len(got) != 4 {
		t.Errorf("a proxy has %d", len(got))
	}
	for range 3 { // closing again gives no second place back
		if err := stranger[0].Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := accept("203.0.113.9:5", "203.0.113.9:6"); len(got) != 1 {
		t.Errorf("after one left, %d come in", len(got))
	}
}

// daemon serves the site as cmd/api does, and answers its address.
func (s *site) daemon(limit int) string {
	s.tb.Helper()
	address := make(chan string, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	task := assembly.Serve("127.0.0.1:0", s.handler, slog.New(slog.DiscardHandler), func(l net.Listener) net.Listener {
		address <- l.Addr().String()
		return httpapi.LimitPerAddress(l, limit, nil)
	})
	go func() { done <- task(ctx) }()
	s.tb.Cleanup(func() {
		s.server.Drain()
		cancel()
		if err := <-done; err != nil {
			s.tb.Error(err)
		}
	})
	return <-address
}

// client speaks from an address of its own.
func client(from string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	return &http.Client{Transport: &http.Transport{DialContext: d.DialContext}, Timeout: 10 * time.Second}
}

// TestSlowClients: hundreds of connections that never finish a request take no
// more than their address's share, are closed in time, and keep nobody waiting.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.place(now, "A1", "7.30")
	const limit = 16
	address := s.daemon(limit)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.3")}}
	var slow []net.Conn
	for range 300 {
		c, err := d.Dial("tcp", address)
		s.ok(err)
		_, _ = io.WriteString(c, "GET /callbacks/epay-now?a=b HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		slow = append(slow, c)
		t.Cleanup(func() { _ = c.Close() })
	}
	honest := client("127.0.0.4")
	var took []time.Duration
	for range 100 {
		began := time.Now()
		resp, err := honest.Get("http://" + address + "/callbacks/epay-now?" + signed(callback("A1", "T1", "7.30")))
		s.ok(err)
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != "success" {
			t.Fatalf("%s %s", resp.Status, body)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	if p99 := took[98]; p99 > time.Second {
		t.Errorf("honest requests take %s at the 99th of 100", p99)
	}
	deadline := time.Now().Add(8 * time.Second) // 5 s for a header, and what the machine needs
	open := 0
	for _, c := range slow {
		_ = c.SetReadDeadline(deadline)
		answer, err := io.ReadAll(c)
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			open++
		}
		if hasWord(string(answer)) {
			t.Errorf("answered %q", answer)
		}
	}
	if open > 0 {
		t.Errorf("%d slow connections are still open", open)
	}
}

// raw sends bytes and answers what comes back until the server closes, or the
// first answer of one that stays open.
func raw(t *testing.T, address, request string, finish bool) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return "" // closed meanwhile
	}
	if finish {
		_ = c.(*net.TCPConn).CloseWrite()
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

// TestBrokenRequests: what never arrives whole is refused, in the provider's
// dialect where a channel was reached, and nothing is kept.
func TestBrokenRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.place(now, "A1", "7.30")
	before := len(s.events())
	address := s.daemon(1000)
	form := signed(callback("A1", "T1", "7.30"))
	head := "POST /callbacks/epay-now HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	for name, c := range map[string]struct {
		request string
		finish  bool
		want    string
	}{
		"cut off":        {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(form)+1, form), true, "400 fail"},
		"chunk cut off":  {head + "Transfer-Encoding: chunked\r\n\r\n5\r\npid=1\r\n", true, "400 fail"},
		"bad chunk":      {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, "400 fail"},
		"endless":        {head + "Content-Length: 99999999\r\n\r\n" + strings.Repeat("x", 65<<10), false, "413 fail"},
		"two lengths":    {head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", false, "400 400 Bad Request"},
		"long header":    {"GET /callbacks/epay-now?" + form + " HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", false, "431 "},
		"long address":   {"GET /callbacks/epay-now?x=" + strings.Repeat("TRADE_SUCCESS", 3000) + " HTTP/1.1\r\nHost: x\r\n\r\n", false, "431 "},
		"no HTTP":        {"TRADE_SUCCESS\r\n\r\n", false, "400 400 Bad Request"},
		"whole address":  {"GET http://x/callbacks/epay-now?" + form + " HTTP/1.1\r\nHost: x\r\n\r\n", false, "200 success"},
		"upgrade":        {"GET /callbacks/epay-now?" + form + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", false, "200 success"},
		"asterisk":       {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", false, "200 "},
		"through a hole": {"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", false, "404 not found\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := raw(t, address, c.request, c.finish)
			if !strings.HasPrefix(got, c.want) || (hasWord(got) != hasWord(c.want)) {
				t.Errorf("answered %.200q, want %q", got, c.want)
			}
		})
	}
	t.Cleanup(func() {
		if got := s.facts(before); len(got) != 3 { // the two good ones: a credit and a repeat
			t.Errorf("facts %v", got)
		}
	})
}

// TestNotModifiedOnTheWire: a 304 has no body, and the connection goes on.
func TestNotModifiedOnTheWire(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.paid("A1", "7.30")
	address := s.daemon(10)
	c, err := net.Dial("tcp", address)
	s.ok(err)
	defer c.Close()
	in := bufio.NewReader(c)
	var tag string
	for i, query := range []string{"", "", "?min_position=1", "?min_position=1", ""} {
		fmt.Fprintf(c, "GET %s%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nIf-None-Match: %s\r\n\r\n", balances, query, s.tokens["admin"], tag)
		resp, err := http.ReadResponse(in, nil)
		s.ok(err)
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		s.ok(err)
		if want := tag != ""; (resp.StatusCode == http.StatusNotModified) != want || (len(body) == 0) != want || in.Buffered() != 0 {
			t.Errorf("request %d: %s %q, %d bytes behind it", i, resp.Status, body, in.Buffered())
		}
		tag = resp.Header.Get("ETag")
	}
}

// TestAPIPanics: a mistake costs one answer, not the process, and tells the
// client nothing but where to look.
func TestAPIPanics(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(d *httpapi.Deps, _ *httpapi.Config) {
		d.Sweep = func(context.Context) (operations.Run, error) { panic("planted: " + sharedKey) }
	})
	a := s.call("admin", http.MethodPost, "/v1/reconciliations", "")
	if a.status != http.StatusInternalServerError || a.text("code") != "internal" || strings.Contains(string(a.body), "planted") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := s.lines("request refused"); len(got) != 1 || got[0]["request_id"] != a.text("request_id") || got[0]["level"] != "ERROR" ||
		!strings.Contains(fmt.Sprint(got[0]["stack"]), "server_test.go") {
		t.Errorf("log %v", got)
	}
}

// TestRefusalsAreToldOnce: every refusal of /v1 is one log line and one count,
// whoever found it.
func TestRefusalsAreToldOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.key("none")
	for i, c := range []struct{ key, method, target, body string }{
		{"", "GET", "/v1/payments", ""},
		{"none", "GET", "/v1/payments", ""},
		{"admin", "GET", "/v1/payments?limit=0", ""},
		{"admin", "GET", "/v1/payments?limt=0", ""},
		{"admin", "GET", "/v1/payments/epay-now/none", ""},
		{"admin", "POST", "/v1/payments", "{"},
		{"admin", "GET", "/v1/nothing", ""},
		{"admin", "PATCH", "/v1/payments", ""},
		{"none", "GET", balances, ""},
		{"admin", "GET", "/v1/accounts/a%20b/balances", ""},
	} {
		a := s.call(c.key, c.method, c.target, c.body)
		told := s.lines("request refused")
		if len(told) != i+1 || told[i]["request_id"] != a.text("request_id") || told[i]["status"] != float64(a.status) || a.text("request_id") == "" {
			t.Fatalf("%+v: %d, %s, %d log lines: %v", c, a.status, a.body, len(told), told[len(told)-1])
		}
	}
	families, err := s.metrics.Gather()
	s.ok(err)
	total := 0.0
	for _, f := range families {
		if f.GetName() == "counterfoil_api_requests_total" {
			for _, m := range f.GetMetric() {
				total += m.GetCounter().GetValue()
			}
		}
	}
	if total != 10 {
		t.Errorf("%v requests are counted", total)
	}
}

// TestRowsFail: the projections' trouble is told as what it is.
func TestRowsFail(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(d *httpapi.Deps, _ *httpapi.Config) { d.Rows = noRows{d.Rows} })
	for _, target := range []string{"/v1/payments", balances, balances + "?min_position=1", "/v1/accounts/user:42/entries"} {
		if a := s.call("admin", http.MethodGet, target, ""); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	s.place(now, "A1", "7.30")
	if w := s.serve(get(now, signed(callback("A1", "T1", "7.30")))); w.Body.String() != "success" {
		t.Errorf("a callback waits for the projections: %d %s", w.Code, w.Body)
	}
	if a := s.call("admin", http.MethodGet, "/v1/payments/epay-now/A1", ""); a.text("state") != "credited" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// noRows are projections that cannot be read.
type noRows struct{ projections.Reader }

var errRows = domain.E(domain.KindUnavailable, "the projections are closed")

// TestOps: the listener for operators says what it is asked.
func TestOps(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var trouble error
	ops := httpapi.Ops(s.metrics, "counterfoil/test", func(context.Context) error { return trouble })
	ask := func(target string) (int, string) {
		w := httptest.NewRecorder()
		ops.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		return w.Code, w.Body.String()
	}
	s.serve(get("nobody", ""))
	for target, want := range map[string]string{
		"/livez": "ok", "/readyz": "ready", "/version": "counterfoil/test",
		"/metrics": `counterfoil_received_total{outcome="refused",provider="none"} 1`,
	} {
		if code, body := ask(target); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", target, code, body)
		}
	}
	trouble = errors.New("the disk is full")
	if code, body := ask("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "the disk is full") {
		t.Errorf("not ready: %d %s", code, body)
	}
	if code, _ := ask("/livez"); code != http.StatusOK {
		t.Errorf("alive: %d", code)
	}
	for _, target := range []string{"/", "/v1/payments", "/debug/pprof/", "/callbacks/epay-now"} {
		if code, _ := ask(target); code != http.StatusNotFound {
			t.Errorf("%s: %d", target, code)
		}
	}
}

func (noRows) Balances(
	context.Context, domain.AccountID, projections.AsOf,
) ([]projections.Balance, eventstore.Position, error) {
	return nil, 0, errRows
}

func (noRows) Entries(context.Context, projections.EntryFilter) ([]projections.Entry, error) {
	return nil, errRows
}

func (noRows) Payments(context.Context, projections.PaymentFilter) ([]projections.Payment, error) {
	return nil, errRows
}

// TestSlowBody: a body that stops coming is refused when the server's time to
// read is over.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.place(now, "A1", "7.30")
	before := len(s.events())
	address := strings.TrimPrefix(s.listening(200*time.Millisecond).URL, "http://")
	form := signed(callback("A1", "T1", "7.30"))
	got := raw(t, address, fmt.Sprintf("POST /callbacks/epay-now HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(form)+1, form), false)
	if got != "400 fail" || len(s.facts(before)) != 0 {
		t.Errorf("answered %q, facts %v", got, s.facts(before))
	}
	if row := s.callbackRows(1)[0]; row.Reason != domain.ReasonUnreadable {
		t.Errorf("row %+v", row)
	}
}
