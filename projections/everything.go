package projections

import (
	"context"
	"iter"

	"counterfoil/eventstore"
)

// Everything hands out all that an adapter has stored, to be compared with a
// fold from nothing.
type Everything interface {
	// Everything calls do with the rows of one commit and the checkpoint they
	// belong to. Two folds of one log give the same rows in the same order,
	// whatever pages they came in; each table, also an empty one, ends with a row
	// that counts the others. KindCorrupt is a file that cannot be read.
	Everything(ctx context.Context, do func(at Checkpoint, rows iter.Seq2[StoredRow, error]) error) error
}

// StoredRow is a row as it is stored, in words.
type StoredRow struct {
	Table    string
	Position eventstore.Position // of the event that the row is of; 0 where it has none
	Text     string              // every column with its value, NULL and types told apart
}
