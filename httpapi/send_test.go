package httpapi_test

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/httpapi"
)

// narrow is a listener whose connections hold little that was not read.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(32 << 10)
	}
	return c, err
}

// served is a site behind a socket, whose clients may leave an answer unread for
// within. done has one element for each request that was handled.
type served struct {
	*site
	addr string
	done chan struct{}
}

func serveSite(t *testing.T, within time.Duration) served {
	t.Helper()
	s := served{
		site: newSite(t, func(_ *httpapi.Deps, c *httpapi.Config) { c.SendWithin = within }),
		done: make(chan struct{}, 100),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own
	s.ok(err)
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { s.done <- struct{}{} }()
		s.handler.ServeHTTP(w, r)
	})}
	go srv.Serve(narrow{l})
	t.Cleanup(func() { srv.Close() })
	s.addr = l.Addr().String()
	return s
}

// dial is a client that holds no more than a part of an answer unread.
func (s served) dial(t *testing.T) net.Conn {
	t.Helper()
	d := net.Dialer{}
	c, err := d.DialContext(t.Context(), "tcp", s.addr)
	s.ok(err)
	t.Cleanup(func() { c.Close() })
	s.ok(c.(*net.TCPConn).SetReadBuffer(32 << 10))
	return c
}

func (s served) ask(t *testing.T, c net.Conn, path string) {
	t.Helper()
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", path, s.tokens["admin"])
	s.ok(err)
}

// grow appends n events of 100 KB.
func (s served) grow(t *testing.T, n int) {
	t.Helper()
	data := []byte(`{"x":"` + strings.Repeat("x", 100<<10) + `"}`)
	for i := range n {
		id, err := domain.NewRandom(rand.Reader)
		s.ok(err)
		_, err = s.store.Append(t.Context(), domain.Stream(fmt.Sprint("big-", id)), eventstore.NoStream,
			[]eventstore.Event{{ID: id, Type: "x.y.v1", Data: data, Meta: []byte("{}")}})
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
}

// TestStoppedReader: a client that stops reading an answer holds nothing here for
// longer than it may, whether the answer has an end or not.
func TestStoppedReader(t *testing.T) {
	t.Parallel()
	s := serveSite(t, 50*time.Millisecond)
	s.grow(t, 20)
	for _, path := range []string{"/v1/events", "/v1/events?follow=true"} {
		c := s.dial(t)
		s.ask(t, c, path)
		_, err := io.ReadFull(c, make([]byte, 1000))
		s.ok(err)
		select {
		case <-s.done:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s is still being written", path)
		}
	}
}

// TestSlowReader: an answer that is read slowly arrives whole, though it takes
// many times as long as one part of it may be left unread.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	const within = 300 * time.Millisecond
	s := serveSite(t, within)
	s.grow(t, 20)
	c := s.dial(t)
	begun := time.Now()
	s.ask(t, c, "/v1/events")
	res, err := http.ReadResponse(bufio.NewReader(slowly{c}), nil)
	s.ok(err)
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil || n < 20*100<<10 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if took := time.Since(begun); took < 3*within {
		t.Errorf("the test reads too fast: %s", took)
	}
}

// slowly reads 2 MB in a second at most.
type slowly struct{ net.Conn }

func (s slowly) Read(b []byte) (int, error) {
	time.Sleep(2 * time.Millisecond)
	return s.Conn.Read(b[:min(len(b), 4<<10)])
}

// TestQuietStream: a stream that had nothing to say for longer than a client may
// leave an answer unread goes on, and so does a connection that was not used.
func TestQuietStream(t *testing.T) {
	t.Parallel()
	const within = 50 * time.Millisecond
	s := serveSite(t, within)
	c := s.dial(t)
	in := bufio.NewReader(c)
	for range 2 {
		s.ask(t, c, "/v1/nothing")
		res, err := http.ReadResponse(in, nil)
		s.ok(err)
		_, err = io.Copy(io.Discard, res.Body)
		s.ok(err)
		s.ok(res.Body.Close())
		time.Sleep(2 * within)
	}
	s.ask(t, c, "/v1/events?follow=true")
	res, err := http.ReadResponse(in, nil)
	s.ok(err)
	defer res.Body.Close()
	defer c.Close() // first: closing the body alone would read to its end
	lines := bufio.NewReader(res.Body)
	for range len(s.events()) {
		_, err := lines.ReadString('\n')
		s.ok(err)
	}
	time.Sleep(2 * within)
	s.place(now, "A1", "7.30")
	if l, err := lines.ReadString('\n'); err != nil || parse(t, l).Type != "payment.placed.v1" {
		t.Errorf("after a silence: %q, %v", l, err)
	}
}
