package sqlite

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// BookDay implements projections.BalanceReader. The balance after the last entry
// before the days at hand is one seek; the entries behind it are few.
func (d *DB) BookDay(
	ctx context.Context, ch domain.ChannelID, day domain.Day, until eventstore.Position,
) (map[domain.Currency]domain.BookDay, error) {
	begin, err := d.PositionAt(ctx, day.Start(time.UTC).Add(-beforeDay))
	if err != nil {
		return nil, err
	}
	out := map[domain.Currency]domain.BookDay{}
	err = d.snapshot(ctx, func(rs *readers, c *conn) error {
		books, err := walletLedgers(c, domain.BookPSP(ch), "", "")
		for i := 0; i < len(books) && err == nil; i++ {
			out[domain.Currency(books[i].currency)], err = bookDay(ctx, rs, c, books[i], day, min(begin, until), until)
		}
		return err
	})
	return out, err
}

// bookDay is a day of one currency's book: its balance after begin, what was
// booked behind that and belongs to earlier days, and what belongs to the day.
func bookDay(
	ctx context.Context, rs *readers, c *conn, book ledger, day domain.Day, begin, until eventstore.Position,
) (out domain.BookDay, err error) {
	var opening int64
	if _, err := c.one(ctx, "SELECT after FROM entries WHERE ledger = ? AND position <= ? ORDER BY position DESC, leg DESC LIMIT 1",
		[]any{book.id, signed(begin)}, func(r row) error { opening = r.num(0); return nil }); err != nil {
		return out, err
	}
	out.Opening, out.Moved = money(opening, book.currency), map[domain.PartKind]domain.Money{}
	return out, c.query(ctx, `SELECT p.type, p.line, p.value_date < ?4, sum(e.amount) FROM entries e JOIN posted p ON p.position = e.position
		WHERE e.ledger = ?1 AND e.position > ?2 AND e.position <= ?3 AND p.value_date <= ?4 GROUP BY 1, 2, 3`,
		[]any{book.id, signed(begin), signed(until), string(day)}, func(r row) error {
			sum := money(r.num(3), book.currency)
			if r.num(2) == 1 {
				out.Opening, err = out.Opening.Add(sum)
				return err
			}
			return addPart(rs, c, r, sum, out.Moved)
		})
}

// addPart adds a sum to the kind that its type and line stand for.
func addPart(rs *readers, c *conn, r row, sum domain.Money, moved map[domain.PartKind]domain.Money) error {
	typ, err := rs.name(c, r.num(0))
	if err != nil {
		return err
	}
	line := ""
	if r[1] != nil {
		if line, err = rs.name(c, r.num(1)); err != nil {
			return err
		}
	}
	what := domain.PartOf(typ, domain.LineKind(line))
	if was, ok := moved[what]; ok {
		if sum, err = was.Add(sum); err != nil {
			return err
		}
	}
	moved[what] = sum
	return nil
}

var _ projections.BalanceReader = (*DB)(nil)
