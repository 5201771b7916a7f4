package sandbox

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
)

// series is the callbacks of one payment: attempts on the style's schedule
// until one is accepted.
type series struct {
	s *Sandbox
	m *merchant
	o *order

	start   time.Duration // waiting time of the first attempt
	try     int           // attempts made
	first   manner        // how the first one travels
	over    time.Duration // real time a dribbled one takes
	burst   int           // copies of the first at the same moment; 0 means 1
	noRetry bool
	then    []func(context.Context) // after the first attempt
}

// run makes the next attempt and plans the one after it.
func (d *series) run(ctx context.Context) {
	if d.try == 0 {
		d.start = d.s.jobs.clock.passed()
	}
	d.try++
	accepted := d.attempt(ctx)
	if d.try == 1 {
		d.s.release(d.m, d.o)
		for _, act := range d.then {
			act(ctx)
		}
	}
	switch {
	case accepted:
		d.s.delivered(d.m, d.o)
	case ctx.Err() != nil:
		// Stopped in the middle: the attempt counts, and its successor is due.
		d.again()
	case d.noRetry || d.try >= len(d.m.habits.retries):
		d.s.gaveUp(d.m, d.o)
	default:
		d.again()
	}
}

func (d *series) again() {
	if d.try < len(d.m.habits.retries) {
		d.s.jobs.at(d.start+d.m.habits.retries[d.try], d.run)
	}
}

// attempt sends the genuine callback, the first one possibly in a bad manner.
func (d *series) attempt(ctx context.Context) bool {
	out := outgoing{kind: "callback", genuine: true, try: d.try, post: d.m.PostCallbacks}
	if d.try > 1 {
		return d.s.callBack(ctx, d.m, d.o, out)
	}
	out.manner, out.over = d.first, d.over
	if d.burst < 2 {
		return d.s.callBack(ctx, d.m, d.o, out)
	}
	return d.s.salvo(ctx, d.m, d.o, out, d.burst)
}

// salvo sends n copies that leave together; it reports whether one was
// accepted.
func (s *Sandbox) salvo(ctx context.Context, m *merchant, o *order, out outgoing, n int) bool {
	var all sync.WaitGroup
	var accepted atomic.Bool
	gate := make(chan struct{})
	for range n {
		all.Go(func() {
			<-gate
			if s.callBack(ctx, m, o, out) {
				accepted.Store(true)
			}
		})
	}
	close(gate)
	all.Wait()
	return accepted.Load()
}

// callBack signs the order's genuine message anew and sends it.
func (s *Sandbox) callBack(ctx context.Context, m *merchant, o *order, out outgoing) bool {
	s.mu.Lock()
	msg := m.messageOf(o, s.clock.wall())
	if out.genuine && out.kind == "callback" {
		o.attempts++
	}
	s.mu.Unlock()
	return s.signAndSend(ctx, m, o, msg, out)
}

// signAndSend signs msg with the merchant's true keys and sends it.
func (s *Sandbox) signAndSend(ctx context.Context, m *merchant, o *order, msg message, out outgoing) bool {
	signed, err := m.sign(msg.params(), msg.version)
	if err != nil {
		s.cfg.Log.LogAttrs(ctx, slog.LevelError, "callback not signed",
			slog.String("pid", m.PID), slog.String("trade_no", o.tradeNo), slog.String("error", err.Error()))
		return false
	}
	out.fields = signed
	return s.transmit(ctx, m, o, out)
}

// transmit sends out.fields to the order's callback address and records what
// came of it.
func (s *Sandbox) transmit(ctx context.Context, m *merchant, o *order, out outgoing) bool {
	method, address, form := http.MethodGet, m.join(o.notifyURL, encode(out.fields)), ""
	if out.post {
		method, address, form = http.MethodPost, o.notifyURL, encode(out.fields)
	}
	began := s.clock.wall()
	got, err := s.sender.send(ctx, m, method, address, form, out)
	a := Attempt{
		At: began, PID: m.PID, TradeNo: o.tradeNo, OutTradeNo: o.outTradeNo, Kind: out.kind, Genuine: out.genuine,
		Try: out.try, Method: method, URL: address, Form: form, Status: got.status, Body: cutText(got.body, keptAnswer),
		Took: Duration(s.clock.wall().Sub(began).Round(10 * time.Microsecond)),
	}
	if err != nil {
		a.Error = reason(err)
	}
	// A body that broke off is judged by what came of it, as curl does.
	a.Accepted = got.status != 0 && m.habits.accepts(got.status, got.body)
	s.log.add(a)
	s.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "callback sent",
		slog.String("pid", m.PID), slog.String("trade_no", o.tradeNo), slog.String("kind", a.Kind),
		slog.Int("status", a.Status), slog.Bool("accepted", a.Accepted), slog.Duration("took", time.Duration(a.Took)))
	if !a.Accepted && out.genuine {
		s.noteTrouble(o, a)
	}
	return a.Accepted
}

// reason is why a request failed, without the long address in front.
func reason(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return err.Error()
}

func (s *Sandbox) noteTrouble(o *order, a Attempt) {
	text := a.Error
	if text == "" {
		text = "answered " + http.StatusText(a.Status) + ": " + cutText(a.Body, 80)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o.trouble = &troubleLog{a.At, text}
}

// delivered notes that the merchant took the callback.
func (s *Sandbox) delivered(m *merchant, o *order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.accepted = true
	m.failed = 0
	if o.version == V2 {
		o.told = true
		s.purgeTold(m, o)
	}
}

// gaveUp notes that a payment's last attempt failed. An operator may have set
// that this switches the merchant off after a number of orders.
func (s *Sandbox) gaveUp(m *merchant, o *order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.accepted {
		return
	}
	m.failed++
	if m.SuspendAfter > 0 && m.failed >= m.SuspendAfter {
		m.suspended = true
	}
}

// Resend calls the merchant back once more, by the operator's hand: any time,
// once, without retries. KindConflict for an order that was not paid.
func (s *Sandbox) Resend(tradeNo string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, m, err := s.order(tradeNo)
	if err != nil {
		return err
	}
	if !o.wasPaid() {
		return domain.E(domain.KindConflict, "order %s is not paid", tradeNo)
	}
	again := &series{s: s, m: m, o: o, noRetry: true}
	s.jobs.after(0, again.run)
	return nil
}

// returnURL is the address a payer's browser comes back to, with the same
// signed fields as the callback.
func (s *Sandbox) returnURL(m *merchant, o *order) (string, error) {
	s.mu.Lock()
	msg, address := m.messageOf(o, s.clock.wall()), o.returnURL
	s.mu.Unlock()
	signed, err := m.sign(msg.params(), msg.version)
	if err != nil || address == "" {
		return "", err
	}
	return m.join(address, encode(signed)), nil
}
