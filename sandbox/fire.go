package sandbox

import (
	"context"
	"time"

	"counterfoil/domain"
)

// Fire lets a fault happen to an order now, paid or not. On an unpaid order a
// class that is about a payment is PayWith. On a paid one the genuine message
// goes out again in the fault's manner, in one series of its own; SecondTrade
// and Reused take money a second time. KindConflict for what can no longer
// happen to a paid order: Lost and OtherAmount.
func (s *Sandbox) Fire(tradeNo string, f Fault) (Order, error) {
	f, err := classes.Complete(f)
	if err != nil {
		return Order{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, m, err := s.order(tradeNo)
	if err != nil {
		return Order{}, err
	}
	if !fits(f, o) {
		return Order{}, domain.E(domain.KindInvalid, "%s happens to %s orders only", f.Class, versionOf(f.Class))
	}
	if !o.wasPaid() && !classes[f.Class].Query && !f.Unpaid {
		if o.purged {
			return Order{}, domain.E(domain.KindConflict, "order %s was deleted", tradeNo)
		}
		return s.payLocked(m, o, []Fault{f})
	}
	if err := s.fireLocked(m, o, f); err != nil {
		return Order{}, err
	}
	m.count(f)
	if f.Class != None {
		o.faults = append(o.faults, f)
	}
	return o.view(), nil
}

func (s *Sandbox) fireLocked(m *merchant, o *order, f Fault) error {
	if classes[f.Class].Query {
		s.hinder(m, o, f)
		return nil
	}
	switch f.Class {
	case Lost, OtherAmount:
		return domain.E(domain.KindConflict, "order %s is paid, it is too late for %s", o.tradeNo, f.Class)
	case SecondTrade, Reused:
		s.payAgain(m, o, f)
	case Repeated, ReturnReplay:
		m.lane.Join(s.callbacks(m, o)).Copy(string(f.Class), f.Copies, f.Class == Repeated)
	case Forged, OtherPID, WrongStatus, Minted, Ambiguous:
		f.Unpaid = true // the messages alone: what is genuine went out before
		s.spoofFirst(m, o, f, nil)
	default:
		s.plant(m, o, f)
	}
	return nil
}

// hinder sets what happens to queries about o. A purge waits until the
// merchant has been told of the payment once, so that nobody is left with money
// that no one can explain; an order of which it has been told goes at once.
func (s *Sandbox) hinder(m *merchant, o *order, f Fault) {
	if f.Class == Purged {
		o.purge = true
		s.purgeTold(m, o)
		return
	}
	s.troubles.Plant(o.pid, o.tradeNo, f)
}

// purgeTold deletes an order that is marked for it and known to the merchant.
func (s *Sandbox) purgeTold(m *merchant, o *order) {
	if o.purge && o.told && !o.purged {
		m.drop(o)
	}
}

// Purge deletes one order from what the gateway knows, at once, whoever has
// been told. The books keep the truth.
func (s *Sandbox) Purge(tradeNo string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, m, err := s.order(tradeNo)
	if err != nil {
		return err
	}
	if !o.purged {
		m.count(Fault{Class: Purged})
		m.drop(o)
	}
	return nil
}

// PurgePaid is the operator's button that deletes paid orders opened before an
// instant of the books, of one merchant or, with an empty pid, of all. It
// returns how many went.
func (s *Sandbox) PurgePaid(pid string, before time.Time) int {
	return s.purgeWhere(pid, func(o *order) bool { return o.wasPaid() && o.addTime.Before(before) })
}

// PurgeUnpaid is the operator's daily job: it deletes unpaid orders opened
// before an instant of the books.
func (s *Sandbox) PurgeUnpaid(pid string, before time.Time) int {
	return s.purgeWhere(pid, func(o *order) bool { return !o.wasPaid() && o.addTime.Before(before) })
}

func (s *Sandbox) purgeWhere(pid string, doomed func(*order) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, o := range s.truth {
		if o.purged || (pid != "" && pid != o.pid) || !doomed(o) {
			continue
		}
		m := s.merchants[o.pid]
		if o.wasPaid() {
			m.count(Fault{Class: Purged})
		}
		m.drop(o)
		count++
	}
	return count
}

// Freeze sets a paid order aside, as an operator does who suspects fraud. Its
// queries say status 3 from then on.
func (s *Sandbox) Freeze(tradeNo string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, _, err := s.order(tradeNo)
	if err != nil {
		return err
	}
	if o.status != statusPaid {
		return domain.E(domain.KindConflict, "order %s is not paid", tradeNo)
	}
	o.status = statusFrozen
	return nil
}

// Outage lets all queries of one merchant, or with an empty pid of all
// merchants, fail for a while of real time. The class is one of the query
// faults but Purged; QuerySlow takes its delay. A zero length ends an outage.
func (s *Sandbox) Outage(pid string, f Fault, length time.Duration) error {
	f, err := classes.Complete(f)
	if err != nil {
		return err
	}
	if f.Class == Purged {
		return domain.EField(domain.KindInvalid, "class", "an outage is one of %v, not %q", QueryClasses(), f.Class)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if pid != "" {
		if _, err := s.merchant(pid); err != nil {
			return err
		}
	}
	until := s.stage.Now().Add(length)
	for _, m := range s.merchants {
		if pid != "" && pid != m.PID {
			continue
		}
		if err := s.troubles.Outage(classes, m.PID, f, until); err != nil {
			return err
		}
		m.count(f)
	}
	return nil
}

// After runs an act of the caller's when so much waiting time has passed, among
// the sandbox's own: for a scenario that unfolds while callbacks go out.
func (s *Sandbox) After(d time.Duration, act func(context.Context)) { s.stage.After(d, act) }
