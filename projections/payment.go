package projections

import (
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// newPayment is the row of a stream before its first event. Streams of odd or
// missing order numbers carry a substitute; the true number comes with the
// event.
func newPayment(ch domain.ChannelID, ref string, row int64) *PaymentRow {
	p := &PaymentRow{Row: row, Ref: ref, Fresh: true}
	p.Channel, p.State = ch, domain.StateNoticed
	if !strings.HasPrefix(ref, "~") && !strings.HasPrefix(ref, "trade:") {
		p.OrderNo = ref
	}
	return p
}

// touch notes that an event of the payment was folded.
func (p *PaymentRow) touch(at eventstore.Position, recorded time.Time) {
	if p.FirstAt.IsZero() {
		p.FirstAt = recorded
	}
	p.UpdatedAt, p.Position = recorded, at
}

// apply folds f into the row. The state is the domain's: what the row keeps is
// made a domain.Payment again and f applied to it, unless f cannot change it.
func (p *PaymentRow) apply(f domain.Fact) {
	restates := !p.settled()
	p.Stages.apply(f, p.UpdatedAt)
	switch f := f.(type) {
	case domain.PaymentPlaced:
		p.place(f)
	case domain.PaymentNotified:
		p.notice(f)
		restates = restates && f.About == domain.AboutPayment
	case domain.PaymentHeld:
		p.deciding(f.TradeNo)
		restates = true
	case domain.PaymentParked:
		p.deciding(f.TradeNo)
		restates = true
	case domain.PaymentAllocated:
		p.deciding(f.TradeNo)
		restates = true
	case domain.PaymentClosed:
		p.Closed = f.Cause
	case domain.PaymentCredited:
		restates = true
	case domain.PaymentRefunded, domain.RefundFailed, domain.DisputeWithdrawn, domain.DisputeReinstated, domain.DisputeLost:
		restates = true
	case domain.CorrectionIssued:
		restates = !f.Proposal.IsZero() // a heal's money is in the credit beside it
	case domain.LedgerOpened, domain.ChannelConfigured, domain.DiscrepancyFound, domain.CorrectionProposed, domain.CorrectionSeconded,
		domain.CorrectionApproved, domain.CorrectionRejected, domain.PeopleFact, domain.ReconciliationFact, domain.BookFact:
		restates = false
	}
	if restates {
		d := p.payment().Apply(f)
		p.credit(f)
		p.restate(d)
	}
}

func (p *PaymentRow) place(f domain.PaymentPlaced) {
	p.keepAmount(f.Amount)
	p.OrderNo, p.Account, p.Amount = string(f.OrderNo), f.Account, f.Amount
	p.PlacedAt, p.ExpiresAt = domain.Instant(f.PlacedAt), domain.Instant(f.ExpiresAt)
	p.Refunded = RefundedOf(p.Open, p.Amount.Currency())
}

// credit takes over whose money it is, of an order that nobody placed: by its
// credit, or by the one that people gave in its place.
func (p *PaymentRow) credit(f domain.Fact) {
	if !p.PlacedAt.IsZero() {
		return
	}
	switch f := f.(type) {
	case domain.PaymentCredited:
		p.Account, p.Amount = f.Account, f.Amount
	case domain.CorrectionIssued:
		if f.Action == domain.ActionCredit && len(f.Postings) > 0 {
			p.Account, p.Amount = f.Account, f.Amount
		}
	default: // it credits nothing
	}
}

// keepAmount marks the credited amount of an order that is placed afterwards as
// another one.
func (p *PaymentRow) keepAmount(placed domain.Money) {
	if p.settled() && placed != p.Amount {
		p.Open = p.marks()
	}
}

func (p *PaymentRow) notice(f domain.PaymentNotified) {
	p.Notices++
	if p.OrderNo == "" {
		p.OrderNo = f.OrderNo
	}
	if p.Amount.Currency() == "" && f.About == domain.AboutPayment {
		p.Amount = f.Amount
	}
	if len(p.Open) == 0 {
		p.deciding(f.TradeNo)
	}
}

// deciding takes trade as the row's trade number until the order is settled.
func (p *PaymentRow) deciding(trade string) {
	if trade != "" && !p.settled() {
		p.TradeNo = trade
	}
}

// settled reports whether the order has had its own credit, also when that was
// taken back.
func (p *PaymentRow) settled() bool {
	return p.State.Settled() || slices.ContainsFunc(p.Open, func(m Mark) bool { return m.State == markTakenBack })
}

// marks are the row's marks with the one that is not stored: a settled order
// without a history has its amount under its trade number.
func (p *PaymentRow) marks() []Mark {
	if p.settled() && !slices.ContainsFunc(p.Open, p.settling) {
		return append([]Mark{{TradeNo: p.TradeNo, State: domain.TradeCredited, Amount: p.Amount}}, p.Open...)
	}
	return p.Open
}

// settling reports whether m is the money that settled the order.
func (p *PaymentRow) settling(m Mark) bool { return m.TradeNo == p.TradeNo && m.State != markDispute }

// payment is what the row keeps of a payment, enough for its state.
func (p *PaymentRow) payment() domain.Payment {
	d := domain.Payment{}
	if p.settled() {
		d = d.Apply(domain.PaymentCredited{TradeNo: p.TradeNo})
		d.Trades = nil
	}
	d.Closed = p.Closed
	if !p.PlacedAt.IsZero() {
		d.Placed.OrderNo, d.Placed.Account, d.Placed.Amount = domain.OrderNo(p.OrderNo), p.Account, p.Amount
	}
	for _, m := range p.marks() {
		switch m.State { //nolint:exhaustive // the others are states of money
		case markDispute:
			d.Disputes = append(d.Disputes, domain.Dispute{DisputeID: m.TradeNo, Open: m.Amount})
			continue
		case markTakenBack:
			m.State = domain.TradeParked
		}
		d.Trades = append(d.Trades, domain.Trade{
			TradeNo: m.TradeNo, State: m.State, Amount: m.Amount, Refunded: m.Refunded, FirstAt: p.FirstAt,
		})
	}
	return d
}

// restate takes over the state of d, and marks all that it may hang on later.
func (p *PaymentRow) restate(d domain.Payment) {
	p.State, p.Open = d.State(), nil
	if d.IsSettled() {
		p.TradeNo = d.Settled
	}
	for _, t := range d.Trades {
		m := Mark{TradeNo: t.TradeNo, State: t.State, Amount: t.Amount, Refunded: t.Refunded}
		if d.IsSettled() && t.TradeNo == d.Settled && t.State == domain.TradeParked {
			m.State = markTakenBack
		}
		if p.matters(m, d.IsSettled()) {
			p.Open = append(p.Open, m)
		}
	}
	for _, d := range d.Disputes {
		if !d.Open.IsZero() {
			p.Open = append(p.Open, Mark{TradeNo: d.DisputeID, State: markDispute, Amount: d.Open})
		}
	}
	p.Refunded = RefundedOf(p.Open, p.Amount.Currency())
}

// matters reports whether m must be kept: of a settled order, what is not simply
// its own credit.
func (p *PaymentRow) matters(m Mark, settled bool) bool {
	switch {
	case m.Refunded != domain.Money{}:
		return true
	case settled:
		return p.settling(m) && (m.Amount != p.Amount || m.State != domain.TradeCredited)
	}
	return m.State != domain.TradeSeen
}

// RefundedOf is what went back of marked money in one currency.
func RefundedOf(ms []Mark, c domain.Currency) (sum domain.Money) {
	for _, m := range ms {
		if m.Refunded.Currency() != c || m.Refunded.IsZero() {
			continue
		}
		more, err := m.Refunded.Add(domain.NewMoney(sum.Minor(), c))
		if err != nil {
			continue // beyond the range of money: no provider moved it
		}
		sum = more
	}
	return sum
}

// takesBack reports whether f reverses a credit: its money stands on the order no
// more. An allocation that is reversed leaves it there, parked.
func takesBack(f domain.CorrectionIssued, ch domain.ChannelID) bool {
	return f.Action == domain.ActionReverse && slices.ContainsFunc(f.Postings, func(p domain.Posting) bool {
		return p.Book == domain.BookPSP(ch)
	})
}

// decided is the trade number whose money f moved, if it moved any.
func decided(f domain.Fact) (trade string, ok bool) {
	switch f := f.(type) {
	case domain.PaymentCredited:
		return f.TradeNo, true
	case domain.PaymentParked:
		return f.TradeNo, f.Confirmed
	case domain.PaymentAllocated:
		return f.TradeNo, true
	case domain.CorrectionIssued:
		return f.TradeNo, f.Enters != ""
	case domain.LedgerOpened, domain.ChannelConfigured, domain.PaymentPlaced, domain.PaymentNotified,
		domain.PaymentHeld, domain.PaymentClosed, domain.DiscrepancyFound, domain.CorrectionProposed, domain.CorrectionSeconded,
		domain.CorrectionApproved, domain.CorrectionRejected,
		domain.PaymentRefunded, domain.RefundFailed, domain.DisputeWithdrawn, domain.DisputeReinstated, domain.DisputeLost,
		domain.PeopleFact, domain.ReconciliationFact, domain.BookFact:
		return "", false
	}
	return "", false
}

// callback is the row of a kept notice.
func callback(f domain.PaymentNotified, at eventstore.Position) Callback {
	return Callback{
		Position: at, Delivery: f.Delivery, Source: f.Source, Channel: f.Channel, OrderNo: f.OrderNo,
		TradeNo: f.TradeNo, Amount: f.Amount, About: f.About, Status: f.Status, Outcome: f.Decision.Outcome,
		Reason: f.Decision.Reason, ReceivedAt: f.ReceivedAt,
	}
}
