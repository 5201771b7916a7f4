package main

import (
	"context"
	"errors"

	"counterfoil/audit"
	"counterfoil/eventstore"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
)

// readCache is the page cache of a command that only reads, in bytes.
const readCache = 16 << 20

// stores are the files of an installation, opened to be read. Unlike a daemon,
// a command that looks records nothing, not even changed settings.
type stores struct {
	config config.Config
	events eventstore.Store
	ops    operations.Store
	ledger *ledger.Ledger
	keys   *audit.Remembered // that ledger opens sealed parts with
}

// openEvents opens the event log alone, also from a medium that cannot be
// written.
func (p *program) openEvents(ctx context.Context, cfg config.Config) (eventstore.Store, error) {
	return assembly.OpenEvents(ctx, cfg, assembly.StoreOptions{Cache: readCache, OnlyReads: true})
}

// openStores opens the event log with the keys to its sealed parts.
func (p *program) openStores(ctx context.Context, cfg config.Config) (s *stores, err error) {
	events, err := p.openEvents(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return p.openBeside(ctx, cfg, events)
}

// openBeside is openStores for an event log that is open; it is closed with the
// rest.
func (p *program) openBeside(ctx context.Context, cfg config.Config, events eventstore.Store) (s *stores, err error) {
	s = &stores{config: cfg, events: events}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.ops, err = p.operations(ctx, cfg, osqlite.Options{Clock: p.clock, OnlyReads: true}); err != nil {
		return s, err
	}
	s.keys = audit.Remember(s.ops)
	s.ledger, err = ledger.Open(ctx, s.events, s.keys, ledger.Config{Software: assembly.Software, Clock: p.clock})
	return s, err
}

func (s *stores) close() error {
	var errs []error
	if s.ops != nil {
		errs = append(errs, s.ops.Close())
	}
	if s.events != nil {
		errs = append(errs, s.events.Close())
	}
	return errors.Join(errs...)
}
