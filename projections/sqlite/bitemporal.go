package sqlite

import (
	"context"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// balancesOfDay reads what was believed, at a moment of the log, about the end
// of a day: the entries folded until then whose value date is that day or
// earlier. Value dates come in no order (late money, corrections), so every
// entry of the account is looked at; an index by value date would be paid for by
// every callback.
func (d *DB) balancesOfDay(ctx context.Context, account domain.AccountID, at projections.AsOf) ([]projections.Balance, eventstore.Position, error) {
	if least := max(at.Position, at.Min); least != 0 {
		if err := d.Wait(ctx, least); err != nil {
			return nil, 0, err
		}
	}
	var out []projections.Balance
	var p eventstore.Position
	err := d.snapshot(ctx, func(_ *readers, c *conn) (err error) {
		if p, err = momentAt(c, at); err != nil {
			return err
		}
		ledgers, err := walletLedgers(c, domain.BookWallet, account, "")
		for i := 0; i < len(ledgers) && err == nil; i++ {
			out, err = appendDated(ctx, c, out, account, ledgers[i], p, at.ValueDate)
		}
		return err
	})
	return out, p, err
}

// momentAt is the position that a moment of the log stands for.
func momentAt(c *conn, at projections.AsOf) (eventstore.Position, error) {
	switch {
	case !at.Time.IsZero():
		return positionAt(c, at.Time)
	case at.Position != 0:
		return at.Position, nil
	}
	return readPosition(c)
}

func appendDated(
	ctx context.Context, c *conn, out []projections.Balance, account domain.AccountID, l ledger, p eventstore.Position, day domain.Day,
) ([]projections.Balance, error) {
	_, err := c.one(ctx, `SELECT sum(e.amount), max(e.position) FROM entries e JOIN posted p ON p.position = e.position
		WHERE e.ledger = ? AND e.position <= ? AND p.value_date <= ?`,
		[]any{l.id, signed(p), string(day)}, func(r row) error {
			if r[0] != nil { // no entry counts
				out = append(out, balance(account, l.currency, r.num(0), r.num(1)))
			}
			return nil
		})
	return out, err
}
