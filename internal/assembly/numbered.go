package assembly

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"counterfoil/eventstore"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
)

// numbered is a log whose positions count its events from 1, as read from its
// beginning: a position is the store's own, so that only numbers can be
// compared between two stores.
type numbered struct{ eventstore.Reader }

// Follow begins at the beginning, whatever after says: it is for folds from
// nothing.
func (n numbered) Follow(ctx context.Context, _ eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	return func(yield func(eventstore.Batch, error) bool) {
		var count eventstore.Position
		for b, err := range n.Reader.Follow(ctx, 0, o) {
			for i := range b.Events {
				count++
				b.Events[i].Position = count
			}
			b.Position = count
			if !yield(b, err) {
				return
			}
		}
	}
}

// foldPage is how many events go in one transaction of a fold that nobody
// reads meanwhile.
const foldPage = 5000

// foldNumbered folds the first n events of a log into rows of their own and
// returns their digest, which is the same for the same log in any store.
func foldNumbered(ctx context.Context, log eventstore.Reader, n uint64, progress func(uint64)) (d projections.Digest, err error) {
	dir, err := os.MkdirTemp("", "counterfoil-fold-")
	if err != nil {
		return d, fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	rows, err := psqlite.Open(filepath.Join(dir, ProjectionsFile), psqlite.Config{})
	if err != nil {
		return d, fmt.Errorf("open rows to compare: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	runner := projections.NewRunner(numbered{log}, rows, projections.Config{
		Page: foldPage, Pace: -1, Progress: func(p projections.Progress) { progress(uint64(p.Events)) },
	})
	if err := runner.CatchUp(ctx, eventstore.Position(n)); err != nil {
		return d, err
	}
	return rows.Digest(ctx)
}
