package stripe

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"counterfoil/domain"
)

// readAnswer is what an answer to the question in target says: the notices it
// yields, none where there is positively no such object now. It reads kept
// answers, too, so it rests on nothing but the bytes. Two answers are read as
// response.and joins them.
func (c *Channel) readAnswer(target string, status int, body []byte) ([]domain.Notice, error) {
	first, second, two := strings.Cut(target, " ")
	var rest []byte
	if two {
		body, rest = cutJSON(body)
	}
	notices, err := c.readOne(first, status, body)
	if err == nil && two {
		var more []domain.Notice
		more, err = c.readOne(second, status, rest)
		notices = append(notices, more...)
	}
	if err != nil {
		return nil, err
	}
	for i := range notices {
		notices[i].Source, notices[i].Channel, notices[i].Index = domain.SourceQuery, c.cfg.Channel, i
	}
	return notices, nil
}

// cutJSON cuts behind the first JSON value.
func cutJSON(body []byte) (first, rest []byte) {
	d := json.NewDecoder(bytes.NewReader(body))
	var skipped json.RawMessage
	if err := d.Decode(&skipped); err != nil {
		return body, nil
	}
	at := d.InputOffset()
	return body[:at], body[at:]
}

func (c *Channel) readOne(target string, status int, body []byte) ([]domain.Notice, error) {
	o, err := parseObject(body, maxAnswer)
	if err != nil {
		return nil, c.unusable("answered with status %d and no JSON: %w", status, err)
	}
	if missing(status, o) {
		return nil, nil
	}
	if status != http.StatusOK {
		return nil, c.fault(status, o)
	}
	path, query, err := asked(target)
	if err != nil {
		return nil, err
	}
	return c.readFound(path, query, o)
}

// asked takes a target apart; a path before /v1 is the gateway's own.
func asked(target string) (path string, query url.Values, err error) {
	target, fragment, _ := strings.Cut(target, "#")
	path, raw, _ := strings.Cut(target, "?")
	at := strings.LastIndex(path, "/v1/")
	query, err = url.ParseQuery(raw)
	if at < 0 || err != nil {
		return "", nil, domain.E(domain.KindInvalid, "%.80q is no question to Stripe", target)
	}
	if fragment != "" {
		query.Set("#", fragment)
	}
	return path[at:], query, nil
}

// readFound reads the document at a path.
func (c *Channel) readFound(path string, query url.Values, o object) ([]domain.Notice, error) {
	kind, id := path, ""
	if at := strings.LastIndexByte(path, '/'); path != pathSearch && path != pathSessions && path != pathDisputes && path != pathEvents {
		kind, id = path[:at], path[at+1:]
	}
	var notices []domain.Notice
	var err error
	switch kind {
	case pathIntents:
		notices, err = c.intentAnswer(o, id)
	case pathCharges:
		notices, err = c.chargeAnswer(o, id)
	case pathRefunds:
		notices, err = c.refundAnswer(o, id)
	case pathSessions:
		notices, err = c.sessionAnswer(o, query.Get("payment_intent"))
	case pathDisputes:
		notices, err = c.disputeAnswer(o, query.Get("payment_intent"))
	case pathEvents:
		return c.eventAnswer(o, query.Get("#"))
	case pathSearch:
		err = c.nothingFound(o, query.Get("query"))
	default:
		return nil, domain.E(domain.KindInvalid, "%.80q is no question of ours", path)
	}
	if err != nil {
		return nil, c.unusable("answered unreadably: %w", err)
	}
	return notices, nil
}

// intentAnswer is a payment intent with its latest charge and that one's
// refunds. A state "paid, then refunded" is told as both.
func (c *Channel) intentAnswer(o object, id string) ([]domain.Notice, error) {
	if err := c.ours(o, objectIntent, id); err != nil {
		return nil, err
	}
	charge := o.sub("latest_charge")
	notices, err := c.intent(o, event{at: charge.at("created")})
	if err != nil {
		return nil, err
	}
	return c.withRefunds(notices, charge)
}

func (c *Channel) chargeAnswer(o object, id string) ([]domain.Notice, error) {
	if err := c.ours(o, objectCharge, id); err != nil {
		return nil, err
	}
	notices, err := c.charge(o, event{})
	if err != nil {
		return nil, err
	}
	return c.withRefunds(notices, o)
}

// withRefunds adds the refunds of a charge, the oldest first.
func (c *Channel) withRefunds(notices []domain.Notice, charge object) ([]domain.Notice, error) {
	for _, r := range slices.Backward(charge.list("refunds")) {
		more, err := c.refund(r, event{})
		if err != nil {
			return nil, err
		}
		notices = append(notices, more...)
	}
	return notices, nil
}

func (c *Channel) refundAnswer(o object, id string) ([]domain.Notice, error) {
	if o.text("object") != objectRefund || o.text("id") != id {
		return nil, domain.E(domain.KindMismatch, "answered about another refund")
	}
	return c.refund(o, event{})
}

// sessionAnswer is the list of the checkout sessions of a payment intent, which
// is one, with the intent expanded. The session names the order.
func (c *Channel) sessionAnswer(o object, id string) ([]domain.Notice, error) {
	sessions := o.list("data")
	if len(sessions) == 0 {
		return nil, domain.E(domain.KindInvalid, "no session")
	}
	notices, err := c.intentAnswer(sessions[0].sub("payment_intent"), id)
	if err != nil {
		return nil, err
	}
	if no := sessions[0].text("client_reference_id"); no != "" {
		notices[0].OrderNo = no
	} else if no := c.orderNo(sessions[0]); no != "" {
		notices[0].OrderNo = no
	}
	if notices[0].Account == "" {
		notices[0].Account = c.account(sessions[0])
	}
	return notices, nil
}

// disputeAnswer is the list of the disputes of a payment intent, the oldest
// first.
func (c *Channel) disputeAnswer(o object, id string) ([]domain.Notice, error) {
	var notices []domain.Notice
	for _, d := range slices.Backward(o.list("data")) {
		more, err := c.dispute(d, event{})
		if err != nil {
			return nil, err
		}
		if more[0].TradeNo != id {
			return nil, domain.E(domain.KindMismatch, "answered about the disputes of another payment")
		}
		notices = append(notices, more...)
	}
	if len(notices) == 0 {
		return nil, domain.E(domain.KindInvalid, "no dispute")
	}
	return notices, nil
}

// nothingFound checks the one thing that a search proves: that it does not show
// the order now. What it shows is asked for by its own id. Numbers that differ
// in case are found as well; they are other orders.
func (c *Channel) nothingFound(o object, query string) error {
	for _, row := range o.list("data") {
		if no := c.orderNo(row); no != "" && c.searchFor(no) == query {
			return domain.E(domain.KindInvalid, "a search shows the order, which is no answer about it")
		}
	}
	return nil
}

// ours checks that an object is the one that was asked for, in our mode.
func (c *Channel) ours(o object, kind, id string) error {
	if o.text("object") != kind || o.text("id") != id || id == "" {
		return domain.E(domain.KindMismatch, "answered about another %s", kind)
	}
	if live, ok := o.flag("livemode"); !ok || live != c.cfg.Live {
		return domain.E(domain.KindMismatch, "answered about the other mode")
	}
	return nil
}
