package eventstoredb

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// news is what a feed brings.
type news int

const (
	newEvent  news = iota
	nowLive        // everything that was there has come
	nowBehind      // no longer live: dropped, or the server says so
	broke          // the end, with an error
)

type item struct {
	news  news
	event *esdb.RecordedEvent
	err   error
}

// feed is a subscription to all streams with a prefix that outlives drops: it
// goes on behind the last event or checkpoint that came, and nothing comes
// twice.
type feed struct {
	p      *supervisor
	prefix string
	items  chan item
	from   esdb.Position // the last that came; zero for the beginning
}

// subscribe starts a feed; it ends with ctx.
func subscribe(ctx context.Context, p *supervisor, prefix string, after eventstore.Position) *feed {
	f := &feed{p: p, prefix: prefix, items: make(chan item, queueEvents), from: esdb.Position{Commit: uint64(after), Prepare: uint64(after)}}
	go f.run(ctx)
	return f
}

func (f *feed) run(ctx context.Context) {
	for pause := pauseMin; ; pause = min(pause*2, pauseMax) {
		s, err := f.p.session(ctx)
		if ctx.Err() != nil {
			return
		}
		began := f.from
		if err == nil {
			err = f.once(ctx, s)
		}
		if ctx.Err() != nil {
			return
		}
		if f.final(err) {
			f.put(ctx, item{news: broke, err: err})
			return
		}
		if f.from != began {
			pause = pauseMin
		}
		f.p.resubscribed.Add(1)
		if !f.put(ctx, item{news: nowBehind}) || !sleep(ctx, pause) {
			return
		}
	}
}

// final tells whether subscribing again is useless.
func (f *feed) final(err error) bool {
	if _, ours := codeOf(err); !ours && lasting(err) {
		return true
	}
	return f.p.ctx.Err() != nil || judge(err) == refused
}

// put hands an item over; false when ctx has ended.
func (f *feed) put(ctx context.Context, i item) bool {
	select {
	case f.items <- i:
		return true
	case <-ctx.Done():
		return false
	}
}

// once is one subscription, until it drops.
func (f *feed) once(ctx context.Context, s *session) (err error) {
	if !f.p.begin(s) {
		return fmt.Errorf("%w: it was retired", errPanic)
	}
	defer f.p.end(s)
	defer func() {
		if x := recover(); x != nil {
			err = panicked(x)
		}
	}()
	try, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	confirmed := time.AfterFunc(f.p.o.CallTimeout, cancel)
	sub, err := s.client.SubscribeToAll(f.p.outgoing(try), f.options())
	inTime := confirmed.Stop()
	if err != nil {
		if ctx.Err() == nil && (!inTime || broken(ctx, try, err)) {
			f.p.retire(s, err)
		}
		return err
	}
	defer func() { _ = sub.Close() }() // always nil
	for {
		if err := f.take(ctx, sub.Recv()); err != nil {
			return err
		}
	}
}

func (f *feed) options() esdb.SubscribeToAllOptions {
	o := esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: window, CheckpointInterval: 1,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{f.prefix}},
	}
	if f.from != (esdb.Position{}) {
		o.From = f.from
	}
	return o
}

// take deals with one message. What is not behind the last position has come
// before: servers deliver at least once.
func (f *feed) take(ctx context.Context, e *esdb.SubscriptionEvent) error {
	switch {
	case e.SubscriptionDropped != nil:
		return fmt.Errorf("subscription dropped: %w", e.SubscriptionDropped.Error)
	case e.CheckPointReached != nil:
		if e.CheckPointReached.Commit > f.from.Commit {
			f.from = *e.CheckPointReached
		}
	case e.EventAppeared != nil:
		r := e.EventAppeared.OriginalEvent()
		if r.Position.Commit <= f.from.Commit {
			return nil
		}
		f.from = r.Position
		f.put(ctx, item{news: newEvent, event: r})
	case e.CaughtUp != nil:
		f.put(ctx, item{news: nowLive})
	case e.FellBehind != nil:
		f.put(ctx, item{news: nowBehind})
	}
	return ctx.Err()
}

// wrongPlace tells whether a server refused the position to go on from.
func wrongPlace(err error) bool {
	return statusOf(err).Code() == codes.InvalidArgument
}

func beyondHead(after eventstore.Position) error {
	return domain.E(domain.KindMismatch,
		"follow from position %d: the log has no such position, it is another log or an older copy", after)
}
