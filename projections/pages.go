package projections

import (
	"context"
	"fmt"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// page is a decoded piece of the log. An error comes with the events before
// it, so that what can be folded is folded.
type page struct {
	events   []event
	caughtUp bool
	err      error // ends the log for this run
}

// pagesAhead is how many pages are decoded while one is folded.
const pagesAhead = 4

// read decodes the log after a position in a goroutine of its own, so that
// decoding and writing share the work of two cores. The channel closes when
// ctx ends or after a page with an error.
func (r *Runner) read(ctx context.Context, after eventstore.Position, until *eventstore.Position) <-chan page {
	out := make(chan page, pagesAhead)
	go func() {
		defer close(out)
		for batch, err := range r.log.Follow(ctx, after, eventstore.FollowOptions{Batch: r.cfg.Page}) {
			p := decodePage(batch, err)
			p.stopAt(until)
			select {
			case out <- p:
			case <-ctx.Done():
				return
			}
			if p.err != nil {
				return
			}
		}
	}()
	return out
}

func decodePage(b eventstore.Batch, err error) page {
	if err != nil {
		return page{err: fmt.Errorf("follow the log: %w", err)}
	}
	p := page{events: make([]event, 0, len(b.Events)), caughtUp: b.CaughtUp}
	for i := range b.Events {
		e, err := decode(b.Events[i])
		if err != nil {
			p.err, p.caughtUp = err, false
			return p
		}
		p.events = append(p.events, e)
	}
	return p
}

// stopAt cuts the page behind position *until and ends the run there; 0 stands
// for the head.
func (p *page) stopAt(until *eventstore.Position) {
	if until == nil || p.err != nil && *until == 0 {
		return
	}
	if *until != 0 {
		for i := range p.events {
			if p.events[i].Position > *until {
				p.events, p.err = p.events[:i], errReached
				return
			}
		}
		if n := len(p.events); n > 0 && p.events[n-1].Position == *until {
			p.err = errReached
			return
		}
	}
	if p.caughtUp {
		p.err = errReached
		if *until != 0 {
			p.err = domain.E(domain.KindUnavailable, "the log ends before position %s", *until)
		}
	}
}

// gather waits for a page and joins to it what else is ready, up to one page's
// worth: at the head many small pages wait after each pause.
func (r *Runner) gather(ctx context.Context, pages <-chan page) (page, bool) {
	var p page
	select {
	case <-ctx.Done():
		return page{}, false
	case first, ok := <-pages:
		if !ok {
			return page{}, false
		}
		p = first
	}
	for p.err == nil && len(p.events) < r.cfg.Page {
		select {
		case next, ok := <-pages:
			if !ok {
				return p, true
			}
			p.events = append(p.events, next.events...)
			p.caughtUp, p.err = next.caughtUp, next.err
		default:
			return p, true
		}
	}
	return p, true
}
