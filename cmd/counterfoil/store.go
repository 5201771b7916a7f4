package main

import (
	"context"
	"errors"

	"counterfoil/eventstore"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	"counterfoil/operations"
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
}

// openEvents opens the event log alone.
func (p *program) openEvents(ctx context.Context, cfg config.Config) (eventstore.Store, error) {
	return assembly.OpenEvents(ctx, cfg, assembly.StoreOptions{Cache: readCache})
}

// openStores opens the event log with the keys to its sealed parts, which wrap
// may keep at hand.
func (p *program) openStores(
	ctx context.Context, cfg config.Config, wrap func(ledger.Keys) ledger.Keys,
) (s *stores, err error) {
	events, err := p.openEvents(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return p.openBeside(ctx, cfg, events, wrap)
}

// openBeside is openStores for an event log that is open; it is closed with the
// rest.
func (p *program) openBeside(
	ctx context.Context, cfg config.Config, events eventstore.Store, wrap func(ledger.Keys) ledger.Keys,
) (s *stores, err error) {
	s = &stores{config: cfg, events: events}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.ops, err = p.openOperations(ctx, cfg); err != nil {
		return s, err
	}
	s.ledger, err = ledger.Open(ctx, s.events, wrap(s.ops), ledger.Config{Software: assembly.Software, Clock: p.clock})
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
