package assembly

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
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
	store, err := createEvents(ctx, cfg)
	if err != nil {
		return id, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := osqlite.Create(Path(cfg, OperationsFile)); err != nil {
		return id, err
	}
	if err := createTree(cfg, id); err != nil {
		return id, err
	}
	return id, ledger.Init(ctx, store, id, mode, ledger.Config{Software: Software, Clock: clock})
}

// createEvents is an empty event store: a new file, or a namespace of a server
// in which nothing was written yet.
func createEvents(ctx context.Context, cfg config.Config) (eventstore.Store, error) {
	if !cfg.Remote() {
		if err := esqlite.Create(Path(cfg, EventsFile), esqlite.Options{}); err != nil {
			return nil, err
		}
	}
	store, err := OpenEvents(ctx, cfg, StoreOptions{})
	if err != nil {
		return nil, err
	}
	switch opened, err := ledger.Opened(ctx, store); {
	case err == nil:
		return nil, errors.Join(domain.E(domain.KindConflict, "%s holds the log of ledger %s already: choose another namespace",
			StoreName(cfg), opened.Ledger), store.Close())
	case domain.KindOf(err) != domain.KindNotFound:
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}
