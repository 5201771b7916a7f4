package assembly

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"counterfoil/domain"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	osqlite "counterfoil/operations/sqlite"
)

// Create makes the stores of a new installation and writes the ledger's first
// event. What is there already is KindConflict and left alone.
func Create(ctx context.Context, cfg config.Config, mode domain.Mode, clock func() time.Time) (id domain.ID, err error) {
	if id, err = domain.NewRandom(rand.Reader); err != nil {
		return id, err
	}
	if err := osqlite.Create(Path(cfg, OperationsFile)); err != nil {
		return id, err
	}
	path := Path(cfg, EventsFile)
	if err := esqlite.Create(path, esqlite.Options{}); err != nil {
		return id, err
	}
	store, err := esqlite.Open(ctx, path, esqlite.Options{})
	if err != nil {
		return id, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return id, ledger.Init(ctx, store, id, mode, ledger.Config{Software: Software, Clock: clock})
}
