package doctor

import (
	"context"
	"fmt"
	"time"

	"counterfoil/projections"
)

// rhythm holds a channel's silence against the hours of its own past weeks. A
// channel without enough of a past is not judged, and nothing is told of it.
func (e *examiner) rhythm(ctx context.Context, c Channel) []Finding {
	rows, ok := e.Rows.(projections.ArrivalReader)
	if !ok {
		return nil // the projections are not open, and that is told already
	}
	f := about("callbacks expected", string(c.ID))
	now := e.Clock()
	hours, err := rows.Arrivals(ctx, c.ID, now.AddDate(0, 0, -7*(projections.ExpectWeeks+1)))
	if err != nil {
		return one(f.fail(err.Error(), "mend what it says", "投影读取失败"))
	}
	x := projections.Expect(hours, now, c.zone())
	if !x.Learned {
		return nil
	}
	seen := fmt.Sprintf("the last new one came %s ago; %.1f were to be expected since, %.1f in the present hour", ago(now.Sub(x.Since)), x.Missing, x.Rate)
	if x.Stopped(now) {
		return one(f.fail(seen, "callbacks have stopped: look at the callback address in the provider's merchant page and at the checks above",
			"回调已中断：请检查渠道后台的回调地址与上面各项"))
	}
	return one(f.ok(seen))
}

// zone is that of the channel's days, UTC where it is not known.
func (c Channel) zone() *time.Location {
	if c.Port == nil {
		return time.UTC
	}
	zone, err := time.LoadLocation(c.Port.Config().Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}
