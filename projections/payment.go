package projections

import (
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
// made a domain.Payment again and f applied to it. Once an order has its own
// credit, nothing changes its state.
func (p *PaymentRow) apply(f domain.Fact) {
	switch f := f.(type) {
	case domain.PaymentPlaced:
		p.place(f)
	case domain.PaymentNotified:
		p.notice(f)
	case domain.PaymentHeld:
		p.deciding(f.TradeNo)
	case domain.PaymentParked:
		p.deciding(f.TradeNo)
	case domain.PaymentAllocated:
		p.deciding(f.TradeNo)
	case domain.PaymentClosed:
		p.Closed = f.Cause
	case domain.PaymentCredited:
		p.TradeNo = f.TradeNo
	case domain.LedgerOpened, domain.ChannelConfigured, domain.DiscrepancyFound, domain.CorrectionIssued:
		// The state below says all there is to say.
	}
	if !p.settled() {
		p.restate(p.payment().Apply(f))
	}
}

func (p *PaymentRow) place(f domain.PaymentPlaced) {
	p.OrderNo, p.Account, p.Amount = string(f.OrderNo), f.Account, f.Amount
	p.PlacedAt, p.ExpiresAt = domain.Instant(f.PlacedAt), domain.Instant(f.ExpiresAt)
}

func (p *PaymentRow) notice(f domain.PaymentNotified) {
	p.Notices++
	if p.OrderNo == "" {
		p.OrderNo = f.OrderNo
	}
	if p.Amount.Currency() == "" {
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

func (p *PaymentRow) settled() bool { return p.State == domain.StateCredited }

// payment is what the row keeps of an unsettled payment, enough for its state.
func (p *PaymentRow) payment() domain.Payment {
	d := domain.Payment{Closed: p.Closed}
	if p.Account != "" {
		d.Placed.OrderNo, d.Placed.Account, d.Placed.Amount = domain.OrderNo(p.OrderNo), p.Account, p.Amount
	}
	for _, m := range p.Open {
		d.Trades = append(d.Trades, domain.Trade{TradeNo: m.TradeNo, State: m.State, Amount: m.Amount})
	}
	return d
}

// restate takes over the state of d.
func (p *PaymentRow) restate(d domain.Payment) {
	p.State, p.Open = d.State(), p.Open[:0:0]
	if d.IsSettled() {
		p.TradeNo, p.Open = d.Settled, nil
		return
	}
	for _, t := range d.Trades {
		if _, open := markLetters[t.State]; open {
			p.Open = append(p.Open, Mark{TradeNo: t.TradeNo, State: t.State, Amount: t.Amount})
		}
	}
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
	case domain.LedgerOpened, domain.ChannelConfigured, domain.PaymentPlaced, domain.PaymentNotified,
		domain.PaymentHeld, domain.PaymentClosed, domain.DiscrepancyFound, domain.CorrectionIssued:
		return "", false
	}
	return "", false
}

// callback is the row of a kept notice.
func callback(f domain.PaymentNotified, at eventstore.Position) Callback {
	return Callback{
		Position: at, Delivery: f.Delivery, Source: f.Source, Channel: f.Channel, OrderNo: f.OrderNo,
		TradeNo: f.TradeNo, Amount: f.Amount, Status: f.Status, Outcome: f.Decision.Outcome,
		Reason: f.Decision.Reason, ReceivedAt: f.ReceivedAt,
	}
}
