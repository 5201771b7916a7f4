package stripe

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

const kindQuery = "query"

// Paths of the API (Stripe, API reference).
const (
	pathIntents  = "/v1/payment_intents"
	pathSearch   = "/v1/payment_intents/search"
	pathCharges  = "/v1/charges"
	pathRefunds  = "/v1/refunds"
	pathSessions = "/v1/checkout/sessions"
	pathDisputes = "/v1/disputes"
)

// Query asks about one payment with its refunds and disputes, or about one
// refund. The question goes by the trade number. By an order number alone only
// the search is left, which knows metadata, not client_reference_id, and is a
// minute behind: what it finds is then asked for by its trade number; what it
// does not find is not found now. Missed is the complete way.
//
// A payment that carries no order number itself is looked up in the checkout
// session that it belongs to, which holds it whole; for one that was disputed
// its disputes are asked as well, and the evidence is both answers, one behind
// the other. At most the ten newest refunds and disputes of a payment are told.
func (c *Channel) Query(ctx context.Context, q providers.Question) (providers.Answer, error) {
	var r response
	var err error
	switch {
	case q.RefundID != "":
		r, err = c.getOne(ctx, pathRefunds, q.RefundID, nil)
	case strings.HasPrefix(q.TradeNo, "pi_"):
		r, err = c.getIntent(ctx, q.TradeNo)
	case tradeNumber(q.TradeNo):
		r, err = c.getOne(ctx, pathCharges, q.TradeNo, expand("refunds"))
	case q.TradeNo != "":
		err = domain.EField(domain.KindInvalid, "trade_no", "%.40q is not a number of Stripe's", q.TradeNo)
	case q.OrderNo != "":
		r, err = c.search(ctx, q.OrderNo)
	default:
		err = domain.EField(domain.KindInvalid, "order_no", "is missing")
	}
	if err != nil {
		return providers.Answer{}, err
	}
	return c.answer(q, r)
}

// answer reads the document that answers q.
func (c *Channel) answer(q providers.Question, r response) (providers.Answer, error) {
	notices, err := c.readAnswer(r.target, r.status, r.body)
	if err != nil {
		return providers.Answer{}, err
	}
	now := c.clock()
	a := providers.Answer{Evidence: c.evidence(r, now)}
	if len(notices) == 0 {
		return a, nil
	}
	first := notices[0]
	if (q.OrderNo != "" && first.OrderNo != "" && first.OrderNo != q.OrderNo) || (q.TradeNo != "" && first.TradeNo != q.TradeNo) {
		return providers.Answer{}, c.unusable("%w", providers.ErrOther)
	}
	received(notices, q, now)
	a.Found, a.Notice, a.Also = true, notices[0], notices[1:]
	return a, nil
}

func expand(names ...string) url.Values { return url.Values{"expand[]": names} }

func (c *Channel) getOne(ctx context.Context, path, id string, query url.Values) (response, error) {
	if !isID(id) {
		return response{}, domain.EField(domain.KindInvalid, "trade_no", "%.40q is not an id of Stripe's", id)
	}
	return c.get(ctx, path+"/"+id, query)
}

// getIntent asks for a payment, by its session where only that names the order,
// and for its disputes where it has some. Without those the payment alone would
// pass for all there is, and nobody would ask again.
func (c *Channel) getIntent(ctx context.Context, id string) (response, error) {
	r, err := c.getOne(ctx, pathIntents, id, expand("latest_charge.refunds"))
	if err != nil || r.status != http.StatusOK {
		return r, err
	}
	o, err := parseObject(r.body, maxAnswer)
	if err != nil {
		return r, nil //nolint:nilerr // readAnswer says so with the status
	}
	if c.orderNo(o) == "" {
		if r, err = c.sessionOf(ctx, id, r); err != nil {
			return r, err
		}
	}
	if disputed, _ := o.sub("latest_charge").flag("disputed"); !disputed {
		return r, nil
	}
	_, disputes, err := c.tryPage(ctx, pathDisputes, url.Values{"payment_intent": {id}})
	if err != nil {
		return response{}, err
	}
	return r.and(disputes), nil
}

// sessionOf is the answer about the session of a payment, else r.
func (c *Channel) sessionOf(ctx context.Context, id string, r response) (response, error) {
	query := expand("data.payment_intent.latest_charge.refunds")
	query.Set("payment_intent", id)
	list, err := c.get(ctx, pathSessions, query)
	if err != nil {
		return response{}, err
	}
	if p, err := parsePage(list.body); list.status != http.StatusOK || err != nil || len(p.data) == 0 {
		return r, nil //nolint:nilerr // the payment itself was answered
	}
	return list, nil
}

// search looks an order number up and asks for the payment intent it finds; a
// succeeded one rather than an abandoned one.
func (c *Channel) search(ctx context.Context, orderNo string) (response, error) {
	query := url.Values{"query": {c.searchFor(orderNo)}, "limit": {"10"}}
	r, err := c.get(ctx, pathSearch, query)
	if err != nil || r.status != http.StatusOK {
		return r, err
	}
	p, err := parsePage(r.body)
	if err != nil {
		return response{}, c.unusable("answered a search with something else: %w", err)
	}
	found := ""
	for _, v := range p.data {
		o := within(v)
		if c.orderNo(o) != orderNo {
			continue
		}
		if found == "" || o.text("status") == wordSucceeded {
			found = o.text("id")
		}
	}
	if found == "" {
		return r, nil
	}
	return c.getIntent(ctx, found)
}

// searchFor is the query for an order number, escaped for the search's own
// grammar.
func (c *Channel) searchFor(orderNo string) string {
	return `metadata["` + c.cfg.OrderKey + `"]:"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(orderNo) + `"`
}
