package eventstoredb

import (
	"context"
	"iter"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Follow implements eventstore.Reader over a catch-up subscription. It does not
// end when the server is away: it goes on where it was when the server is back.
func (s *Store) Follow(ctx context.Context, after eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	return func(yield func(eventstore.Batch, error) bool) {
		err := s.within(ctx, after)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			yield(eventstore.Batch{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		f := &follower{store: s, o: o, feed: subscribe(ctx, s.tail, s.prefix, after), start: after, after: after, yield: yield}
		f.run(ctx)
	}
}

// within refuses to follow from beyond the head. While the server is away it
// waits.
func (s *Store) within(ctx context.Context, after eventstore.Position) error {
	for uint64(after) > s.head.Load() {
		head, err := s.Head(ctx)
		switch {
		case err == nil && after > head:
			return beyondHead(after)
		case err == nil:
			return nil
		case ctx.Err() != nil || s.lead.ctx.Err() != nil || domain.KindOf(err) != domain.KindUnavailable:
			return err
		}
	}
	return nil
}

// follower makes batches of what a feed brings.
type follower struct {
	store *Store
	o     eventstore.FollowOptions
	feed  *feed
	start eventstore.Position
	yield func(eventstore.Batch, error) bool

	events []eventstore.Recorded
	size   int
	after  eventstore.Position // of the last event
	live   bool
	told   bool // the last batch said that it had caught up
}

func (f *follower) run(ctx context.Context) {
	wait := time.NewTimer(linger)
	defer wait.Stop()
	for {
		i, ok := f.next(ctx, wait)
		switch {
		case ctx.Err() != nil:
			return
		case !ok:
			if !f.flush(f.live) {
				return
			}
		case !f.handle(i):
			return
		}
	}
}

// next is the next item. It is false when the events so far should go out
// first: at once while live, after a moment while catching up.
func (f *follower) next(ctx context.Context, wait *time.Timer) (item, bool) {
	select {
	case i := <-f.feed.items:
		return i, true
	default:
	}
	var late <-chan time.Time
	if len(f.events) > 0 {
		if f.live {
			return item{}, false
		}
		wait.Reset(linger)
		late = wait.C
	}
	select {
	case i := <-f.feed.items:
		return i, true
	case <-late:
	case <-ctx.Done():
	}
	return item{}, false
}

// handle is false when the follower ends.
func (f *follower) handle(i item) bool {
	switch i.news {
	case newEvent:
		return f.add(i.event)
	case nowLive:
		f.live = true
		return (f.told && len(f.events) == 0) || f.flush(true)
	case nowBehind:
		f.live = false
		return true
	default:
		return f.fail(i.err)
	}
}

func (f *follower) add(e *esdb.RecordedEvent) bool {
	r, err := f.store.recorded(e, f.o.Sealed)
	if err != nil {
		return f.fail(f.store.corrupt(err))
	}
	f.store.seen(r.Position)
	f.events = append(f.events, r)
	f.after = r.Position
	f.size += len(r.Data) + len(e.UserMetadata)
	if len(f.events) < f.o.Batch && f.size < pageBytes {
		return true
	}
	return f.flush(f.live && len(f.feed.items) == 0)
}

func (f *follower) flush(caughtUp bool) bool {
	b := eventstore.Batch{Events: f.events, Position: f.after, CaughtUp: caughtUp}
	f.events, f.size, f.told = nil, 0, caughtUp
	return f.yield(b, nil)
}

// fail hands out what came before the error, then the error.
func (f *follower) fail(err error) bool {
	if len(f.events) > 0 && !f.flush(false) {
		return false
	}
	if wrongPlace(err) {
		err = beyondHead(f.start)
	}
	if _, ours := codeOf(err); ours || domain.KindOf(err) == domain.KindInternal {
		err = domain.E(kindOf(err), "follow from position %d: %w", f.start, err)
	}
	f.yield(eventstore.Batch{}, err)
	return false
}
