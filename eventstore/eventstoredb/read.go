package eventstoredb

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// ReadStream implements eventstore.Reader. It reads page by page, and each page
// may take Options.Wait.
func (s *Store) ReadStream(ctx context.Context, stream domain.Stream, o eventstore.ReadOptions) ([]eventstore.Recorded, error) {
	if err := ctx.Err(); err != nil {
		return nil, domain.E(domain.KindUnavailable, "read %s: %w", stream, err)
	}
	var events []eventstore.Recorded
	for {
		count := pageEvents
		if o.Limit > 0 {
			count = min(count, o.Limit-len(events))
		}
		page, err := s.readPage(ctx, stream, o.From+uint64(len(events)), count)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			r, err := s.recorded(e, o.Sealed)
			if err != nil {
				return nil, s.corrupt(err)
			}
			if want := o.From + uint64(len(events)); r.Revision != want {
				return nil, s.corrupt(domain.E(domain.KindCorrupt, "stream %s has revision %d where %d should be: events are missing", stream, r.Revision, want))
			}
			events = append(events, r)
		}
		if len(page) < count || len(events) == o.Limit {
			return events, nil
		}
	}
}

// readPage reads up to count events, and repeats it while the server is away.
func (s *Store) readPage(ctx context.Context, stream domain.Stream, from uint64, count int) ([]*esdb.RecordedEvent, error) {
	from = min(from, math.MaxInt64-1) // the server's revisions are signed
	o := esdb.ReadStreamOptions{Direction: esdb.Forwards, From: esdb.Revision(from)}
	page, err := retry(ctx, s, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
		r, err := c.ReadStream(ctx, s.prefix+string(stream), o, uint64(count))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		var page []*esdb.RecordedEvent
		err = each(r, func(e *esdb.RecordedEvent) bool {
			page = append(page, e)
			return true
		})
		return page, err
	})
	switch {
	case err == nil:
		return page, nil
	case judge(err) == missing:
		return nil, domain.E(domain.KindNotFound, "stream %s has no events", stream)
	case judge(err) == deleted:
		return nil, s.corrupt(domain.E(domain.KindCorrupt, "read %s: %w", stream, err))
	}
	return nil, domain.E(kindOf(err), "read %s: %w", stream, err)
}

// retry repeats a reading call while an answer may still come.
func retry[T any](ctx context.Context, s *Store, do func(context.Context, *esdb.Client) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Wait)
	defer cancel()
	for pause := pauseMin; ; pause = min(pause*2, pauseMax) {
		v, _, err := call(ctx, s.lead, do)
		if err == nil || lasting(err) {
			return v, err
		}
		if j := judge(err); j != again && j != untaken {
			return v, err
		}
		if !s.lead.rest(ctx, pause) {
			return v, err
		}
	}
}

// Head implements eventstore.Reader. The log is read backwards from its end to
// the newest event that is ours, so it takes longer where other programs have
// written much since.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, domain.E(domain.KindUnavailable, "head: %w", err)
	}
	var from esdb.AllPosition = esdb.End{}
	for count := uint64(16); ; count = min(count*4, 4096) {
		p, err := retry(ctx, s, func(ctx context.Context, c *esdb.Client) (look, error) {
			return s.lookBack(ctx, c, from, count)
		})
		if err != nil {
			return 0, domain.E(kindOf(err), "head: %w", err)
		}
		if p.found || p.read < count {
			s.seen(eventstore.Position(p.at))
			return eventstore.Position(p.at), nil
		}
		from = p.last
	}
}

// Newest is the last n events, oldest first; fewer when there are no more.
// Positions do not count events here, so that nobody could find them by Follow.
func (s *Store) Newest(ctx context.Context, n int, sealed bool) ([]eventstore.Recorded, error) {
	var found []eventstore.Recorded
	var from esdb.AllPosition = esdb.End{}
	for count := uint64(64); len(found) < n; count = min(count*4, 4096) {
		page, err := retry(ctx, s, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
			var page []*esdb.RecordedEvent
			err := readAll(ctx, c, from, count, func(e *esdb.RecordedEvent) bool {
				page = append(page, e)
				return true
			})
			return page, err
		})
		if err != nil {
			return nil, domain.E(kindOf(err), "newest events: %w", err)
		}
		for _, e := range page {
			if !s.ours(e) || len(found) == n {
				continue
			}
			r, err := s.recorded(e, sealed)
			if err != nil {
				return nil, s.corrupt(err)
			}
			found = append(found, r)
		}
		if uint64(len(page)) < count {
			break
		}
		from = page[len(page)-1].Position
	}
	slices.Reverse(found)
	return found, nil
}

// ours tells whether an event stands in one of our streams.
func (s *Store) ours(e *esdb.RecordedEvent) bool {
	return strings.HasPrefix(e.StreamID, s.prefix) && !strings.HasPrefix(e.EventType, "$")
}

// look is what one page of the log, read backwards, held.
type look struct {
	found bool
	at    uint64 // the newest event of ours
	read  uint64
	last  esdb.Position // of the oldest event read
}

func (s *Store) lookBack(ctx context.Context, c *esdb.Client, from esdb.AllPosition, count uint64) (look, error) {
	var l look
	err := readAll(ctx, c, from, count, func(e *esdb.RecordedEvent) bool {
		l.read++
		l.last = e.Position
		if s.ours(e) {
			l.found, l.at = true, e.Position.Commit
		}
		return !l.found
	})
	return l, err
}

// seen remembers the newest position of ours.
func (s *Store) seen(p eventstore.Position) {
	for {
		old := s.head.Load()
		if uint64(p) <= old || s.head.CompareAndSwap(old, uint64(p)) {
			return
		}
	}
}
