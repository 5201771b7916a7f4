package sandbox

import (
	"context"
	"slices"
	"strconv"
	"time"

	"counterfoil/domain"
)

// plant sets in motion what follows from paying o, or from a trick without a
// payment. Sandbox.mu is held.
func (s *Sandbox) plant(m *merchant, o *order, f Fault) {
	d := &series{s: s, m: m, o: o}
	switch f.Class {
	case Lost:
		return
	case Late:
		s.jobs.after(time.Duration(f.Delay), d.run)
		return
	case Reordered:
		s.hold(m, d, time.Duration(f.Delay))
		return
	case NoRetry:
		d.first, d.noRetry = breakingOff, true
	case Closed:
		d.first = breakingOff
	case ReplyLost:
		d.first = hangingUp
	case Slow:
		d.first, d.over = dribbled, time.Duration(f.Delay)
	case Concurrent:
		d.burst = f.Copies
	case Double:
		d.then = append(d.then, func(ctx context.Context) {
			s.callBack(ctx, m, o, outgoing{kind: string(Double), genuine: true, post: !m.PostCallbacks})
		})
	case ExtraField:
		o.extra = true
	case SecondTrade, Reused:
		s.payAgain(m, o, f)
	case Repeated, ReturnReplay:
		// After the first one has its answer, at whatever speed.
		d.then = append(d.then, func(context.Context) { s.copies(m, o, f) })
	case Forged, OtherPID, WrongStatus, Minted, Ambiguous:
		s.spoofFirst(m, o, f, d)
		return
	default: // None and OtherAmount: a plain callback
	}
	s.jobs.after(0, d.run)
}

// spoofFirst sends the false messages and, only then, the first true one: a
// receiver must not need the true one to see through them.
func (s *Sandbox) spoofFirst(m *merchant, o *order, f Fault, d *series) {
	spoofs := s.spoofs(m, o, f)
	s.jobs.after(0, func(ctx context.Context) {
		for _, send := range spoofs {
			send(ctx)
		}
		if !f.Unpaid {
			d.run(ctx)
		}
	})
}

// copies sends the genuine message again and again, a second of waiting time
// apart. A payer who replays his return address does just that.
func (s *Sandbox) copies(m *merchant, o *order, f Fault) {
	for i := range f.Copies {
		out := outgoing{kind: string(f.Class), genuine: f.Class == Repeated, try: i + 1, post: m.PostCallbacks}
		s.jobs.after(time.Duration(i+1)*time.Second, func(ctx context.Context) { s.callBack(ctx, m, o, out) })
	}
}

// hold keeps a payment's callback back until a later payment's has gone out,
// or for at most a while.
func (s *Sandbox) hold(m *merchant, d *series, atMost time.Duration) {
	m.held = append(m.held, d)
	s.jobs.after(atMost, func(ctx context.Context) {
		if s.unhold(m, d) {
			d.run(ctx)
		}
	})
}

// unhold takes d off the held ones; false when it went already.
func (s *Sandbox) unhold(m *merchant, d *series) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range m.held {
		if m.held[i] == d {
			m.held = append(m.held[:i:i], m.held[i+1:]...)
			return true
		}
	}
	return false
}

// release lets the held callbacks go, the newest first, now that the callback
// of a later order has gone out.
func (s *Sandbox) release(m *merchant, overtaker *order) {
	s.mu.Lock()
	held := m.held
	m.held = nil
	s.mu.Unlock()
	held = slices.DeleteFunc(held, func(d *series) bool { return d.o == overtaker })
	if len(held) == 0 {
		return
	}
	s.jobs.after(0, func(ctx context.Context) {
		for _, d := range slices.Backward(held) {
			d.run(ctx)
		}
	})
}

// payAgain opens a second order on the number of a paid one and pays it: real
// money a second time. For Reused the first one's opening is moved ten days
// into the past, which is when servers take a number again.
func (s *Sandbox) payAgain(m *merchant, o *order, f Fault) {
	now := s.clock.books()
	if f.Class == Reused {
		o.addTime = o.addTime.Add(-reopenable - 24*time.Hour)
	}
	twin := s.enter(m, o.outTradeNo, now)
	s.copyForm(twin, o)
	twin.origin = f.Class
	twin.markPaid(o.placed, now)
	d := &series{s: s, m: m, o: twin}
	s.jobs.after(time.Duration(f.Delay), d.run)
}

func (s *Sandbox) copyForm(to, from *order) {
	to.version, to.method, to.clientIP = from.version, from.method, from.clientIP
	to.name, to.param, to.notifyURL, to.returnURL = from.name, from.param, from.notifyURL, from.returnURL
	to.placed, to.money, to.reopened = from.placed, from.placed, from.reopened
}

// payCheap opens and pays an order over a small amount that the merchant never
// placed, named so that its signed text can be cut anew for the order o.
func (s *Sandbox) payCheap(m *merchant, o *order, f Fault) *order {
	o.siblings++
	cheap := s.enter(m, "CHEAP-"+o.tradeNo+"-"+strconv.Itoa(o.siblings), s.clock.books())
	s.copyForm(cheap, o)
	cheap.origin = Ambiguous
	cheap.param = ""
	cheap.name = "x&out_trade_no=" + o.outTradeNo + "&pax=1"
	money, err := domain.ParseMoney(f.Money, domain.CNY)
	if err != nil || !money.IsPositive() {
		money = domain.NewMoney(1, domain.CNY)
	}
	cheap.placed = money
	cheap.markPaid(money, s.clock.books())
	return cheap
}
