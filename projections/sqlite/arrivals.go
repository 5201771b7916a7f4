package sqlite

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/projections"
)

var _ projections.ArrivalReader = (*DB)(nil)

// arrivals adds to the counts of hours.
func (w *writer) arrivals(c projections.Changes) error {
	for _, a := range c.Arrivals {
		channel, err := w.intern(string(a.Channel))
		if err != nil {
			return err
		}
		_, err = w.c.exec(`INSERT INTO arrivals(channel, hour, n, last) VALUES(?, ?, ?, ?)
			ON CONFLICT(channel, hour) DO UPDATE SET n = n + excluded.n, last = max(last, excluded.last)`,
			channel, stored(a.Hour), int64(a.N), stored(a.Last))
		if err != nil {
			return err
		}
	}
	return nil
}

// Arrivals implements projections.ArrivalReader.
func (d *DB) Arrivals(ctx context.Context, ch domain.ChannelID, since time.Time) ([]projections.HourCount, error) {
	var out []projections.HourCount
	err := d.read(ctx, func(_ *readers, c *conn) error {
		id, err := nameID(c, string(ch))
		if err != nil {
			return err
		}
		return c.query(ctx, "SELECT hour, n, last FROM arrivals WHERE channel = ? AND hour >= ? ORDER BY hour",
			[]any{id, stored(since.Truncate(time.Hour))}, func(r row) error {
				out = append(out, projections.HourCount{Hour: instant(r.num(0)), N: int(r.num(1)), Last: instant(r.num(2))})
				return nil
			})
	})
	return out, err
}
