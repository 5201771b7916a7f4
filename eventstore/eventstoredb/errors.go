package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
)

// verdict is what an error of the client means for the call that got it.
type verdict int

const (
	again    verdict = iota // the outcome is open: the identical call once more
	untaken                 // surely not done: once more too
	conflict                // the stream is elsewhere
	missing                 // no such stream
	deleted                 // the stream has a tombstone
	refused                 // the server will not, whatever is repeated
)

// blown is the panic of a session's fuse: the client met an unavailable server.
type blown struct{ err error }

// errPanic is the client breaking down under a call. Sending on its closed
// channel is how it frees callers that would otherwise wait for ever.
var errPanic = errors.New("the client broke down")

// panicked turns what a call's goroutine recovered into its error.
func panicked(x any) error {
	if b, ok := x.(blown); ok {
		return b.err
	}
	return fmt.Errorf("%w: %v", errPanic, x)
}

// codeOf is the client's code for an error; ok is false when it has none. The
// client's own FromError does not look into wrapped errors.
func codeOf(err error) (code esdb.ErrorCode, ok bool) {
	e, ok := errors.AsType[*esdb.Error](err)
	if !ok {
		return 0, false
	}
	return e.Code(), true
}

// judge says what an error means. Everything unknown leaves the outcome open.
func judge(err error) verdict {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, errPanic) {
		return again
	}
	switch code, _ := codeOf(err); code {
	case esdb.ErrorCodeWrongExpectedVersion:
		return conflict
	case esdb.ErrorCodeStreamDeleted:
		return deleted
	case esdb.ErrorCodeResourceNotFound:
		return missing
	case esdb.ErrorCodeNotLeader:
		return untaken
	case esdb.ErrorCodeUnauthenticated, esdb.ErrorCodeAccessDenied, esdb.ErrorCodeUnsupportedFeature:
		return refused
	case esdb.ErrorCodeDeadlineExceeded, esdb.ErrorAborted, esdb.ErrorUnavailable, esdb.ErrorCodeConnectionClosed:
		return again
	default: // the status below says more
	}
	switch statusOf(err).Code() {
	case codes.InvalidArgument, codes.ResourceExhausted, codes.FailedPrecondition,
		codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		return refused
	default:
		return again
	}
}

// statusOf is the gRPC status at the bottom of an error.
func statusOf(err error) *status.Status {
	for ; err != nil; err = errors.Unwrap(err) {
		if s, ok := status.FromError(err); ok {
			return s
		}
	}
	return status.New(codes.Unknown, "")
}

// kindOf is the kind of a refusal.
func kindOf(err error) domain.Kind {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e.Kind
	}
	switch statusOf(err).Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		return domain.KindDenied
	case codes.Unimplemented:
		return domain.KindMismatch
	case codes.ResourceExhausted:
		return domain.KindTooLarge
	case codes.InvalidArgument:
		if strings.Contains(err.Error(), "Maximum Append") {
			return domain.KindTooLarge
		}
		return domain.KindInvalid
	default:
		return domain.KindUnavailable
	}
}

// lasting tells whether an error stays until somebody changes something, so
// that waiting for a better client is useless.
func lasting(err error) bool {
	switch domain.KindOf(err) {
	case domain.KindDenied, domain.KindMismatch, domain.KindInvalid:
		return true
	default:
		return false
	}
}

func closed() error { return domain.E(domain.KindUnavailable, "the event store is closed") }
