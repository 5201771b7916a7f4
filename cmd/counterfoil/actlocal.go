package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/user"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/eventstore"
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

// taking is what leaves an installation by a command on its files, and why.
type taking struct {
	what    domain.ActKind
	subject string
	why     string
}

func addWhy(cmd *cobra.Command, why *string) {
	cmd.Flags().StringVar(why, "why", "", "`TEXT` that says what it is for; it is kept with the act in the log")
}

// tellTaken records what is taken before it is. A log that can never be appended
// to again, because it has moved or this account may only read it, is told of on
// standard error instead: what it holds can be copied without this program, so
// that refusing to read it out would keep nothing back.
func (p *program) tellTaken(ctx context.Context, events eventstore.Store, l *ledger.Ledger, t taking) error {
	if moved, ok := events.(interface{ Retired() string }); ok && moved.Retired() != "" {
		p.say("warning: that this was taken is recorded nowhere: the log has moved to %s", moved.Retired())
		return nil
	}
	err := p.actOn(ctx, l, domain.Act{What: t.what, Subject: t.subject, Why: t.why})
	if domain.KindOf(err) == domain.KindDenied {
		p.say("warning: that this was taken is recorded nowhere: %v", err)
		return nil
	}
	return err
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
