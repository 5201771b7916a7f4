package reconcile

import (
	"context"
	"log/slog"
	"slices"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
)

// book books what the bill of a comparison says was charged, exchanged and paid
// out, as far as it is not booked yet. Of several kinds of bill that list the
// same charges the fund flow counts, because it tells what moved; discounts
// stand in the trade bill alone. Answers about single payments list none of it.
// It returns the movements that are booked with other amounts.
func (c *Comparer) book(ctx context.Context, run *operations.BillRun, t *domain.BillTally) ([]domain.Movement, error) {
	kinds := c.BillsOf(run.Channel)
	if run.Bill == BillAnswers || !slices.Contains(kinds, run.Bill) {
		return nil, nil
	}
	if err := c.note(ctx, run, operations.PhaseBooking, 0, 0); err != nil {
		return nil, err
	}
	by := ledger.By{Actor: "reconciler", Cause: run.ID}
	for _, bill := range c.bookings(run, kinds, t) {
		booked, err := c.Ledger.BookBill(ctx, run.Channel, bill, by)
		if err != nil {
			return nil, err
		}
		c.tellBooked(ctx, run, booked)
	}
	if run.Bill != kinds[len(kinds)-1] {
		return nil, nil // the fund flow tells of payouts, too
	}
	moves := slices.Clone(t.Movements())
	for i := range moves {
		moves[i].Bill, moves[i].Run, moves[i].SHA256 = run.Bill, run.ID, run.SHA256
	}
	booked, err := c.Ledger.BookMovements(ctx, run.Channel, run.Day, moves, by)
	if err != nil {
		return nil, err
	}
	c.tellBooked(ctx, run, booked)
	return booked.Differing, nil
}

// bookings are what a run has to say about charges. With a fund flow the trade
// bill's fees are none: what it booked before there was a flow is taken back by
// the flow's run, which books what moved instead.
func (c *Comparer) bookings(run *operations.BillRun, kinds []string, t *domain.BillTally) []domain.BookedBill {
	bill := domain.BookedBill{
		Day: run.Day, Bill: run.Bill, Run: run.ID, SHA256: run.SHA256, Charges: t.Charges(), Exchanges: t.Exchanges(),
	}
	if !c.threeWay(run.Channel) {
		if run.Bill != kinds[0] {
			return nil
		}
		return []domain.BookedBill{bill}
	}
	if run.Bill != string(providers.BillFunds) {
		for i := range bill.Charges {
			bill.Charges[i].Fees, bill.Charges[i].Moved = "", domain.Money{}
		}
		bill.Exchanges = nil
		return []domain.BookedBill{bill}
	}
	trade := domain.BookedBill{Day: run.Day, Bill: kinds[0], Run: run.ID, SHA256: run.SHA256, NoDiscounts: true}
	for i, charge := range bill.Charges {
		trade.Charges = append(trade.Charges, domain.Charge{Currency: charge.Currency, Fees: "0"})
		bill.Charges[i].Discounts = ""
	}
	return []domain.BookedBill{trade, bill}
}

func (c *Comparer) tellBooked(ctx context.Context, run *operations.BillRun, booked domain.Booked) {
	for _, f := range booked.Facts {
		c.Logger.LogAttrs(ctx, slog.LevelInfo, "booked from a bill", slog.String("run", run.ID),
			slog.String("channel", string(run.Channel)), slog.String("day", string(run.Day)), slog.String("bill", run.Bill),
			slog.String("fact", f.FactType()))
	}
}
