package reconcile

import (
	"context"
	"log/slog"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// bookFees books what the bill of a comparison says was charged. Of several
// kinds of bill, which list the same charges, the first one counts; answers
// about single payments list none.
func (c *Comparer) bookFees(ctx context.Context, run operations.BillRun) error {
	if kinds := c.BillsOf(run.Channel); run.Bill == BillAnswers || len(kinds) == 0 || kinds[0] != run.Bill {
		return nil
	}
	for _, t := range run.Totals {
		if t.Fees == "" {
			continue
		}
		booked, err := c.Ledger.BookFees(ctx, run.Channel, domain.FeeBill{
			Day: run.Day, Bill: run.Bill, Run: run.ID, SHA256: run.SHA256, Fees: t.Fees, In: t.Currency,
		}, ledger.By{Actor: "reconciler", Cause: run.ID})
		if err != nil {
			return err
		}
		if booked.IsZero() {
			continue
		}
		c.Logger.LogAttrs(ctx, slog.LevelInfo, "fees booked", slog.String("run", run.ID), slog.String("channel", string(run.Channel)),
			slog.String("day", string(run.Day)), slog.String("bill", run.Bill), slog.String("amount", booked.String()))
	}
	return nil
}
