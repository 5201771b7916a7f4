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
	bill := domain.BookedBill{Day: run.Day, Bill: run.Bill, Run: run.ID, SHA256: run.SHA256}
	for _, t := range run.Totals {
		if t.Fees != "" {
			bill.Charges = append(bill.Charges, domain.Charge{Currency: t.Currency, Fees: t.Fees})
		}
	}
	booked, err := c.Ledger.BookBill(ctx, run.Channel, bill, ledger.By{Actor: "reconciler", Cause: run.ID})
	if err != nil {
		return err
	}
	for _, f := range booked.Facts {
		if fees, ok := f.(domain.FeesBooked); ok {
			c.Logger.LogAttrs(ctx, slog.LevelInfo, "fees booked", slog.String("run", run.ID), slog.String("channel", string(run.Channel)),
				slog.String("day", string(run.Day)), slog.String("bill", run.Bill), slog.String("amount", fees.Amount.String()))
		}
	}
	return nil
}
