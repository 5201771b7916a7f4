package assembly

import (
	"context"
	"fmt"
	"log/slog"

	"counterfoil/domain"
)

// SelfCheck asserts what must always hold of the rows in use: every currency's
// books sum to zero. A difference is logged as damage; nothing is changed.
func (a *App) SelfCheck(ctx context.Context) error {
	books, err := a.Rows.TrialBalance(ctx)
	if err != nil {
		return fmt.Errorf("trial balance: %w", err)
	}
	var total domain.Totals
	for _, sums := range books {
		for _, m := range sums {
			if err := total.Add(m); err != nil {
				return fmt.Errorf("trial balance: %w", err)
			}
		}
	}
	if !total.IsZero() {
		return domain.E(domain.KindCorrupt, "trial balance is not zero: %s; run `counterfoil verify`", &total)
	}
	a.Logger.InfoContext(ctx, "self-check", slog.String("trial_balance", "zero"), slog.Int("books", len(books)))
	return nil
}
