package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
)

// maxRange bounds one backfill.
const maxRange = 400

// Backfill compares the bills of a channel for a range of days, both included,
// the oldest first, whether or not they were compared before. It goes on after
// an incomplete run; a bill that another process works at is left to it.
func (c *Comparer) Backfill(ctx context.Context, channel domain.ChannelID, from, to domain.Day) ([]operations.BillRun, error) {
	if to < from || from.Add(maxRange) < to {
		return nil, domain.EField(domain.KindInvalid, "to", "%s to %s is not a range of 1 to %d days", from, to, maxRange)
	}
	bills := c.BillsOf(channel)
	if len(bills) == 0 {
		if _, ok := c.Channels[channel]; !ok {
			return nil, domain.EField(domain.KindInvalid, "channel", "%s is not configured here", channel)
		}
		bills = []string{BillAnswers}
	}
	var runs []operations.BillRun
	for day := from; day <= to; day = day.Add(1) {
		for _, bill := range bills {
			run, err := c.Run(ctx, channel, day, bill)
			if err != nil && domain.KindOf(err) != domain.KindConflict {
				return runs, err
			}
			if err == nil {
				runs = append(runs, run)
			}
			if ctx.Err() != nil {
				return runs, ctx.Err()
			}
		}
	}
	return runs, nil
}

// again is how long after an incomplete run the bill is tried again, by how
// often it was tried: a bill that is late is asked for more and more rarely.
func again(tries int) time.Duration {
	waits := []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour}
	return waits[min(max(tries-1, 0), len(waits)-1)]
}

// finalAfter is how long after a comparison a bill that the provider may still
// change is fetched once more.
const finalAfter = 20 * time.Hour

// refetched is for how many days a bill that is not final is fetched again.
const refetched = 3

// CatchUp compares the bills of every channel that are ready and were not
// compared yet, also those of days on which no process ran, the oldest first.
func (c *Comparer) CatchUp(ctx context.Context) ([]operations.BillRun, error) {
	var runs []operations.BillRun
	var failed error
	for _, id := range slices.Sorted(maps.Keys(c.Channels)) {
		done, err := c.CatchUpChannel(ctx, id)
		runs, failed = append(runs, done...), errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return runs, failed
}

// CatchUpChannel is CatchUp for one channel.
func (c *Comparer) CatchUpChannel(ctx context.Context, id domain.ChannelID) ([]operations.BillRun, error) {
	var runs []operations.BillRun
	var failed error
	for _, bill := range c.BillsOf(id) {
		done, err := c.catchUp(ctx, id, bill)
		runs, failed = append(runs, done...), errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return runs, failed
}

func (c *Comparer) catchUp(ctx context.Context, id domain.ChannelID, bill string) ([]operations.BillRun, error) {
	due, err := c.due(ctx, id, bill)
	if err != nil {
		return nil, err
	}
	var runs []operations.BillRun
	for _, day := range due {
		run, err := c.runIf(ctx, id, day, bill, func() (bool, error) { return c.stillDue(ctx, id, bill, day) })
		switch {
		case err == nil && run.ID == "":
			continue // another process did it meanwhile
		case err != nil && domain.KindOf(err) == domain.KindConflict:
			continue // another process is at it
		case err != nil:
			return runs, err
		}
		runs = append(runs, run)
		if ctx.Err() != nil || run.Cause == operations.CauseProviderDown {
			return runs, nil // the other days would meet the same silence
		}
	}
	return runs, nil
}

// due are the days whose bill is ready and was not compared, or is to be fetched
// again, the oldest first.
func (c *Comparer) due(ctx context.Context, id domain.ChannelID, bill string) ([]domain.Day, error) {
	p, err := c.policy(c.Channels[id], "")
	if err != nil {
		return nil, err
	}
	today := domain.DayOf(c.Clock(), p.Zone)
	first := today.Add(-c.cfg.CatchUp)
	if c.cfg.Since != nil {
		first = max(first, domain.DayOf(c.cfg.Since(id), p.Zone))
	}
	return c.dueOf(ctx, id, bill, first, today.Add(-1), p.Zone)
}

// stillDue is due for one day, asked by the process that has the bill's lease:
// another one may have compared it since the list was made.
func (c *Comparer) stillDue(ctx context.Context, id domain.ChannelID, bill string, day domain.Day) (bool, error) {
	p, err := c.policy(c.Channels[id], day)
	if err != nil {
		return false, err
	}
	days, err := c.dueOf(ctx, id, bill, day, day, p.Zone)
	return len(days) > 0, err
}

// dueOf is due for a range of days, both included. A fund flow is held against
// the trade bill of its day: it is due when that one was compared, and again when
// that one changed.
func (c *Comparer) dueOf(ctx context.Context, id domain.ChannelID, bill string, first, last domain.Day, zone *time.Location) ([]domain.Day, error) {
	now := c.Clock()
	today := domain.DayOf(now, zone)
	earlier, err := c.history(ctx, id, bill, first, last)
	if err != nil {
		return nil, err
	}
	var trade map[domain.Day]tried
	if bill == string(providers.BillFunds) && c.threeWay(id) {
		if trade, err = c.history(ctx, id, string(providers.BillTrade), first, last); err != nil {
			return nil, err
		}
	}
	later, err := c.namedLater(ctx, id, bill, first, last)
	if err != nil {
		return nil, err
	}
	var due []domain.Day
	for day := first; day <= last; day = day.Add(1) {
		t, base := earlier[day], trade[day]
		if c.ready(id, day, zone).After(now) || trade != nil && !base.complete {
			continue
		}
		changed := trade != nil && t.complete && t.tries == 0 && t.against != base.sha256
		if changed || later[day] && t.tries == 0 || t.due(now, day.Add(refetched) > today) {
			due = append(due, day)
		}
	}
	return due, nil
}

// ready is when the bill of a day can be expected.
func (c *Comparer) ready(id domain.ChannelID, day domain.Day, zone *time.Location) time.Time {
	if biller, ok := c.Channels[id].(providers.Biller); ok {
		return biller.BillReady(day)
	}
	return day.Add(1).Start(zone).Add(time.Hour)
}

// tried is what is known of the bill of one day.
type tried struct {
	complete bool
	final    bool
	sha256   string    // of the bill that was compared last
	against  string    // the trade bill that it was held against
	stopped  bool      // the last run was cut off in the middle
	tries    int       // incomplete runs since the last complete one
	last     time.Time // end, or beginning where it never ended, of the last run
}

// due reports whether the bill is to be compared now. A run that was cut off,
// because its process was told to end or died, is taken up again at once.
func (t tried) due(now time.Time, young bool) bool {
	switch {
	case t.last.IsZero() || t.stopped:
		return true
	case t.tries > 0:
		return !now.Before(t.last.Add(again(t.tries)))
	case t.complete && !t.final && young:
		return !now.Before(t.last.Add(finalAfter))
	}
	return !t.complete
}

// history is what was tried for each of the days.
func (c *Comparer) history(ctx context.Context, id domain.ChannelID, bill string, first, last domain.Day) (map[domain.Day]tried, error) {
	out := map[domain.Day]tried{}
	f := operations.BillRunFilter{Channel: id, Bill: bill, From: first, To: last, Limit: 1000}
	for {
		page, err := c.Bills.BillRuns(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, r := range page { // newest first
			out[r.Day] = out[r.Day].before(r)
			f.Before = r.Seq
		}
		if len(page) < f.Limit {
			return out, nil
		}
	}
}

// before takes the next older run.
func (t tried) before(r operations.BillRun) tried {
	if t.last.IsZero() {
		t.last = r.StartedAt
		if r.EndedAt.After(t.last) {
			t.last = r.EndedAt
		}
		t.stopped = r.State == operations.RunRunning || r.Cause == operations.CauseStopped
	}
	switch {
	case t.complete:
	case r.State == operations.RunComplete:
		t.complete, t.final, t.sha256, t.against = true, r.Final || r.Bill == BillAnswers, r.SHA256, r.Against
	default:
		t.tries++
	}
	return t
}
