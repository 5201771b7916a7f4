package reconcile

import (
	"context"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// ShowAside brings what persons said about a difference, as the log has it, onto
// its row. A row that is resolved, also meanwhile, stays as it is.
func ShowAside(ctx context.Context, bills operations.Bills, d operations.Discrepancy, a domain.Aside) (operations.Discrepancy, error) {
	shown, err := d, error(nil)
	switch {
	case d.State != operations.DiscrepancyOpen:
	case a.Done != nil:
		shown, err = bills.ResolveDiscrepancy(ctx, d.ID, a.Done.By, a.Done.How, a.DoneAt)
	case a.Ask != nil && a.Ask.Ours == d.Ours && a.Ask.Theirs == d.Theirs:
		shown, err = bills.AskDiscrepancy(ctx, d.ID, a.Ask.Proposal, a.Ask.By, a.Ask.Reason, a.AskedAt)
	}
	if err != nil && domain.KindOf(err) == domain.KindConflict { // another process was faster
		return bills.Discrepancy(ctx, d.ID)
	}
	return shown, err
}

// showAside follows a person's word: the process that took it may have ended
// before the row had it, or the list may be younger than the log.
func (c *Comparer) showAside(ctx context.Context, e ledger.Entry, difference domain.ID) error {
	d, err := c.Bills.Discrepancy(ctx, difference)
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		return nil
	}
	if err != nil || d.State != operations.DiscrepancyOpen || e.Stream != domain.ReconciliationStream(d.Channel, string(d.Day)) {
		return err
	}
	a, _, err := c.Ledger.Aside(ctx, d.Channel, d.Day, difference)
	if err == nil {
		_, err = ShowAside(ctx, c.Bills, d, a)
	}
	return err
}
