package domain

import "time"

// Context is what a decision rests on besides the payment itself. It is handed
// in: the domain reads no clock and no configuration.
type Context struct {
	Ledger     ID                // namespace of all ids
	Stream     Stream            // the payment's stream
	Now        time.Time         //
	Channel    ChannelConfigured // settings in force
	Revision   uint64            // of those settings in the channel's stream
	Zone       *time.Location    // of Channel.Zone; days and periods are cut there
	OldestOpen string            // oldest open period, YYYY-MM; empty while none is closed
}

// ID is the id that the event of fact f has in the context's stream.
func (c Context) ID(f Fact) ID { return FactID(c.Ledger, c.Stream, f) }

// dates are the days a fact posted for notice n belongs to: the provider's
// time where it names one, else the time of receipt, marked as estimated.
func (c Context) dates(n Notice) Dates {
	d := Dates{OccurredAt: Instant(n.OccurredAt), ReceivedAt: Instant(n.ReceivedAt)}
	if n.OccurredAt.IsZero() {
		d.OccurredAt, d.Estimated = d.ReceivedAt, true
	}
	day := d.OccurredAt.In(c.Zone)
	d.ValueDate = day.Format(time.DateOnly)
	d.Period = max(day.Format("2006-01"), c.OldestOpen)
	return d
}

// needsQuery reports whether the channel wants the provider's query to confirm
// a callback over m.
func (c Context) needsQuery(m Money) bool {
	switch c.Channel.Confirm {
	case ConfirmNever:
		return false
	case ConfirmAbove:
		cmp, err := m.Cmp(c.Channel.ConfirmAbove)
		return err != nil || cmp > 0
	case ConfirmAlways:
		return true
	}
	return true
}
