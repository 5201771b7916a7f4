package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"

	"counterfoil/httpapi"
)

func newEntriesCommand(p *program) *cobra.Command {
	var r remote
	var currency, then string
	var limit int
	cmd := &cobra.Command{
		Use: "entries ACCOUNT", Short: "List an account's movements, each with the balance after it",
		Long: `Lists what came to an account and what went from it, newest first, now or as the
log stood at a position or an instant.`,
		Example: `  counterfoil entries user:42 --dir /srv/pay
  counterfoil entries user:42 --as-of 2026-12-01T00:00:00Z --currency CNY --dir /srv/pay`,
		Args: cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			at, err := asOf(then)
			if err != nil {
				return err
			}
			return p.listEntries(ctx, r, limit, args[0], append(at, "currency", currency)...)
		}),
	}
	cmd.Flags().StringVar(&currency, "currency", "", "only of this `CODE`")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most `N` rows; further pages are fetched as needed")
	addAsOf(cmd, &then)
	r.addFlags(cmd)
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) listEntries(ctx context.Context, r remote, limit int, account string, filter ...string) error {
	path := "/v1/accounts/" + url.PathEscape(account) + "/entries"
	all, err := listed[httpapi.Entry](ctx, p, r, limit, path, "entries", filter...)
	if err != nil {
		return err
	}
	if p.output == "json" {
		return p.json(all)
	}
	t := newTable("WHEN (UTC)", ">POSITION", "DAY", "WHAT", "PAYMENT", ">AMOUNT", ">AFTER")
	for _, e := range all {
		t.add(e.Recorded, e.Position, e.ValueDate, e.Type, e.Payment, apiMoney(&e.Amount), apiMoney(&e.After))
	}
	return t.print(p.stdout)
}
