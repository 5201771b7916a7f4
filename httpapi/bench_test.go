package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil/domain"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/httpapi"
	"counterfoil/ledger"
)

// connections of every benchmark over the wire.
const connections = 64

// wire runs b.N requests over many connections against a handler on loopback
// and reports them per second. The client does as little as it can, so that the
// figures are the server's; both run in this process. request makes the nth
// request.
func wire(b *testing.B, h http.Handler, request func(n int) []byte) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	defer func() { _ = srv.Close() }()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range connections {
		wg.Go(func() {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			in := bufio.NewReader(c)
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if _, err := c.Write(request(int(n))); err != nil {
					b.Error(err)
					return
				}
				if err := readAnswer(in); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// readAnswer reads one answer that must be a 200.
func readAnswer(in *bufio.Reader) error {
	status, err := in.ReadSlice('\n')
	if err != nil || !bytes.HasPrefix(status, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("answer %q: %w", status, err)
	}
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
	_, err = in.Discard(length)
	return err
}

// BenchmarkBalances is a balance read over the wire, against a bare net/http
// handler that writes the same bytes.
func BenchmarkBalances(b *testing.B) {
	s := newSite(b)
	s.paid("A1", "7.30")
	body := s.balance("").body
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	get := func(query string) func(int) []byte {
		r := []byte("GET " + balances + query + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.tokens["admin"] + "\r\n\r\n")
		return func(int) []byte { return r }
	}
	b.Run("bare", func(b *testing.B) { wire(b, bare, get("")) })
	b.Run("now", func(b *testing.B) { wire(b, s.handler, get("")) })
	b.Run("min_position", func(b *testing.B) { wire(b, s.handler, get("?min_position=1")) })
	b.Run("handler", func(b *testing.B) {
		r := httptest.NewRequest(http.MethodGet, balances, nil)
		r.Header.Set("Authorization", "Bearer "+s.tokens["admin"])
		b.ReportAllocs()
		for b.Loop() {
			s.handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	})
}

// durable replaces the log by one in SQLite, as in production.
func durable(b *testing.B) option {
	return func(d *httpapi.Deps, _ *httpapi.Config) {
		path := filepath.Join(b.TempDir(), "events.db")
		if err := esqlite.Create(path, esqlite.Options{}); err != nil {
			b.Fatal(err)
		}
		store, err := esqlite.Open(context.Background(), path, esqlite.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = store.Close() })
		cfg := ledger.Config{Software: "counterfoil/test", Clock: time.Now}
		if err := ledger.Init(context.Background(), store, d.Ledger.ID(), domain.ModeLive, cfg); err != nil {
			b.Fatal(err)
		}
		l, err := ledger.Open(context.Background(), store, d.Ops, cfg)
		if err != nil {
			b.Fatal(err)
		}
		for _, ch := range d.Channels {
			if err := l.Configure(context.Background(), ch.Config(), ledger.By{Actor: "system"}); err != nil {
				b.Fatal(err)
			}
		}
		d.Ledger, d.Log, d.Clock = l, store, time.Now
	}
}

// quiet logs warnings only, to nowhere, as a busy installation may.
func quiet(d *httpapi.Deps, _ *httpapi.Config) {
	d.Logger = slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d.Clock = time.Now
}

// told logs everything, to nowhere: it costs what it costs to write the lines.
func told(d *httpapi.Deps, _ *httpapi.Config) {
	d.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil))
	d.Clock = time.Now
}

// BenchmarkCallback is a genuine V1 callback over the wire: distinct payments
// that were placed before, and repeats of one.
func BenchmarkCallback(b *testing.B) {
	for _, store := range []struct {
		name    string
		options func(b *testing.B) []option
	}{
		{"memory", func(*testing.B) []option { return []option{told} }},
		{"memory-quiet", func(*testing.B) []option { return []option{quiet} }},
		{"sqlite", func(b *testing.B) []option { return []option{durable(b), told} }},
	} {
		b.Run("distinct/"+store.name, func(b *testing.B) {
			s := newSite(b, store.options(b)...)
			requests := make([][]byte, b.N+1)
			var placed sync.WaitGroup
			for i := range 64 {
				placed.Go(func() {
					for n := i; n <= b.N; n += 64 {
						no := fmt.Sprintf("USR1NO%09d", n)
						s.place(now, no, "7.30")
						requests[n] = wireCallback(no)
					}
				})
			}
			placed.Wait()
			wire(b, s.handler, func(n int) []byte { return requests[n] })
		})
		b.Run("repeats/"+store.name, func(b *testing.B) {
			s := newSite(b, store.options(b)...)
			s.place(now, "USR1NO1", "7.30")
			r := wireCallback("USR1NO1")
			wire(b, s.handler, func(int) []byte { return r })
		})
	}
	b.Run("bare", func(b *testing.B) {
		r := wireCallback("USR1NO1")
		wire(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "success")
		}), func(int) []byte { return r })
	})
}

// wireCallback is a callback as a gateway behind a proxy sends it.
func wireCallback(no string) []byte {
	return []byte("GET /callbacks/epay-now?" + signed(callback(no, "2026031422001"+strings.TrimPrefix(no, "USR1NO"), "7.30")) +
		" HTTP/1.1\r\nHost: pay.example.com\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64)\r\nAccept: */*\r\nAccept-Language: zh-CN,zh;q=0.8\r\n\r\n")
}
