package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
)

func newDiffCommand(p *program) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use: "diff --from POSITION [--to POSITION]", Short: "Show what changed between two positions of the log",
		Long: `Folds the log up to both positions and lists every book and account whose balance
changed between them, and the events that came, by type. It asks the log alone,
never the projections. Wallets are liabilities: − is money of the account's.`,
		Example: `  counterfoil audit diff --dir /srv/pay --from 1200
  counterfoil audit diff --dir /srv/pay --from 1200 --to 1300 --output json`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.diff(ctx, from, to) }),
	}
	cmd.Flags().StringVar(&from, "from", "0", "`POSITION` behind which changes count")
	cmd.Flags().StringVar(&to, "to", "", "last `POSITION` that counts; the head of the log when left out")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) diff(ctx context.Context, from, to string) (err error) {
	low, err := eventstore.ParsePosition(from)
	if err != nil {
		return domain.EField(domain.KindInvalid, "--from", "%w", err)
	}
	high := eventstore.Position(math.MaxInt64)
	if to != "" {
		if high, err = eventstore.ParsePosition(to); err != nil {
			return domain.EField(domain.KindInvalid, "--to", "%w", err)
		}
	}
	cfg, err := p.load()
	if err != nil {
		return err
	}
	events, err := p.openEvents(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	d, err := audit.Diff(ctx, events, low, high)
	if err != nil {
		return err
	}
	if p.output == "json" {
		return p.json(d)
	}
	t := newTable("BOOK", "ACCOUNT", ">BEFORE", ">AFTER", ">CHANGE")
	for _, c := range d.Changes {
		t.add(c.Book, c.Wallet, c.From, c.To, c.Change)
	}
	if err := t.print(p.stdout); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "\n%d events behind position %s, up to %s:\n", d.Events, d.From, d.To)
	types := newTable("TYPE", ">EVENTS")
	for _, name := range slices.Sorted(maps.Keys(d.Types)) {
		types.add(name, d.Types[name])
	}
	return types.print(p.stdout)
}
