package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// rowPage is how many rows are compared at once.
const rowPage = 1000

// compareScratch folds the log anew and compares every row with it, by digest.
func compareScratch(ctx context.Context, d Deps, w *walk, rep *Report) error {
	if d.Scratch == nil || !rep.Rows.Compared {
		return nil
	}
	have, err := d.Rows.Digest(ctx)
	if err != nil {
		return fmt.Errorf("hash the projections: %w", err)
	}
	r := projections.NewRunner(d.Log, d.Scratch, projections.Config{
		Page: 5000, Pace: -1, Cached: 50_000,
		Progress: func(p projections.Progress) {
			w.progress(Progress{Stage: "rows", Done: p.Position, Total: have.Position})
		},
	})
	rep.checked(CheckRows, int64(have.Payments+have.Balances))
	if err := r.CatchUp(ctx, have.Position); err != nil {
		if k := domain.KindOf(err); k != domain.KindCorrupt && k != domain.KindMismatch {
			return fmt.Errorf("fold the log anew: %w", err)
		}
		rep.add(Finding{Check: CheckRows, Text: "the log cannot be folded: " + err.Error()})
		return nil
	}
	want, err := d.Scratch.Digest(ctx)
	if err != nil {
		return fmt.Errorf("hash the fold: %w", err)
	}
	if want != have {
		rep.add(Finding{Check: CheckRows, Text: fmt.Sprintf(
			"at position %s a fold from nothing gives %d balances, %d payments, %d entries with digest %s; the projections have %d, %d, %d and %s",
			have.Position, want.Balances, want.Payments, want.Entries, want.SHA256,
			have.Balances, have.Payments, have.Entries, have.SHA256)})
	}
	at, err := w.sums(func(s *shard) books { return s.atMark })
	if err != nil {
		return err
	}
	rep.Rows.Full = true
	c := rowComparison{rows: d.Rows, fold: d.Scratch, at: w.mark, rep: rep}
	return c.run(ctx, at)
}

// rowComparison compares the rows that a digest only counts.
type rowComparison struct {
	rows, fold projections.Reader
	at         eventstore.Position
	rep        *Report
}

func (c *rowComparison) run(ctx context.Context, at books) error {
	ledgers := slices.SortedFunc(maps.Keys(at), func(a, b projections.LedgerKey) int {
		return strings.Compare(a.Book+"\x00"+string(a.Wallet)+"\x00"+string(a.Currency),
			b.Book+"\x00"+string(b.Wallet)+"\x00"+string(b.Currency))
	})
	for _, k := range ledgers {
		if err := c.entries(ctx, k); err != nil {
			return fmt.Errorf("compare entries of %s %s: %w", k.Book, k.Wallet, err)
		}
	}
	if err := c.callbacks(ctx); err != nil {
		return fmt.Errorf("compare callbacks: %w", err)
	}
	return nil
}

func (c *rowComparison) differ(at eventstore.Position, what string, want, have any) {
	c.rep.add(Finding{
		Position: at, Check: CheckRows, Text: fmt.Sprintf("%s: a fold from nothing gives %v, the projections have %v", what, want, have),
	})
}

// entries compares one ledger's entries, newest first, up to the first that
// differs: the balances after it differ then, too.
func (c *rowComparison) entries(ctx context.Context, k projections.LedgerKey) error {
	f := projections.EntryFilter{Book: k.Book, Wallet: k.Wallet, Currency: k.Currency, AsOf: c.at, Limit: rowPage}
	for {
		want, err := c.fold.Entries(ctx, f)
		if err != nil {
			return err
		}
		have, err := c.rows.Entries(ctx, f)
		if err != nil {
			return err
		}
		c.rep.checked(CheckRows, int64(len(want)))
		for i := range max(len(want), len(have)) {
			w, h := at(want, i), at(have, i)
			w.Recorded, h.Recorded = clean(w.Recorded), clean(h.Recorded)
			if w != h {
				c.differ(max(w.Position, h.Position), "entry of "+strings.TrimSpace(k.Book+" "+string(k.Wallet)), w, h)
				return nil
			}
		}
		if len(want) < rowPage {
			return nil
		}
		last := want[len(want)-1]
		f.Before = projections.Cursor{Position: last.Position, Leg: last.Leg}
	}
}

// callbacks compares the rows of kept notices, newest first, up to the first
// that differs.
func (c *rowComparison) callbacks(ctx context.Context) error {
	f := projections.CallbackFilter{Before: c.at + 1, Limit: rowPage}
	for {
		want, err := c.fold.Callbacks(ctx, f)
		if err != nil {
			return err
		}
		have, err := c.rows.Callbacks(ctx, f)
		if err != nil {
			return err
		}
		c.rep.checked(CheckRows, int64(len(want)))
		for i := range max(len(want), len(have)) {
			w, h := at(want, i), at(have, i)
			w.ReceivedAt, h.ReceivedAt = clean(w.ReceivedAt), clean(h.ReceivedAt)
			if w != h {
				c.differ(max(w.Position, h.Position), "row of a notice", w, h)
				return nil
			}
		}
		if len(want) < rowPage {
			return nil
		}
		f.Before = want[len(want)-1].Position
	}
}

// at is the i-th row, or an empty one behind the last.
func at[T any](rows []T, i int) T {
	var none T
	if i >= len(rows) {
		return none
	}
	return rows[i]
}

// clean makes equal times equal with ==.
func clean(t time.Time) time.Time { return domain.Instant(t) }
