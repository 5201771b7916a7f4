package esdbtest

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Fault is what befalls one append.
type Fault int

// The faults. Those that end in After strike when the events have been kept.
const (
	Pass         Fault = iota
	Aborted            // ABORTED "Operation timed out", nothing kept
	AbortedAfter       // the same words, but kept
	Cut                // the connection ends in the middle of the request
	CutAfter           // the connection ends before the reply
	SilentAfter        // no reply until the client gives up
	Dropped            // no reply and nothing kept
	Unavailable        // UNAVAILABLE "Server Is Not Ready"
	NotLeader          // NOT_FOUND with the leader's endpoint
	DeniedEarly        // PERMISSION_DENIED before all events were read
	NoLeaderInfo       // UNKNOWN
)

// commands are the faults that are asked for.
type commands struct {
	mu        sync.Mutex
	queue     []Fault
	always    Fault
	every     int // of so many appends one goes wrong, in the ways of round
	round     []Fault
	latency   time.Duration
	duplicate int
	twice     bool
	stray     int
	version   string
	appends   int
	scanned   int // records that subscriptions have looked at
	requires  int // calls that came with requires-leader
}

// Next gives the coming appends their faults, in order.
func (s *Server) Next(faults ...Fault) {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	s.cmd.queue = append(s.cmd.queue, faults...)
}

// Always gives every append without a fault from Next this one.
func (s *Server) Always(f Fault) {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	s.cmd.always = f
}

// Every has one of n appends go wrong, each time in the next of these ways.
func (s *Server) Every(n int, round ...Fault) {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	s.cmd.every, s.cmd.round = n, round
}

// SetLatency delays every reply to an append.
func (s *Server) SetLatency(d time.Duration) {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	s.cmd.latency = d
}

// Duplicate has each subscription begin n records earlier than it was asked to.
func (s *Server) Duplicate(n int) {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	s.cmd.duplicate = n
}

// CaughtUpTwice has each subscription say twice that it is live.
func (s *Server) CaughtUpTwice() {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	s.cmd.twice = true
}

// Stray has the next n reads of a stream begin with a message that belongs to
// subscriptions, on which the Go client panics.
func (s *Server) Stray(n int) {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	s.cmd.stray = n
}

// takeStray tells whether one is due.
func (c *commands) takeStray() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stray == 0 {
		return false
	}
	c.stray--
	return true
}

// SetVersion changes the version that the server tells; "" makes it one
// without ServerFeatures.
func (s *Server) SetVersion(v string) {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	s.cmd.version = v
}

// Appends is how many appends have come in.
func (s *Server) Appends() int {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	return s.cmd.appends
}

// Scanned is how many records subscriptions have looked at.
func (s *Server) Scanned() int {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	return s.cmd.scanned
}

func (c *commands) scan() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scanned++
}

// AskedForLeader is how many calls asked to be served by the leader only.
func (s *Server) AskedForLeader() int {
	s.cmd.mu.Lock()
	defer s.cmd.mu.Unlock()
	return s.cmd.requires
}

// take is the next append's fault and delay.
func (c *commands) take() (Fault, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appends++
	if c.every > 0 && c.appends%c.every == 0 {
		return c.round[c.appends/c.every%len(c.round)], c.latency
	}
	if len(c.queue) == 0 {
		return c.always, c.latency
	}
	f := c.queue[0]
	c.queue = c.queue[1:]
	return f, c.latency
}

func (c *commands) subscription() (duplicate int, twice bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.duplicate, c.twice
}

// DropSubscriptions ends every subscription that now is: with this code, or
// with a plain end of stream for codes.OK.
func (s *Server) DropSubscriptions(code codes.Code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropCode = code
	close(s.drop)
	s.drop = make(chan struct{})
}

// dropped is what closes when subscriptions are to end.
func (s *Server) dropped() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop
}

func (s *Server) dropError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return status.Error(s.dropCode, "the subscription was dropped")
}

// strike plays the faults that come before the events are kept; nil lets the
// append go on.
func (n *node) strike(ctx context.Context, f Fault) error {
	switch f {
	case Aborted:
		return status.Error(codes.Aborted, "Operation timed out: Prepare phase timeout")
	case Cut:
		n.cut(ctx)
		return status.Error(codes.Unavailable, "cut")
	case Dropped:
		<-ctx.Done()
		return ctx.Err()
	case Unavailable:
		return status.Error(codes.Unavailable, "Server Is Not Ready")
	case NotLeader:
		host, port := n.server.leaderEndpoint()
		return notLeader(ctx, host, port)
	case NoLeaderInfo:
		return status.Error(codes.Unknown, "No leader info available in response")
	case Pass, AbortedAfter, CutAfter, SilentAfter, DeniedEarly:
	}
	return nil
}

// strikeAfter plays those that come when they have been kept.
func (n *node) strikeAfter(ctx context.Context, f Fault) error {
	switch f {
	case AbortedAfter:
		return status.Error(codes.Aborted, "Operation timed out: Commit phase timeout")
	case CutAfter:
		n.cut(ctx)
		return status.Error(codes.Unavailable, "cut")
	case SilentAfter:
		<-ctx.Done()
		return ctx.Err()
	default:
		return nil
	}
}

// cut ends the connection that a call came over.
func (n *node) cut(ctx context.Context) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.conns[p.Addr.String()]; c != nil {
		_ = c.Close() // that it ends is all that is wanted
	}
}
