package stripe

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"counterfoil/providers/stripe"
	"counterfoil/sandbox/stage"
)

// signX is the header of somebody with a secret of his own.
func signX(body string, now time.Time) string { return stripe.Sign([]byte(body), secretX, now) }

// spoofed is a message that is not the payment.
type spoofed struct {
	kind  string
	body  string
	signs func(body string, now time.Time, try int) string
}

// spoof sends what a fault says of an order that is not so, or not by Stripe.
func (f *Face) spoof(o *order, fault stage.Fault) {
	f.mu.Lock()
	var all []spoofed
	switch fault.Class {
	case stage.Forged:
		all = f.forged(o, fault.Variant)
	case stage.OtherPID:
		all = f.foreign(o)
	case stage.WrongStatus:
		all = f.unfinished(o, fault.Status)
	default:
	}
	about := o.subject("")
	f.mu.Unlock()
	for _, s := range all {
		if about.url == "" {
			return
		}
		e := &event{subject: about, body: s.body, signs: s.signs}
		about.a.lane.Once(&stage.Series{
			Of: o.id, Kind: s.kind, Retries: stage.Deliveries(),
			Send: func(ctx context.Context, shot stage.Shot) bool {
				shot.Kind, shot.Genuine = s.kind, false
				return f.send(ctx, e, shot)
			},
		})
	}
}

// claim is an event that says the order was paid, whether or not it was: it is
// in no list. The caller holds f.mu.
func (f *Face) claim(o *order) *event {
	as := *o
	as.state, as.paid = succeeded, o.placed
	if as.charge == "" {
		as.charge, as.paidAt = "ch_claimed", f.stage.Books()
	}
	e := &event{subject: o.subject(""), typ: "payment_intent.succeeded", at: f.stage.Books()}
	object := as.intent(nil)
	if o.session != "" {
		e.typ, object = "checkout.session.completed", as.sessionObject(nil)
	}
	e.fields = fields{
		"id": "evt_3" + digestHex(o.id, "claim")[:22], "object": "event", "api_version": stripe.DefaultAPIVersion, "created": e.at.Unix(),
		"data": fields{"object": object}, "livemode": false, "pending_webhooks": 1,
		"request": fields{"id": nil, "idempotency_key": nil}, "type": e.typ,
	}
	if o.a.Connected {
		e.fields["account"] = o.a.ID
	}
	return e
}

// forged are signatures that do not hold: one variant or all, one after another.
func (f *Face) forged(o *order, variant string) []spoofed {
	body := f.claim(o).render()
	secret := o.a.secrets[0]
	signer := func(secret string) func(string, time.Time, int) string {
		return func(body string, now time.Time, _ int) string { return stripe.Sign([]byte(body), secret, now) }
	}
	all := []spoofed{
		{stage.WrongSignature, body, signer(secretX)},
		{stage.EmptyKey, body, signer("")},
		{stage.Downgraded, body, func(body string, now time.Time, _ int) string {
			return strings.Replace(stripe.Sign([]byte(body), secret, now), ",v1=", ",v0=", 1)
		}},
		{stage.Tampered, raised(body), func(_ string, now time.Time, _ int) string { return stripe.Sign([]byte(body), secret, now) }},
		{"hex_of_zeros", body, func(string, time.Time, int) string {
			return "t=" + stampOf(f.stage.Now()) + ",v1=" + hex.EncodeToString(make([]byte, 32))
		}},
	}
	var chosen []spoofed
	for _, s := range all {
		if variant == "" || variant == s.kind {
			s.kind = string(stage.Forged) + "." + s.kind
			chosen = append(chosen, s)
		}
	}
	return chosen
}

func stampOf(t time.Time) string {
	stamp, _, _ := strings.Cut(stripe.Sign(nil, "", t), ",")
	return strings.TrimPrefix(stamp, "t=")
}

// raised is a body with its amounts raised by a digit.
func raised(body string) string {
	body = strings.Replace(body, `"amount_total": `, `"amount_total": 1`, 1)
	return strings.Replace(body, `"amount_received": `, `"amount_received": 1`, 1)
}

// foreign are rightly signed events of another mode and another account.
func (f *Face) foreign(o *order) []spoofed {
	live, other := f.claim(o), f.claim(o)
	live.fields["livemode"] = true
	other.fields["account"] = "acct_1Foreign"
	return []spoofed{
		{string(stage.OtherPID) + ".livemode", live.render(), nil},
		{string(stage.OtherPID) + ".account", other.render(), nil},
	}
}

// unfinished are rightly signed events of a payment that did not succeed.
func (f *Face) unfinished(o *order, word string) []spoofed {
	if word == "" {
		word = processing
	}
	as := *o
	as.state, as.paid = word, sum{0, o.placed.code}
	e := f.claim(o)
	e.fields["type"], e.fields["data"] = "payment_intent."+word, fields{"object": as.intent(nil)}
	if o.session != "" {
		e.fields["type"], e.fields["data"] = "checkout.session.completed", fields{"object": as.sessionObject(nil)}
	}
	return []spoofed{{string(stage.WrongStatus), e.render(), nil}}
}
