package month

import (
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/stripe"
	"counterfoil/sandbox/wechatpay"
)

// plants puts one of each kind of trouble into the month that can happen on any
// day.
func (p *plan) plants() {
	for _, t := range p.w.tills {
		p.lost(t)
		p.otherAmount(t)
		p.unplaced(t)
		p.canceled(t)
		p.byHand(t)
		if t.isEpay() {
			p.frozen(t)
			p.purged(t)
			p.unpaid(t)
		}
	}
	p.refundByHand(p.w.tillOf("epay-a"))
	p.refundByHand(p.w.tillOf("epay-b"))
	p.refundSum(p.w.tillOf("epay-c"))
	p.failed(p.w.tillOf("card"))
	p.feeOff(p.w.tillOf("card"))
	p.exchanged(p.w.tillOf("card"))
	p.second(p.w.tillOf("card"))
	p.second(p.w.tillOf("epay-b"))
}

// plantsUnseen puts one of each kind into the day on which the reconciler is
// away, so that the bill shows it first.
func (p *plan) plantsUnseen() {
	for _, t := range p.w.tills {
		if t.isEpay() {
			continue // makes no bills that could show what we do not know
		}
		p.lostUnseen(t)
		p.unplacedUnseen(t)
		p.placedOther(t)
		p.refundUnseen(t)
	}
	p.heldUnseen(p.w.tillOf("wx2"))
	p.currencies(p.w.tillOf("card"))
	p.secondUnseen(p.w.tillOf("card"))
}

func (w *world) tillOf(id domain.ChannelID) *till {
	for _, t := range w.tills {
		if t.id == id {
			return t
		}
	}
	w.tb.Fatalf("there is no till %s", id)
	return nil
}

// lost: no callback comes, and the sweep heals it from the provider's answer.
func (p *plan) lost(t *till) {
	at := p.anySlot()
	s := p.sale(t, at)
	s.fault.Class = stage.Lost
	p.heal(s, domain.MissingCredit)
}

// lostUnseen: no callback comes while nobody sweeps. The bill shows it, and the
// provider's answer heals it.
func (p *plan) lostUnseen(t *till) {
	at := p.unseen()
	s := p.sale(t, at)
	s.fault.Class = stage.Lost
	p.heal(s, domain.MissingCredit)
	p.mends(s, at, domain.MissingCredit)
	p.rows[len(p.rows)-1].swept = true
}

// otherAmount: the payer pays less than was asked for. It is real money and
// nobody's; people decide.
func (p *plan) otherAmount(t *till) {
	s := p.sale(t, p.anySlot())
	s.fault = stage.Fault{Class: stage.OtherAmount, Money: "3.00"}
	p.parked(s, domain.NewMoney(300, s.amount.Currency()))
}

// unplaced: money for an order that nobody placed.
func (p *plan) unplaced(t *till) {
	s := p.sale(t, p.anySlot())
	s.placed = domain.Money{}
	p.parked(s, s.amount)
}

// unplacedUnseen: the same, and only the bill tells it.
func (p *plan) unplacedUnseen(t *till) {
	at := p.unseen()
	s := p.sale(t, at)
	s.placed, s.fault.Class = domain.Money{}, stage.Lost
	p.mends(s, at, domain.OnlyTheirs)
	p.parked(s, s.amount)
}

// canceled: the shop cancels, and the payer pays all the same.
func (p *plan) canceled(t *till) {
	s := p.sale(t, p.anySlot())
	s.canceled = true
	p.parked(s, s.amount)
}

// placedOther: the shop placed another amount than it asked for at the
// provider, and nobody told.
func (p *plan) placedOther(t *till) {
	at := p.unseen()
	s := p.sale(t, at)
	s.placed, s.fault.Class = domain.NewMoney(s.amount.Minor()+1, s.amount.Currency()), stage.Lost
	p.mends(s, at, domain.AmountMismatch)
	p.rows[len(p.rows)-1].swept = true
	p.parked(s, s.amount)
}

// currencies: the same with the currency.
func (p *plan) currencies(t *till) {
	at := p.unseen()
	s := p.sale(t, at)
	s.amount = domain.NewMoney(s.amount.Minor(), domain.USD)
	s.placed, s.fault.Class = domain.NewMoney(s.amount.Minor(), "EUR"), stage.Lost
	p.mends(s, at, domain.CurrencyMismatch)
	p.parked(s, s.amount)
}

// secondUnseen: the payer pays in two windows, and only one of them is told.
func (p *plan) secondUnseen(t *till) {
	at := p.unseen()
	first := p.sale(t, at-1)
	second := p.sale(t, at)
	second.no, second.placed, second.amount, second.fault.Class = first.no, domain.Money{}, first.amount, stage.Lost
	p.mends(second, at, domain.SecondPayment)
	p.parked(second, second.amount)
}

// refundUnseen: money goes back and nobody tells.
func (p *plan) refundUnseen(t *till) {
	// Not a week before: credited orders are asked about again then.
	s := p.sale(t, slotOf(1+p.w.rnd.IntN(offFrom-9), p.w.rnd.IntN(len(slots))))
	at := p.unseen()
	p.then(at, func() { p.w.refund(s, 0, s.amount.Minor()/2, stage.Fault{Class: stage.Lost}, false) })
	p.mends(s, at, domain.RefundMissing)
}

// workday is a day on which the reconciler works, and works the next days, too.
func (p *plan) workday() int {
	for {
		if n := 1 + p.w.rnd.IntN(days-2); n < offFrom-4 || n >= offTill {
			return n
		}
	}
}

// byHand: two people credit an order that was never paid, fooled by a picture of
// a receipt. No bill ever has it, and two people take it back.
func (p *plan) byHand(t *till) {
	n := p.workday()
	s := p.sale(t, slotOf(n, noon))
	s.unpaid, s.fake = true, "FAKE"+s.no
	p.then(slotOf(n, evening), func() { p.w.correct(s, domain.ActionCredit) })
	p.opens(s, slotOf(n+1, noon), domain.OnlyOurs)
	p.waiting(t, slotOf(n, noon))
	p.desk = append(p.desk, decision{s, domain.ActionReverse})
}

// wrongHand: they credit an order with the money of another one.
func (p *plan) wrongHand(t *till) {
	n := p.workday()
	paid, s := p.sale(t, slotOf(n, noon)), p.sale(t, slotOf(n, noon))
	s.unpaid, s.fakes = true, paid
	s.amount = domain.NewMoney(paid.amount.Minor()+1, paid.amount.Currency())
	s.placed = s.amount
	p.then(slotOf(n, evening), func() { p.w.entered(s, domain.ActionCredit) })
	p.opens(s, slotOf(n, noon), domain.DuplicateTradeNo)
	p.desk = append(p.desk, decision{s, domain.ActionReverse})
}

// frozen: the gateway holds the money back.
func (p *plan) frozen(t *till) {
	n := p.workday()
	s := p.sale(t, slotOf(n, noon))
	p.then(slotOf(n, evening), func() { p.w.do(p.w.box.Freeze(s.id)) })
	p.heal(s, domain.Frozen)
	p.opens(s, slotOf(n, noon), domain.Frozen)
}

// purged: the gateway's operator deletes an order that was credited. That it is
// gone there takes nothing here.
func (p *plan) purged(t *till) {
	n := p.workday()
	s := p.sale(t, slotOf(n, noon))
	p.then(slotOf(n, evening), func() { p.w.do(p.w.box.Purge(s.id)) })
	p.opens(s, slotOf(n+1, noon), domain.OnlyOurs)
	p.waiting(t, slotOf(n, noon))
}

// refundByHand: the operator gives all of it back, and the gateway says only
// that, not how much. People take the credit back.
func (p *plan) refundByHand(t *till) {
	n := p.workday()
	s := p.sale(t, slotOf(n, noon))
	p.then(slotOf(n, evening), func() { p.w.do(p.w.box.Refund(s.id, s.amount)) })
	p.heal(s, domain.RefundMissing)
	p.desk = append(p.desk, decision{s, domain.ActionReverse})
}

// refundSum: the operator gives some of it back, and the gateway tells how much
// has gone back in all when it is asked.
func (p *plan) refundSum(t *till) {
	n := p.workday()
	s := p.sale(t, slotOf(n, noon))
	p.then(slotOf(n, evening), func() { p.w.do(p.w.box.Refund(s.id, domain.NewMoney(s.amount.Minor()/3, domain.CNY))) })
}

// failed: a refund that succeeds first and is taken back.
func (p *plan) failed(t *till) {
	n := p.workday()
	s := p.sale(t, slotOf(n, noon))
	p.then(slotOf(n, evening), func() { p.w.refund(s, 0, s.amount.Minor(), stage.Fault{}, true) })
}

// feeOff: what the contract says is 2.9 % and 30 cents; of yen the provider takes
// 2.9 % and 30 yen.
func (p *plan) feeOff(t *till) {
	at := slotOf(p.workday(), noon)
	s := p.sale(t, at)
	s.amount = domain.NewMoney(s.amount.Minor(), "JPY")
	s.placed = s.amount
	p.opens(s, at, domain.FeeMismatch)
}

// exchanged: Stripe changes the money on its way to the balance, and what goes
// back of it, too. The day is compared twice, and the exchange is booked once.
func (p *plan) exchanged(t *till) {
	n := p.workday()
	paid, back := p.sale(t, slotOf(n, noon)), p.sale(t, slotOf(n, noon))
	paid.fault.Class, back.fault.Class = stripe.Exchanged, stripe.Exchanged
	p.then(slotOf(n, evening), func() { p.w.refund(back, 0, back.amount.Minor()/2, stage.Fault{}, false) })
	p.again(t, n+2, n, n)
}

// unpaid: two people credit an order by its own number at the gateway, which says
// when it is asked that nobody paid it. Two people take it back.
func (p *plan) unpaid(t *till) {
	n := p.workday()
	s := p.sale(t, slotOf(n, noon))
	s.unpaid, s.own = true, true
	p.then(slotOf(n, evening), func() { p.w.correct(s, domain.ActionCredit) })
	p.heal(s, domain.StatusMismatch)
	p.opens(s, slotOf(n, noon), domain.StatusMismatch)
	p.desk = append(p.desk, decision{s, domain.ActionReverse})
}

// silence: a provider answers no questions all afternoon, while a payment's
// callback is lost. It is healed when the provider is back.
func (p *plan) silence(t *till, n int) {
	s := p.sale(t, slotOf(n, noon))
	s.fault.Class = stage.Lost
	p.heal(s, domain.MissingCredit)
	p.first(slotOf(n, noon), func() {
		p.w.do(p.w.box.OutageAt(t.face.Name(), t.merchant, stage.Fault{Class: stage.Query5xx}, afternoon))
	})
	p.silent = append(p.silent, silence{t.id, slotTime(slotOf(n, noon))})
}

// again lets two people have days compared again, at the end of a day's work.
func (p *plan) again(t *till, on, from, to int) {
	p.last(slotOf(on, evening), func() {
		_, err := p.w.comparer.Backfill(p.w.tb.Context(), t.id, t.day(slotOf(from, noon)), t.day(slotOf(to, noon)))
		p.w.do(err)
	})
}

// heldUnseen: money that waits for the provider's word, which nobody asks for.
func (p *plan) heldUnseen(t *till) {
	at := p.unseen()
	p.unasked(p.sale(t, at), at, domain.StatusMismatch)
}

// second: the payer pays in two windows.
func (p *plan) second(t *till) {
	s := p.sale(t, p.anySlot())
	s.fault.Class = stage.SecondTrade
	twin := *s
	p.parked(&twin, s.amount)
	twin.twin = s
}

// banks are payouts, one of which comes back, and movements that nobody has a
// name for.
func (p *plan) banks() {
	for _, t := range p.w.tills {
		b, can := t.face.(stage.Banker)
		if !can || t.id == "wx2" { // v2 has no bill that lists them
			continue
		}
		for i, n := range []int{5, 18, 20, 27} {
			p.then(slotOf(n, noon), func() {
				out := stage.PayoutOrder{Merchant: t.merchant, Fails: i == 1}
				if i == 2 {
					out.Amount = domain.NewMoney(1234, t.currencies[0])
				}
				_, err := b.Payout(out)
				if err != nil && domain.KindOf(err) != domain.KindConflict { // else there is nothing
					p.w.tb.Errorf("%s: payout: %v", t.id, err)
				}
			})
		}
		for i, n := range []int{5, 12, 25} {
			at := slotOf(n, noon)
			p.then(at, func() {
				_, err := b.Move(stage.MoveOrder{Merchant: t.merchant, Amount: domain.NewMoney(int64(i*100-137), t.currencies[0])})
				p.w.do(err)
			})
			p.find(t, at, domain.UnclassifiedMovement, operations.DiscrepancyOpen, "")
		}
	}
}

// payouts: the list of one day lacks a movement that went into a payout, just
// when people have these days compared again. The sum does not come to the
// payout until the list is whole.
func (p *plan) payouts(t *till) {
	for _, at := range []int{slotOf(3, noon), slotOf(5, morning), slotOf(6, noon)} { // so that there is something to pay out, whatever goes back
		s := p.sale(t, at)
		s.amount = domain.NewMoney(200_000+s.amount.Minor(), t.currencies[0])
		s.placed = s.amount
	}
	at := slotOf(6, evening)
	var move stage.Move
	p.then(at, func() {
		var err error
		move, err = t.face.(stage.Banker).Move(stage.MoveOrder{Merchant: t.merchant, Amount: domain.NewMoney(777, t.currencies[0])})
		p.w.do(err)
	})
	p.find(t, at, domain.UnclassifiedMovement, operations.DiscrepancyOpen, "")
	p.then(slotOf(7, noon), func() {
		_, err := t.face.(stage.Banker).Payout(stage.PayoutOrder{Merchant: t.merchant})
		p.w.do(err)
	})
	again := func() {
		_, err := p.w.comparer.Backfill(p.w.tb.Context(), t.id, t.day(slotOf(4, noon)), t.day(slotOf(7, noon)))
		p.w.do(err)
	}
	p.last(slotOf(8, noon), func() {
		p.w.hidden.Store(&move.ID)
		again()
		p.w.hidden.Store(nil)
	})
	p.last(slotOf(8, evening), again)
	p.find(t, slotOf(7, noon), domain.PayoutMismatch, operations.DiscrepancyResolved, "")
}

// paidLater: the bills of what goes into a payout are compared before it is made,
// and name it only when they are fetched again. That happens by itself: nobody
// asks for it, and the payout lacks a movement that the list lacks just then.
func (p *plan) paidLater(t *till) {
	at := slotOf(24, noon)
	p.sale(t, slotOf(24, morning))
	var move stage.Move
	p.then(at, func() {
		var err error
		move, err = t.face.(stage.Banker).Move(stage.MoveOrder{Merchant: t.merchant, Amount: domain.NewMoney(555, t.currencies[0])})
		p.w.do(err)
	})
	p.find(t, at, domain.UnclassifiedMovement, operations.DiscrepancyOpen, "")
	p.last(slotOf(27, evening), func() { p.w.hidden.Store(&move.ID) }) // banks has the payout at noon
	p.first(slotOf(30, noon), func() { p.w.hidden.Store(nil) })
	p.again(t, 30, 20, 27)
	p.find(t, slotOf(27, noon), domain.PayoutMismatch, operations.DiscrepancyResolved, "")
}

// bills are the days whose bills are late, cut short or changed afterwards.
func (p *plan) bills() {
	late := func(id domain.ChannelID, dayNo int, class stage.Class, cause string) {
		t := p.w.tillOf(id)
		at := slotOf(dayNo+1, 0)
		p.sale(t, slotOf(dayNo, noon)) // a day without movements has no bill
		p.first(at, func() {
			p.w.do(p.w.box.OutageAt(t.face.Name(), t.merchant, stage.Fault{Class: class}, 26*time.Hour))
		})
		p.broken = append(p.broken, string(id)+" "+string(t.day(slotOf(dayNo, noon)))+" "+cause)
	}
	late("wx", 4, stage.BillLate, "bill_missing")
	late("wx", 10, wechatpay.BillHash, "provider_down")
	late("wx2", 7, stage.BillCut, "provider_down")
	late("ali", 8, stage.BillCut, "bill_broken")
	p.broken = append(p.broken, "ali 2026-10-07 bill_broken") // it was not final and is fetched again that day
	p.sale(p.w.tillOf("ali"), slotOf(7, noon))
	p.sale(p.w.tillOf("card"), slotOf(8, noon))
	p.changed(p.w.tillOf("ali"), 20)
	p.changed(p.w.tillOf("wx2"), 23)
	late("card", 9, stage.BillCut, "provider_down")
	p.broken = append(p.broken, "card 2026-10-08 provider_down") // nor was this one
}

// changed: the last movement of a day, a refund, is on its bills only later, after
// the provider has called them final. Two people wonder and have the days
// compared again.
func (p *plan) changed(t *till, n int) {
	paid := p.sale(t, slotOf(n, noon))
	p.last(slotOf(n, lastThing), func() { p.w.refund(paid, 0, 100, stage.Fault{}, false) })
	p.sale(t, slotOf(n+1, noon))           // its bill begins with a balance that the changed one did not end with
	p.first(slotOf(n+1, morning), func() { // until before the next day's bill is made
		p.w.do(p.w.box.OutageAt(t.face.Name(), t.merchant, stage.Fault{Class: stage.BillChanged}, 22*time.Hour))
	})
	p.last(slotOf(n+3, noon), func() {
		for range 2 { // what one day settles, another one may have found
			_, err := p.w.comparer.Backfill(p.w.tb.Context(), t.id, t.day(slotOf(n, noon)), t.day(slotOf(n+1, noon)))
			p.w.do(err)
		}
	})
	p.waiting(t, slotOf(n, noon))
	p.mends(paid, slotOf(n+1, noon), domain.RefundUnknown)
	if len(p.w.comparer.BillsOf(t.id)) == 1 {
		return // the fund flow would show it, too
	}
	p.mends(paid, slotOf(n+1, noon), domain.BillTotalMismatch)
	p.find(t, slotOf(n+1, noon), domain.BillTotalMismatch, operations.DiscrepancyResolved, "")
}
