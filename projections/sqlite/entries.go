package sqlite

import (
	"cmp"
	"context"
	"math"
	"slices"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// limited is a page's size: what was asked for, 50 by default, 1,000 at most.
func limited(n int) int {
	if n <= 0 {
		return 50
	}
	return min(n, 1000)
}

// upTo is a cursor as an upper bound: 0 stands for the newest.
func upTo(before eventstore.Position) int64 {
	if before == 0 {
		return math.MaxInt64
	}
	return signed(before)
}

// Entries implements projections.Reader.
func (d *DB) Entries(ctx context.Context, f projections.EntryFilter) ([]projections.Entry, error) {
	if f.AsOf != 0 {
		if err := d.Wait(ctx, f.AsOf); err != nil {
			return nil, err
		}
	}
	book := f.Book
	if book == "" {
		book = domain.BookWallet
	}
	var out []projections.Entry
	err := d.snapshot(ctx, func(r *readers, c *conn) error {
		ledgers, err := walletLedgers(c, book, f.Wallet, f.Currency)
		if err != nil {
			return err
		}
		for _, l := range ledgers {
			es, err := ledgerEntries(r, c, l, f)
			if err != nil {
				return err
			}
			out = append(out, es...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b projections.Entry) int {
		return cmp.Or(cmp.Compare(b.Position, a.Position), cmp.Compare(b.Leg, a.Leg))
	})
	for i := range out {
		out[i].Book, out[i].Wallet = book, f.Wallet
	}
	return out[:min(len(out), limited(f.Limit))], nil
}

// ledgerEntries reads a page of one ledger, newest first.
func ledgerEntries(rs *readers, c *conn, l ledger, f projections.EntryFilter) ([]projections.Entry, error) {
	before, leg := int64(math.MaxInt64), int64(math.MaxInt64)
	if f.Before != (projections.Cursor{}) {
		before, leg = signed(f.Before.Position), int64(f.Before.Leg)
	}
	last := int64(math.MaxInt64)
	if f.AsOf != 0 {
		last = signed(f.AsOf)
	}
	var out []projections.Entry
	err := c.query(context.Background(), `SELECT e.position, e.leg, e.amount, e.after, p.event, p.type, p.stream, p.value_date, p.recorded
		FROM entries e JOIN posted p ON p.position = e.position
		WHERE e.ledger = ? AND (e.position, e.leg) < (?, ?) AND e.position <= ?
		ORDER BY e.position DESC, e.leg DESC LIMIT ?`,
		[]any{l.id, before, leg, last, int64(limited(f.Limit))}, func(r row) error {
			typ, err := rs.name(c, r.num(5))
			if err != nil {
				return err
			}
			out = append(out, projections.Entry{
				Amount: money(r.num(2), l.currency), After: money(r.num(3), l.currency),
				Position: position(r.num(0)), Leg: int(r.num(1)), EventID: r.id(4), Type: typ,
				Stream: domain.Stream(r.str(6)), ValueDate: r.str(7), Recorded: instant(r.num(8)),
			})
			return nil
		})
	return out, err
}
