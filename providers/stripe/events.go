package stripe

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

const pathEvents = "/v1/events"

// remembered is for how long Stripe lists events (Stripe, "Process undelivered
// webhook events").
const remembered = 30 * 24 * time.Hour

// Missed yields the events that were not delivered to every endpoint, waiting
// ones included, of the last 30 days or behind the event after. The evidence of
// each is its own element of the list, byte by byte; the target names it behind
// a '#'. One that may not move money alone (refunds added up, money without an
// order number) is answered by the payment itself instead. The cursor is the
// event's id; one that is no longer remembered starts from the beginning.
func (c *Channel) Missed(ctx context.Context, after string, at time.Time) iter.Seq2[providers.Answer, error] {
	return func(yield func(providers.Answer, error) bool) {
		each := func(w row) error {
			a, told, err := c.missed(ctx, w)
			if err == nil && !told {
				return nil
			}
			if !yield(a, err) {
				return errStop
			}
			return nil
		}
		if err := c.undelivered(ctx, after, at, each); err != nil && !errors.Is(err, errStop) {
			yield(providers.Answer{}, err)
		}
	}
}

func (c *Channel) undelivered(ctx context.Context, after string, at time.Time, each func(row) error) error {
	query := url.Values{"delivery_success": {"false"}}
	from, to := at.Add(-remembered).Unix(), at.Unix()+1
	if after == "" || !isID(after) {
		return c.ascending(ctx, pathEvents, query, from, to, each)
	}
	err := c.behind(ctx, query, after, each)
	if kind := domain.KindOf(err); err != nil && (kind == domain.KindNotFound || kind == domain.KindInvalid) {
		return c.ascending(ctx, pathEvents, url.Values{"delivery_success": {"false"}}, from, to, each)
	}
	return err
}

// behind pages upward from an event: each page holds what came right after its
// cursor, the newest first.
func (c *Channel) behind(ctx context.Context, query url.Values, after string, each func(row) error) error {
	query.Set("limit", strconv.Itoa(pageSize))
	for {
		query.Set("ending_before", after)
		p, r, err := c.getPage(ctx, pathEvents, query)
		if err != nil {
			return err
		}
		for _, w := range slices.Backward(p.rows(r)) {
			if err := each(w); err != nil {
				return err
			}
		}
		if !p.more {
			return nil
		}
		if after = within(p.data[0]).text("id"); !isID(after) {
			return c.unusable("lists an event without an id")
		}
	}
}

// missed is what one undelivered event says; told is false where it says nothing
// that a snapshot can prove.
func (c *Channel) missed(ctx context.Context, w row) (a providers.Answer, told bool, err error) {
	o := within(w.raw)
	id := o.text("id")
	r := w.from
	r.target += "#" + id
	r.body = []byte(w.raw)
	notices, err := c.readAnswer(r.target, r.status, r.body)
	if err != nil {
		return a, false, domain.E(domain.KindInvalid, "event %.60q cannot be read: %w", id, err)
	}
	if len(notices) == 0 {
		return a, false, nil
	}
	now := c.clock()
	if first := notices[0]; len(first.Doubts) > 0 && first.TradeNo != "" {
		a, err = c.Query(ctx, providers.Question{TradeNo: first.TradeNo, At: now})
		a.Cursor = id
		return a, a.Found, err
	}
	received(notices, providers.Question{}, now)
	return providers.Answer{
		Found: true, Notice: notices[0], Also: notices[1:], Evidence: c.evidence(r, now), Cursor: id,
	}, true, nil
}

// eventAnswer is one event of the list. It is a snapshot of a moment that is
// past: money that came or went stays true, but that it had not come then says
// nothing of now.
func (c *Channel) eventAnswer(o object, id string) ([]domain.Notice, error) {
	if id == "" || o.text("id") != id {
		return nil, domain.E(domain.KindInvalid, "the list has another event there")
	}
	e, _, err := c.readEvent(o)
	if err != nil {
		return nil, err
	}
	notices, err := c.say(e)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(notices, passing), nil
}

// passing reports a state that another may have replaced since.
func passing(n domain.Notice) bool {
	switch n.Status {
	case domain.StatusPaid, domain.StatusSucceeded, domain.StatusWithdrawn, domain.StatusReinstated, domain.StatusLost:
		return false
	case domain.StatusFailed:
		return n.About == domain.AboutPayment
	case domain.StatusWaiting, domain.StatusClosed, domain.StatusRefunded, domain.StatusFrozen, domain.StatusOther, domain.StatusOpened:
	}
	return true
}
