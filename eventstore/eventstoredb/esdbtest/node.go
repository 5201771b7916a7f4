package esdbtest

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// node is one process of an installation.
type node struct {
	streams.UnimplementedStreamsServer
	server *Server
	index  int
	addr   string

	mu     sync.Mutex
	grpc   *grpc.Server // nil while killed
	served chan struct{}
	conns  map[string]net.Conn
	resume chan struct{} // open while the node hangs
}

// maxMessage is the largest message taken, that of the true server.
const maxMessage = 17 << 20

// start listens and serves. The old port may be busy for a moment after a kill.
func (n *node) start(addr string) error {
	var l net.Listener
	var err error
	for range 200 {
		if l, err = net.Listen("tcp", addr); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("node %d on %s: %w", n.index, addr, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addr = l.Addr().String()
	n.grpc = n.newServer()
	n.served = make(chan struct{})
	go func(g *grpc.Server, served chan struct{}) {
		defer close(served)
		_ = g.Serve(tracked{l, n}) // ends with Stop, which is no error here
	}(n.grpc, n.served)
	return nil
}

func (n *node) newServer() *grpc.Server {
	o := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			if err := n.enter(ctx, false); err != nil {
				return nil, err
			}
			return h(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
			if err := n.enter(ss.Context(), true); err != nil {
				return err
			}
			return h(srv, ss)
		}),
	}
	if n.server.o.TLS != nil {
		o = append(o, grpc.Creds(credentials.NewTLS(n.server.o.TLS)))
	}
	g := grpc.NewServer(o...)
	streams.RegisterStreamsServer(g, n)
	gossip.RegisterGossipServer(g, gossiper{node: n})
	serverfeatures.RegisterServerFeaturesServer(g, features{node: n})
	return g
}

// enter is what every call goes through: a hanging node, credentials, and the
// wish to be served by the leader.
func (n *node) enter(ctx context.Context, data bool) error {
	if err := n.wait(ctx); err != nil || !data {
		return err
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if n.server.o.User != "" {
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte(n.server.o.User+":"+n.server.o.Password))
		if got := md.Get("authorization"); len(got) == 0 || got[0] != want {
			return status.Error(codes.Unauthenticated, "Not Authenticated")
		}
	}
	if got := md.Get("requires-leader"); len(got) > 0 && got[0] == "true" {
		n.server.cmd.mu.Lock()
		n.server.cmd.requires++
		n.server.cmd.mu.Unlock()
		if n.server.Leader() != n.index {
			host, port := n.server.leaderEndpoint()
			return notLeader(ctx, host, port)
		}
	}
	return nil
}

// wait blocks while the node hangs.
func (n *node) wait(ctx context.Context) error {
	n.mu.Lock()
	resume := n.resume
	n.mu.Unlock()
	select {
	case <-resume:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *node) hang() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.resume:
		n.resume = make(chan struct{})
	default: // hangs already
	}
}

func (n *node) unhang() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.resume:
	default:
		close(n.resume)
	}
}

func (n *node) kill() {
	n.mu.Lock()
	g, served := n.grpc, n.served
	n.grpc = nil
	n.mu.Unlock()
	if g != nil {
		g.Stop()
		<-served
	}
}

func (n *node) alive() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.grpc != nil
}

func (n *node) endpoint() (string, int) {
	host, port, _ := net.SplitHostPort(n.addr) // made by net.Listen
	number, _ := strconv.Atoi(port)
	return host, number
}

// tracked remembers connections by the client's address, so that one can be cut.
type tracked struct {
	net.Listener
	node *node
}

func (l tracked) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	l.node.conns[c.RemoteAddr().String()] = c
	return leaving{c, l.node}, nil
}

// leaving forgets its connection when it ends.
type leaving struct {
	net.Conn
	node *node
}

func (c leaving) Close() error {
	c.node.mu.Lock()
	delete(c.node.conns, c.RemoteAddr().String())
	c.node.mu.Unlock()
	return c.Conn.Close()
}

// features answers what the server can do.
type features struct {
	serverfeatures.UnimplementedServerFeaturesServer
	node *node
}

func (f features) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	c := &f.node.server.cmd
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == "" {
		return nil, status.Error(codes.Unimplemented, "no such method")
	}
	out := &serverfeatures.SupportedMethods{EventStoreServerVersion: c.version}
	for _, m := range []string{"append", "read", "delete", "tombstone"} {
		out.Methods = append(out.Methods, &serverfeatures.SupportedMethod{MethodName: m, ServiceName: "event_store.client.streams.streams"})
	}
	return out, nil
}

// gossiper answers who is in the cluster.
type gossiper struct {
	gossip.UnimplementedGossipServer
	node *node
}

func (g gossiper) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	s := g.node.server
	leader := s.Leader()
	out := new(gossip.ClusterInfo)
	for i, n := range s.nodes {
		state := gossip.MemberInfo_Follower
		if i == leader {
			state = gossip.MemberInfo_Leader
		}
		host, port := n.endpoint()
		out.Members = append(out.Members, &gossip.MemberInfo{
			InstanceId: wireID([16]byte{byte(i + 1)}), State: state, IsAlive: n.alive(),
			HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(port)},
		})
	}
	return out, nil
}
