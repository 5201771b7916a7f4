package esdbtest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
)

func newID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // never fails, says crypto/rand
	return id
}

func softDelete() []byte { return fmt.Appendf(nil, `{"$tb":%d}`, int64(never)) }

func wireID(id [16]byte) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

// idOf reads the structured form, the only one the Go client sends.
func idOf(u *shared.UUID) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], uint64(u.GetStructured().GetMostSignificantBits()))
	binary.BigEndian.PutUint64(id[8:], uint64(u.GetStructured().GetLeastSignificantBits()))
	return id
}

// refuse is an error with the trailers by which clients tell it apart.
func refuse(ctx context.Context, code codes.Code, exception, text string, trailers ...string) error {
	if exception != "" {
		trailers = append(trailers, "exception", exception)
	}
	_ = grpc.SetTrailer(ctx, metadata.Pairs(trailers...)) // fails only when the call is over
	return status.Error(code, text)
}

func streamDeleted(ctx context.Context, name string) error {
	return refuse(ctx, codes.FailedPrecondition, "stream-deleted", fmt.Sprintf("Event stream '%s' is deleted.", name), "stream-name", name)
}

func notLeader(ctx context.Context, host string, port int) error {
	return refuse(ctx, codes.NotFound, "not-leader", "Leader info available",
		"leader-endpoint-host", host, "leader-endpoint-port", strconv.Itoa(port))
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}
