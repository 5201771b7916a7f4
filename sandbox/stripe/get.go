package stripe

import "counterfoil/domain"

func (f *Face) getSession(c call) (fields, func(), error) {
	if o := f.own(c.a, c.PathValue("id")); o != nil && o.session == c.PathValue("id") {
		return o.sessionObject(c.expand), nil, nil
	}
	return nil, nil, missing("checkout.session", c.PathValue("id"))
}

func (f *Face) getIntent(c call) (fields, func(), error) {
	if o := f.own(c.a, c.PathValue("id")); o != nil && o.id == c.PathValue("id") {
		return o.intent(c.expand), nil, nil
	}
	return nil, nil, missing("payment_intent", c.PathValue("id"))
}

func (f *Face) getCharge(c call) (fields, func(), error) {
	if o := f.own(c.a, c.PathValue("id")); o != nil && o.charge == c.PathValue("id") {
		return o.chargeObject(c.expand), nil, nil
	}
	return nil, nil, missing("charge", c.PathValue("id"))
}

func (f *Face) getRefund(c call) (fields, func(), error) {
	for _, r := range c.a.refunds {
		if r.id == c.PathValue("id") {
			return r.object(), nil, nil
		}
	}
	return nil, nil, missing("refund", c.PathValue("id"))
}

func (f *Face) getDispute(c call) (fields, func(), error) {
	for _, d := range c.a.disputes {
		if d.id == c.PathValue("id") {
			return d.object(c.expand), nil, nil
		}
	}
	return nil, nil, missing("dispute", c.PathValue("id"))
}

func (f *Face) getEvent(c call) (fields, func(), error) {
	for _, e := range c.a.events {
		if e.id == c.PathValue("id") {
			return e.fields, nil, nil
		}
	}
	return nil, nil, missing("event", c.PathValue("id"))
}

func (f *Face) getPayout(c call) (fields, func(), error) {
	for _, p := range c.a.payouts {
		if p.id == c.PathValue("id") {
			return p.object(), nil, nil
		}
	}
	return nil, nil, missing("payout", c.PathValue("id"))
}

func (f *Face) getTransaction(c call) (fields, func(), error) {
	for _, t := range c.a.txns {
		if t.id == c.PathValue("id") {
			return t.object(c.expand), nil, nil
		}
	}
	return nil, nil, missing("balance_transaction", c.PathValue("id"))
}

// getBalance tells what can be paid out, and what only later.
func (f *Face) getBalance(c call) (fields, func(), error) {
	by := f.stage.Books().Add(-settling)
	part := func(fits func(*txn) bool) []fields {
		left := []fields{}
		for _, m := range c.a.balances() {
			s, _ := sumOf(domain.NewMoney(0, m.Currency())) // it has stood there
			for _, t := range c.a.txns {
				if t.amount.code == s.code && fits(t) {
					s.count += t.net()
				}
			}
			left = append(left, fields{"amount": s.count, "currency": s.code})
		}
		return left
	}
	return fields{
		"object": "balance", "livemode": false,
		"available": part(func(t *txn) bool { return !t.at.After(by) || t.kind == "payout" }),
		"pending":   part(func(t *txn) bool { return t.at.After(by) && t.kind != "payout" }),
	}, nil, nil
}
