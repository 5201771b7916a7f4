package sandbox

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil/sandbox/stage"
)

// The faults of the wire need a real one.

func TestHangingUpReachesTheShopAndComesAgain(t *testing.T) {
	t.Parallel()
	h := &shop{}
	server := httptest.NewServer(h)
	defer server.Close()
	s := newBox(t, Config{Speed: 6000, Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	o := pay(t, s, openedAt(t, s, "1001", "A1", "7.30", server.URL).TradeNo, Fault{Class: ReplyLost})
	attempts := s.Attempts(stage.AttemptFilter{TradeNo: o.TradeNo})
	if len(attempts) != 2 || !attempts[0].Accepted || attempts[1].Accepted || attempts[1].Error == "" {
		t.Fatalf("attempts %+v", attempts)
	}
	if n := len(h.all()); n != 2 {
		t.Errorf("the shop saw %d callbacks, want 2", n)
	}
}

func TestBreakingOffSendsHalfARequest(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	half := make(chan string, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		raw, err := io.ReadAll(c)
		if err != nil {
			return
		}
		half <- string(raw)
	}()
	s := newBox(t, Config{Speed: 6000, Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	o := pay(t, s, openedAt(t, s, "1001", "A1", "7.30", "http://"+listener.Addr().String()).TradeNo, Fault{Class: NoRetry})
	if raw := <-half; !strings.HasPrefix(raw, "GET /?pid=1001&trade_no=") || strings.Contains(raw, "Host:") {
		t.Errorf("the shop reads %q", raw)
	}
	attempts := s.Attempts(stage.AttemptFilter{TradeNo: o.TradeNo})
	if len(attempts) != 1 || attempts[0].Accepted || attempts[0].Error == "" {
		t.Errorf("attempts %+v", attempts)
	}
}

func TestClosedComesAgainWhole(t *testing.T) {
	t.Parallel()
	h := &shop{}
	server := httptest.NewServer(h)
	defer server.Close()
	s := newBox(t, Config{Speed: 6000, Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	o := pay(t, s, openedAt(t, s, "1001", "A1", "7.30", server.URL).TradeNo, Fault{Class: Closed})
	if o, err := s.Order(o.TradeNo); err != nil || !o.Accepted || o.Attempts != 2 || len(h.all()) != 1 {
		t.Errorf("order %+v, %v; the shop saw %d", o, err, len(h.all()))
	}
}

func TestSlowSendersAreSlowAndArrive(t *testing.T) {
	t.Parallel()
	h := &shop{}
	server := httptest.NewServer(h)
	defer server.Close()
	s := newBox(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	o := pay(t, s, openedAt(t, s, "1001", "A1", "7.30", server.URL).TradeNo, Fault{Class: Slow, Delay: Duration(200 * time.Millisecond)})
	attempts := s.Attempts(stage.AttemptFilter{TradeNo: o.TradeNo})
	if len(attempts) != 1 || !attempts[0].Accepted || time.Duration(attempts[0].Took) < 200*time.Millisecond {
		t.Errorf("attempts %+v", attempts)
	}
}

// Rainbow's rule: a redirect is an answer without the word in it.
func TestRedirectsAreFollowedByTheOldBuildOnly(t *testing.T) {
	t.Parallel()
	h := &shop{}
	mux := http.NewServeMux()
	mux.Handle("/after", h)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// Without a body: the one that http.Redirect writes repeats the query, and
		// with it the word.
		w.Header().Set("Location", "/after?"+r.URL.RawQuery)
		w.WriteHeader(http.StatusMovedPermanently)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for style, want := range map[Style]bool{Rainbow: false, Rainbow2020: true, Credit: false} {
		s := newBox(t, Config{Speed: 60_000, Merchants: []MerchantConfig{v1Merchant(style)}})
		o := pay(t, s, openedAt(t, s, "1001", "A1", "7.30", server.URL+"/before").TradeNo)
		if o, err := s.Order(o.TradeNo); err != nil || o.Accepted != want {
			t.Errorf("%s delivers by a redirect: %v, want %v (%v)", style, o.Accepted, want, err)
		}
	}
}

// The trap behind it: any page that repeats the query says TRADE_SUCCESS, and
// that is delivered, for Rainbow.
func TestAPageThatRepeatsTheQueryCountsAsDelivered(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.RedirectHandler("/login", http.StatusFound))
	defer server.Close()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no page "+r.URL.String(), http.StatusNotFound)
	}))
	defer echo.Close()
	s := newBox(t, Config{Speed: 60_000, Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	for address, want := range map[string]bool{server.URL: false, echo.URL: true} {
		o := pay(t, s, openedAt(t, s, "1001", "A"+address[len(address)-5:], "7.30", address).TradeNo)
		if o, err := s.Order(o.TradeNo); err != nil || o.Accepted != want {
			t.Errorf("%s delivered: %v, want %v (%v)", address, o.Accepted, want, err)
		}
	}
}

func TestConcurrentCopiesAreUnderWayTogether(t *testing.T) {
	t.Parallel()
	var inside, most atomic.Int64
	all := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := inside.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == 3 {
			close(all)
		}
		select {
		case <-all:
		case <-time.After(3 * time.Second):
		}
		inside.Add(-1)
		w.Write([]byte("success"))
	}))
	defer server.Close()
	s := newBox(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	pay(t, s, openedAt(t, s, "1001", "A1", "7.30", server.URL).TradeNo, Fault{Class: Concurrent, Copies: 3})
	if most.Load() != 3 {
		t.Errorf("at most %d were under way together", most.Load())
	}
}

// A query fault must be seen by a client as what it claims to be.
func TestQueriesThatGetNoAnswer(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	server := httptest.NewServer(s)
	server.Config.ErrorLog = nil
	defer server.Close()
	o := opened(t, s, "1001", "A1", "7.30")
	if _, err := s.PayWith(o.TradeNo, Fault{Class: Lost}, Fault{Class: QueryClosed, Copies: 1}, Fault{Class: QuerySlow, Copies: 1, Delay: Duration(100 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	query := func() (time.Duration, error) {
		began := time.Now()
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
			server.URL+"/api.php?act=order&pid=1001&key="+testKey+"&trade_no="+o.TradeNo, http.NoBody)
		if err != nil {
			return 0, err
		}
		resp, err := client.Do(req)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		return time.Since(began), err
	}
	if _, err := query(); err == nil {
		t.Error("a closed connection gave an answer")
	}
	if took, err := query(); err != nil || took < 100*time.Millisecond {
		t.Errorf("a slow answer took %s, %v", took, err)
	}
	if _, err := query(); err != nil {
		t.Errorf("after the faults: %v", err)
	}
}

// BenchmarkPay is the whole way of a payment: open, pay, one callback over
// kept connections, recorded.
func BenchmarkPay(b *testing.B) {
	server := httptest.NewServer(&shop{})
	defer server.Close()
	s := newBox(b, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}})
	for i := 0; b.Loop(); i++ {
		o := openedAt(b, s, "1001", itoa(int64(i)), "7.30", server.URL)
		if _, err := s.Pay(o.TradeNo); err != nil {
			b.Fatal(err)
		}
	}
	settle(b, s)
}
