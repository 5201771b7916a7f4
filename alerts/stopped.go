package alerts

import (
	"context"
	"fmt"
	"time"

	"counterfoil/projections"
)

// stopped finds channels from which callbacks should have come, by the hours of
// their own past weeks. Unlike silence it needs no order that was placed here,
// and it sleeps when the channel's buyers do.
func (w *Watch) stopped(ctx context.Context) ([]Alert, error) {
	if w.Arrivals == nil {
		return nil, nil
	}
	now := w.Clock()
	var out []Alert
	for _, ch := range w.cfg.Channels {
		hours, err := w.Arrivals.Arrivals(ctx, ch, now.AddDate(0, 0, -7*(projections.ExpectWeeks+1)))
		if err != nil {
			return nil, fmt.Errorf("find when callbacks of %s came: %w", ch, err)
		}
		e := projections.Expect(hours, now, w.cfg.Zone(ch))
		w.want.WithLabelValues(string(ch)).Set(e.Missing)
		if !e.Stopped(now) {
			continue
		}
		silent := now.Sub(e.Since).Round(time.Minute)
		out = append(out, Alert{Kind: "callbacks_stopped", Channel: string(ch), Since: e.Since, Text: fmt.Sprintf(
			"No callback for %s; about %.0f were to be expected in that time: check the callback address at the provider and run `counterfoil doctor`. "+
				"已 %s 没有新的回调，按往常应有约 %.0f 笔：请检查渠道后台的回调地址，并运行 counterfoil doctor。", silent, e.Missing, silent, e.Missing)})
	}
	return out, nil
}
