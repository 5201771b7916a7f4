package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"counterfoil/httpapi"
)

func newReceivablesCommand(p *program) *cobra.Command {
	var r remote
	var limit int
	cmd := &cobra.Command{
		Use: "receivables", Short: "List accounts below zero: what customers owe",
		Long: `Lists the accounts that were refunded after they had spent, or that spent more
than they had. By currency, those that owe most first; the sums are of all.`,
		Example: "  counterfoil receivables --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			c, err := p.connect(r)
			if err != nil {
				return err
			}
			var out httpapi.Receivables
			if err := c.call(ctx, http.MethodGet, query("/v1/receivables", "limit", strconv.Itoa(limit)), nil, nil, &out); err != nil {
				return err
			}
			return p.printReceivables(out)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 200, "most `ACCOUNTS` to list")
	r.addFlags(cmd)
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) printReceivables(out httpapi.Receivables) error {
	if p.output == "json" {
		return p.json(out)
	}
	t := newTable("ACCOUNT", ">BALANCE", ">LAST ENTRY")
	for _, a := range out.Accounts {
		t.add(a.Account, apiMoney(&a.Balance), a.Position.String())
	}
	if err := t.print(p.stdout); err != nil {
		return err
	}
	for _, m := range out.Totals {
		if _, err := fmt.Fprintf(p.stdout, "owed %s\n", apiMoney(&m)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.stdout, "%d in all, at position %s\n", out.Count, out.Position)
	return err
}
