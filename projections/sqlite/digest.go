package sqlite

import (
	"context"

	"counterfoil/domain"
	"counterfoil/projections"
)

// Digest implements projections.Reader. It reads all balances and payments, of
// one commit.
func (d *DB) Digest(ctx context.Context) (out projections.Digest, err error) {
	err = d.snapshot(ctx, func(_ *readers, c *conn) (err error) {
		out, err = digest(ctx, c)
		return err
	})
	return out, err
}

// digest hashes what the snapshot of c holds.
func digest(ctx context.Context, c *conn) (projections.Digest, error) {
	h := projections.NewHasher()
	err := c.query(ctx, ledgerSQL+" ORDER BY l.book, l.wallet, l.currency", nil,
		func(r row) error {
			h.Ledger(projections.LedgerRow{
				LedgerKey: projections.LedgerKey{
					Book: r.str(1), Wallet: domain.AccountID(r.str(2)), Currency: domain.Currency(r.str(3)),
				},
				Balance: money(r.num(4), r.str(3)), Position: position(r.num(5)),
			})
			return nil
		})
	if err != nil {
		return projections.Digest{}, err
	}
	channels, err := knownChannels(c)
	if err != nil {
		return projections.Digest{}, err
	}
	for _, ch := range channels {
		if err := digestChannel(ctx, c, h, ch); err != nil {
			return projections.Digest{}, err
		}
	}
	if err := digestBooks(ctx, c, h); err != nil {
		return projections.Digest{}, err
	}
	cp, err := readCheckpoint(ctx, c)
	return h.Finish(cp), err
}

// digestChannel goes along the index of (channel, ref), so that nothing is
// sorted.
func digestChannel(ctx context.Context, c *conn, h *projections.Hasher, ch string) error {
	return c.query(ctx, paymentSQL+" WHERE p.channel = (SELECT id FROM names WHERE name = ?) ORDER BY p.ref", []any{ch},
		func(r row) error {
			p, err := scanPayment(r)
			if err == nil {
				h.Payment(p)
			}
			return err
		})
}

// digestBooks adds turnovers, payouts and periods: they are few.
func digestBooks(ctx context.Context, c *conn, h *projections.Hasher) error {
	turnovers, err := loadTurnovers(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range turnovers {
		h.Turnover(*t)
	}
	payouts, err := queryPayouts(ctx, c, " ORDER BY p.position")
	if err != nil {
		return err
	}
	for _, p := range payouts {
		h.Payout(p)
	}
	periods, err := queryPeriods(ctx, c, " ORDER BY position")
	for _, p := range periods {
		h.Period(p)
	}
	return err
}
