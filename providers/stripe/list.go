package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
)

const (
	pageSize   = 100     // the most that a list hands out
	maxASecond = 100_000 // objects of one second held in memory
	tries      = 4       // of one page
	firstPause = 500 * time.Millisecond
)

// waiter waits, or fails when the context ends.
type waiter func(context.Context, time.Duration) error

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// page is one page of a list: the newest objects first.
type page struct {
	data []strictjson.Value
	more bool
}

func parsePage(body []byte) (page, error) {
	o, err := parseObject(body, maxAnswer)
	if err != nil {
		return page{}, err
	}
	more, ok := o.flag("has_more")
	if kind := o.text("object"); !ok || (kind != "list" && kind != "search_result") {
		return page{}, domain.E(domain.KindInvalid, "answer is not a list")
	}
	v := o.value("data")
	data, err := v.ArrayUnder(rules(len(v)))
	if err != nil {
		return page{}, domain.E(domain.KindInvalid, "list has no data: %w", err)
	}
	if more && len(data) == 0 {
		return page{}, domain.E(domain.KindInvalid, "list has more, but nothing yet")
	}
	return page{data: data, more: more}, nil
}

// getPage asks for a page, a few times where the answer is one that passes: a
// list of many pages is not to break at one of them.
func (c *Channel) getPage(ctx context.Context, path string, query url.Values) (page, response, error) {
	pause := firstPause
	for try := 1; ; try++ {
		p, r, err := c.tryPage(ctx, path, query)
		if err == nil || try == tries || domain.KindOf(err) != domain.KindUnavailable || ctx.Err() != nil {
			return p, r, err
		}
		if err := c.wait(ctx, pause); err != nil {
			return page{}, response{}, c.unanswered(err)
		}
		pause *= 2
	}
}

func (c *Channel) tryPage(ctx context.Context, path string, query url.Values) (page, response, error) {
	r, err := c.get(ctx, path, query)
	if err != nil {
		return page{}, r, err
	}
	if r.status != http.StatusOK {
		o, err := parseObject(r.body, maxAnswer)
		if err != nil {
			return page{}, r, c.unusable("answered with status %d", r.status)
		}
		return page{}, r, c.fault(r.status, o)
	}
	p, err := parsePage(r.body)
	if err != nil {
		return page{}, r, c.unusable("answered unreadably: %w", err)
	}
	return p, r, nil
}

// row is one object of a list, as it stands there.
type row struct {
	raw  strictjson.Value
	from response // the page it stands on
}

// errStop ends a walk without an error.
var errStop = errors.New("stop")

// ascending walks over the objects made in [from, to), unix seconds, the oldest
// first. Lists come with the newest first and cannot be turned, so a time that
// holds more than a page is halved: that takes about twice the pages, constant
// memory, and no page that moves while the list grows.
func (c *Channel) ascending(ctx context.Context, path string, query url.Values, from, to int64, each func(row) error) error {
	query.Set("limit", strconv.Itoa(pageSize))
	query.Set("created[gte]", strconv.FormatInt(from, 10))
	query.Set("created[lt]", strconv.FormatInt(to, 10))
	p, r, err := c.getPage(ctx, path, query)
	if err != nil {
		return err
	}
	if err := c.inTime(p, from, to); err != nil {
		return err
	}
	if p.more && to-from > 1 {
		middle := from + (to-from)/2
		if err := c.ascending(ctx, path, query, from, middle, each); err != nil {
			return err
		}
		return c.ascending(ctx, path, query, middle, to, each)
	}
	rows, err := c.rest(ctx, path, query, p, r)
	if err != nil {
		return err
	}
	return c.tell(rows, from, to, each)
}

// inTime checks a page that may be thrown away: one that has always more, of
// whatever time, would be halved for ever.
func (c *Channel) inTime(p page, from, to int64) error {
	for _, v := range p.data {
		if at, err := within(v).number("created"); err != nil || at < from || at >= to {
			return c.unusable("lists what was not asked for")
		}
	}
	return nil
}

// rest is the rows of a page and, where the list has more although its time is
// one second, of the pages behind it.
func (c *Channel) rest(ctx context.Context, path string, query url.Values, p page, r response) ([]row, error) {
	rows := p.rows(r)
	defer query.Del("starting_after")
	seen := map[string]bool{}
	for p.more {
		if err := c.fresh(p, seen); err != nil {
			return nil, err
		}
		if len(rows) > maxASecond {
			return nil, c.unusable("lists more than %d objects of one second", maxASecond)
		}
		query.Set("starting_after", within(rows[len(rows)-1].raw).text("id"))
		var err error
		if p, r, err = c.getPage(ctx, path, query); err != nil {
			return nil, err
		}
		rows = append(rows, p.rows(r)...)
	}
	return rows, nil
}

// fresh checks that a page leads on: one that came before leads back.
func (c *Channel) fresh(p page, seen map[string]bool) error {
	for _, v := range p.data {
		id := within(v).text("id")
		if seen[id] {
			return c.unusable("lists %s twice", quoted(id))
		}
		seen[id] = true
	}
	return nil
}

func (p page) rows(from response) []row {
	rows := make([]row, 0, len(p.data))
	for _, raw := range p.data {
		rows = append(rows, row{raw, from})
	}
	return rows
}

// tell hands rows on, the oldest first, when they are what was asked for.
func (c *Channel) tell(rows []row, from, to int64, each func(row) error) error {
	last := from
	for _, w := range slices.Backward(rows) {
		at, err := within(w.raw).number("created")
		if err != nil || at < last || at >= to {
			return c.unusable("lists what was not asked for, or in no order")
		}
		last = at
		if err := each(w); err != nil {
			return err
		}
	}
	return nil
}

// compact is a value without the white space between its parts.
func compact(v strictjson.Value) (json.RawMessage, error) {
	b, err := json.Marshal(json.RawMessage(v))
	if err != nil {
		return nil, domain.E(domain.KindInternal, "compact a value: %w", err)
	}
	return b, nil
}
