package sandbox

import (
	"context"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// plant sets in motion what follows from paying o, or from a trick without a
// payment. Sandbox.mu is held.
func (s *Sandbox) plant(m *merchant, o *order, f Fault) {
	d := s.callbacks(m, o)
	switch f.Class {
	case Double:
		d.Then(func(ctx context.Context) {
			s.callBack(ctx, m, o, outgoing{Shot: stage.Shot{Kind: string(Double), Genuine: true}, post: !m.PostCallbacks})
		})
	case ExtraField:
		o.extra = true
	case SecondTrade, Reused:
		s.payAgain(m, o, f)
	case ReturnReplay:
		d.Then(func(context.Context) { d.Copy(string(f.Class), f.Copies, false) })
	case Forged, OtherPID, WrongStatus, Minted, Ambiguous:
		s.spoofFirst(m, o, f, m.lane.Join(d))
		return
	default: // a plain callback, or one in a manner that the lane knows
	}
	m.lane.Deliver(d, f)
}

// spoofFirst sends the false messages and, only then, the first true one: a
// receiver must not need the true one to see through them.
func (s *Sandbox) spoofFirst(m *merchant, o *order, f Fault, d *stage.Series) {
	spoofs := s.spoofs(m, o, f)
	s.stage.After(0, func(ctx context.Context) {
		for _, send := range spoofs {
			send(ctx)
		}
		if !f.Unpaid {
			d.Run(ctx)
		}
	})
}

// payAgain opens a second order on the number of a paid one and pays it: real
// money a second time. For Reused the first one's opening is moved ten days
// into the past, which is when servers take a number again.
func (s *Sandbox) payAgain(m *merchant, o *order, f Fault) {
	now := s.stage.Books()
	if f.Class == Reused {
		o.addTime = o.addTime.Add(-reopenable - 24*time.Hour)
	}
	twin := s.enter(m, o.outTradeNo, now)
	s.copyForm(twin, o)
	twin.origin = f.Class
	twin.markPaid(o.placed, now)
	m.lane.Deliver(s.callbacks(m, twin), Fault{Class: Late, Delay: f.Delay})
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
	cheap := s.enter(m, "CHEAP-"+o.tradeNo+"-"+strconv.Itoa(o.siblings), s.stage.Books())
	s.copyForm(cheap, o)
	cheap.origin = Ambiguous
	cheap.param = ""
	cheap.name = "x&out_trade_no=" + o.outTradeNo + "&pax=1"
	money, err := domain.ParseMoney(f.Money, domain.CNY)
	if err != nil || !money.IsPositive() {
		money = domain.NewMoney(1, domain.CNY)
	}
	cheap.placed = money
	cheap.markPaid(money, s.stage.Books())
	return cheap
}
