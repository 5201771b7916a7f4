package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// reply is what a call came to.
type reply[T any] struct {
	value T
	err   error
}

// errSilent is a try that got no answer in its time.
var errSilent = errors.New("no answer in time")

// call makes one try on the current session. sent is false when there was none
// to try it on.
func call[T any](ctx context.Context, p *supervisor, do func(context.Context, *esdb.Client) (T, error)) (value T, sent bool, err error) {
	s, err := p.session(ctx)
	if err != nil {
		return value, false, err
	}
	value, err = within(ctx, p, s, do)
	return value, true, err
}

// within makes one call on a session that has been examined, in the caller's
// goroutine: a goroutine for each call would double the adapter's cost. That is
// safe because such a client waits for nothing but its connection, which obeys
// the context: its own loop answers at once, or its channel is closed and the
// call breaks down with a panic. Should a call overstay all the same, free ends
// it. A session that shows a sign of trouble is retired.
func within[T any](ctx context.Context, p *supervisor, s *session, do func(context.Context, *esdb.Client) (T, error)) (value T, err error) {
	if !p.begin(s) {
		return value, fmt.Errorf("%w: it was retired", errPanic)
	}
	defer p.end(s)
	try, cancel := context.WithTimeout(ctx, p.o.CallTimeout)
	defer cancel()
	var over atomic.Bool
	stop := context.AfterFunc(try, func() { p.free(s, &over) })
	defer func() {
		if x := recover(); x != nil {
			err = panicked(x)
		}
		over.Store(true)
		stop()
		if err != nil && broken(ctx, try, err) {
			p.retire(s, err)
		}
	}()
	return do(p.outgoing(try), s.client)
}

// free retires a session on which a call outlived its context, which sets the
// call free when the client is closed.
func (p *supervisor) free(s *session, over *atomic.Bool) {
	if sleep(p.ctx, grace/4) && !over.Load() {
		p.retire(s, errSilent)
	}
}

// apart makes a call in a goroutine of its own and leaves it behind when its
// time is over, for clients not yet examined: one that looks for its server
// obeys no context.
func apart[T any](ctx context.Context, p *supervisor, s *session, do func(context.Context, *esdb.Client) (T, error)) (value T, err error) {
	if !p.begin(s) {
		return value, fmt.Errorf("%w: it was retired", errPanic)
	}
	done := make(chan reply[T], 1)
	go func() {
		var r reply[T]
		defer func() {
			if x := recover(); x != nil {
				r.err = panicked(x)
			}
			p.end(s)
			done <- r
		}()
		r.value, r.err = do(p.outgoing(ctx), s.client)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// outgoing asks for the leader where it matters. The client has an option for
// this, but what it sets never leaves the process.
func (p *supervisor) outgoing(ctx context.Context) context.Context {
	if !p.leader {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}

// broken tells whether an error speaks against the session, not only against
// the call. A cancellation that nobody asked for is the connection's end.
func broken(ctx, try context.Context, err error) bool {
	switch {
	case ctx.Err() != nil:
		return false
	case try.Err() != nil || errors.Is(err, errPanic) || errors.Is(err, context.Canceled):
		return true
	}
	code, ok := codeOf(err)
	switch {
	case !ok:
		return judge(err) == again
	case code == esdb.ErrorCodeUnknown:
		return statusOf(err).Code() == codes.Canceled
	}
	return code == esdb.ErrorCodeConnectionClosed || code == esdb.ErrorCodeNotLeader || code == esdb.ErrorUnavailable
}

// readAll reads the log backwards from a place, at most count events, until
// visit says that it has seen enough.
func readAll(ctx context.Context, c *esdb.Client, from esdb.AllPosition, count uint64, visit func(*esdb.RecordedEvent) bool) error {
	r, err := c.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: from}, count)
	if err != nil {
		return err
	}
	defer r.Close()
	return each(r, visit)
}

// each goes through a read until its end or until visit has seen enough.
func each(r *esdb.ReadStream, visit func(*esdb.RecordedEvent) bool) error {
	for {
		e, err := r.Recv()
		if isEnd(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if !visit(e.OriginalEvent()) {
			return nil
		}
	}
}
