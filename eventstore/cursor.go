package eventstore

import (
	"context"
	"iter"

	"counterfoil/domain"
)

// cursor reads a log page by page when its user wants the next one.
type cursor struct {
	next     func() (Batch, error, bool)
	stop     func()
	events   []Recorded // read and not skipped
	at       Position   // read up to here
	caughtUp bool       // nothing stood behind events when they were read
}

// follow begins at the beginning. The cursor must be stopped.
func follow(ctx context.Context, r Reader, o FollowOptions) *cursor {
	c := new(cursor)
	c.next, c.stop = iter.Pull2(r.Follow(ctx, 0, o))
	return c
}

// page is what was read and not skipped, or the next page. It is empty when the
// log's head was reached, and stays so until grown.
func (c *cursor) page(ctx context.Context) ([]Recorded, error) {
	for len(c.events) == 0 && !c.caughtUp {
		b, err, ok := c.next()
		switch {
		case err != nil:
			return nil, err
		case !ok && ctx.Err() != nil:
			return nil, domain.E(domain.KindUnavailable, "told to stop: %w", ctx.Err())
		case !ok:
			return nil, domain.E(domain.KindUnavailable, "the log ended its reader")
		}
		c.events, c.at, c.caughtUp = b.Events, b.Position, b.CaughtUp
	}
	return c.events, nil
}

// grown has page read on behind the head that was reached, if the log now goes
// further.
func (c *cursor) grown(head Position) {
	if head > c.at {
		c.caughtUp = false
	}
}

// skip is done with the first n events.
func (c *cursor) skip(n int) { c.events = c.events[n:] }
