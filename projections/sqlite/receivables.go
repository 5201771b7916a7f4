package sqlite

import (
	"cmp"
	"context"
	"slices"

	"counterfoil/domain"
	"counterfoil/projections"
)

// Receivables implements projections.Books. It looks at the last entry of every
// account: an index of the few that are below zero would be paid for by every
// callback.
func (d *DB) Receivables(ctx context.Context, limit int) (projections.Receivables, error) {
	var out projections.Receivables
	var all domain.Totals
	err := d.snapshot(ctx, func(_ *readers, c *conn) (err error) {
		if out.Position, err = readPosition(c); err != nil {
			return err
		}
		return c.query(ctx, ledgerSQL+" WHERE l.book = ? AND l.wallet <> ?", []any{domain.BookWallet, string(domain.TestAccount)}, func(r row) error {
			owed := money(r.num(4), r.str(3)) // + debit: a wallet is a liability
			if !owed.IsPositive() {
				return nil
			}
			out.Count++
			out.Accounts = append(out.Accounts, projections.Balance{
				Account: domain.AccountID(r.str(2)), Amount: owed.Neg(), Position: position(r.num(5)),
			})
			return all.Add(owed)
		})
	})
	if err != nil {
		return projections.Receivables{}, err
	}
	slices.SortFunc(out.Accounts, func(a, b projections.Balance) int {
		return cmp.Or(cmp.Compare(a.Amount.Currency(), b.Amount.Currency()), cmp.Compare(a.Amount.Minor(), b.Amount.Minor()),
			cmp.Compare(a.Account, b.Account))
	})
	out.Totals = slices.Collect(all.All())
	out.Accounts = slices.Clone(out.Accounts[:min(limit, len(out.Accounts))])
	return out, nil
}
