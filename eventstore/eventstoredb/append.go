package eventstoredb

import (
	"context"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Append implements eventstore.Appender. It repeats the identical call while
// the outcome is open, for at most Options.Wait.
func (s *Store) Append(ctx context.Context, stream domain.Stream, expected eventstore.Expected, events []eventstore.Event) (eventstore.Appended, error) {
	if err := eventstore.Check(stream, expected, events); err != nil {
		return eventstore.Appended{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Appended{}, domain.E(domain.KindUnavailable, "append to %s: %w", stream, err)
	}
	if err := s.usable(); err != nil {
		return eventstore.Appended{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Wait)
	defer cancel()
	a := &appending{store: s, stream: stream, expected: expected, events: events, proposed: propose(events)}
	return a.run(ctx)
}

// appending is one append, through all its repetitions.
type appending struct {
	store    *Store
	stream   domain.Stream
	expected eventstore.Expected
	events   []eventstore.Event
	proposed []esdb.EventData
	open     bool // a try was made whose outcome nobody knows
}

func (a *appending) run(ctx context.Context) (eventstore.Appended, error) {
	for pause := pauseMin; ; pause = min(pause*2, pauseMax) {
		result, sent, err := call(ctx, a.store.lead, a.send)
		if err == nil {
			return a.accept(ctx, result)
		}
		if !sent && lasting(err) {
			return eventstore.Appended{}, a.fail(domain.KindOf(err), err)
		}
		switch judge(err) {
		case conflict:
			return a.settle(ctx, err)
		case deleted:
			return eventstore.Appended{}, a.store.corrupt(domain.E(domain.KindCorrupt, "append to %s: %w", a.stream, err))
		case refused:
			return eventstore.Appended{}, a.fail(kindOf(err), err)
		case untaken:
		default:
			a.open = a.open || sent
		}
		if !a.store.lead.rest(ctx, pause) {
			return eventstore.Appended{}, a.fail(domain.KindUnavailable, err)
		}
	}
}

// rest pauses before a repetition; false when the time is over.
func (p *supervisor) rest(ctx context.Context, d time.Duration) bool {
	p.repeated.Add(1)
	return sleep(ctx, d) && p.ctx.Err() == nil
}

func (a *appending) send(ctx context.Context, c *esdb.Client) (*esdb.WriteResult, error) {
	var expected esdb.ExpectedRevision = esdb.NoStream{}
	if a.expected != eventstore.NoStream {
		expected = esdb.Revision(uint64(a.expected))
	}
	return c.AppendToStream(ctx, a.store.prefix+string(a.stream), esdb.AppendToStreamOptions{ExpectedRevision: expected}, a.proposed...)
}

// fail is the end without success: of this kind if nothing can have been
// written, KindUnknown otherwise.
func (a *appending) fail(kind domain.Kind, err error) error {
	if a.open {
		kind = domain.KindUnknown
	}
	if isEnd(err) {
		return domain.E(kind, "append to %s: the server ended the call before it had read all events, as it does when it denies access: %w", a.stream, err)
	}
	return domain.E(kind, "append to %s: %w", a.stream, err)
}

// accept checks the server's numbers against ours.
func (a *appending) accept(ctx context.Context, r *esdb.WriteResult) (eventstore.Appended, error) {
	last := uint64(a.expected + eventstore.Expected(len(a.events)))
	switch {
	case r.CommitPosition == 0:
		return a.settle(ctx, domain.E(domain.KindUnknown, "the server told no position"))
	case r.NextExpectedVersion != last:
		return eventstore.Appended{}, a.store.corrupt(domain.E(domain.KindCorrupt,
			"append to %s: the last event has revision %d, not %d: the stream was deleted once", a.stream, r.NextExpectedVersion, last))
	case r.CommitPosition != r.PreparePosition:
		return eventstore.Appended{}, a.store.corrupt(domain.E(domain.KindCorrupt,
			"append to %s: commit position %d and prepare position %d differ", a.stream, r.CommitPosition, r.PreparePosition))
	}
	at := eventstore.Position(r.CommitPosition)
	a.store.seen(at)
	return eventstore.Appended{Revision: last, Position: at}, nil
}

// settle reads the stream again and looks for our own ids: an earlier try of
// this call may have been what moved it.
func (a *appending) settle(ctx context.Context, cause error) (eventstore.Appended, error) {
	got, err := a.store.ReadStream(ctx, a.stream, eventstore.ReadOptions{From: uint64(a.expected + 1), Limit: len(a.events)})
	switch kind := domain.KindOf(err); {
	case err == nil:
	case kind == domain.KindNotFound:
	case kind == domain.KindCorrupt:
		return eventstore.Appended{}, err
	default:
		return eventstore.Appended{}, domain.E(domain.KindUnknown, "append to %s: %w; and the stream could not be read: %w", a.stream, cause, err)
	}
	same := len(got) == len(a.events)
	for i := 0; same && i < len(got); i++ {
		same = got[i].ID == a.events[i].ID
	}
	if !same {
		return eventstore.Appended{}, domain.E(domain.KindConflict, "append to %s: expected revision %d: %w", a.stream, a.expected, cause)
	}
	last := got[len(got)-1]
	a.store.seen(last.Position)
	return eventstore.Appended{Revision: last.Revision, Position: last.Position}, nil
}
