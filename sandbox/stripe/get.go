package stripe

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
