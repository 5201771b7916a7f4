package esdbtest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// subscription is one catch-up subscription: it reads the log from an index on
// and waits where it ends.
type subscription struct {
	node     *node
	call     streams.Streams_ReadServer
	match    func(*record) bool
	filtered bool // only these get checkpoints
	every    int  // considered records from one checkpoint to the next
	at       int  // index of the next record in the log
	since    int  // considered since the last checkpoint
	live     bool
	twice    bool
}

func (n *node) subscribe(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	s := &subscription{node: n, call: call, every: 32}
	if err := s.begin(o); err != nil {
		return err
	}
	drop := n.server.dropped()
	id := newID()
	err := call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: fmt.Sprintf("%x", id)},
	}})
	for err == nil {
		err = s.step(drop)
	}
	if errors.Is(err, errPlainEnd) {
		return nil
	}
	return err
}

// begin finds where to start, behind the position or revision given, and what
// to send.
func (s *subscription) begin(o *streams.ReadReq_Options) error {
	records, _ := s.node.server.log.snapshot()
	if all := o.GetAll(); all != nil {
		at, err := s.node.server.log.index(all, records)
		if err != nil {
			return err
		}
		if _, from := all.GetAllOption().(*streams.ReadReq_Options_AllOptions_Position); from && at < len(records) {
			at++
		}
		s.at = at
	} else {
		name, from := string(o.GetStream().GetStreamIdentifier().GetStreamName()), revisionOf(o.GetStream())
		s.match = func(r *record) bool { return r.stream == name && (from < 0 || r.revision > uint64(from)) }
		if from == end {
			s.at = len(records)
		}
	}
	duplicate, twice := s.node.server.cmd.subscription()
	s.at, s.twice = max(s.at-duplicate, 0), twice
	return s.filter(o.GetFilter())
}

func (s *subscription) filter(f *streams.ReadReq_Options_FilterOptions) error {
	if f == nil {
		if s.match == nil {
			s.match = func(*record) bool { return true }
		}
		return nil
	}
	s.filtered = true
	s.every = int(max(f.GetMax(), 1) * max(f.GetCheckpointIntervalMultiplier(), 1))
	expression, subject := f.GetStreamIdentifier(), func(r *record) string { return r.stream }
	if f.GetEventType() != nil {
		expression, subject = f.GetEventType(), func(r *record) string { return r.kind }
	}
	pattern, err := regexp.Compile(expression.GetRegex())
	if err != nil {
		return invalid("regex: %v", err)
	}
	s.match = func(r *record) bool {
		for _, p := range expression.GetPrefix() {
			if strings.HasPrefix(subject(r), p) {
				return true
			}
		}
		return len(expression.GetPrefix()) == 0 && pattern.MatchString(subject(r))
	}
	return nil
}

// step sends what there is, or says that this was all and waits for more.
func (s *subscription) step(drop <-chan struct{}) error {
	if err := s.node.wait(s.call.Context()); err != nil {
		return err
	}
	records, grown := s.node.server.log.snapshot()
	if s.at < len(records) {
		return s.send(records[s.at], drop)
	}
	if !s.live {
		if err := s.caughtUp(records); err != nil {
			return err
		}
	}
	select {
	case <-grown:
		return nil
	case <-drop:
		return s.end()
	case <-s.call.Context().Done():
		return s.call.Context().Err()
	}
}

// send sends one record if it matches, and a checkpoint when one is due.
func (s *subscription) send(r *record, drop <-chan struct{}) error {
	select {
	case <-drop:
		return s.end()
	default:
	}
	s.node.server.cmd.scan()
	s.at++
	s.since++
	if s.match(r) {
		if err := s.call.Send(r.message); err != nil {
			return err
		}
	}
	if s.since < s.every {
		return nil
	}
	return s.checkpoint(r)
}

// end is how a dropped subscription ends; OK is a plain end of stream, which a
// loop over errors must not take for "go on".
func (s *subscription) end() error {
	if err := s.node.server.dropError(); err != nil {
		return err
	}
	return errPlainEnd
}

func (s *subscription) checkpoint(r *record) error {
	s.since = 0
	if !s.filtered {
		return nil
	}
	return s.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: r.position, PreparePosition: r.position},
	}})
}

func (s *subscription) caughtUp(records []*record) error {
	s.live = true
	if len(records) > 0 {
		if err := s.checkpoint(records[len(records)-1]); err != nil {
			return err
		}
	}
	times := 1
	if s.twice {
		times = 2
	}
	for range times {
		err := s.call.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
		if err != nil {
			return err
		}
	}
	return nil
}
