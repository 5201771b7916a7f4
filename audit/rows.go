package audit

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// compareScratch folds the log anew and compares every stored row with it.
func compareScratch(ctx context.Context, d Deps, w *walk, rep *Report) error {
	if d.Scratch == nil || !rep.Rows.Compared {
		return nil
	}
	c := &rowComparison{log: d.Log, fold: d.Scratch, rep: rep}
	c.runner = projections.NewRunner(d.Log, d.Scratch, projections.Config{
		Page: 5000, Pace: -1, Cached: 50_000,
		Progress: func(p projections.Progress) {
			w.progress(Progress{Stage: "rows", Done: p.Position, Total: w.mark})
		},
	})
	if ok, err := c.foldTo(ctx, w.mark); !ok || err != nil {
		return err
	}
	// What is folded into the rows meanwhile is folded here behind their snapshot,
	// which is held open for no longer than the comparison takes.
	err := d.Rows.Everything(ctx, func(at projections.Checkpoint, have iter.Seq2[projections.StoredRow, error]) error {
		if ok, err := c.foldTo(ctx, at.Position); !ok || err != nil {
			return err
		}
		return d.Scratch.Everything(ctx, func(_ projections.Checkpoint, want iter.Seq2[projections.StoredRow, error]) error {
			return c.run(want, have)
		})
	})
	if domain.KindOf(err) == domain.KindCorrupt {
		rep.add(Finding{Check: CheckRows, Text: err.Error()})
		err = nil
	}
	if err != nil {
		return fmt.Errorf("compare rows: %w", err)
	}
	rep.Rows.Full = true
	return nil
}

// rowComparison compares stored rows with those of a fold from nothing.
type rowComparison struct {
	log    eventstore.Reader
	fold   Scratch
	runner *projections.Runner
	rep    *Report
}

// foldTo folds up to a position that rows say they stand at; ok is false where
// that cannot be, and was told.
func (c *rowComparison) foldTo(ctx context.Context, p eventstore.Position) (ok bool, err error) {
	head, err := c.log.Head(ctx)
	if err != nil {
		return false, fmt.Errorf("read the head of the log: %w", err)
	}
	if p > head {
		c.rep.add(Finding{Position: p, Check: CheckRows, Text: fmt.Sprintf("the projections stand here, and the log ends at %s", head)})
		return false, nil
	}
	err = c.runner.CatchUp(ctx, p)
	if k := domain.KindOf(err); k == domain.KindCorrupt || k == domain.KindMismatch {
		c.rep.add(Finding{Check: CheckRows, Text: "the log cannot be folded: " + err.Error()})
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("fold the log anew: %w", err)
	}
	return true, nil
}

// run compares two sets of rows, each table up to the first row that differs:
// those behind it may differ only because of it.
func (c *rowComparison) run(want, have iter.Seq2[projections.StoredRow, error]) error {
	w, stop := pullRows(want)
	defer stop()
	h, stopHave := pullRows(have)
	defer stopHave()
	for w.ok || h.ok {
		if w.ok && h.ok && w.row == h.row {
			c.rep.checked(CheckRows, 1)
		} else {
			table := cmp.Or(w.row.Table, h.row.Table)
			c.differ(table, w.of(table), h.of(table))
			w.skip(table)
			h.skip(table)
			continue
		}
		w.next()
		h.next()
	}
	if w.err != nil {
		return w.err
	}
	return h.err
}

func (c *rowComparison) differ(table string, want, have projections.StoredRow) {
	text := func(r projections.StoredRow) string {
		if r.Table == "" {
			return "no row"
		}
		return fmt.Sprintf("%.400s", r.Text)
	}
	c.rep.add(Finding{
		Position: max(want.Position, have.Position), Check: CheckRows,
		Text: fmt.Sprintf("%s: a fold from nothing gives %s; the projections have %s", table, text(want), text(have)),
	})
}

// rowReader is one set of rows; ok is false behind the last and at an error.
type rowReader struct {
	row  projections.StoredRow
	ok   bool
	err  error
	pull func() (projections.StoredRow, error, bool)
}

func pullRows(rows iter.Seq2[projections.StoredRow, error]) (*rowReader, func()) {
	pull, stop := iter.Pull2(rows)
	r := &rowReader{pull: pull}
	r.next()
	return r, stop
}

func (r *rowReader) next() {
	r.row, r.err, r.ok = r.pull()
	if r.err != nil {
		r.ok = false
	}
	if !r.ok {
		r.row = projections.StoredRow{}
	}
}

// of is the row that r has for a table.
func (r *rowReader) of(table string) projections.StoredRow {
	if r.row.Table == table {
		return r.row
	}
	return projections.StoredRow{}
}

func (r *rowReader) skip(table string) {
	for r.ok && r.row.Table == table {
		r.next()
	}
}
