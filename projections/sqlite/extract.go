package sqlite

import (
	"context"
	"slices"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// findings notes differences that open and close, and compared days: few rows a
// day.
func (w *writer) findings(c projections.Changes) error {
	for _, f := range c.Findings {
		sql, args := `INSERT INTO findings(item, day, stream, open, first, last) VALUES(?1, ?2, ?3, ?4, ?5, ?5)
			ON CONFLICT(item) DO UPDATE SET open = excluded.open, last = excluded.last`,
			[]any{f.ID[:], string(f.Day), string(f.Stream), flag(f.Open), signed(f.Position)}
		if f.Known {
			sql, args = "UPDATE findings SET open = 0, last = ?2 WHERE item = ?1", []any{f.ID[:], signed(f.Position)}
		}
		if _, err := w.c.exec(sql, args...); err != nil {
			return err
		}
	}
	for _, d := range c.Compared {
		if _, err := w.c.exec("INSERT OR IGNORE INTO compared(day, stream) VALUES(?, ?)", string(d.Day), string(d.Stream)); err != nil {
			return err
		}
	}
	return nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Extract implements projections.Extracts. What it reads grows with the months
// asked for and with what is open, not with the age of the log.
func (d *DB) Extract(ctx context.Context, f projections.ExtractFilter) (x projections.Extract, err error) {
	err = d.snapshot(ctx, func(_ *readers, c *conn) (err error) {
		if x.At, err = readCheckpoint(ctx, c); err != nil || x.At.Position == 0 {
			return err
		}
		if x.Opening, err = movedBefore(ctx, c, f.From); err != nil {
			return err
		}
		if x.Moved, err = movedIn(ctx, c, f.From, f.To); err != nil {
			return err
		}
		if err := stretch(ctx, c, f, &x); err != nil {
			return err
		}
		x.Streams, err = besides(ctx, c, f, x)
		return err
	})
	return x, err
}

// movedBefore sums up the periods before one. Turnovers are a few rows a month.
func movedBefore(ctx context.Context, c *conn, period string) ([]projections.Moved, error) {
	return moved(ctx, c, `SELECT book, wallet, channel, currency, sum(debit) - sum(credit), 0 FROM turnover
		WHERE period < ?1 GROUP BY 1, 2, 3, 4`, period)
}

func movedIn(ctx context.Context, c *conn, from, to string) ([]projections.Moved, error) {
	return moved(ctx, c, `SELECT book, wallet, channel, currency, sum(debit), sum(credit) FROM turnover
		WHERE period BETWEEN ?1 AND ?2 GROUP BY 1, 2, 3, 4`, from, to)
}

func moved(ctx context.Context, c *conn, sql string, args ...any) (out []projections.Moved, err error) {
	err = c.query(ctx, sql, args, func(r row) error {
		out = append(out, projections.Moved{
			Book: r.str(0), Wallet: domain.AccountID(r.str(1)), Channel: domain.ChannelID(r.str(2)), Currency: domain.Currency(r.str(3)),
			Debit: money(r.num(4), r.str(3)), Credit: money(r.num(5), r.str(3)),
		})
		return nil
	})
	return out, err
}

// stretch finds where the months stand in the log. A booking follows upon its
// notice in one append, so what begins behind the last booking of another stream
// has both.
func stretch(ctx context.Context, c *conn, f projections.ExtractFilter, x *projections.Extract) error {
	var first, last int64
	_, err := c.one(ctx, "SELECT coalesce(min(first), 0), coalesce(max(last), 0) FROM turnover WHERE period BETWEEN ?1 AND ?2",
		[]any{f.From, f.To}, func(r row) error { first, last = r.num(0), r.num(1); return nil })
	if err != nil {
		return err
	}
	if x.After, err = positionAt(c, f.Since); err != nil {
		return err
	}
	if x.Until, err = positionAt(c, f.Until); err != nil {
		return err
	}
	if first == 0 {
		return nil
	}
	x.Until = max(x.Until, position(last))
	before := eventstore.Position(0)
	_, err = c.one(ctx, `SELECT position FROM posted WHERE position < ?1 AND stream <> (SELECT stream FROM posted WHERE position = ?1)
		ORDER BY position DESC LIMIT 1`, []any{first}, func(r row) error { before = position(r.num(0)); return nil })
	x.After = min(x.After, before)
	return err
}

// besides are the streams that tell the rest, each once.
func besides(ctx context.Context, c *conn, f projections.ExtractFilter, x projections.Extract) ([]domain.Stream, error) {
	out := []domain.Stream{domain.LedgerStream, domain.PeriodsStream}
	from, to := domain.Day(f.From+"-01"), domain.DayOf(f.Until, f.Until.Location())
	err := c.query(ctx, `SELECT stream FROM findings WHERE open = 1 AND day <= ?2
		UNION SELECT stream FROM findings WHERE day BETWEEN ?1 AND ?2 AND (first <= ?3 OR last > ?4)
		UNION SELECT stream FROM compared WHERE day BETWEEN ?1 AND ?2`,
		[]any{string(from.Add(-1)), string(to), signed(x.After), signed(x.Until)}, func(r row) error {
			out = append(out, domain.Stream(r.str(0)))
			return nil
		})
	if err == nil && !f.NewsUntil.IsZero() {
		out, err = withNews(ctx, c, f, out)
	}
	if err != nil {
		return nil, err
	}
	err = c.query(ctx, `SELECT ch.name, p.ref FROM corrections c JOIN names ch ON ch.id = c.channel JOIN payments p ON p.id = c.payment
		WHERE coalesce(c.decided, 9223372036854775807) >= ?1 AND c.proposed < ?2`,
		[]any{stored(f.Since), stored(f.Until)}, func(r row) error {
			out = append(out, projections.PaymentStream(domain.ChannelID(r.str(0)), r.str(1)))
			return nil
		})
	slices.Sort(out)
	return slices.Compact(out), err
}

// withNews adds the streams of differences of which there was news between two
// moments, and maybe also before and after.
func withNews(ctx context.Context, c *conn, f projections.ExtractFilter, out []domain.Stream) ([]domain.Stream, error) {
	since, err := positionAt(c, f.NewsSince)
	if err != nil {
		return nil, err
	}
	until, err := positionAt(c, f.NewsUntil)
	if err != nil {
		return nil, err
	}
	return out, c.query(ctx, "SELECT DISTINCT stream FROM findings WHERE last > ?1 AND first <= ?2", []any{signed(since), signed(until)},
		func(r row) error {
			out = append(out, domain.Stream(r.str(0)))
			return nil
		})
}
