package month

import (
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

// plants puts one of each kind of trouble into the month.
func (p *plan) plants() {
	for _, t := range p.w.tills {
		p.lost(t)
		p.otherAmount(t)
		p.unplaced(t)
		p.canceled(t)
		if !t.isEpay() {
			p.lostUnseen(t)
			p.unplacedUnseen(t)
			p.placedOther(t)
			p.refundUnseen(t)
		}
	}
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
	s := p.sale(t, slotOf(1+p.w.rnd.IntN(offFrom-3), p.w.rnd.IntN(len(slots))))
	at := p.unseen()
	p.then(at, func() { p.w.refund(s, 0, s.amount.Minor()/2, stage.Fault{Class: stage.Lost}, false) })
	p.mends(s, at, domain.RefundMissing)
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
	late("card", 9, stage.BillCut, "provider_down")
	p.broken = append(p.broken, "card 2026-10-08 provider_down") // nor was this one
}
