package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/assembly"
	"counterfoil/internal/progress"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
)

func newProjectionsCommand(p *program) *cobra.Command {
	return group("projections", "See how far the projections are, and fold them anew",
		newProjectionsStatusCommand(p), newProjectionsRebuildCommand(p))
}

// projectionStatus is how far the rows go.
type projectionStatus struct {
	Position eventstore.Position `json:"position"`
	Head     eventstore.Position `json:"head"`
	Balances int                 `json:"balances"`
	Payments int                 `json:"payments"`
	Entries  int                 `json:"entries"`
	Digest   string              `json:"digest"`
}

func newProjectionsStatusCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Show how far the projections go, with their digest",
		Long: `Shows the position the projections are folded up to, the head of the log, and a
digest of all balances and payments. Equal logs give equal digests.`,
		Example: "  counterfoil projections status --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.projectionStatus(ctx) }),
	}
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) projectionStatus(ctx context.Context) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	path := assembly.Path(cfg, assembly.ProjectionsFile)
	if !exists(path) {
		return domain.E(domain.KindNotFound, "no projections at %s: a running daemon makes them, or `counterfoil projections rebuild`", path)
	}
	events, err := p.openEvents(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	db, err := psqlite.Open(path, psqlite.Config{})
	if err != nil {
		return fmt.Errorf("open projections: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	d, err := db.Digest(ctx)
	if err != nil {
		return fmt.Errorf("hash the projections: %w", err)
	}
	head, err := events.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the head of the log: %w", err)
	}
	rows := []projectionStatus{{d.Position, head, d.Balances, d.Payments, d.Entries, d.SHA256}}
	t := newTable(">POSITION", ">HEAD OF LOG", ">BALANCES", ">PAYMENTS", ">ENTRIES", "DIGEST")
	return printRows(p, rows, t, func(s projectionStatus) {
		t.add(s.Position, s.Head, s.Balances, s.Payments, s.Entries, s.Digest)
	})
}

func newProjectionsRebuildCommand(p *program) *cobra.Command {
	var accept bool
	cmd := &cobra.Command{
		Use: "rebuild", Short: "Fold the whole log into new projections and switch to them",
		Long: `Folds the log from its first event into a new file beside the one in use, compares
both at one position, and switches. Daemons go on meanwhile.

When the rows in use are not what the log says, nothing is switched and the exit
status is 3; look into it first, then repeat with --accept: the log is right.`,
		Example: "  counterfoil projections rebuild --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.rebuild(ctx, accept) }),
	}
	cmd.Flags().BoolVar(&accept, "accept", false, "switch although the rows in use differ")
	p.addOutput(cmd, "table")
	return cmd
}

// rebuilt is what a rebuild did.
type rebuilt struct {
	Position eventstore.Position `json:"position"`
	Events   int64               `json:"events"`
	Compared bool                `json:"compared"`
	Same     bool                `json:"same"`
	Why      string              `json:"why,omitempty"`
}

func (p *program) rebuild(ctx context.Context, accept bool) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	events, err := p.openEvents(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	head, err := events.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the head of the log: %w", err)
	}
	bar := progress.New(p.stderr, p.environ, "rebuild")
	defer bar.End()
	told, err := psqlite.Rebuild(ctx, events, assembly.Path(cfg, assembly.ProjectionsFile), psqlite.RebuildConfig{
		Accept: accept, Progress: func(g projections.Progress) { bar.Set(uint64(g.Position), uint64(max(head, g.Position))) },
	})
	bar.End()
	if err != nil && told.Compared && told.Before != told.After {
		return &verdict{exitDiffers, fmt.Errorf("%w (repeat with --accept once it is clear why)", err)}
	}
	if err != nil {
		return err
	}
	rows := []rebuilt{{told.Position, told.Events, told.Compared, told.Compared && told.Before == told.After, told.Why}}
	t := newTable(">POSITION", ">EVENTS", "COMPARED WITH THE ROWS BEFORE")
	return printRows(p, rows, t, func(r rebuilt) {
		said := "differed, replaced as asked"
		switch {
		case r.Same:
			said = "the same"
		case !r.Compared:
			said = "no: " + r.Why
		}
		t.add(r.Position, r.Events, said)
	})
}
