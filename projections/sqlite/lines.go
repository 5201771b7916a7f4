package sqlite

import (
	"context"
	"iter"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// linesPage is how many entries one look at the file reads.
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
		var seen int
		page = page[:0]
		*err = d.read(ctx, func(r *readers, c *conn) error {
			var err error
			seen, after, err = linePage(r, c, f, book, after, &page)
			return err
		})
		if *err != nil {
			return true
		}
		for _, line := range page {
			if !yield(line, nil) {
				return false
			}
		}
		if *err = ctx.Err(); seen < linesPage || *err != nil {
			return true
		}
	}
}

// linePage reads one page of entries behind a position and appends those that
// are movements of the days. An event's entries in one book follow each other.
func linePage(
	rs *readers, c *conn, f projections.LineFilter, book ledger, after eventstore.Position, out *[]domain.OurLine,
) (seen int, last eventstore.Position, err error) {
	last = after
	err = c.query(context.Background(), `SELECT e.position, p.type, p.stream, p.value_date, p.line, p.trade_no, p.ref, p.ref_no,
		p.gross, p.occurred, p.state FROM entries e JOIN posted p ON p.position = e.position
		WHERE e.ledger = ? AND e.position > ? AND e.position <= ? GROUP BY e.position ORDER BY e.position LIMIT ?`,
		[]any{book.id, signed(after), signed(f.Until), int64(linesPage)}, func(r row) error {
			seen++
			last = position(r.num(0))
			date := domain.Day(r.str(3))
			if r[4] == nil || date < f.From || date > f.To {
				return nil
			}
			line, err := rs.line(c, r, book)
			*out = append(*out, line)
			return err
		})
	return seen, last, err
}

// line is the movement of one posted event.
func (rs *readers) line(c *conn, r row, book ledger) (domain.OurLine, error) {
	kind, err := rs.name(c, r.num(4))
	if err != nil {
		return domain.OurLine{}, err
	}
	l := domain.OurLine{
		Kind: domain.LineKind(kind), OrderNo: projections.OrderOf(domain.Stream(r.str(2))), TradeNo: r.str(5),
		Amount: money(r.num(8), book.currency), ValueDate: domain.Day(r.str(3)), At: instant(r.num(9)), Position: uint64(r.num(0)),
	}
	if r[10] != nil {
		state, err := rs.name(c, r.num(10))
		if err != nil {
			return l, err
		}
		l.State = domain.TradeState(state)
	}
	switch l.Kind {
	case domain.LineDisputeWithdrawn, domain.LineDisputeReinstated:
		l.DisputeID = r.str(6)
	default:
		l.RefundID, l.RefundNo = r.str(6), r.str(7)
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
