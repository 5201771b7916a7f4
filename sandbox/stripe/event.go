package stripe

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"counterfoil/providers/stripe"
	"counterfoil/sandbox/stage"
)

// schedule is when an event comes again: for up to three days, at growing
// pauses. Stripe publishes no intervals.
var schedule = stage.Deliveries(
	time.Minute, 5*time.Minute, 15*time.Minute, time.Hour, 3*time.Hour, 6*time.Hour, 12*time.Hour, 12*time.Hour, 12*time.Hour, 12*time.Hour,
)

const (
	patience = 10 * time.Second // how long Stripe waits for an answer
	oldOne   = "2019-12-03"     // a release of the API that nobody should have any more
	agent    = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
	secretX  = "whsec_of_nobody_here" // that no channel has
)

// Kinds of shots besides callbacks of payments.
const (
	kindRefund  = "refund"
	kindDispute = "dispute"
	kindPayout  = "payout"
)

// subject is what an event is about and where it goes.
type subject struct {
	a    *account
	o    *order // nil for payouts
	of   string
	url  string
	kind string // of its shots; empty for a payment
}

func (o *order) subject(kind string) subject {
	return subject{a: o.a, o: o, of: o.id, url: o.notifyURL, kind: kind}
}

// event is one event. What it says never changes; Face.mu guards the rest.
type event struct {
	subject
	id        string
	typ       string
	at        time.Time
	fields    fields
	body      string
	delivered bool
	signs     func(body string, now time.Time, try int) string // nil signs rightly
}

// event makes an event of an object as it is now. The caller holds f.mu.
func (f *Face) event(s subject, typ string, object fields) *event {
	e := &event{subject: s, id: s.a.newID("evt", s.of+typ), typ: typ, at: f.stage.Books()}
	release := stripe.DefaultAPIVersion
	if s.o != nil && s.o.release != "" {
		release = s.o.release
	}
	e.fields = fields{
		"id": e.id, "object": "event", "api_version": release, "created": e.at.Unix(), "data": fields{"object": object},
		"livemode": false, "pending_webhooks": 1, "request": fields{"id": nil, "idempotency_key": nil}, "type": typ,
	}
	if s.a.Connected {
		e.fields["account"] = s.a.ID
	}
	e.body = e.render()
	s.a.events = append(s.a.events, e)
	return e
}

// render writes the event. The bytes are what is signed, so any order of
// members and any white space will do.
func (e *event) render() string {
	if e.o == nil || !e.o.keyOrder {
		return indented(e.fields)
	}
	var b strings.Builder
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(e.fields))) {
		value, err := json.Marshal(e.fields[name])
		if err != nil {
			panic("stripe: an event has no form: " + err.Error())
		}
		fmt.Fprintf(&b, ",%q:%s", name, value)
	}
	return "{" + b.String()[1:] + "}"
}

// indented is an object as Stripe writes it.
func indented(v fields) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("stripe: an object has no form: " + err.Error())
	}
	return string(text)
}

// accepted is any 2xx; the body does not matter.
func accepted(a stage.Answer) bool { return a.Status/100 == 2 }

// deliver sends an event until it is accepted, in the manner of a fault. An
// account without an endpoint has nobody to tell.
func (f *Face) deliver(e *event, fault stage.Fault) {
	if e.url == "" {
		return
	}
	e.a.lane.Deliver(f.series(e), fault)
}

func (f *Face) series(e *event) *stage.Series {
	return &stage.Series{
		Of: e.of, Kind: e.kind, Retries: schedule,
		Send:      func(ctx context.Context, shot stage.Shot) bool { return f.send(ctx, e, shot) },
		Delivered: func() { f.arrived(e) },
	}
}

func (f *Face) arrived(e *event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.delivered = true
}

// send makes one attempt; each is signed anew.
func (f *Face) send(ctx context.Context, e *event, shot stage.Shot) bool {
	now := f.stage.Now()
	header := ""
	if e.signs != nil {
		header = e.signs(e.body, now, shot.Try)
	} else {
		header = f.header(e.a, e.body, now)
	}
	d := stage.Delivery{
		Face: Name, Merchant: e.a.ID, TradeNo: e.of, Shot: shot, Method: http.MethodPost, URL: e.url, Body: e.body,
		Timeout: patience, Accepts: accepted,
		Header: http.Header{
			"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {agent}, stripe.SignatureHeader: {header},
		},
	}
	if e.o != nil {
		d.OrderNo = e.o.no
	}
	a := f.stage.Send(ctx, d)
	f.note(e, shot, a)
	return a.Accepted
}

// header is a signature of each secret.
func (f *Face) header(a *account, body string, now time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	header := ""
	for _, secret := range a.secrets {
		header = join(header, stripe.Sign([]byte(body), secret, now))
	}
	return header
}

// join adds the signatures of a header to those of another of the same time.
func join(header, more string) string {
	if header == "" {
		return more
	}
	_, signatures, _ := strings.Cut(more, ",")
	return header + "," + signatures
}

// note keeps what an order's owner wants to see of its callbacks.
func (f *Face) note(e *event, shot stage.Shot, a stage.Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.o == nil || !shot.Genuine || e.kind != "" {
		return
	}
	e.o.attempts++
	e.o.accepted = e.o.accepted || a.Accepted
	e.o.trouble = ""
	if !a.Accepted {
		e.o.trouble = a.Trouble()
	}
}

// thin is a thin event about an order: the same change, told by another id. The
// caller holds f.mu.
func (f *Face) thin(o *order) *event {
	e := &event{subject: o.subject(string(Thin)), id: "evt_test_" + digestHex(o.id, "thin"), typ: "v1.payment_intent.succeeded", at: f.stage.Books()}
	e.fields = fields{
		"id": e.id, "object": "v2.core.event", "type": e.typ, "livemode": false, "created": e.at.UTC().Format("2006-01-02T15:04:05.000Z"),
		"context": nil, "reason": nil,
		"related_object": fields{"id": o.id, "type": "payment_intent", "url": "/v1/payment_intents/" + o.id},
	}
	if o.a.Connected {
		e.fields["context"] = o.a.ID
	}
	e.body = e.render()
	return e
}
