package eventstoredb

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// session is one client and one connection, from its making to its burial.
//
// Left alone, a client that met an unavailable server goes looking for another
// one and forgets to close the connection it had; when the search fails it dies
// with callers waiting on it for ever. Its log is the one place where it can be
// stopped in time, because it logs what it is about to do, in the goroutine
// that is about to do it:
//
//   - "unexpected exception" comes in the caller's goroutine before the search
//     is asked for. The fuse panics there, the call's goroutine recovers, and
//     the search never begins.
//   - "Connecting to leader node" comes in the client's own goroutine when the
//     old connection has been closed and before the new one is opened. The fuse
//     ends that goroutine, and closes the client so that nobody waits for it.
//
// In both cases the session is retired and the supervisor makes another. The
// client is archived, so these words will not change; tests hold them.
type session struct {
	client *esdb.Client
	ctx    context.Context // ends when the session is retired
	cancel context.CancelFunc
	log    *slog.Logger

	// calls, guarded by the supervisor's mutex, are those in progress; idle is
	// closed when a retired session has none left.
	calls   int
	retired bool
	idle    chan struct{}

	mu     sync.Mutex
	leader string // host:port that a not-leader reply named
}

func newSession(conf esdb.Configuration, log *slog.Logger) (*session, error) {
	s := &session{log: log, idle: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	conf.Logger = s.fuse
	client, err := esdb.NewClient(&conf)
	if err != nil {
		s.cancel()
		return nil, err
	}
	s.client = client
	return s, nil
}

// fuse is the client's log.
func (s *session) fuse(level, format string, args ...any) {
	switch {
	case strings.HasPrefix(format, "unexpected exception") && len(args) > 0:
		if err, ok := args[0].(error); ok && status.Code(err) == codes.Unavailable {
			panic(blown{err})
		}
	case strings.HasPrefix(format, "not leader exception") && len(args) > 0:
		if e, ok := args[0].(esdb.EndPoint); ok {
			s.mu.Lock()
			s.leader = e.String()
			s.mu.Unlock()
		}
	case strings.HasPrefix(format, "Connecting to leader node"):
		go func() { _ = s.client.Close() }() // always nil; breaks down whoever waits for the loop that ends here
		runtime.Goexit()
	}
	s.log.Debug("eventstoredb client", slog.String("client_level", level), slog.String("text", fmt.Sprintf(format, args...)))
}

// redirect is the leader that the server named, or "".
func (s *session) redirect() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leader
}
