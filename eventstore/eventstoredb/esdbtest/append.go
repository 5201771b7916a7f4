package esdbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// Append implements the protocol's Append: options, then each event, then the
// end of the stream.
func (n *node) Append(call streams.Streams_AppendServer) error {
	ctx := call.Context()
	fault, latency := n.server.cmd.take()
	first, err := call.Recv()
	if err != nil {
		return err
	}
	if first.GetOptions() == nil {
		return invalid("the first message must be options")
	}
	if fault == DeniedEarly {
		return refuse(ctx, codes.PermissionDenied, "access-denied", "Access Denied")
	}
	events, err := n.receive(ctx, call)
	if err != nil {
		return err
	}
	if err := n.strike(ctx, fault); err != nil {
		return err
	}
	if err := n.wait(ctx); err != nil {
		return err
	}
	name := string(first.GetOptions().GetStreamIdentifier().GetStreamName())
	expected := expectationOf(first.GetOptions())
	r := n.server.log.append(name, expected, events)
	if err := n.strikeAfter(ctx, fault); err != nil {
		return err
	}
	if err := pause(ctx, latency); err != nil {
		return err
	}
	if r.outcome == deleted {
		return streamDeleted(ctx, name)
	}
	return call.SendAndClose(replyTo(r, expected))
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receive reads the proposed events and holds the limits against them.
func (n *node) receive(ctx context.Context, call streams.Streams_AppendServer) ([]proposal, error) {
	var events []proposal
	size := 0
	for {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		p := m.GetProposedMessage()
		e := proposal{
			id: idOf(p.GetId()), kind: p.GetMetadata()["type"], contentType: p.GetMetadata()["content-type"],
			data: p.GetData(), meta: p.GetCustomMetadata(),
		}
		if e.kind == "" || e.contentType == "" {
			return nil, refuse(ctx, codes.InvalidArgument, "missing-required-metadata-property", "Required Metadata Property 'type' or 'content-type' is missing")
		}
		if e.id == ([16]byte{}) {
			return nil, invalid("Empty eventId provided.")
		}
		if size += len(e.data); size > n.server.o.MaxAppend {
			limit := strconv.Itoa(n.server.o.MaxAppend)
			return nil, refuse(ctx, codes.InvalidArgument, "maximum-append-size-exceeded",
				fmt.Sprintf("Maximum Append Size of %s Exceeded.", limit), "maximum-append-size", limit)
		}
		events = append(events, e)
	}
}

func expectationOf(o *streams.AppendReq_Options) expectation {
	switch e := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		return expectation(e.Revision)
	case *streams.AppendReq_Options_NoStream:
		return noStream
	case *streams.AppendReq_Options_StreamExists:
		return streamExists
	default:
		return anyRevision
	}
}

func replyTo(r result, expected expectation) *streams.AppendResp {
	if r.outcome == wrongVersion {
		return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wrong(r, expected)}}
	}
	if r.revision < 0 {
		return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
			CurrentRevisionOption: &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}},
			PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}},
		}}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(r.revision)},
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: r.position, PreparePosition: r.position,
		}},
	}}}
}

// wrong fills today's fields and their twins for clients of 20.6.
func wrong(r result, expected expectation) *streams.AppendResp_WrongExpectedVersion {
	w := new(streams.AppendResp_WrongExpectedVersion)
	if r.revision < 0 {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: &shared.Empty{}}
	} else {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(r.revision)}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(r.revision)}
	}
	switch expected {
	case noStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
	case anyRevision:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
	case streamExists:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
	default:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(expected)}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(expected)}
	}
	return w
}
