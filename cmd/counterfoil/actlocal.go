package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/user"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// actLocally records what somebody does on the machine itself, where no API key
// says who they are: the account they are logged in with does. What it stands for
// must not happen when it cannot be recorded.
func (p *program) actLocally(ctx context.Context, cfg config.Config, ops operations.Store, a domain.Act) (err error) {
	events, err := assembly.OpenEvents(ctx, cfg, assembly.StoreOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	l, err := ledger.Open(ctx, events, ops, ledger.Config{Software: assembly.Software, Clock: p.clock})
	if err != nil {
		return err
	}
	return p.actOn(ctx, l, a)
}

// actOn is actLocally in a ledger that is open.
func (p *program) actOn(ctx context.Context, l *ledger.Ledger, a domain.Act) error {
	a.Person, a.From = "unknown account", "cli"
	if u, err := user.Current(); err == nil && domain.CheckPerson(u.Username) == nil {
		a.Person = u.Username
	}
	if err := l.Act(ctx, a, ledger.By{Actor: "person:" + a.Person, Cause: "cli"}); err != nil {
		return fmt.Errorf("record it: %w", err)
	}
	return nil
}
