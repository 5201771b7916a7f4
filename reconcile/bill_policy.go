package reconcile

import (
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// billPolicy is how a channel's bill of a day is compared, and how much may be
// concluded from it.
type billPolicy struct {
	domain.ComparePolicy
	domain.Tolerance
}

// policy is the one in force now: what persons agreed to, never what the file
// alone says. It is asked for anew by each run, so that what they agree to holds
// for the next one.
func (c *Comparer) policy(ch providers.Channel, day domain.Day) (billPolicy, error) {
	set := ch.Config()
	zone, err := time.LoadLocation(set.Zone)
	if err != nil {
		return billPolicy{}, domain.E(domain.KindInvalid, "channel %s: zone %q: %w", set.Channel, set.Zone, err)
	}
	in, err := c.Ledger.InForce(set.Channel)
	if err != nil {
		return billPolicy{}, err
	}
	t := domain.DefaultTolerance()
	if in.Tolerance != nil {
		t = in.Tolerance.Bounded()
	}
	p := domain.ComparePolicy{
		Day: day, Zone: zone, Wait: t.WaitDays,
		Cut: time.Duration(t.Cut) * time.Second, Apart: time.Duration(t.Apart) * time.Second,
	}
	if p.FeeRate, err = ParseRate(t.FeeRate); err != nil {
		return billPolicy{}, domain.E(domain.KindInvalid, "channel %s: fee_rate: %w", set.Channel, err)
	}
	if p.FeeWithin, err = ParseRate(t.FeeWithin); err != nil {
		return billPolicy{}, domain.E(domain.KindInvalid, "channel %s: fee_within: %w", set.Channel, err)
	}
	return billPolicy{p, t}, nil
}
