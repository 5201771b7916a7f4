package ledger

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore/memory"

	"pgregory.net/rapid"
)

// life is a random history of a few payments, by two processes that are
// restarted and whose appends fail in every way.
type life struct {
	w         *world
	processes [2]*Ledger
	made      int
	acked     map[domain.ID]bool // callbacks answered success, kept as an event
	counted   map[domain.Stream]int
	told      map[domain.Stream]int // callbacks answered success
}

// TestAnyHistory: after every step, whatever was asked of which process and
// whatever failed, the whole log is in order, and every callback that was
// answered success is in it, as an event or behind the limit of equal ones.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		a := &life{w: w, acked: map[domain.ID]bool{}, told: map[domain.Stream]int{}, counted: map[domain.Stream]int{}}
		a.processes = [2]*Ledger{w.process(t), w.process(t)}
		t.Repeat(map[string]func(*rapid.T){
			"":         a.check,
			"place":    a.place,
			"callback": func(t *rapid.T) { a.notify(t, domain.SourceCallback) },
			"query":    func(t *rapid.T) { a.notify(t, domain.SourceQuery) },
			"flood":    a.flood,
			"cancel": func(t *rapid.T) {
				_, _ = a.any(t).Cancel(context.Background(), channels.Draw(t, "channel"), domain.OrderNo(orders.Draw(t, "order")), "why", desk)
			},
			"expire": func(t *rapid.T) {
				_, _ = a.any(t).Expire(context.Background(), channels.Draw(t, "channel"), orders.Draw(t, "order"), desk)
			},
			"allocate": a.allocate,
			"fail": func(t *rapid.T) {
				w.log.Next(rapid.SampledFrom([]memory.Fault{memory.Unavailable, memory.Lost, memory.Written}).Draw(t, "fault"))
			},
			"time": func(t *rapid.T) {
				w.clock.add(rapid.SampledFrom([]time.Duration{time.Second, 20 * time.Minute, 3 * time.Hour}).Draw(t, "time"))
			},
			"restart": func(t *rapid.T) {
				w.log.Next() // a process that starts meets no fault of ours
				l, err := Open(context.Background(), w.store, w.keys, w.config())
				if err != nil {
					t.Fatal(err)
				}
				l.store = w.log
				l.channels = a.processes[0].channels
				a.processes[rapid.IntRange(0, 1).Draw(t, "process")] = l
			},
		})
	})
}

var (
	orders   = rapid.SampledFrom([]string{"A1", "A2"})
	trades   = rapid.SampledFrom([]string{"T1", "T2", ""})
	channels = rapid.SampledFrom([]domain.ChannelID{main, asked})
	amounts  = rapid.SampledFrom([]domain.Money{ten, ten, ten, five, domain.NewMoney(1000, domain.USD)})
)

func (a *life) any(t *rapid.T) *Ledger { return a.processes[rapid.IntRange(0, 1).Draw(t, "process")] }

func (a *life) place(t *rapid.T) {
	o := order(orders.Draw(t, "order"))
	o.Channel = channels.Draw(t, "channel")
	o.ExpiresAt = a.w.clock.now().Add(2 * time.Hour)
	if rapid.IntRange(0, 4).Draw(t, "differs") == 0 {
		o.Account = bob
	}
	_, _, _ = a.any(t).Place(context.Background(), o, shown, desk)
}

func (a *life) draw(t *rapid.T, source domain.Source) domain.Notice {
	a.made++
	n := a.w.callback(a.made, channels.Draw(t, "channel"), orders.Draw(t, "order"), trades.Draw(t, "trade"), amounts.Draw(t, "amount"))
	n.Source = source
	n.Status = rapid.SampledFrom([]domain.Status{
		domain.StatusPaid, domain.StatusPaid, domain.StatusPaid, domain.StatusWaiting, domain.StatusClosed, domain.StatusRefunded,
	}).Draw(t, "status")
	if n.TradeNo == "" {
		n.Doubts = []domain.Doubt{domain.DoubtNoTradeNo}
	}
	if source == domain.SourceQuery {
		n.Run = "sweep-1"
	}
	switch rapid.IntRange(0, 4).Draw(t, "about") {
	case 0:
		n.About, n.RefundID = domain.AboutRefund, rapid.SampledFrom([]string{"R1", "R2", ""}).Draw(t, "refund")
		n.Status = rapid.SampledFrom([]domain.Status{
			domain.StatusSucceeded, domain.StatusSucceeded, domain.StatusFailed, domain.StatusWaiting,
		}).Draw(t, "went")
		n.Total = rapid.IntRange(0, 3).Draw(t, "total") == 0
	case 1:
		n.About, n.DisputeID = domain.AboutDispute, rapid.SampledFrom([]string{"D1", "D2", ""}).Draw(t, "dispute")
		n.Status = rapid.SampledFrom([]domain.Status{
			domain.StatusWithdrawn, domain.StatusWithdrawn, domain.StatusReinstated, domain.StatusLost,
		}).Draw(t, "moved")
	}
	return n
}

func (a *life) notify(t *rapid.T, source domain.Source) { a.take(a.any(t), a.draw(t, source)) }

// flood repeats one callback beyond the limit.
func (a *life) flood(t *rapid.T) {
	l, n := a.any(t), a.draw(t, domain.SourceCallback)
	for range domain.MaxEqualNotices + 3 {
		a.made++
		n.Delivery = delivery(a.made)
		a.take(l, n)
	}
}

func (a *life) take(l *Ledger, n domain.Notice) {
	r, err := notify(l, n)
	if err != nil || n.Source != domain.SourceCallback {
		return
	}
	s := domain.PaymentStreamRaw(n.Channel, n.OrderNo)
	a.told[s]++
	if r.Position > 0 {
		a.acked[n.Delivery] = true
	} else {
		a.counted[s]++
	}
}

func (a *life) allocate(t *rapid.T) {
	ch, no, q := channels.Draw(t, "channel"), orders.Draw(t, "order"), allocation("li")
	q.Action, q.TradeNo = rapid.SampledFrom(domain.Actions()).Draw(t, "action"), trades.Draw(t, "trade")
	p, _, err := a.any(t).Propose(context.Background(), ch, no, q, unspent, desk)
	if err == nil {
		_, _ = a.any(t).Approve(context.Background(), ch, no, p.ID(), "wang", "", unspent, desk)
	}
}

func (a *life) check(t *rapid.T) {
	h := checkLog(t, a.w)
	for id := range a.acked {
		if !h.deliveries[id] {
			t.Fatalf("delivery %s was acknowledged and is not in the log (R1)", id)
		}
	}
	for s, n := range a.counted {
		if n > 0 && h.count(s, domain.TypePaymentNotified) < domain.MaxEqualNotices {
			t.Fatalf("%s: %d deliveries were only counted below the limit (R1)", s, n)
		}
	}
	for _, l := range a.processes {
		for s := range h.streams {
			if s.Category() != "payment" {
				continue
			}
			if err := sameFold(l, s, h.streams[s]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// sameFold: what a process believes is the fold of what is stored, up to where
// it has looked.
func sameFold(l *Ledger, s domain.Stream, events []Entry) error {
	f, ok := l.cache.get(s)
	if !ok {
		return nil
	}
	var p domain.Payment
	if int(f.expected) >= len(events) || f.expected < 0 {
		return fmt.Errorf("%s: a fold of %d events, stored are %d", s, f.expected+1, len(events))
	}
	for _, e := range events[:f.expected+1] {
		p = p.Apply(e.Fact)
	}
	if p.State() != f.payment.State() || p.Version != f.payment.Version || p.Settled != f.payment.Settled ||
		p.Notices != f.payment.Notices || fmt.Sprint(p.Trades) != fmt.Sprint(f.payment.Trades) ||
		!reflect.DeepEqual(p.Refunds, f.payment.Refunds) || !reflect.DeepEqual(p.Disputes, f.payment.Disputes) {
		return fmt.Errorf("%s: the fold kept is %+v, of the log it is %+v", s, f.payment, p)
	}
	return nil
}
