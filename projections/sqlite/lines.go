package sqlite

import (
	"context"
	"iter"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// linesPage is how many movements one look at the file reads.
const linesPage = 2000

// beforeDay is how long before a day's beginning in UTC a movement of that day
// can have been recorded: days begin up to 14 hours earlier in the east, and
// clocks differ.
const beforeDay = 48 * time.Hour

// Lines implements projections.LineReader.
func (d *DB) Lines(ctx context.Context, f projections.LineFilter) iter.Seq2[domain.OurLine, error] {
	return func(yield func(domain.OurLine, error) bool) {
		begin, err := d.PositionAt(ctx, f.From.Start(time.UTC).Add(-beforeDay))
		var books []ledger
		if err == nil {
			err = d.read(ctx, func(_ *readers, c *conn) error {
				books, err = walletLedgers(c, domain.BookPSP(f.Channel), "", "")
				return err
			})
		}
		for _, book := range books {
			if err == nil && !d.bookLines(ctx, f, book, begin, yield, &err) {
				return
			}
		}
		if err != nil {
			yield(domain.OurLine{}, err)
		}
	}
}

// bookLines yields the movements of one currency; false when nobody listens any
// more.
func (d *DB) bookLines(
	ctx context.Context, f projections.LineFilter, book ledger, after eventstore.Position,
	yield func(domain.OurLine, error) bool, err *error,
) bool {
	page := make([]domain.OurLine, 0, linesPage)
	for {
		page = page[:0]
		*err = d.read(ctx, func(r *readers, c *conn) error { return linePage(r, c, f, book, after, &page) })
		if *err != nil {
			return true
		}
		for i := range page {
			if after = eventstore.Position(page[i].Position); !yield(page[i], nil) {
				return false
			}
		}
		if *err = ctx.Err(); len(page) < linesPage || *err != nil {
			return true
		}
	}
}

// linePage appends the first movements of the days behind a position. Of an
// event's entries in one book the first is taken: the others are parts of the
// same movement, such as a dispute's fee.
func linePage(
	rs *readers, c *conn, f projections.LineFilter, book ledger, after eventstore.Position, out *[]domain.OurLine,
) error {
	return c.query(context.Background(), `SELECT e.position, p.stream, p.value_date, p.line, p.trade_no, p.ref, p.ref_no,
		p.gross, p.occurred, p.state FROM entries e JOIN posted p ON p.position = e.position
		WHERE e.ledger = ?1 AND e.position > ?2 AND e.position <= ?3 AND p.value_date BETWEEN ?4 AND ?5 AND p.line IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM entries o WHERE o.ledger = ?1 AND o.position = e.position AND o.leg < e.leg)
		ORDER BY e.position LIMIT ?6`,
		[]any{book.id, signed(after), signed(f.Until), string(f.From), string(f.To), int64(linesPage)}, func(r row) error {
			line, err := lineOf(rs, c, r, book)
			*out = append(*out, line)
			return err
		})
}

// lineOf is the movement of one posted event.
func lineOf(rs *readers, c *conn, r row, book ledger) (domain.OurLine, error) {
	kind, err := rs.name(c, r.num(3))
	if err != nil {
		return domain.OurLine{}, err
	}
	l := domain.OurLine{
		Kind: domain.LineKind(kind), OrderNo: projections.OrderOf(domain.Stream(r.str(1))), TradeNo: r.str(4),
		Amount: money(r.num(7), book.currency), ValueDate: domain.Day(r.str(2)), At: instant(r.num(8)), Position: uint64(r.num(0)),
	}
	if r[9] != nil {
		state, err := rs.name(c, r.num(9))
		if err != nil {
			return l, err
		}
		l.State = domain.TradeState(state)
	}
	switch l.Kind {
	case domain.LineDisputeWithdrawn, domain.LineDisputeReinstated:
		l.DisputeID = r.str(5)
	default:
		l.RefundID, l.RefundNo = r.str(5), r.str(6)
	}
	return l, nil
}

// refOf is the number that tells a movement from others of its payment.
func refOf(l domain.OurLine) string {
	if l.DisputeID != "" {
		return l.DisputeID
	}
	return l.RefundID
}
