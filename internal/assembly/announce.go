package assembly

import (
	"context"

	"counterfoil/domain"
	"counterfoil/eventstore"
	psqlite "counterfoil/projections/sqlite"
)

// announcing is the log whose appends tell the rows that they change soon,
// whichever process folds: after a silence they would be looked at late.
type announcing struct {
	eventstore.Store
	rows *psqlite.DB
}

// Append implements eventstore.Appender.
func (a announcing) Append(
	ctx context.Context, stream domain.Stream, expected eventstore.Expected, events []eventstore.Event,
) (eventstore.Appended, error) {
	done, err := a.Store.Append(ctx, stream, expected, events)
	a.rows.Expect()
	return done, err
}
