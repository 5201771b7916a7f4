package sqlite

import (
	"context"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// acts notes what people did. Acts are few: each stands in its stored form.
func (w *writer) acts(c projections.Changes) error {
	for _, a := range c.Acts {
		_, err := w.c.exec("INSERT OR ROLLBACK INTO acts(position, event, stream, type, what, person, recorded, fact) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
			signed(a.Position), a.Event[:], string(a.Stream), a.Type, a.What, a.Person, stored(a.Recorded), string(a.Data))
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) acts(ctx context.Context, where string, args ...any) (out []projections.Act, err error) {
	err = d.read(ctx, func(_ *readers, c *conn) error {
		return c.query(ctx, "SELECT position, event, stream, type, what, person, recorded, fact FROM acts"+where, args, func(r row) error {
			a := projections.Act{
				Position: position(r.num(0)), Event: r.id(1), Stream: domain.Stream(r.str(2)), Type: r.str(3), What: r.str(4), Person: r.str(5),
				Recorded: instant(r.num(6)),
			}
			var err error
			a.Fact, err = domain.DecodeFact(a.Type, []byte(r.str(7)))
			out = append(out, a)
			return err
		})
	})
	return out, err
}

// Acts implements projections.Acts.
func (d *DB) Acts(ctx context.Context, f projections.ActFilter) ([]projections.Act, error) {
	since, until := int64(0), int64(1)<<62
	if !f.Since.IsZero() {
		since = stored(f.Since)
	}
	if !f.Until.IsZero() {
		until = stored(f.Until)
	}
	return d.acts(ctx, ` WHERE position < ?1 AND (?2 = '' OR person = ?2) AND (?3 = '' OR what = ?3) AND recorded >= ?4 AND recorded < ?5
		ORDER BY position DESC LIMIT ?6`, upTo(f.Before), f.Person, f.What, since, until, int64(limited(f.Limit)))
}

// Erasures implements projections.Acts.
func (d *DB) Erasures(ctx context.Context, after eventstore.Position, limit int) ([]projections.Act, error) {
	return d.acts(ctx, " WHERE position > ?1 AND type = ?2 ORDER BY position LIMIT ?3",
		signed(after), domain.TypeEvidenceErased, int64(limited(limit)))
}
