package esdbtest

import (
	"slices"
	"sort"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// Read implements the protocol's Read: finite reads and subscriptions, of a
// stream or of all.
func (n *node) Read(req *streams.ReadReq, call streams.Streams_ReadServer) error {
	o := req.GetOptions()
	if o.GetUuidOption() == nil {
		return invalid("'uuid_option' is required")
	}
	_, live := o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	switch {
	case live:
		return n.subscribe(o, call)
	case o.GetAll() != nil:
		return n.readAll(o, call)
	}
	return n.readStream(o, call)
}

func send(call streams.Streams_ReadServer, records []*record, count uint64) error {
	for _, r := range records[:min(count, uint64(len(records)))] {
		if err := call.Send(r.message); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) readStream(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	name := string(o.GetStream().GetStreamIdentifier().GetStreamName())
	if n.server.cmd.takeStray() {
		return call.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
	}
	s, ok := n.server.log.look(name)
	if ok && s.tombstoned {
		return streamDeleted(call.Context(), name)
	}
	if !ok || len(s.visible()) == 0 {
		return call.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(name)},
		}}})
	}
	if o.GetReadDirection() == streams.ReadReq_Options_Backwards {
		return send(call, backwards(s.visible(), revisionOf(o.GetStream())), o.GetCount())
	}
	return send(call, forwards(s.visible(), revisionOf(o.GetStream())), o.GetCount())
}

// look is a copy of what is known of a stream; records are never changed.
func (l *log) look(name string) (stream, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s, ok := l.streams[name]
	if !ok {
		return stream{}, false
	}
	return *s, true
}

// start and end stand for the ends of a stream or log.
const (
	start int64 = -1
	end   int64 = -2
)

func revisionOf(o *streams.ReadReq_Options_StreamOptions) int64 {
	switch r := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		return int64(r.Revision)
	case *streams.ReadReq_Options_StreamOptions_End:
		return end
	default:
		return start
	}
}

// forwards is from a revision on, this one included.
func forwards(records []*record, from int64) []*record {
	switch from {
	case start:
		return records
	case end:
		return nil
	}
	return records[sort.Search(len(records), func(i int) bool { return records[i].revision >= uint64(from) }):]
}

// backwards is from a revision down, this one included.
func backwards(records []*record, from int64) []*record {
	if from == start {
		from = 0
	}
	n := len(records)
	if from != end {
		n = sort.Search(len(records), func(i int) bool { return records[i].revision > uint64(from) })
	}
	out := slices.Clone(records[:n])
	slices.Reverse(out)
	return out
}

// readAll includes the record at a position forwards, and not backwards.
func (n *node) readAll(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	records, _ := n.server.log.snapshot()
	at, err := n.server.log.index(o.GetAll(), records)
	if err != nil {
		return err
	}
	if o.GetReadDirection() == streams.ReadReq_Options_Backwards {
		for i := at - 1; i >= 0 && at-i <= int(min(o.GetCount(), uint64(len(records)))); i-- {
			if err := call.Send(records[i].message); err != nil {
				return err
			}
		}
		return nil
	}
	return send(call, records[at:], o.GetCount())
}

// index is where in records a read of all begins. Only the beginning of a
// record and the end of the log are positions.
func (l *log) index(o *streams.ReadReq_Options_AllOptions, records []*record) (int, error) {
	p, ok := o.GetAllOption().(*streams.ReadReq_Options_AllOptions_Position)
	if !ok {
		if _, atEnd := o.GetAllOption().(*streams.ReadReq_Options_AllOptions_End); atEnd {
			return len(records), nil
		}
		return 0, nil
	}
	commit := p.Position.GetCommitPosition()
	i := sort.Search(len(records), func(i int) bool { return records[i].position >= commit })
	if i < len(records) && records[i].position == commit && p.Position.GetPreparePosition() == commit {
		return i, nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if commit == l.end {
		return len(records), nil
	}
	return 0, invalid("Trying to read from an invalid position.")
}
