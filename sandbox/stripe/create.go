package stripe

import (
	"strconv"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers/stripe"
	"counterfoil/sandbox/stage"
)

// whole is a form value that is a positive integer.
func (c call) whole(name string) (int64, error) {
	n, err := strconv.ParseInt(c.values.Get(name), 10, 64)
	if err != nil || n <= 0 || n > 99_999_999_999 {
		return 0, wrong(name, "Invalid positive integer")
	}
	return n, nil
}

// metadata are the form values below a name: metadata[key].
func (c call) metadata(name string) map[string]string {
	m := map[string]string{}
	for field := range c.values {
		if key, ok := strings.CutPrefix(field, name+"["); ok && strings.HasSuffix(key, "]") {
			m[strings.TrimSuffix(key, "]")] = c.values.Get(field)
		}
	}
	return m
}

// sum is an amount and a currency of the form, checked.
func (c call) sum(amount, currency string) (sum, error) {
	n, err := c.whole(amount)
	if err != nil {
		return sum{}, err
	}
	s := sum{n, c.values.Get(currency)}
	if _, err := stripe.Money(s.count, s.code); err != nil {
		return sum{}, wrong(currency, "Invalid currency: "+s.code)
	}
	return s, nil
}

func (f *Face) createSession(c call) (fields, func(), error) {
	if c.values.Get("mode") != "payment" {
		return nil, nil, wrong("mode", "only payment is played here")
	}
	total := sum{}
	for i := 0; c.values.Has(item(i, "[quantity]")); i++ {
		price, err := c.sum(item(i, "[price_data][unit_amount]"), item(i, "[price_data][currency]"))
		if err != nil {
			return nil, nil, err
		}
		n, err := c.whole(item(i, "[quantity]"))
		if err != nil {
			return nil, nil, err
		}
		if total.code != "" && total.code != price.code {
			return nil, nil, wrong("line_items", "all must have one currency")
		}
		total = sum{total.count + n*price.count, price.code}
	}
	if total.count <= 0 {
		return nil, nil, wrong("line_items", "required")
	}
	if _, err := stripe.Money(total.count, total.code); err != nil {
		return nil, nil, wrong("line_items", "too much")
	}
	o := order{
		reference: c.values.Get("client_reference_id"), goods: c.values.Get(item(0, "[price_data][product_data][name]")),
		metadata: c.metadata("metadata"), intentMD: c.metadata("payment_intent_data[metadata]"), placed: total,
		notifyURL: c.a.NotifyURL, returnURL: c.values.Get("success_url"),
	}
	if o.no = o.reference; o.no == "" {
		o.no = o.metadata[orderKey]
	}
	made := f.add(c.a, o, true)
	answer := made.sessionObject(c.expand)
	answer["url"] = f.base + "/pay/" + made.id
	return answer, nil, nil
}

func item(i int, rest string) string { return "line_items[" + strconv.Itoa(i) + "]" + rest }

func (f *Face) createIntent(c call) (fields, func(), error) {
	s, err := c.sum("amount", "currency")
	if err != nil {
		return nil, nil, err
	}
	metadata := c.metadata("metadata")
	o := f.add(c.a, order{
		no: metadata[orderKey], goods: c.values.Get("description"), metadata: metadata, intentMD: metadata, placed: s,
		notifyURL: c.a.NotifyURL,
	}, false)
	return o.intent(c.expand), nil, nil
}

func (f *Face) createRefund(c call) (fields, func(), error) {
	o := f.own(c.a, c.values.Get("payment_intent"))
	if o == nil {
		return nil, nil, missing("payment_intent", c.values.Get("payment_intent"))
	}
	amount := domain.Money{}
	if c.values.Has("amount") {
		n, err := c.whole("amount")
		if err != nil {
			return nil, nil, err
		}
		if amount, err = stripe.Money(n, o.paid.code); err != nil {
			return nil, nil, wrong("amount", err.Error())
		}
	}
	give, err := o.giveable(amount)
	if err != nil {
		return nil, nil, refusal{400, "invalid_request_error", "charge_already_refunded", err.Error()}
	}
	r, tell := f.giveBack(o, c.metadata("metadata")["refund_no"], give, stage.Fault{})
	return r.object(), tell, nil
}

func (f *Face) createPayout(c call) (fields, func(), error) {
	s, err := c.sum("amount", "currency")
	if err != nil {
		return nil, nil, err
	}
	if s.count > c.a.balance(s.code) {
		return nil, nil, refusal{400, "invalid_request_error", "balance_insufficient", "You have insufficient funds in your account."}
	}
	p, tell := f.payOut(c.a, s, nil)
	return p.object(), tell, nil
}

// own is an account's order by its intent, charge or session.
func (f *Face) own(a *account, id string) *order {
	if o := f.orders[id]; o != nil && o.a == a {
		return o
	}
	for _, o := range a.orders {
		if id != "" && (o.charge == id || o.session == id) {
			return o
		}
	}
	return nil
}

func (f *Face) expireSession(c call) (fields, func(), error) {
	o := f.own(c.a, c.PathValue("id"))
	if o == nil || o.session != c.PathValue("id") {
		return nil, nil, missing("checkout.session", c.PathValue("id"))
	}
	if !o.payable() {
		return nil, nil, wrong("session", "Only Checkout Sessions with a status in [\"open\"] can be expired.")
	}
	o.expired = true
	e := f.event(o.subject(""), "checkout.session.expired", o.sessionObject(nil))
	return o.sessionObject(c.expand), func() { f.deliver(e, stage.Fault{}) }, nil
}

func (f *Face) cancelIntent(c call) (fields, func(), error) {
	o := f.own(c.a, c.PathValue("id"))
	if o == nil || o.id != c.PathValue("id") {
		return nil, nil, missing("payment_intent", c.PathValue("id"))
	}
	if !o.payable() {
		return nil, nil, refusal{400, "invalid_request_error", "payment_intent_unexpected_state", "You cannot cancel this PaymentIntent because it has a status of " + o.state + "."}
	}
	o.state = canceled
	e := f.event(o.subject(""), "payment_intent.canceled", o.intent(nil))
	return o.intent(c.expand), func() { f.deliver(e, stage.Fault{}) }, nil
}
