package sandbox

import (
	"context"
	"time"

	"counterfoil/domain"
)

// Pay lets the payer pay an unpaid order, with whatever faults are set for it
// or fall to it by chance. The order that comes back is as the books then have
// it: still unpaid where the fault is a trick without a payment. KindNotFound
// for an unknown order, KindConflict for one that is paid or was deleted.
func (s *Sandbox) Pay(tradeNo string) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, m, err := s.payable(tradeNo)
	if err != nil {
		return Order{}, err
	}
	return s.payLocked(m, o, s.chooseFaults(m, o))
}

// PayWith is Pay with exactly these faults and no chance: at most one that acts
// on callbacks, and any number that act on queries. None of them is a plain
// payment.
func (s *Sandbox) PayWith(tradeNo string, faults ...Fault) (Order, error) {
	faults, err := completeFaults(faults)
	if err != nil {
		return Order{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, m, err := s.payable(tradeNo)
	if err != nil {
		return Order{}, err
	}
	return s.payLocked(m, o, faults)
}

// PayByNumber is Pay for the newest order under the merchant's own number.
func (s *Sandbox) PayByNumber(pid, outTradeNo string) (Order, error) {
	o, err := s.OrderByNumber(pid, outTradeNo)
	if err != nil {
		return Order{}, err
	}
	return s.Pay(o.TradeNo)
}

// completeFaults fills defaults in and sees that one payment can have them all.
func completeFaults(faults []Fault) ([]Fault, error) {
	done := make([]Fault, 0, len(faults))
	onCallbacks := 0
	for _, f := range faults {
		f, err := classes.Complete(f)
		if err != nil {
			return nil, err
		}
		if f.Class == None {
			continue
		}
		if !classes[f.Class].Query {
			onCallbacks++
		}
		done = append(done, f)
	}
	if onCallbacks > 1 {
		return nil, domain.EField(domain.KindInvalid, "faults", "a payment has at most one fault that acts on callbacks")
	}
	return done, nil
}

func (s *Sandbox) payable(tradeNo string) (*order, *merchant, error) {
	o, m, err := s.order(tradeNo)
	switch {
	case err != nil:
		return nil, nil, err
	case o.wasPaid():
		return nil, nil, domain.E(domain.KindConflict, "order %s is paid", tradeNo)
	case o.purged:
		return nil, nil, domain.E(domain.KindConflict, "order %s was deleted", tradeNo)
	}
	return o, m, nil
}

// chooseFaults takes what was set for the merchant's next payment, else draws.
func (s *Sandbox) chooseFaults(m *merchant, o *order) []Fault {
	if len(m.next) == 0 {
		return draw(s.ratesOf(Name), o)
	}
	faults := m.next[0]
	m.next = m.next[1:]
	return faults
}

func (s *Sandbox) payLocked(m *merchant, o *order, faults []Fault) (Order, error) {
	onCallbacks := Fault{}
	for _, f := range faults {
		if !fits(f, o) {
			continue
		}
		m.count(f)
		o.faults = append(o.faults, f)
		if classes[f.Class].Query {
			s.hinder(m, o, f)
			continue
		}
		onCallbacks = f
	}
	if !onCallbacks.Unpaid {
		money := o.placed
		if onCallbacks.Class == OtherAmount {
			// complete has parsed it; an order over just this amount gets one more fen.
			money = otherThan(o.placed, onCallbacks.Money)
		}
		o.markPaid(money, s.stage.Books())
	}
	s.plant(m, o, onCallbacks)
	return o.view(), nil
}

func otherThan(placed domain.Money, text string) domain.Money {
	money, err := domain.ParseMoney(text, domain.CNY)
	if err != nil || money == placed {
		return domain.NewMoney(placed.Minor()+1, domain.CNY)
	}
	return money
}

// autoPay is a payer who needs no button.
func (s *Sandbox) autoPay(o *order, after time.Duration) {
	tradeNo := o.tradeNo
	s.stage.After(after, func(context.Context) {
		// Somebody may have pressed the button before: then there is nothing to do.
		_, _ = s.Pay(tradeNo)
	})
}

// Next sets the faults of the merchant's next payment, after those set before.
func (s *Sandbox) Next(pid string, faults ...Fault) error {
	faults, err := completeFaults(faults)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.merchant(pid)
	if err != nil {
		return err
	}
	m.next = append(m.next, faults)
	return nil
}

func (s *Sandbox) merchant(pid string) (*merchant, error) {
	m := s.merchants[pid]
	if m == nil {
		return nil, domain.EField(domain.KindNotFound, "pid", "there is no merchant %.64q", pid)
	}
	return m, nil
}
