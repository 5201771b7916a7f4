package esdbtest

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// Options shape an installation.
type Options struct {
	Nodes     int         // default 1; more make a cluster over one log, led by node 0
	Version   string      // default "24.6.0"
	TLS       *tls.Config // nil: plain HTTP/2
	User      string      // with Password: what every call must come with; only over TLS
	Password  string
	Clock     func() time.Time // of the created dates; default the true one
	MaxAppend int              // default 1 MiB of data
}

// Server is an installation of one node or a cluster.
type Server struct {
	o     Options
	log   *log
	cmd   commands
	nodes []*node

	mu       sync.Mutex
	leader   int
	drop     chan struct{}
	dropCode codes.Code
}

// Start starts an installation on ports of its own on 127.0.0.1.
func Start(o Options) (*Server, error) {
	o.Nodes = max(o.Nodes, 1)
	if o.Version == "" {
		o.Version = "24.6.0"
	}
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // a test's tool: only tests that look at dates hand one in
	}
	if o.MaxAppend == 0 {
		o.MaxAppend = 1 << 20
	}
	s := &Server{o: o, log: newLog(o.Clock), drop: make(chan struct{})}
	s.cmd.version = o.Version
	for i := range o.Nodes {
		n := &node{server: s, index: i, conns: make(map[string]net.Conn), resume: closedChannel()}
		if err := n.start("127.0.0.1:0"); err != nil {
			s.Close()
			return nil, err
		}
		s.nodes = append(s.nodes, n)
	}
	return s, nil
}

func closedChannel() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// ConnectionString is how a client finds the installation.
func (s *Server) ConnectionString() string {
	addrs := make([]string, 0, len(s.nodes))
	for _, n := range s.nodes {
		addrs = append(addrs, n.addr)
	}
	return fmt.Sprintf("esdb://%s?tls=%t", strings.Join(addrs, ","), s.o.TLS != nil)
}

// Addr is host and port of a node.
func (s *Server) Addr(node int) string { return s.nodes[node].addr }

// Kill stops a node as kill -9 does: connections end, nothing is answered. What
// was kept stays.
func (s *Server) Kill(node int) { s.nodes[node].kill() }

// Restart starts a killed node on its old port, with the same data, and without
// what servers keep in memory.
func (s *Server) Restart(node int) error {
	s.log.forget()
	return s.nodes[node].start(s.nodes[node].addr)
}

// Hang has a node take calls and answer none, until Resume.
func (s *Server) Hang(node int) { s.nodes[node].hang() }

// Resume ends Hang: the calls that wait go on.
func (s *Server) Resume(node int) { s.nodes[node].unhang() }

// Lead makes another node the leader.
func (s *Server) Lead(node int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader = node
}

// Leader is the index of the node that leads.
func (s *Server) Leader() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leader
}

func (s *Server) leaderEndpoint() (string, int) {
	return s.nodes[s.Leader()].endpoint()
}

// Close stops all nodes.
func (s *Server) Close() {
	for _, n := range s.nodes {
		n.unhang()
		n.kill()
	}
}

// Write plants an event, as another program with access to the server would.
// Streams that begin with "$$" hold metadata: their events are "$metadata".
func (s *Server) Write(stream, kind string, data, meta []byte) {
	s.log.append(stream, anyRevision, []proposal{{id: newID(), kind: kind, contentType: jsonType, data: data, meta: meta}})
}

// WriteSplit is Write for an event whose commit and prepare positions differ, as
// the transactions of old servers left them.
func (s *Server) WriteSplit(stream, kind string, data, meta []byte) {
	s.log.append(stream, anyRevision, []proposal{{id: newID(), kind: kind, contentType: jsonType, data: data, meta: meta, split: true}})
}

// Tombstone deletes a stream for good.
func (s *Server) Tombstone(stream string) { s.log.remove(stream, anyRevision, true) }

// Stored is an event as the server keeps it.
type Stored struct {
	Stream   string
	Revision uint64
	ID       [16]byte
	Type     string
}

// Log is everything kept in streams whose name begins with prefix, in order.
func (s *Server) Log(prefix string) []Stored {
	records, _ := s.log.snapshot()
	var out []Stored
	for _, r := range records {
		if strings.HasPrefix(r.stream, prefix) {
			out = append(out, Stored{r.stream, r.revision, r.id, r.kind})
		}
	}
	return out
}
