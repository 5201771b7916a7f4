package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/httpapi"
	"counterfoil/ledger"
	"counterfoil/providers"
	"counterfoil/providers/epay"
	"counterfoil/reconcile"
)

// process is one daemon: what it has in memory is gone when it dies.
type process struct {
	w        *world
	name     string
	skew     time.Duration
	ledger   *ledger.Ledger
	channels channelSet
	handler  http.Handler
	sweeper  *reconcile.Sweeper
	stop     context.CancelFunc // of the sweep under way
}

func (w *world) newProcess(name string, i int) *process {
	p := &process{w: w, name: name, skew: time.Duration(i) * 1300 * time.Millisecond}
	p.start()
	return p
}

func (p *process) clock() time.Time { return p.w.clock().Add(p.skew) }

// start begins it anew on the same stores.
func (p *process) start() {
	w := p.w
	ops := &opsStore{data: w.data}
	var err error
	p.ledger, err = ledger.Open(context.Background(), w.log, ops, ledger.Config{
		Software: software, Clock: p.clock, Timeout: time.Minute, Cache: 16,
	})
	w.do(err)
	p.channels = p.openChannels()
	api, err := httpapi.New(httpapi.Deps{
		Ledger: p.ledger, Log: w.store, Rows: w.rows, Ops: ops, Channels: p.channels, Logger: discard,
		Metrics: prometheus.NewRegistry(), Clock: p.clock,
	}, httpapi.Config{PublicURL: "http://shop.test", Software: software, ExpireAfter: 2 * time.Hour})
	w.do(err)
	p.handler = api.Handler()
	p.sweeper, err = reconcile.New(reconcile.Deps{
		Ledger: p.ledger, Rows: w.rows, Ops: ops, Channels: p.channels, Logger: discard, Metrics: prometheus.NewRegistry(), Clock: p.clock,
	}, reconcile.Config{Holder: p.name, FirstAsk: 2 * time.Minute, Pace: 1, Queries: 1, AskPerSecond: 1e9})
	w.do(err)
}

func (p *process) openChannels() channelSet {
	w := p.w
	out := channelSet{}
	client := &http.Client{Transport: toGateway{p}}
	for i, id := range channelIDs {
		c := w.box.Credentials()[i]
		cfg := epay.Config{
			Channel: id, Version: string(c.Version), Gateway: "http://gateway.test", PID: c.PID,
			Key: providers.NewSecret(c.Key), AllowPlainHTTP: true, Ledger: ledgerID,
		}
		switch id {
		case trusting:
			cfg.Confirm = domain.ConfirmNever
		case signed:
			cfg.Key, cfg.MerchantKey, cfg.PlatformKey = providers.Secret{}, providers.NewSecret(c.MerchantKey), c.PlatformPublicKey
		}
		ch, err := epay.New(cfg, client, p.clock)
		w.do(err)
		set := ch.Config()
		set.Test = true
		w.do(p.ledger.Configure(context.Background(), set, ledger.By{Actor: "system", Cause: "config"}))
		out[id] = ch
	}
	return out
}

// die ends a process between two instructions and starts it again.
func (p *process) die() {
	p.w.note("die %s", p.name)
	p.w.seen["died"]++
	if p.stop != nil {
		p.stop()
	}
	old := p.w.setMood(mood{})
	p.start()
	p.w.setMood(old)
}

// mood is what befalls appends for a while.
type mood struct {
	fault  memory.Fault
	keys   bool          // data keys cannot be had
	before func()        // called ahead of the first append, nil for nothing
	slow   func()        // what happens while an append is slow
	stop   chan struct{} // ends the releasing of slow appends
}

// setMood puts a mood in force and returns the one before.
func (w *world) setMood(m mood) (old mood) {
	old, w.mood = w.mood, m
	w.seen[fmt.Sprint("fault ", m.fault)]++
	w.log.Always(m.fault)
	w.log.Before(nil)
	if m.before != nil {
		w.log.Before(func(domain.Stream, []eventstore.Event) {
			before := w.mood.before
			w.mood.before = nil
			w.log.Before(nil)
			before()
		})
	}
	return old
}

// operationsFault is what befalls writes to the operations store.
func (w *world) operationsFault(call string) error {
	fails := w.mood.keys
	if call != "ensure data key" {
		fails = !w.nested && w.chance(2)
	}
	if !fails {
		return nil
	}
	w.seen["operations fault"]++
	return domain.E(domain.KindUnavailable, "%s: injected failure", call)
}

// inMood runs f with appends in m; slow ones are let go after something else
// has happened.
func (w *world) inMood(m mood, f func()) {
	if m.fault == memory.Slow {
		m.stop = make(chan struct{})
		ended := make(chan struct{})
		go func() { defer close(ended); w.release(m) }()
		defer func() { close(m.stop); <-ended }()
	}
	old := w.setMood(m)
	defer w.setMood(old)
	f()
}

// release lets slow appends go on, the first one after m.slow.
func (w *world) release(m mood) {
	for {
		select {
		case <-w.log.Waiting():
		case <-m.stop:
			return
		}
		if m.slow != nil {
			m.slow()
			m.slow = nil
		}
		w.log.Release()
	}
}

// drawMood decides how the store treats what p does next.
func (w *world) drawMood(p *process) mood {
	var m mood
	if w.healing || w.nested {
		return m
	}
	switch n := w.rnd.IntN(100); {
	case n < 7:
		m.fault = memory.Unavailable
	case n < 14:
		m.fault = memory.Lost
	case n < 21:
		m.fault = memory.Written
	case n < 27:
		m.fault, m.slow = memory.Slow, w.intruder(p)
	case n < 31:
		m.keys = true
	case n < 45:
		m.before = w.intruder(p)
	}
	return m
}

// intruder is what another process does in the middle of p's append. It must be
// another one: p holds the turn of its stream.
func (w *world) intruder(p *process, same ...func(*process)) func() {
	what := w.rnd.IntN(4)
	who := w.others(p)
	act := func() { w.sweep(who[1]) }
	switch {
	case len(same) > 0 && what < 2:
		act = func() { same[0](who[0]) }
	case what == 2:
		act = func() { w.step(time.Duration(1+w.rnd.IntN(3000)) * time.Millisecond) }
	}
	return func() {
		old := w.setMood(mood{})
		w.seen["intruded"]++
		w.nested = true
		act()
		w.nested = false
		w.setMood(old)
	}
}

// others are an API and a sweeper that are not p.
func (w *world) others(p *process) [2]*process {
	out := [2]*process{pick(w, w.apis), pick(w, w.sweepers)}
	if out[0] == p {
		out[0] = w.other(w.apis, p)
	}
	if out[1] == p {
		out[1] = w.other(w.sweepers, p)
	}
	return out
}

func (w *world) other(of []*process, p *process) *process {
	if of[0] == p {
		return of[1]
	}
	return of[0]
}

// serve hands a request to p's handler.
func (p *process) serve(method, target, body string, header http.Header) answer {
	r := httptest.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body))
	r.Header = header.Clone()
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Body.String(), rec.Header()}
}

var (
	errLost = errors.New("the network lost it")
	errDied = errors.New("the process died")
)

// toShop carries the gateway's callbacks to an API process.
type toShop struct{ w *world }

// RoundTrip implements http.RoundTripper.
func (t toShop) RoundTrip(r *http.Request) (*http.Response, error) {
	w := t.w
	w.wire.Lock()
	defer w.wire.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if w.chance(6) {
		w.note("callback lost")
		return nil, errLost
	}
	p := pick(w, w.apis)
	call := func(p *process) answer { return w.callback(p, r, string(body)) }
	m := w.drawMood(p)
	if m.before != nil || m.slow != nil {
		m.before = w.intruder(p, func(q *process) { call(q) })
	}
	var got answer
	w.inMood(m, func() { got = call(p) })
	if w.chance(5) {
		p.die()
		return nil, errDied
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{}) // the gateway hangs up
		return nil, r.Context().Err()
	}
	if w.chance(6) {
		w.note("reply lost")
		return nil, errLost
	}
	return &http.Response{
		StatusCode: got.status, Header: got.header, Body: io.NopCloser(strings.NewReader(got.body)), Request: r,
	}, nil
}

// callback gives one callback to p and remembers what was acknowledged.
func (w *world) callback(p *process, r *http.Request, body string) answer {
	got := p.serve(r.Method, r.URL.RequestURI(), body, r.Header)
	text := r.URL.RawQuery
	if text == "" {
		text = body
	}
	f, _ := url.ParseQuery(text)
	w.note("callback %s %s %s %s %s: %d %s", p.name, r.URL.Path, f.Get("out_trade_no"), f.Get("trade_no"), f.Get("trade_status"), got.status, got.body)
	if success := strings.Contains(strings.ToLower(got.body), "success"); success != (got.status == http.StatusOK) {
		w.bad = errors.New("an answer is neither success nor failure: " + got.body)
	} else if success {
		ch := strings.TrimPrefix(r.URL.Path, "/callbacks/")
		w.acks[ack{domain.ChannelID(ch), f.Get("out_trade_no"), f.Get("trade_no"), f.Get("trade_status") == "TRADE_SUCCESS"}]++
	}
	return got
}

// ack is what was acknowledged.
type ack struct {
	channel      domain.ChannelID
	order, trade string
	paid         bool // that money came, and not another news
}

// toGateway carries p's questions to the gateway.
type toGateway struct{ p *process }

// RoundTrip implements http.RoundTripper.
func (t toGateway) RoundTrip(r *http.Request) (*http.Response, error) {
	w := t.p.w
	if w.chance(6) {
		return nil, errLost
	}
	if w.chance(1) && t.p.stop != nil && !w.nested {
		t.p.die()
		return nil, errDied
	}
	if !w.nested {
		w.setMood(w.sweepMood(t.p))
	}
	got, err := w.askGateway(r)
	if err == nil && w.chance(4) {
		return nil, errLost
	}
	return got, err
}

// sweepMood is how the store treats the answer to p's question. Slow appends
// need somebody who lets them go, which is for callbacks only.
func (w *world) sweepMood(p *process) mood {
	m := w.drawMood(p)
	if m.fault == memory.Slow {
		m.fault, m.before, m.slow = memory.Pass, m.slow, nil
	}
	return m
}

func (w *world) askGateway(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil {
			err = io.ErrUnexpectedEOF // the gateway broke off
		}
	}()
	var body io.Reader = http.NoBody
	if r.Body != nil {
		body = r.Body
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), body)
	in.Header = r.Header
	rec := httptest.NewRecorder()
	w.box.ServeHTTP(rec, in)
	return rec.Result(), nil
}

// sweep is one run of p. It may be told to stop or die in the middle.
func (w *world) sweep(p *process) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	old := w.mood
	outer := p.stop
	p.stop = stop
	run, err := p.sweeper.Sweep(ctx)
	p.stop = outer
	w.setMood(old)
	w.note("%s %s asked %d paid %d healed %d confirmed %d closed %d unknown %d silent %d differing %d %s", p.name, run.State,
		run.Asked, run.Paid, run.Healed, run.Confirmed, run.Closed, run.Unknown, run.Unanswered, run.Differing, kindOfError(err))
	w.seen["sweep "+string(run.State)]++
	w.seen["healed"] += run.Healed
	w.seen["confirmed"] += run.Confirmed
	if err != nil && domain.KindOf(err) != domain.KindUnavailable && domain.KindOf(err) != domain.KindUnknown {
		w.bad = err
	}
}

// kindOfError is an error's kind, or ok.
func kindOfError(err error) string {
	if err == nil {
		return "ok"
	}
	return domain.KindOf(err).String()
}
