package stripe

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil/sandbox/stage"
)

// row is an object in a list.
type row struct {
	id     string
	at     time.Time
	object func(expansion) fields
}

// remembered is for how long events are listed.
const remembered = 30 * 24 * time.Hour

// list answers a page of rows, which stand the oldest first: by created and by
// cursor, the newest first.
func (c call) list(rows []row) (fields, func(), error) {
	limit := 10
	if text := c.values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return nil, nil, wrong("limit", "must be 1 to 100")
		}
		limit = n
	}
	fit, err := c.within(rows)
	if err != nil {
		return nil, nil, err
	}
	slices.Reverse(fit)
	from, to, more, err := c.cursor(fit, limit)
	if err != nil {
		return nil, nil, err
	}
	rest, _ := c.expand.into("data")
	data := []fields{}
	for _, r := range fit[from:to] {
		data = append(data, r.object(rest))
	}
	answer := listOf(data, c.URL.Path)
	answer["has_more"] = more
	return answer, nil, nil
}

// within are the rows that the bounds of created let through.
func (c call) within(rows []row) ([]row, error) {
	fit := slices.Clone(rows)
	for name, out := range map[string]func(at, bound int64) bool{
		"created[gte]": func(at, bound int64) bool { return at < bound },
		"created[gt]":  func(at, bound int64) bool { return at <= bound },
		"created[lte]": func(at, bound int64) bool { return at > bound },
		"created[lt]":  func(at, bound int64) bool { return at >= bound },
		"created":      func(at, bound int64) bool { return at != bound },
	} {
		text := c.values.Get(name)
		if text == "" {
			continue
		}
		bound, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, wrong(name, "Invalid integer")
		}
		fit = slices.DeleteFunc(fit, func(r row) bool { return out(r.at.Unix(), bound) })
	}
	return fit, nil
}

// cursor finds the page among rows that stand the newest first.
func (c call) cursor(rows []row, limit int) (from, to int, more bool, err error) {
	find := func(id string) (int, error) {
		at := slices.IndexFunc(rows, func(r row) bool { return r.id == id })
		if at < 0 {
			return 0, refusal{400, "invalid_request_error", "resource_missing", "No such object: '" + id + "'"}
		}
		return at, nil
	}
	if id := c.values.Get("ending_before"); id != "" {
		to, err = find(id)
		return max(0, to-limit), to, to > limit, err
	}
	if id := c.values.Get("starting_after"); id != "" {
		if from, err = find(id); err != nil {
			return 0, 0, false, err
		}
		from++
	}
	to = min(len(rows), from+limit)
	return from, to, to < len(rows), nil
}

// wants filters by the payment that a list is asked for.
func (c call) wants(o *order) bool {
	id := c.values.Get("payment_intent")
	charge := c.values.Get("charge")
	return (id == "" || id == o.id) && (charge == "" || charge == o.charge)
}

func (f *Face) listSessions(c call) (fields, func(), error) {
	var rows []row
	for _, o := range c.a.orders {
		told := c.values.Get("payment_intent") == "" || o.state != unpaid
		if o.session != "" && c.wants(o) && told {
			rows = append(rows, row{o.session, o.openedAt, o.sessionObject})
		}
	}
	return c.list(rows)
}

func (f *Face) listIntents(c call) (fields, func(), error) {
	var rows []row
	for _, o := range c.a.orders {
		rows = append(rows, row{o.id, o.openedAt, o.intent})
	}
	return c.list(rows)
}

// search knows one query, metadata["key"]:"value", and compares without regard
// to case. Stripe's is a minute behind; this one is not.
func (f *Face) search(c call) (fields, func(), error) {
	query := c.values.Get("query")
	rest, ok := strings.CutPrefix(query, `metadata["`)
	key, value, found := strings.Cut(rest, `"]:"`)
	value, closed := strings.CutSuffix(value, `"`)
	if !ok || !found || !closed {
		return nil, nil, wrong("query", "only metadata[\"key\"]:\"value\" is played here")
	}
	value = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(value)
	var rows []row
	for _, o := range c.a.tagged[tagOf(key, value)] {
		if text, has := o.intentMD[key]; has && strings.EqualFold(text, value) {
			rows = append(rows, row{o.id, o.openedAt, o.intent})
		}
	}
	answer, _, err := c.list(rows)
	if err == nil {
		answer["object"], answer["url"] = "search_result", "/v1/payment_intents/search"
	}
	return answer, nil, err
}

func (f *Face) listRefunds(c call) (fields, func(), error) {
	var rows []row
	for _, r := range c.a.refunds {
		if c.wants(r.o) {
			rows = append(rows, row{r.id, r.at, func(expansion) fields { return r.object() }})
		}
	}
	return c.list(rows)
}

func (f *Face) listDisputes(c call) (fields, func(), error) {
	var rows []row
	for _, d := range c.a.disputes {
		if c.wants(d.o) {
			rows = append(rows, row{d.id, d.at, d.object})
		}
	}
	return c.list(rows)
}

func (f *Face) listPayouts(c call) (fields, func(), error) {
	var rows []row
	for _, p := range c.a.payouts {
		if status := c.values.Get("status"); status == "" || status == p.state {
			rows = append(rows, row{p.id, p.at, func(expansion) fields { return p.object() }})
		}
	}
	return c.list(rows)
}

// lags is how far a list can be behind what happened.
const lags = 3 * time.Hour

// listTransactions is the bill. While BillGrows holds, every page finds a fee
// more on the balance than the one before; while BillLate does, it is behind;
// while BillChanged does, fees are estimates.
func (f *Face) listTransactions(c call) (fields, func(), error) {
	fault := f.troubles.Bill(c.a.ID, f.stage.Now())
	if fault.Class == stage.BillGrows {
		f.book(c.a, txn{kind: "stripe_fee", category: "fee", amount: sum{-feeIn(codeOf(c.a)), codeOf(c.a)}})
	}
	p, err := c.payout()
	if err != nil {
		return nil, nil, err
	}
	var rows []row
	for _, t := range c.a.txns {
		late := fault.Class == stage.BillLate && t.at.After(f.stage.Books().Add(-lags))
		if c.about(t) && !late && (p == nil || t.payout == p) {
			rows = append(rows, row{t.id, t.at, t.told(fault)})
		}
	}
	return c.list(rows)
}

// payout is the automatic payout whose movements a list is asked for.
func (c call) payout() (*payout, error) {
	id := c.values.Get("payout")
	if id == "" {
		return nil, nil
	}
	for _, p := range c.a.payouts {
		if p.id == id && !p.automatic {
			return nil, wrong("payout", "Balance transaction history can only be filtered on automatic transfers, not manual.")
		}
		if p.id == id {
			return p, nil
		}
	}
	return nil, missing("payout", id)
}

// about reports whether a movement is one of those asked for.
func (c call) about(t *txn) bool {
	kind, source, code := c.values.Get("type"), c.values.Get("source"), c.values.Get("currency")
	return (kind == "" || kind == t.kind) && (source == "" || source == t.origin()) && (code == "" || code == t.amount.code)
}

// told is a movement as a list tells it: its fee, if it is an estimate, is one
// too high.
func (t *txn) told(fault stage.Fault) func(expansion) fields {
	if fault.Class != stage.BillChanged || t.fee <= 0 {
		return t.object
	}
	return func(e expansion) fields {
		estimated := *t
		estimated.fee++
		return estimated.object(e)
	}
}

// codeOf is the code of an account's currency.
func codeOf(a *account) string { return strings.ToLower(string(a.Currency)) }

func (f *Face) listEvents(c call) (fields, func(), error) {
	since := f.stage.Books().Add(-remembered)
	types := c.values["types[]"]
	if one := c.values.Get("type"); one != "" {
		types = append(types, one)
	}
	var rows []row
	for _, e := range c.a.events {
		if e.at.Before(since) || (len(types) > 0 && !slices.Contains(types, e.typ)) || !c.delivery(e) {
			continue
		}
		rows = append(rows, row{e.id, e.at, func(expansion) fields { return e.fields }})
	}
	return c.list(rows)
}

// delivery reports whether an event fits delivery_success: false is whatever an
// endpoint did not take yet.
func (c call) delivery(e *event) bool {
	switch c.values.Get("delivery_success") {
	case "true":
		return e.delivered
	case "false":
		return !e.delivered && e.url != ""
	}
	return true
}
