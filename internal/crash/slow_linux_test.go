package crash

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSlowClients holds 500 connections that dribble: half of them never end
// their header, half never their body. Ten of ten addresses stay below the
// limit of connections for one address, and one address far above it is held
// to it. Honest callbacks from another address are answered about as fast as
// before, and memory stays bounded.
func TestSlowClients(t *testing.T) {
	const (
		addresses = 10
		each      = 44
		greedy    = 60
		perAddr   = 48
	)
	s := newSite(t, setup{conns: perAddr})
	api, _ := s.startAPI(t)
	some := orders(plain, "W", 600)
	s.place(t, some)
	calm := s.latencies(t, some[:300])
	before := memory(t, api, "VmHWM")

	var slow []net.Conn
	for a := range addresses {
		slow = append(slow, s.dribble(t, fmt.Sprintf("127.0.9.%d", a+1), each)...)
	}
	slow = append(slow, s.dribble(t, "127.0.9.200", greedy)...)
	stop := make(chan struct{})
	go drip(slow, stop)
	busy := s.latencies(t, some[300:])
	open := established(t, s, "127.0.9.")
	if held := established(t, s, "127.0.9.200"); held > perAddr {
		t.Errorf("%d connections of one address are open, %d are the limit", held, perAddr)
	}
	if open < addresses*each/2 {
		t.Errorf("only %d slow connections were open while honest callbacks came: this proves nothing", open)
	}
	grown := memory(t, api, "VmHWM") - before
	t.Logf("honest callbacks: median %s calm, %s beside %d slow connections; p99 %s, %s; memory %+d KB",
		quantile(calm, 0.5), quantile(busy, 0.5), open, quantile(calm, 0.99), quantile(busy, 0.99), grown)
	if m, limit := quantile(busy, 0.5), 3*quantile(calm, 0.5)+5*time.Millisecond; m > limit {
		t.Errorf("median of honest callbacks is %s beside slow ones, want %s at most", m, limit)
	}
	if grown > 64<<10 {
		t.Errorf("slow connections cost %d KB of memory", grown)
	}
	left := open/2 + greedy // those that dribble a body have twice the time
	if long(t) {
		left = 0
	}
	eventually(t, 20*time.Second, "slow connections were cut", func() bool { return established(t, s, "127.0.9.") <= left })
	close(stop)
	for _, c := range slow {
		c.Close()
	}
	api.stop(t)
}

// latencies sends one genuine callback for each order over one connection, from
// an address of its own, and is how long each answer took.
func (s *site) latencies(t *testing.T, some []order) []time.Duration {
	t.Helper()
	w, err := dial(t.Context(), s.api, "127.0.8.1")
	must(t, err)
	defer w.close()
	out := make([]time.Duration, len(some))
	for i, o := range some {
		c := s.paid(t, o, "honest", i%2 == 0)
		began := time.Now()
		got, err := w.send(c.wire)
		must(t, err)
		out[i] = time.Since(began)
		if got != success {
			t.Fatalf("an honest callback was answered %d %q", got.status, got.body)
		}
	}
	return out
}

// dribble opens connections that begin a request and do not end it.
func (s *site) dribble(t *testing.T, from string, n int) []net.Conn {
	t.Helper()
	var out []net.Conn
	for i := range n {
		w, err := dial(t.Context(), s.api, from)
		must(t, err)
		begin := "POST /callbacks/" + plain + " HTTP/1.1\r\nHost: x\r\n"
		if i%2 == 0 {
			begin += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\npid="
		}
		w.conn.Write([]byte(begin)) // one above the limit is closed already
		out = append(out, w.conn)
	}
	return out
}

// drip sends one more byte on each connection now and then.
func drip(conns []net.Conn, stop <-chan struct{}) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for _, c := range conns {
			c.SetWriteDeadline(time.Now().Add(time.Millisecond))
			c.Write([]byte("a"))
		}
	}
}

// established is how many connections from addresses with this prefix the API
// has open, by the kernel's table.
func established(t *testing.T, s *site, prefix string) int {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	must(t, err)
	_, port, err := net.SplitHostPort(s.api)
	must(t, err)
	number, err := strconv.Atoi(port)
	must(t, err)
	n := 0
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number)) && f[3] == "01" && strings.HasPrefix(ipv4(f[2]), prefix) {
			n++
		}
	}
	return n
}

// ipv4 reads an address of the kernel's table, which has its bytes reversed.
func ipv4(field string) string {
	v, err := strconv.ParseUint(strings.Split(field, ":")[0], 16, 32)
	if err != nil {
		return ""
	}
	return net.IPv4(byte(v), byte(v>>8), byte(v>>16), byte(v>>24)).String()
}

// memory is a field of the process's status, in KB.
func memory(t *testing.T, d *daemon, field string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	must(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			must(t, err)
			return n
		}
	}
	t.Fatalf("the kernel does not tell %s", field)
	return 0
}
