package esdbtest

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/grpc/codes"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// errPlainEnd ends a subscription's loop without a status of its own.
var errPlainEnd = errors.New("plain end of stream")

// Delete implements the protocol's soft delete.
func (n *node) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	name := string(req.GetOptions().GetStreamIdentifier().GetStreamName())
	expected := anyRevision
	switch e := req.GetOptions().GetExpectedStreamRevision().(type) {
	case *streams.DeleteReq_Options_Revision:
		expected = expectation(e.Revision)
	case *streams.DeleteReq_Options_NoStream:
		expected = noStream
	}
	r, err := n.remove(ctx, name, expected, false)
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{
		Position: &streams.DeleteResp_Position{CommitPosition: r.position, PreparePosition: r.position},
	}}, nil
}

// Tombstone implements the protocol's final delete.
func (n *node) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	name := string(req.GetOptions().GetStreamIdentifier().GetStreamName())
	expected := anyRevision
	switch e := req.GetOptions().GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		expected = expectation(e.Revision)
	case *streams.TombstoneReq_Options_NoStream:
		expected = noStream
	}
	r, err := n.remove(ctx, name, expected, true)
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{
		Position: &streams.TombstoneResp_Position{CommitPosition: r.position, PreparePosition: r.position},
	}}, nil
}

func (n *node) remove(ctx context.Context, name string, expected expectation, tombstone bool) (result, error) {
	r := n.server.log.remove(name, expected, tombstone)
	switch r.outcome {
	case deleted:
		return r, streamDeleted(ctx, name)
	case wrongVersion:
		return r, refuse(ctx, codes.FailedPrecondition, "wrong-expected-version", "Wrong expected version",
			"expected-version", strconv.FormatInt(int64(expected), 10), "actual-version", strconv.FormatInt(r.revision, 10))
	default:
		return r, nil
	}
}
